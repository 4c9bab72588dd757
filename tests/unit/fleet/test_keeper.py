"""The worker's part: what it does with shares, the switch, pauses, races and an engine that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from shadowlane.core import RatioSampler
from shadowlane.fleet.engine import Stored
from shadowlane.fleet.keeper import Keeper, set_switch
from shadowlane.fleet.member import DRIFT, MICRO, Terms
from shadowlane.fleet.record import Record, encoded

from .memory import Memory

TERMS = Terms(50 * MICRO, 20, 1, 5.0)


class Control:
    """The words of a control file."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.number = self.epoch = 0
        self.rate, self.burst, self.until, self.wanted = 0.0, 0, 0.0, 0
        self.off = False
        self.goes_on: list[bool] = []

    def lease(self, rate: float, burst: int, until_ns: int, *, number: int, epoch: int, goes_on: bool) -> None:
        self.rate, self.burst, self.until = rate, burst, until_ns / 1e9
        self.number, self.epoch = number, epoch
        self.goes_on.append(goes_on)

    def end_lease(self) -> None:
        self.until = 0.0

    def leased(self) -> tuple[int, int, float, int, float, int]:
        return self.number, self.epoch, self.rate, self.burst, max(self.until - self._clock(), 0.0), self.wanted

    def set_fleet_off(self, off: bool) -> None:
        self.off = off

    def fleet_off(self) -> bool:
        return self.off


class World:
    """Hosts on one engine, and the time of all of them."""

    def __init__(self, count: int) -> None:
        self.now = 1000.0
        self.engine = Memory()
        self.controls = [Control(self.clock) for _ in range(count)]
        self.keepers = [self.keeper(number) for number in range(count)]

    def clock(self) -> float:
        return self.now

    def keeper(self, number: int) -> Keeper:
        return Keeper(
            self.engine, self.controls[number], host=f"h{number}", name=f"machine{number}", terms=TERMS,
            clock=self.clock, wait=lambda _: None,
        )  # fmt: skip

    def run(self, seconds: float, pauses: dict[int, dict[str, float]] | None = None) -> list[dict[str, float]]:
        learnt: list[dict[str, float]] = [{} for _ in self.keepers]
        ends = self.now + seconds
        while self.now < ends:
            for number, keeper in enumerate(self.keepers):
                learnt[number] = keeper.round((pauses or {}).get(number, {}))
            self.now += 0.4
        return learnt


def test_a_host_alone_gets_all_after_one_lease_and_writes_little_from_then_on() -> None:
    world = World(1)
    control = world.controls[0]
    world.run(5.0)
    assert control.rate == 0.0
    assert world.keepers[0].state()["opens_in_s"] in (0, 1)
    world.run(1.2)
    assert (control.rate, control.burst, control.goes_on) == (50.0, 20, [False])
    writes = world.engine.writes
    world.run(60.0)
    assert world.engine.writes - writes <= 60 / (0.4 * 5.0) + 1
    assert control.leased()[4] > 0.4 * 5.0
    assert all(control.goes_on[1:])


def test_the_share_ends_from_before_the_engine_was_asked() -> None:
    world = World(1)
    world.run(6.0)
    engine, asked = world.engine, world.now
    read = engine.read

    def slow() -> Stored:
        stored = read()
        world.now += 1.5
        return stored

    engine.read = slow  # type: ignore[method-assign]
    world.controls[0].until = 0.0
    world.keepers[0].round({})
    assert world.controls[0].until == pytest.approx(asked + 5.0)


def test_who_writes_at_the_same_time_tries_again_and_both_have_a_share() -> None:
    world = World(2)
    world.run(7.0)
    one, other = world.keepers
    world.now += 3.0
    world.engine.before_swap = lambda: other.round({}) and None
    one.round({})
    for control in world.controls:
        assert control.leased()[4] > 4.0


def test_an_engine_that_is_away_is_said_once_and_the_share_stays_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    world = World(1)
    world.run(7.0)
    until = world.controls[0].until
    world.engine.away = True
    with caplog.at_level(logging.INFO):
        world.run(10.0)
        assert world.controls[0].until == until
        assert world.keepers[0].state()["error"] == "memory: away"
        world.engine.away = False
        world.run(1.0)
    said = [record.getMessage() for record in caplog.records if "the fleet's engine" in record.getMessage()]
    assert [("away" in text, "answers again" in text) for text in said] == [(True, False), (False, True)]
    assert world.controls[0].leased()[4] > 0


def test_a_record_of_another_release_is_left_alone_and_said() -> None:
    world = World(1)
    world.engine.stored = Stored(encoded(Record(1, 7, "1", form=2)), 7, "1")
    world.run(20.0)
    assert world.engine.stored.version == 7
    assert "form 2" in world.keepers[0].state()["error"]
    assert world.controls[0].rate == 0.0
    world.engine.stored = Stored(b"{}", 7, "1")
    world.run(1.0)
    assert "another fleet.name" in world.keepers[0].state()["error"]


def test_the_switch_reaches_all_and_outlives_the_engines_data() -> None:
    world = World(3)
    world.run(7.0)
    set_switch(world.engine, True)
    world.run(0.4)
    assert [control.off for control in world.controls] == [True, True, True]
    world.engine.stored = Stored(None, None, "2")
    world.run(8.0)
    assert world.engine.record().off is True
    assert [control.off for control in world.controls] == [True, True, True]
    set_switch(world.engine, False)
    world.run(0.4)
    assert [control.off for control in world.controls] == [False, False, False]


def test_a_switch_before_the_first_host_is_there_holds() -> None:
    world = World(1)
    set_switch(world.engine, True)
    world.run(8.0)
    assert world.controls[0].off
    assert world.controls[0].rate == 50.0


def test_a_pause_of_one_host_is_learnt_by_the_others_and_ends() -> None:
    world = World(2)
    world.run(7.0)
    learnt = world.run(0.8, {0: {"candidate": 60.0, "": 30.0}})
    assert learnt[0] == {}
    assert learnt[1] == {"candidate": pytest.approx(60.0, abs=1.0), "": pytest.approx(30.0, abs=1.0)}
    world.run(70.0)
    assert world.engine.record().pauses == {}
    assert world.run(0.4) == [{}, {}]


def test_a_longer_pause_replaces_a_shorter_one_and_not_the_other_way_round() -> None:
    world = World(2)
    world.run(7.0)
    world.run(0.4, {0: {"candidate": 60.0}})
    world.run(0.4, {1: {"candidate": 10.0}})
    assert world.engine.record().pauses["candidate"].seconds == 60.0
    learnt = world.run(0.8, {1: {"candidate": 300.0}})
    assert learnt[0]["candidate"] > 290


def test_a_host_that_comes_later_keeps_what_is_left_of_a_pause() -> None:
    world = World(2)
    world.run(7.0)
    world.run(0.8, {0: {"candidate": 600.0}})
    world.run(400.0)
    world.keepers[1] = world.keeper(1)
    left = world.run(0.4)[1]["candidate"]
    assert left == pytest.approx(200.0, abs=4.0)


def test_who_leaves_gives_its_share_back_at_once() -> None:
    world = World(2)
    world.run(12.0)
    assert world.controls[1].rate < 40.0
    world.keepers[0].leave()
    assert world.controls[0].leased()[4] == 0.0
    assert set(world.engine.record().hosts) == {"h1"}
    gone = world.keepers.pop(0)
    world.run(2.8)
    assert world.controls[1].rate == 50.0
    world.engine.away = True
    gone.leave()
    gone.close()


def test_a_workers_successor_goes_on_with_the_share() -> None:
    world = World(1)
    world.run(7.0)
    world.keepers[0] = world.keeper(0)
    world.run(6.0)
    assert all(world.controls[0].goes_on[1:])
    assert world.engine.record().hosts.keys() == {"h0"}


def test_a_new_server_makes_all_wait_for_a_lease() -> None:
    world = World(2)
    world.run(7.0)
    grants = len(world.controls[0].goes_on)
    world.engine.stored = world.engine.stored._replace(life="2")
    began = world.now
    while len(world.controls[0].goes_on) == grants:
        world.run(0.4)
    assert world.now - began >= 5.0 * (1 + DRIFT)
    assert not world.controls[0].goes_on[grants]


@pytest.mark.parametrize("hosts", [1, 3, 8])
@pytest.mark.parametrize("ratio", [0.03, 0.3, 0.77])
def test_the_sample_over_h_hosts_is_exact_to_h(hosts: int, ratio: float) -> None:
    samplers = [RatioSampler(ratio, seed=number) for number in range(hosts)]
    taken = 0
    for number in range(3000):
        # However the requests come to the hosts.
        taken += samplers[(number * number + number // 7) % hosts].take()
        assert abs(taken - ratio * (number + 1)) <= hosts
