"""The e-detector: how often it is wrong, how soon it is right, and what it must not take for a change."""

from __future__ import annotations

import numpy as np
import pytest

from shadowlane.gate.detector import LEAST_STEPS, Limits, scan

T = 360
DAYS = 100
ALARM = DAYS * T


def steps(means: np.ndarray, runs: int, seed: int, *, each: int = 12, sigma: float = 0.1) -> tuple[np.ndarray, ...]:
    """(runs, T) sums of about ``each`` values a step."""
    random = np.random.default_rng(seed)
    counts = random.poisson(each, (runs, len(means))).astype(float)
    return counts, counts * means + np.sqrt(counts) * random.normal(0, sigma, counts.shape)


def events(rates: np.ndarray, runs: int, seed: int, *, each: int = 12) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    counts = random.poisson(each, (runs, len(rates)))
    return counts.astype(float), random.binomial(counts, rates).astype(float)


def jump(before: float, after: float) -> np.ndarray:
    return np.where(np.arange(T) < T // 2, before, after)


@pytest.mark.statistics
@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_false_alarms_are_rarer_than_what_was_asked_for(tolerance: float) -> None:
    """A mean that rises by what it may: in 2,000 days at one alarm in 10 days at most 200 are due; and the mean of the
    sum is at most the number of steps, which alarms at other thresholds hang on too."""
    seen = scan(*steps(jump(0.2, 0.2 + tolerance), 2000, 1), Limits(tolerance))
    assert (seen.first(10 * T) < T).sum() <= 200
    assert np.exp(seen.logs[:, -1]).mean() < T


@pytest.mark.statistics
def test_the_bound_is_no_empty_one() -> None:
    """With the limit a deviation too low, the same test would fail."""
    seen = scan(*steps(jump(0.2, 0.28), 200, 1), Limits(0.0))
    assert (seen.first(10 * T) < T).mean() > 0.5


@pytest.mark.statistics
@pytest.mark.parametrize(("before", "after"), [(0.001, 0.011), (0.0, 0.01), (0.02, 0.03)])
def test_rare_events_that_rise_by_what_they_may_are_no_change(before: float, after: float) -> None:
    seen = scan(*events(jump(before, after), 2000, 2), Limits(0.01, share=True))
    assert (seen.first(10 * T) < T).sum() <= 200


@pytest.mark.parametrize(("after", "most"), [(0.5, 12), (0.3, 20)])
def test_a_jump_is_told_within_steps(after: float, most: int) -> None:
    seen = scan(*steps(jump(0.15, after), 100, 3), Limits(0.05))
    late = seen.first(ALARM) - T // 2
    assert late.min() > 0
    assert np.median(late) < most


@pytest.mark.parametrize(("before", "after"), [(0.15, 0.35), (0.4, 0.9)])
def test_when_it_began_and_how_large_it_is(before: float, after: float) -> None:
    counts, sums = steps(jump(before, after), 1, 4)
    found = scan(counts[0], sums[0], Limits(0.05)).found(ALARM)
    assert found is not None
    assert abs(found.begin - T // 2) <= 2
    assert found.sure > found.begin
    assert found.before == pytest.approx(before, abs=0.02)
    assert (found.during, found.since) == (pytest.approx(after, abs=0.05), pytest.approx(after, abs=0.02))


def test_what_came_after_an_alarm_does_not_undo_it() -> None:
    """A step hangs on earlier ones alone: the same alarm at the same step, whatever follows."""
    counts, sums = steps(jump(0.15, 0.5), 1, 5)
    limits = Limits(0.05)
    sure = int(scan(counts[0], sums[0], limits).first(ALARM))
    for end in (sure + 1, sure + 40, T):
        assert int(scan(counts[0][:end], sums[0][:end], limits).first(ALARM)) == sure
    back = np.where(np.arange(T) > sure, 0.15 * counts[0], sums[0])
    assert int(scan(counts[0], back, limits).first(ALARM)) == sure


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_what_is_over_after_some_steps_is_no_change(bad: int) -> None:
    counts, sums = events(np.full(T, 0.001), 1, 6)
    sums[0, 200 : 200 + bad] = counts[0, 200 : 200 + bad]
    assert scan(counts[0], sums[0], Limits(0.01, share=True)).found(ALARM) is None


@pytest.mark.parametrize("each", [12, 150])
def test_the_time_of_day_is_no_change(each: int) -> None:
    """A swing over the day of more than twice the tolerance, without a control."""
    counts, sums = steps(0.2 - 0.06 * np.cos(2 * np.pi * np.arange(T) / T), 300, 7, each=each)
    assert not (scan(counts, sums, Limits(0.05, lately=T // 8)).first(ALARM) < T).any()
    if each == 150:  # with the mean of all it would be one
        assert (scan(counts, sums, Limits(0.05)).first(ALARM) < T).mean() > 0.2


@pytest.mark.statistics
@pytest.mark.parametrize("together", [2, 4])
def test_values_in_runs_over_steps_are_no_change(together: int) -> None:
    """Steps in a row have one level: sums over several steps show how much it varies."""
    random = np.random.default_rng(8)
    level = np.repeat(random.normal(0.2, 0.1, (1000, T // together)), together, axis=1)
    counts = np.full(level.shape, 12.0)
    for tolerance in (0.0, 0.05):
        assert (scan(counts, counts * level, Limits(tolerance)).first(10 * T) < T).sum() <= 100


def test_nothing_is_said_of_the_first_steps_nor_of_empty_ones() -> None:
    counts, sums = steps(np.where(np.arange(T) < LEAST_STEPS, 0.1, 0.9), 1, 9)
    seen = scan(counts[0], sums[0], Limits(0.05))
    assert np.all(np.isneginf(seen.logs[:LEAST_STEPS]))
    assert int(seen.begun) == T - LEAST_STEPS - 1
    nothing = scan(np.zeros(T), np.zeros(T), Limits(0.05))
    assert (int(nothing.begun), nothing.found(1.0)) == (0, None)
    one = scan(np.ones(1), np.ones(1), Limits(0.0, share=True, lately=1))
    assert (int(one.begun), one.found(1.0)) == (0, None)


def test_equal_values_are_no_change_and_a_few_others_neither() -> None:
    counts = np.full(T, 30.0)
    sums = np.zeros(T)
    sums[::50] = 0.6  # one answer in 1,500 is another
    assert scan(counts, sums, Limits(0.05)).found(ALARM) is None
    assert scan(counts, sums, Limits(0.0)).found(ALARM) is None
