"""The law of the fleet's cap: in any window, over all hosts, no more than rate * t + burst, whatever happens to
them."""

from __future__ import annotations

import random

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shadowlane.fleet.member import DRIFT, MICRO, Member, Terms
from tests.unit.fleet.simulated import LEASE_S, Law, Register, SimulatedHost, record_of

RATE, BURST = 20, 12
TERMS = Terms(RATE * MICRO, BURST, 1, LEASE_S)
HOSTS = st.integers(0, 3)


class FleetMachine(RuleBasedStateMachine):
    """Hosts ask, hear late or never, die, come back; writes arrive late and twice; the server dies and forgets. It
    begins when all hosts have a share; hosts that are greedy take what they can at every moment, the others save it
    up."""

    @initialize(speeds=st.lists(st.floats(1 - DRIFT / 2, 1 + DRIFT / 2), min_size=4, max_size=4),
                offsets=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), greedy=st.integers(0, 15))  # fmt: skip
    def start(self, speeds: list[float], offsets: list[float], greedy: int) -> None:
        self.time = 0.0
        self.engine = Register()
        self.hosts = [SimulatedHost(f"host{n}", TERMS, speeds[n], offsets[n]) for n in range(4)]
        self.on_way: list[tuple[SimulatedHost, int, tuple[int | None, bytes, str]]] = []
        self.law = Law(RATE, BURST)
        self.asked = dict.fromkeys(self.hosts, 0)
        self.greedy = [host for n, host in enumerate(self.hosts) if greedy >> n & 1]
        for _ in range(24):
            self.all_go_well([RATE] * 4, 0.5)

    def take(self, host: SimulatedHost, most: int) -> None:
        for _ in range(most):
            if not host.bucket.take(host.clock(self.time)):
                return
            self.law.admitted(self.time)

    @invariant()
    def the_greedy_take_all(self) -> None:
        for host in self.greedy:
            self.take(host, 1000)
        self.law.holds(self.time, self.hosts)

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, LEASE_S * 0.99, LEASE_S, LEASE_S * 1.01, LEASE_S * 1.03]))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds

    @rule(number=HOSTS, wanted=st.sampled_from([0, 1, RATE, 3 * RATE]))
    def ask(self, number: int, wanted: int) -> None:
        host = self.hosts[number]
        host.wanted = wanted * MICRO
        host.ask(self.engine, self.time)
        self.asked[host] += 1

    @rule(number=HOSTS)
    def answer_comes(self, number: int) -> None:
        host = self.hosts[number]
        if message := host.decide(self.time):
            self.on_way.append((host, self.asked[host], message))

    @precondition(lambda self: self.on_way)
    @rule(data=st.data(), twice=st.booleans(), lost=st.booleans())
    def write_arrives(self, data: st.DataObject, twice: bool, lost: bool) -> None:
        index = data.draw(st.integers(0, len(self.on_way) - 1))
        host, asked, message = self.on_way[index]
        if not twice:
            del self.on_way[index]
        taken = self.engine.swap(*message)
        if not lost and asked == self.asked[host]:
            host.hear(taken, self.time)

    @rule(number=HOSTS, wanted=st.sampled_from([0, 1, RATE, 3 * RATE]), lost=st.booleans())
    def round_goes_well(self, number: int, wanted: int, lost: bool) -> None:
        self.ask(number, wanted)
        host = self.hosts[number]
        if message := host.decide(self.time):
            taken = self.engine.swap(*message)
            if not lost:
                host.hear(taken, self.time)

    @rule(wanted=st.lists(st.sampled_from([0, 1, RATE, 3 * RATE]), min_size=4, max_size=4), seconds=st.floats(0, 2))
    def all_go_well(self, wanted: list[int], seconds: float) -> None:
        for number, count in enumerate(wanted):
            self.round_goes_well(number, count, False)
            self.time += seconds / 4

    @rule(number=HOSTS, many=st.integers(1, 40))
    def requests_come(self, number: int, many: int) -> None:
        self.take(self.hosts[number], many)

    @rule()
    def all_take_what_they_saved(self) -> None:
        for host in self.hosts:
            self.take(host, 1000)

    @rule(number=HOSTS)
    def worker_is_killed(self, number: int) -> None:
        host = self.hosts[number]
        self.asked[host] += 1
        host.restart_worker()

    @rule(number=HOSTS)
    def machine_is_reset(self, number: int) -> None:
        host = self.hosts[number]
        self.asked[host] += 1
        host.restart_machine(f"{host.name}'")

    @rule(lose=st.integers(0, 6))
    def engine_restarts(self, lose: int) -> None:
        self.engine.restart(lose)

    @rule()
    def record_is_removed(self) -> None:
        self.engine.data = None
        self.engine.history.append(None)


TestFleet = FleetMachine.TestCase
TestFleet.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class Storm:
    """A fleet whose messages take any time or are lost, whose hosts and engine die, for a long time; all by one seed.
    Hosts take all they can at every step, or save it up and take it at once."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine, self.law = Register(), Law(RATE, BURST)
        spread = DRIFT / 2
        self.hosts = [
            SimulatedHost(f"host{n}", TERMS, self.random.choice([1 - spread, 1.0, 1 + spread]), 1e5 * n)
            for n in range(4)
        ]
        # When a host does its next step, by what it waits for.
        self.due = dict.fromkeys(self.hosts, 0.0)
        self.on_way: dict[SimulatedHost, tuple[int | None, bytes, str]] = {}
        self.late: list[tuple[float, tuple[int | None, bytes, str]]] = []
        self.cut: dict[SimulatedHost, float] = {}
        self.admitted = 0

    def run(self, seconds: float) -> None:
        time = 0.0
        while time < seconds:
            time += self.random.choice([0.01, 0.05, 0.1])
            for host in self.hosts:
                if self.due[host] <= time and self.cut.get(host, 0.0) <= time:
                    self.due[host] = time + self.step(host, time)
                if self.random.random() < 0.3:
                    while host.bucket.take(host.clock(time)):
                        self.law.admitted(time)
                        self.admitted += 1
            for when, message in list(self.late):
                if when <= time:
                    self.late.remove((when, message))
                    self.engine.swap(*message)
            self.trouble(time)
            self.law.holds(time, self.hosts)

    def step(self, host: SimulatedHost, time: float) -> float:
        """One step of a host's round; after how many seconds the next one comes."""
        chance = self.random.random
        delay = self.random.choice([0.0, 0.02, 0.1, 1.5])
        if message := self.on_way.pop(host, None):
            taken = chance() > 0.05 and self.engine.swap(*message)
            if chance() > 0.1:
                host.hear(taken, time)
            if chance() < 0.1:
                self.late.append((time + 3 * chance(), message))
            return 0.4
        if host.answer is not None:
            if message := host.decide(time):
                self.on_way[host] = message
            return delay
        host.wanted = self.random.choice([0, 1, RATE, 3 * RATE]) * MICRO if chance() < 0.2 else host.wanted
        host.ask(self.engine, time)
        return delay

    def trouble(self, time: float) -> None:
        host, chance = self.random.choice(self.hosts), self.random.random()
        if chance < 0.004:
            self.cut[host] = time + self.random.choice([1.0, LEASE_S, 3 * LEASE_S])
        elif chance < 0.008:
            self.on_way.pop(host, None)
            host.restart_worker()
        elif chance < 0.010:
            self.on_way.pop(host, None)
            host.restart_machine(f"{host.name}'")
        elif chance < 0.0115:
            self.engine.restart(self.random.randrange(6))
        elif chance < 0.012:
            self.engine.data = None
            self.engine.history.append(None)


@pytest.mark.parametrize("seed", range(8))
def test_the_law_holds_through_a_long_storm(seed: int) -> None:
    storm = Storm(seed)
    storm.run(300.0)
    assert storm.admitted > 0.15 * 300 * RATE, "else the storm says nothing"


class Fleet:
    """Hosts that step in turn every half second, without trouble but for what a test makes."""

    def __init__(self, count: int, terms: Terms = TERMS) -> None:
        self.engine, self.time, self.terms = Register(), 0.0, terms
        self.hosts = [SimulatedHost(f"host{n:03}", terms, 1.0, 1000.0 * n) for n in range(count)]
        self.law = Law(terms.rate / MICRO, terms.burst)

    def step(self, host: SimulatedHost) -> None:
        for _ in range(3):
            host.ask(self.engine, self.time)
            message = host.decide(self.time)
            if message is None or host.hear(self.engine.swap(*message), self.time) is None:
                return

    def run(self, seconds: float, wanted: dict[int, float]) -> dict[int, int]:
        """Copies of each host while those in ``wanted`` send so many a second; the others are away."""
        taken = dict.fromkeys(wanted, 0)
        ends = self.time + seconds
        while self.time < ends:
            for number, rate in wanted.items():
                host = self.hosts[number]
                host.wanted = int(rate * MICRO)
                self.step(host)
                for _ in range(round(rate / 2)):
                    if host.bucket.take(host.clock(self.time)):
                        self.law.admitted(self.time)
                        taken[number] += 1
            self.time += 0.5
        return taken


def test_one_host_has_all_of_it_within_one_lease_time_and_a_round() -> None:
    fleet = Fleet(1)
    assert fleet.run(LEASE_S, {0: 100.0}) == {0: 0}, "what an older record may have granted is waited for"
    fleet.run(1.5, {0: 100.0})
    bucket = fleet.hosts[0].bucket
    assert (bucket.rate, bucket.burst) == (RATE, BURST)
    assert abs(fleet.run(20.0, {0: 100.0})[0] - 20 * RATE) <= BURST + RATE


def test_who_wants_more_gets_more_and_an_idle_host_gives_back_and_can_begin_at_once() -> None:
    fleet = Fleet(3)
    fleet.run(20.0, dict.fromkeys(range(3), 100.0))
    equal = fleet.run(30.0, dict.fromkeys(range(3), 100.0))
    assert max(equal.values()) <= 1.25 * min(equal.values())
    fleet.run(10.0, {0: 100.0, 1: 2.0, 2: 0.0})
    uneven = fleet.run(30.0, {0: 100.0, 1: 2.0, 2: 0.0})
    assert uneven[1] == 60, "the small one gets all it wants"
    assert uneven[0] > 0.75 * 30 * RATE
    begins = fleet.run(1.0, {0: 100.0, 1: 2.0, 2: 100.0})
    assert begins[2] > 0


def test_a_share_that_moves_comes_empty() -> None:
    """While all is taken as it comes, nothing is left that a new share could hold: any unit too many is seen."""
    fleet = Fleet(2)
    fleet.law = Law(RATE, BURST, ahead=0.0)
    # Alone; a second host comes; it is away for so long that the first has all again; it comes back.
    for here, seconds in ((1, 20), (2, 10), (1, 3 * LEASE_S), (2, 10)):
        for step in range(int(seconds * 100)):
            for host in fleet.hosts[:here]:
                if step % 40 == 0:
                    host.wanted = 3 * RATE * MICRO
                    fleet.step(host)
                while host.bucket.take(host.clock(fleet.time)):
                    fleet.law.admitted(fleet.time)
            fleet.law.holds(fleet.time, fleet.hosts)
            fleet.time += 0.01
        assert all(host.bucket.rate > RATE / 4 for host in fleet.hosts[:here])


def test_a_host_that_is_gone_leaves_its_share_to_the_others() -> None:
    fleet = Fleet(2)
    fleet.run(20.0, {0: 100.0, 1: 100.0})
    assert fleet.hosts[0].bucket.rate < 0.7 * RATE
    fleet.run(2 * LEASE_S, {0: 100.0})
    assert fleet.hosts[0].bucket.rate == pytest.approx(RATE, rel=0.1)
    assert not fleet.hosts[1].bucket.take(fleet.hosts[1].clock(fleet.time)), "it has none any more"


@pytest.mark.parametrize("count", [21, 30])
def test_a_new_host_is_not_kept_out_by_many_that_have_little_each(count: int) -> None:
    fleet = Fleet(count, TERMS._replace(burst=2000, rate=1000 * MICRO))
    fleet.run(20.0, dict.fromkeys(range(count - 1), 200.0))
    fleet.run(15.0, dict.fromkeys(range(count), 200.0))
    taken = fleet.run(10.0, dict.fromkeys(range(count), 200.0))
    assert min(taken.values()) > 0.7 * 10 * 1000 / count


def test_where_the_burst_does_not_reach_for_all_they_take_turns() -> None:
    fleet = Fleet(6, TERMS._replace(burst=2))
    fleet.run(10.0, dict.fromkeys(range(6), 100.0))
    taken = fleet.run(240.0, dict.fromkeys(range(6), 100.0))
    assert min(taken.values()) > 0
    assert sum(taken.values()) > 0.8 * 2 * 2 * 240, "two at a time, and the test looks twice a second"


def test_without_the_engine_a_host_goes_on_with_its_lease_and_then_stops() -> None:
    fleet = Fleet(1)
    fleet.run(15.0, {0: 100.0})
    host, taken, began = fleet.hosts[0], [], fleet.time
    while fleet.time < began + 30:
        fleet.time += 0.1
        if host.bucket.take(host.clock(fleet.time)):
            taken.append(fleet.time - began)
    assert 0.4 * LEASE_S < max(taken) <= LEASE_S


def test_a_server_that_restarts_stops_everybody_for_one_lease_time() -> None:
    fleet = Fleet(2)
    fleet.run(20.0, {0: 100.0, 1: 100.0})
    fleet.engine.restart(lose=3)
    fleet.run(2.5 * LEASE_S, {0: 100.0, 1: 100.0})
    taken = fleet.run(10.0, {0: 100.0, 1: 100.0})
    assert sum(taken.values()) > 0.8 * 10 * RATE
    record = record_of(fleet.engine)
    assert record is not None
    assert record.opened


def test_while_the_configuration_changes_host_by_host_the_smallest_cap_holds() -> None:
    fleet = Fleet(2)
    fleet.run(20.0, {0: 100.0, 1: 100.0})
    smaller = TERMS._replace(rate=10 * MICRO, burst=4)
    fleet.hosts[0].terms = smaller
    fleet.hosts[0].member = Member("host000", "host000", smaller)
    fleet.run(10.0, {0: 100.0, 1: 100.0})
    fleet.law = Law(10, 4)
    fleet.law.at = fleet.time
    fleet.run(20.0, {0: 100.0, 1: 100.0})


def test_a_grant_counts_until_it_was_seen_for_its_whole_length_whatever_its_host_says_of_time() -> None:
    fleet = Fleet(2)
    fleet.run(20.0, {0: 100.0, 1: 1.0})
    record = record_of(fleet.engine)
    assert record is not None
    late = Member("late", "late", TERMS)
    late.look(record, "0", 0.0)
    assert late.look(record, "0", LEASE_S * (1 + DRIFT) - 0.01) is record
    used = sum(max(g.rate for g in host.grants) for host in record.hosts.values())
    from shadowlane.fleet.member import Held

    plan = late.plan(record, Held(0, 0, 0.0), 100 * MICRO, LEASE_S)
    assert plan is not None
    assert plan.grant.rate <= TERMS.rate - used
    plan = late.plan(record, Held(0, 0, 0.0), 100 * MICRO, LEASE_S * (1 + DRIFT) + 0.01)
    assert plan is not None
    assert (plan.grant.rate, plan.grant.burst) == (TERMS.rate, TERMS.burst)
    assert set(plan.record.hosts) == {"late"}
    assert msgspec.structs.replace(plan.record, hosts={}).opened
