"""Rates out of counters that only grow, and of lanes that begin anew."""

from __future__ import annotations

import pytest

from shadowlane.watch.rates import Counts, Rates


def counts(at_s: float, seen: int, *, lane: str = "a", stored: int = 0) -> Counts:
    return Counts(at_s, lane, seen, seen // 2, {"cap": seen // 4}, {"candidate": stored})


def test_one_look_tells_no_rate() -> None:
    rates = Rates()
    assert rates.seen() is None
    rates.add(counts(0.0, 100))
    assert (rates.seen(), rates.dropped("cap"), rates.stored("candidate")) == (None, None, None)


def test_rates_are_over_about_the_time_asked_for() -> None:
    rates = Rates(over_s=10.0)
    for second in range(31):
        # 8 requests a second, and none in the last five.
        rates.add(counts(float(second), 8 * min(second, 25), stored=3 * second))
    assert rates.seen() == pytest.approx(4.0)
    assert rates.mirrored() == pytest.approx(2.0)
    assert rates.dropped("cap") == pytest.approx(1.0)
    assert rates.dropped("never") == 0.0
    assert rates.stored("candidate") == pytest.approx(3.0)
    assert rates.stored("another") == 0.0


def test_screens_further_apart_than_that_still_tell_one() -> None:
    rates = Rates(over_s=10.0)
    for at in (0.0, 60.0, 120.0):
        rates.add(counts(at, int(5 * at)))
    assert rates.seen() == pytest.approx(5.0)


@pytest.mark.parametrize("second", [counts(2.0, 5, lane="b"), counts(2.0, 5)])
def test_a_lane_that_begins_anew_has_no_rate_yet(second: Counts) -> None:
    rates = Rates()
    rates.add(counts(0.0, 1000))
    rates.add(second)
    assert rates.seen() is None
    rates.add(counts(3.0, 15, lane=second.lane_id))
    assert rates.seen() == pytest.approx(10.0)


def test_a_store_with_fewer_rows_than_before_is_no_negative_rate() -> None:
    rates = Rates()
    rates.add(counts(0.0, 10, stored=50))
    rates.add(counts(1.0, 20, stored=0))
    assert rates.stored("candidate") == 0.0
