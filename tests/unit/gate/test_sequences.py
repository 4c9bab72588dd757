"""Confidence sequences: coverage when one looks after every observation, laws, and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.gate.sequences import mean_interval, mean_sequence, quantile_interval, rate_interval, ratio_interval

RUNS, LENGTH = 300, 600
ALPHA = 0.05
# With a true miss chance of 5 %, more than 26 misses in 300 runs happen once in 300 tries; the seed is fixed besides.
MOST_MISSES = 26


def _misses(values: np.ndarray, truth: np.ndarray, high: float = 1.0) -> int:
    low, up = mean_sequence(values, high=high, alpha=ALPHA)
    return int(((low > truth) | (up < truth)).any(axis=-1).sum())


@pytest.mark.statistics
@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_mean_covers_a_rate_at_every_look(rate: float) -> None:
    values = (np.random.default_rng(11).random((RUNS, LENGTH)) < rate).astype(float)
    assert _misses(values, np.full(LENGTH, rate)) <= MOST_MISSES


@pytest.mark.statistics
def test_mean_covers_delta_s_at_every_look() -> None:
    values = 2 * np.random.default_rng(12).beta(1.5, 8, (RUNS, LENGTH))
    assert _misses(values, np.full(LENGTH, 2 * 1.5 / 9.5), high=2.0) <= MOST_MISSES


@pytest.mark.statistics
def test_mean_covers_the_average_of_a_mean_that_drifts() -> None:
    drift = 0.2 + 0.3 * np.arange(LENGTH) / LENGTH
    values = (np.random.default_rng(13).random((RUNS, LENGTH)) < drift).astype(float)
    assert _misses(values, np.cumsum(drift) / np.arange(1, LENGTH + 1)) <= MOST_MISSES


@pytest.mark.statistics
def test_a_plain_interval_would_fail_the_same_test() -> None:
    """The test has teeth: the interval for one look misses far more often when looked at all the time."""
    values = (np.random.default_rng(11).random((RUNS, LENGTH)) < 0.3).astype(float)
    count = np.arange(1, LENGTH + 1)
    mean = np.cumsum(values, axis=-1) / count
    radius = 1.96 * np.sqrt(np.maximum(mean * (1 - mean), 1e-9) / count)
    missed = (np.abs(mean - 0.3) > radius)[:, 30:].any(axis=-1).sum()
    assert missed > 2 * MOST_MISSES


def test_mean_interval_is_the_last_look_and_narrows() -> None:
    values = np.random.default_rng(1).random(4000)
    low, up = mean_sequence(values)
    whole = mean_interval(values)
    assert (whole.lower, whole.upper) == pytest.approx((low[-1], up[-1]))
    assert whole.estimate == pytest.approx(values.mean())
    early = mean_interval(values[:400])
    assert whole.upper - whole.lower < 0.5 * (early.upper - early.lower)
    assert whole.upper - whole.lower < 0.09


def test_no_error_in_a_thousand_copies_proves_one_percent() -> None:
    assert mean_interval(np.zeros(1000)).upper < 0.01
    assert mean_interval(np.zeros(100)).upper > 0.01


@given(
    st.lists(st.floats(0, 2, allow_nan=False), min_size=1, max_size=60),
    st.floats(0.001, 0.2),
)
def test_mean_interval_holds_its_estimate_and_the_range(values: list[float], alpha: float) -> None:
    array = np.array(values)
    wide, narrow = mean_interval(array, high=2.0, alpha=alpha), mean_interval(array, high=2.0, alpha=2 * alpha)
    assert 0 <= wide.lower <= wide.estimate + 1e-12
    assert wide.estimate - 1e-12 <= wide.upper <= 2
    assert wide.lower <= narrow.lower + 1e-12
    assert narrow.upper <= wide.upper + 1e-12


def test_no_values_say_nothing() -> None:
    empty = np.array([])
    assert (mean_interval(empty, high=2.0).lower, mean_interval(empty, high=2.0).upper) == (0, 2)
    assert (rate_interval(0, 0).lower, rate_interval(0, 0).upper) == (0, 1)
    assert (ratio_interval(empty, empty, 0.95).lower, ratio_interval(empty, empty, 0.95).upper) == (0, math.inf)
    assert quantile_interval(empty, 0.95).upper == math.inf


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_values_outside_the_range_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.0 to 1\.0"):
        mean_interval(np.array([0.5, value]))


@pytest.mark.statistics
def test_rate_covers_at_every_look() -> None:
    hits = np.cumsum(np.random.default_rng(14).random((RUNS, LENGTH)) < 0.05, axis=-1)
    looks = range(20, LENGTH, 20)
    missed = 0
    for run in hits:
        intervals = [rate_interval(int(run[n - 1]), n, alpha=ALPHA) for n in looks]
        missed += any(not some.lower <= 0.05 <= some.upper for some in intervals)
    assert missed <= MOST_MISSES


@given(st.integers(0, 500), st.integers(0, 500))
def test_rate_is_symmetric_and_holds_its_estimate(hits: int, misses: int) -> None:
    if hits + misses == 0:
        return
    here, there = rate_interval(hits, hits + misses), rate_interval(misses, hits + misses)
    assert here.lower <= here.estimate <= here.upper
    assert (here.lower, here.upper) == pytest.approx((1 - there.upper, 1 - there.lower), abs=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="must be from 0 to"):
        rate_interval(hits, n)


@pytest.mark.statistics
def test_quantile_covers_at_every_look() -> None:
    values = np.random.default_rng(15).exponential(size=(RUNS, LENGTH))
    truth = -math.log(0.05)
    missed = 0
    for run in values:
        intervals = [quantile_interval(run[:n], 0.95, alpha=ALPHA) for n in range(20, LENGTH + 1, 20)]
        missed += any(not some.lower <= truth <= some.upper for some in intervals)
    assert missed <= MOST_MISSES


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80), st.sampled_from([0.5, 0.95, 0.99]))
def test_quantile_bounds_are_order_statistics_around_the_estimate(values: list[float], p: float) -> None:
    some = quantile_interval(np.array(values), p)
    assert some.lower <= some.estimate <= some.upper
    assert some.lower in (*values, -math.inf)
    assert some.upper in (*values, math.inf)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, math.nan])
def test_only_quantiles_between_0_and_1(p: float) -> None:
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        quantile_interval(np.ones(3), p)


def _pairs(random: np.random.Generator, n: int, ratio: float, noise: float) -> tuple[np.ndarray, np.ndarray, float]:
    prod = random.lognormal(-3, 0.35, n)
    truth = ratio * math.exp(1.6448536 * (math.hypot(0.35, noise) - 0.35))
    return ratio * prod * random.lognormal(0, noise, n), prod, truth


@pytest.mark.statistics
def test_ratio_covers_at_every_look() -> None:
    missed = 0
    for seed in range(60):
        above, below, truth = _pairs(np.random.default_rng(seed), 1000, 1.1, 0.05)
        looks = [ratio_interval(above[:n], below[:n], 0.95, alpha=0.5) for n in (250, 500, 1000)]
        missed += any(not some.lower <= truth <= some.upper for some in looks)
    # alpha is one half here, so that too narrow an interval would show: 30 misses are allowed in the mean.
    assert missed <= 30


def test_pairs_that_go_together_bound_the_ratio_tightly() -> None:
    above, below, _ = _pairs(np.random.default_rng(3), 20_000, 1.0, 0.01)
    some = ratio_interval(above, below, 0.95)
    assert 0.97 < some.lower < some.estimate < some.upper < 1.03
    shuffled = ratio_interval(np.random.default_rng(4).permutation(above), below, 0.95)
    assert shuffled.upper - shuffled.lower > 1.5 * (some.upper - some.lower)


def test_a_slow_shadow_is_surely_slower() -> None:
    above, below, _ = _pairs(np.random.default_rng(5), 3000, 1.5, 0.05)
    assert ratio_interval(above, below, 0.95).lower > 1.3


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 100), st.integers(200, 400))
def test_ratio_does_not_depend_on_the_unit(scale: float, n: int) -> None:
    above, below, _ = _pairs(np.random.default_rng(6), n, 1.2, 0.1)
    here, there = ratio_interval(above, below, 0.5), ratio_interval(scale * above, scale * below, 0.5)
    # The grid's cells stand still while the data moves: one cell more or less at either end.
    assert there.lower == pytest.approx(here.lower, rel=0.02)
    assert there.upper == pytest.approx(here.upper, rel=0.02)


def test_ratio_needs_pairs() -> None:
    with pytest.raises(ValueError, match="one of each for every pair"):
        ratio_interval(np.ones(3), np.ones(2), 0.95)


def test_times_of_zero_bound_nothing() -> None:
    some = ratio_interval(np.ones(50), np.zeros(50), 0.95)
    assert (some.lower, some.upper) == (0.0, math.inf)
