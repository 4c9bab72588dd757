"""Retention's clock: laws over clocks that jump, and the sixty days that cost a store its rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.store.retention import BELIEVED_AFTER_NS, RetentionClock

MINUTE, DAY = 60 * 10**9, 86_400 * 10**9
START = 1_700_000_000 * 10**9


class Clocks:
    def __init__(self) -> None:
        self.wall, self.steady, self.boot = START, 5 * MINUTE, "boot-1"

    def pass_(self, ns: int) -> None:
        self.wall += ns
        self.steady += ns

    def open(self, saved: str = "") -> RetentionClock:
        return RetentionClock(saved, wall_ns=lambda: self.wall, steady_ns=lambda: self.steady, boot=self.boot)


def test_a_clock_that_jumps_for_a_minute_deletes_nothing() -> None:
    clocks = Clocks()
    clock = clocks.open()
    clocks.pass_(10 * MINUTE)
    assert clock.read() == START + 10 * MINUTE
    clocks.wall += 60 * DAY
    for _ in range(3):
        clocks.pass_(MINUTE)
        assert clock.read() <= START + 14 * MINUTE
        clock = clocks.open(clock.state())  # a new worker knows no better
    clocks.wall -= 60 * DAY
    clocks.pass_(MINUTE)
    assert clock.read() == clocks.wall


def test_a_clock_that_stays_ahead_is_believed_in_the_end() -> None:
    clocks = Clocks()
    clock = clocks.open()
    clocks.wall += 60 * DAY
    waited = 0
    while clock.read() < clocks.wall:
        clocks.pass_(MINUTE)
        waited += MINUTE
        clock = clocks.open(clock.state())
    assert BELIEVED_AFTER_NS <= waited <= BELIEVED_AFTER_NS + 2 * MINUTE


def test_one_that_is_set_back_is_followed_at_once() -> None:
    clocks = Clocks()
    clock = clocks.open()
    clocks.wall -= 30 * DAY
    assert clock.read() == clocks.wall
    clocks.pass_(MINUTE)
    assert clock.read() == clocks.wall


@pytest.mark.parametrize("off", [0, DAY, 60 * DAY])
def test_after_a_reboot_time_goes_on_and_the_rest_is_believed_later(off: int) -> None:
    clocks = Clocks()
    state = clocks.open().state()
    clocks.boot, clocks.steady = "boot-2", MINUTE
    clocks.wall += off + 2 * MINUTE
    clock = clocks.open(state)
    assert clock.read() <= START + 2 * MINUTE
    for _ in range(62):
        clocks.pass_(MINUTE)
        clock.read()
    assert clock.read() == clocks.wall


@pytest.mark.parametrize("saved", ["{", "[]", '{"boot": 1}', '{"boot":"boot-1","trusted_ns":"x","at_ns":1}'])
def test_a_state_that_cannot_be_read_begins_anew(saved: str) -> None:
    clocks = Clocks()
    assert clocks.open(saved).read() == START


@given(st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(-90 * DAY, 90 * DAY), st.booleans()), max_size=30))
def test_it_is_never_ahead_of_the_wall_nor_faster_than_time_but_for_what_stayed(
    steps: list[tuple[int, int, bool]],
) -> None:
    clocks = Clocks()
    clock = clocks.open()
    before, started, believed = clock.read(), clocks.steady, 0
    for passed, jump, restarted in steps:
        clocks.pass_(passed)
        clocks.wall += jump
        if restarted:
            clock = clocks.open(clock.state())
        now = clock.read()
        assert now <= clocks.wall
        believed += now > before + passed
        assert believed * BELIEVED_AFTER_NS <= clocks.steady - started
        before = now
