"""The law of a fleet's budgets: in any hour and any day, all hosts together spend no more than the budget, whatever
happens to them."""

from __future__ import annotations

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shadowlane.fleet.budget import BudgetPlan, Earlier, Spender, Wanted
from shadowlane.fleet.ledger import Amount, Ledger, decoded, encoded
from shadowlane.fleet.member import DRIFT

LEASE_S = 5.0
HOUR, DAY = 1000.0, 3000.0
LIMITS = (HOUR, DAY, 0.0, 0.0)
DEAREST = 40.0
HOSTS = st.integers(0, 2)


class Register:
    """The engine: one document under compare and swap, on a server that can be started again, and can lose all."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.life = 0

    def version(self) -> int | None:
        return decoded(self.data).version if self.data is not None else None

    def swap(self, expected: int | None, data: bytes, life: str) -> bool:
        if self.version() != expected or life != str(self.life):
            return False
        self.data = data
        return True


class Process:
    """A worker: what it may spend by its own clock, and what it spends."""

    def __init__(self, name: str, speed: float, offset: float, time: float, store: str, earlier: list[Earlier]) -> None:
        self.name, self.speed, self.offset = name, speed, offset
        self.store = store
        self.spender = Spender(
            name, name, {"s": LIMITS}, LEASE_S, store=store, earlier={"s": earlier}, now=self.clock(time)
        )
        self.spent = self.end = 0.0
        self.until = -1e18
        self.asked = 0.0
        self.answer: tuple[bytes | None, str] | None = None
        self.plan: BudgetPlan | None = None

    def clock(self, time: float) -> float:
        return self.offset + time * self.speed

    def may(self, cost: float, time: float) -> bool:
        return self.clock(time) < self.until and self.spent + cost <= self.end

    def ask(self, engine: Register, time: float) -> None:
        self.plan = None
        self.asked = self.clock(time)
        self.answer = engine.data, str(engine.life)

    def decide(self, time: float, wants: float) -> tuple[int | None, bytes, str] | None:
        """The answer has come: what to write, as a message."""
        if self.answer is None:
            return None
        (data, life), self.answer = self.answer, None
        now = self.clock(time)
        there = decoded(data) if data is not None else None
        ledger = self.spender.look(there, life, now)
        self.lower(ledger)
        expected = there.version if there is not None else None
        if ledger is not there:
            self.plan = BudgetPlan(msgspec.structs.replace(ledger, version=ledger.version + 1), None)
        else:
            wanted = Wanted(Amount(self.spent, 0.0), Amount(wants, 0.0), Amount(DEAREST, 0.0), Amount(DEAREST, 0.0))
            self.plan = self.spender.plan(ledger, {"s": wanted}, max(self.until - now, 0.0), now)
        if self.plan is None:
            return None
        self.lower(self.plan.ledger) if self.plan.ends is not None else None
        self.spender.trying(self.plan.ledger)
        return expected, encoded(self.plan.ledger), life

    def lower(self, ledger: Ledger) -> None:
        mine = ledger.slices.get(self.name)
        self.end = min(self.end, mine.parts["s"].end.tokens if mine is not None else 0.0)

    def hear(self, accepted: bool, time: float) -> None:
        plan, self.plan = self.plan, None
        if plan is not None and accepted:
            self.spender.wrote(plan.ledger, self.clock(time))
            if plan.ends is not None:
                self.end, self.until = plan.ends["s"].tokens, self.asked + LEASE_S


class BudgetMachine(RuleBasedStateMachine):
    """Hosts ask, hear late or never, die, come back; writes arrive late and twice; the server is started again, and
    forgets all. The greedy spend what they can at every moment."""

    @initialize(speeds=st.lists(st.floats(1 - DRIFT / 2, 1 + DRIFT / 2), min_size=3, max_size=3),
                offsets=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), greedy=st.integers(0, 7))  # fmt: skip
    def start(self, speeds: list[float], offsets: list[float], greedy: int) -> None:
        self.time = 0.0
        self.engine = Register()
        self.clocks = list(zip(speeds, offsets, strict=True))
        self.born = 0
        self.events: list[tuple[float, float, str]] = []
        """When, what, and in which store it is."""
        self.hosts = [self.process(n) for n in range(3)]
        self.greedy = greedy
        self.on_way: list[tuple[Process, int | None, bytes, str]] = []
        for _ in range(16):
            self.all_go_well(10.0, 0.5)

    def ledger(self) -> Ledger:
        assert self.engine.data is not None
        return decoded(self.engine.data)

    def process(self, number: int) -> Process:
        self.born += 1
        store = f"store{number}"
        earlier = [Earlier(self.time - at, Amount(cost, 0.0)) for at, cost, where in self.events if where == store]
        return Process(f"p{self.born}", *self.clocks[number], self.time, store, earlier)

    def spend(self, host: Process, cost: float) -> bool:
        if not host.may(cost, self.time):
            return False
        host.spent += cost
        self.events.append((self.time, cost, host.store))
        for window, most in ((3600.0, HOUR), (86400.0, DAY)):
            total = sum(cost for at, cost, _ in self.events if at > self.time - window)
            assert total <= most + 1e-6, f"{total} of {most} spent in {window} s at {self.time}"
        return True

    @invariant()
    def the_greedy_take_all(self) -> None:
        for number, host in enumerate(self.hosts):
            while self.greedy >> number & 1 and self.spend(host, DEAREST / 4):
                pass

    @rule(seconds=st.sampled_from([0.1, 1.0, LEASE_S * 0.99, LEASE_S, LEASE_S * 1.03, 60.0, 1790.0, 3600.0, 3700.0]))
    def wait(self, seconds: float) -> None:
        self.time += seconds

    @rule(number=HOSTS, cost=st.floats(0.1, DEAREST), times=st.integers(1, 20))
    def spends(self, number: int, cost: float, times: int) -> None:
        for _ in range(times):
            self.spend(self.hosts[number], cost)

    @rule(number=HOSTS)
    def asks(self, number: int) -> None:
        self.hosts[number].ask(self.engine, self.time)

    @rule(number=HOSTS, wants=st.floats(0, 100))
    def decides(self, number: int, wants: float) -> None:
        host = self.hosts[number]
        message = host.decide(self.time, wants)
        if message is not None:
            self.on_way.append((host, *message))

    @precondition(lambda self: self.on_way)
    @rule(data=st.data(), again=st.booleans(), heard=st.booleans())
    def arrives(self, data: st.DataObject, again: bool, heard: bool) -> None:
        at = data.draw(st.integers(0, len(self.on_way) - 1))
        host, expected, written, life = self.on_way[at]
        if not again:
            self.on_way.pop(at)
        accepted = self.engine.swap(expected, written, life)
        latest = host.plan is not None and encoded(host.plan.ledger) == written
        if heard and latest and (accepted or not again):
            host.hear(accepted, self.time)
        elif latest and not again:
            host.plan = None  # its answer was lost

    @rule(number=HOSTS)
    def dies(self, number: int) -> None:
        """What it had written is known to another one, should the server forget it."""
        self.hosts[number] = self.process(number)
        self.look(self.hosts[(number + 1) % 3])

    def look(self, host: Process) -> None:
        host.ask(self.engine, self.time)
        host.decide(self.time, 0.0)
        host.plan = None

    @rule(number=HOSTS)
    def leaves(self, number: int) -> None:
        host = self.hosts[number]
        if self.engine.data is not None:
            there = decoded(self.engine.data)
            now = host.clock(self.time)
            if host.spender.look(there, str(self.engine.life), now) is there:
                after = host.spender.without(there, {"s": Wanted(Amount(host.spent, 0.0))}, now)
                if after is not None:
                    assert self.engine.swap(there.version, encoded(after), str(self.engine.life))
        self.hosts[number] = self.process(number)

    @rule(forgets=st.booleans())
    def server_restarts(self, forgets: bool) -> None:
        """Whatever it forgets, who lives knows what it had written itself, and reaches the server soon."""
        self.engine.life += 1
        if forgets:
            self.engine.data = None
        self.on_way = []
        for _ in range(2):
            self.all_go_well(0.0, 0.4)

    @rule(rounds=st.integers(1, 30), wants=st.floats(0, 100), step=st.sampled_from([0.4, 2.0]))
    def go_well(self, rounds: int, wants: float, step: float) -> None:
        for _ in range(rounds):
            self.all_go_well(wants, step)
            self.the_greedy_take_all()

    def all_go_well(self, wants: float, step: float) -> None:
        for host in self.hosts:
            host.ask(self.engine, self.time)
            message = host.decide(self.time, wants)
            if message is not None:
                host.hear(self.engine.swap(*message), self.time)
        self.time += step


BudgetMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestBudgetLaw = BudgetMachine.TestCase


def fleet_of(count: int) -> BudgetMachine:
    machine = BudgetMachine()
    machine.start([1.0] * 3, [0.0] * 3, 0)
    machine.hosts = machine.hosts[:count]
    return machine


def spend_all(machine: BudgetMachine, rounds: int) -> float:
    for _ in range(rounds):
        machine.all_go_well(20.0, 0.4)
        for host in machine.hosts:
            while machine.spend(host, DEAREST / 4):
                pass
    return sum(cost for _, cost, _ in machine.events)


def test_a_fleet_spends_all_of_its_budget_and_again_when_that_is_old() -> None:
    machine = fleet_of(3)
    spent = spend_all(machine, 200)
    assert HOUR - DEAREST * 3 <= spent <= HOUR
    machine.time += 3500.0
    assert spend_all(machine, 20) == spent
    machine.time += 400.0
    assert 2 * HOUR - DEAREST * 6 <= spend_all(machine, 100) <= 2 * HOUR
    assert machine.hosts[0].spender.reached(machine.ledger(), "s", Amount(DEAREST, 0.0), machine.time)
    machine.time += 7300.0
    assert DAY - DEAREST * 9 <= spend_all(machine, 200) <= DAY
    machine.time += 7300.0
    assert spend_all(machine, 30) <= DAY


def test_the_slice_of_a_process_that_was_killed_counts_as_spent() -> None:
    machine = fleet_of(3)
    slice_ = machine.ledger().slices[machine.hosts[0].name].parts["s"].open.tokens
    assert slice_ > 0
    machine.hosts.pop(0)
    spent = spend_all(machine, 200)
    assert spent <= HOUR - slice_


def test_what_is_given_back_can_be_spent_by_others() -> None:
    machine = fleet_of(3)
    machine.leaves(0)
    machine.hosts.pop(0)
    assert spend_all(machine, 200) >= HOUR - DEAREST * 2


def test_the_ledger_stays_small_over_days() -> None:
    machine = fleet_of(2)
    for _ in range(400):
        machine.time += 300.0
        spend_all(machine, 3)
    assert len(machine.ledger().spent["s"]) <= 90
