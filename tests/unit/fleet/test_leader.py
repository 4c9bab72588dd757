"""Who does what is done once for a fleet, over an engine that loses and clocks that run apart: never two at a time, and
nothing under a token that is not the last one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.errors import DeposedError, FleetError
from shadowlane.fleet.engine import Engine
from shadowlane.fleet.leader import FleetLeader
from shadowlane.fleet.member import DRIFT
from shadowlane.fleet.opening import open_engine
from tests.support.redisserver import RedisServer
from tests.support.servers import postgres_server

from .memory import Memory

LEASE_S = 20.0


class World:
    def __init__(self, speeds: tuple[float, ...] = (1.0, 1.0)) -> None:
        self.engine = Memory()
        self.now = 1000.0
        self.hosts = [self.host(speed, f"h{number}") for number, speed in enumerate(speeds)]

    def host(self, speed: float, holder: str) -> FleetLeader:
        return FleetLeader(self.engine, lease_s=LEASE_S, clock=lambda: self.now * speed, holder=holder)

    def led(self) -> FleetLeader:
        """The first host, once it leads: whoever led before the engine was first seen is surely over then."""
        one = self.hosts[0]
        assert not one.take()
        self.now += LEASE_S * (1 + DRIFT) + 0.1
        assert one.take()
        return one


def test_one_leads_and_another_one_when_it_resigns() -> None:
    world = World()
    one, other = world.led(), world.hosts[1]
    assert not other.take()
    assert (one.token, other.token) == (1, 0)
    assert one.left_s == LEASE_S
    one.keep("by the first", 1)
    with pytest.raises(DeposedError):
        other.keep("by nobody", 0)
    one.resign()
    assert other.take()
    assert (other.token, other.kept()) == (2, "by the first")
    with pytest.raises(DeposedError):
        one.keep("late", 1)
    assert not one.take()


def test_one_that_stands_still_is_followed_and_keeps_nothing_when_it_wakes_up() -> None:
    world = World()
    one, other = world.led(), world.hosts[1]
    one.keep("told", 1)
    assert not other.take()
    world.now += LEASE_S
    assert not other.take(), "others wait a little longer than a lease"
    assert one.left_s == 0
    world.now += LEASE_S * DRIFT + 0.1
    assert other.take()
    assert (other.token, other.kept()) == (2, "told")
    with pytest.raises(DeposedError):
        one.keep("told twice", 1)
    with pytest.raises(DeposedError):
        one.go_on()
    assert not one.take()
    assert other.take()
    assert other.kept() == "told"


def test_signs_of_life_hold_the_lease() -> None:
    world = World()
    one, other = world.led(), world.hosts[1]
    for _ in range(10):
        world.now += LEASE_S / 2
        one.go_on()
        assert not other.take()
    assert one.token == 1


def test_a_restart_of_the_engine_lets_nobody_lead_beside_who_did() -> None:
    world = World()
    one, other = world.led(), world.hosts[1]
    world.engine.restart(1)  # of before the first one led
    assert not other.take()
    assert one.left_s > 0
    with pytest.raises(DeposedError):
        one.keep("in the other life", 1)
    world.now += LEASE_S * (1 + DRIFT) + 0.1
    assert other.take()


def test_one_that_resigned_before_the_engine_was_restored_is_no_proof_that_nobody_leads() -> None:
    world = World()
    one, other = world.led(), world.hosts[1]
    one.resign()
    assert other.take()
    world.engine.restart(1)  # the one that leads is lost, and who resigned is the last word
    assert other.left_s > 0
    assert not one.take()


def test_an_engine_that_is_away_ends_the_lease_and_says_so() -> None:
    world = World()
    one = world.led()
    world.engine.away = True
    with pytest.raises(FleetError, match="away"):
        one.keep("x", 1)
    assert one.left_s > 0
    world.now += LEASE_S
    assert one.left_s == 0
    one.resign()
    assert one.token == 0


@settings(max_examples=500, deadline=None)
@given(
    speeds=st.tuples(*[st.floats(1 - DRIFT / 2.1, 1 + DRIFT / 2.1)] * 3),
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["take", "keep", "go_on", "resign", "killed"]), st.integers(0, 2)),
            st.tuples(st.just("wait"), st.integers(1, 25)),
            st.tuples(st.just("restart"), st.integers(0, 3)),
        ),
        max_size=60,
    ),
)
def test_never_two_lead_whatever_happens(speeds: tuple[float, float, float], steps: list[tuple[str, int]]) -> None:
    world = World(speeds)
    kept = 0
    for number, (what, of) in enumerate(steps):
        if what == "wait":
            world.now += of
        elif what == "restart":
            world.engine.restart(of)
        elif what == "killed":
            world.hosts[of] = world.host(speeds[of], f"{number}")
        elif what == "take":
            world.hosts[of].take()
        elif what == "resign":
            world.hosts[of].resign()
        else:
            host = world.hosts[of]
            token = host.token
            others = [one for one in world.hosts if one is not host and one.left_s > 0]
            try:
                host.keep(str(number), token) if what == "keep" else host.go_on()
            except DeposedError:
                assert host.token == 0
            else:
                assert not others
                kept += 1
        assert sum(host.left_s > 0 for host in world.hosts) <= 1


@pytest.fixture(scope="module", params=["redis", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "redis":
        server = RedisServer(Path(tmp_path_factory.mktemp("redis")))
        yield f"{server.url}/0"
        server.close()
    else:
        with postgres_server() as port:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def test_over_a_real_engine_the_token_fences(address: str) -> None:
    now = [0.0]
    engines: list[Engine] = [open_engine(address, "f:leader:x") for _ in range(2)]
    one, other = (FleetLeader(engine, lease_s=LEASE_S, clock=lambda: now[0]) for engine in engines)
    try:
        assert not one.take()
        assert not other.take()
        now[0] = 30.0
        assert one.take()
        assert not other.take()
        one.keep("told “ä”", one.token)
        now[0] = 60.0
        assert not other.take(), "it sees a sign of life"
        now[0] = 90.0
        assert other.take()
        assert (other.token, other.kept()) == (2, "told “ä”")
        with pytest.raises(DeposedError):
            one.keep("late", 1)
        other.close()
        other = FleetLeader(open_engine(address, "f:leader:x"), lease_s=LEASE_S, clock=lambda: now[0])
        assert other.take()
        assert (other.token, other.kept()) == (3, "told “ä”")
    finally:
        one.close()
        other.close()
