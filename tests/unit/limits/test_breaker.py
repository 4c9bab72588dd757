"""The breaker's states, driven by a clock that only the test moves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.limits import Breaker


def opened(**fields: Any) -> Breaker:
    """A breaker that opened at 0 s."""
    breaker = Breaker(window=4, minimum=4, open_s=5.0, max_open_s=20.0, **fields)
    for _ in range(4):
        breaker.record(False, 0.0)
    return breaker


def test_it_opens_at_the_share_of_failures_and_not_before_the_minimum() -> None:
    breaker = Breaker(window=10, minimum=4, ratio=0.5)
    for ok in (False, False, False):
        breaker.record(ok, 0.0)
        assert breaker.state(0.0) == "closed"
    breaker.record(True, 0.0)
    assert (breaker.state(0.0), breaker.allow(0.0)) == ("open", False)


def test_old_calls_leave_the_window() -> None:
    breaker = Breaker(window=4, minimum=4, ratio=0.75)
    for ok in [False, False, True, True] + [True, False, False, True] * 5:
        breaker.record(ok, 0.0)
        assert breaker.state(0.0) == "closed"


def test_one_probe_at_a_time_and_a_good_one_closes() -> None:
    breaker = opened()
    assert not breaker.allow(4.9)
    assert breaker.state(5.0) == "half_open"
    assert [breaker.allow(5.0) for _ in range(5)] == [True, False, False, False, False]
    breaker.record(True, 5.5)
    assert (breaker.state(5.5), breaker.allow(5.5)) == ("closed", True)


def test_each_bad_probe_doubles_the_rest_up_to_the_bound() -> None:
    breaker, now = opened(), 0.0
    for rest_s in (5.0, 10.0, 20.0, 20.0):
        assert not breaker.allow(now + rest_s - 0.01)
        now += rest_s
        assert breaker.allow(now)
        breaker.record(False, now)
        assert breaker.state(now) == "open"
    now += 20.0
    assert breaker.allow(now)
    breaker.record(True, now)
    for _ in range(4):
        breaker.record(False, now)
    assert breaker.state(now + 5.0) == "half_open"  # closing brought the first rest back


def test_several_good_probes_when_asked_for() -> None:
    breaker = opened(closes_after=2)
    assert breaker.allow(5.0)
    breaker.record(True, 5.0)
    assert breaker.state(5.0) == "half_open"
    assert breaker.allow(5.0)
    breaker.record(True, 5.0)
    assert breaker.state(5.0) == "closed"


def test_late_results_change_nothing_while_open() -> None:
    breaker = opened()
    breaker.record(True, 1.0)
    breaker.record(False, 1.0)
    assert breaker.state(4.9) == "open"
    breaker.record(True, 6.0)  # half-open, and no probe is out: this call began before
    assert breaker.state(6.0) == "half_open"


def test_a_probe_that_is_given_up_or_lost_makes_room() -> None:
    breaker = opened()
    assert breaker.allow(5.0)
    breaker.cancel()
    assert breaker.allow(5.0)
    assert not breaker.allow(9.9)
    assert breaker.allow(10.0)  # lost for a whole rest


@given(st.lists(st.tuples(st.floats(0, 4), st.sampled_from(["good", "bad", "cancel"])), max_size=80))
def test_one_copy_at_a_time_unless_closed_and_none_while_open(steps: list[tuple[float, str]]) -> None:
    breaker, now = Breaker(window=4, minimum=2, open_s=3.0, max_open_s=12.0), 0.0
    for step_s, end in steps:
        now += step_s
        state = breaker.state(now)
        allowed = [breaker.allow(now) for _ in range(3)]
        assert allowed == {"closed": [True] * 3, "open": [False] * 3, "half_open": [True, False, False]}[state]
        if end == "cancel":
            breaker.cancel()
        elif state != "open":
            breaker.record(end == "good", now)
            if state == "half_open":
                assert breaker.state(now) == ("closed" if end == "good" else "open")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"minimum": 0}, "minimum = 0"),
        ({"minimum": 30}, "window = 20"),
        ({"ratio": 0.0}, "ratio = 0.0"),
        ({"open_s": 0.0}, "open_s = 0.0"),
        ({"open_s": 99.0}, "max_open_s = 60.0"),
        ({"closes_after": 0}, "closes_after = 0"),
    ],
)
def test_numbers_that_make_no_sense(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Breaker(**fields)
