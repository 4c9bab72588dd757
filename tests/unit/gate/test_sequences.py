"""Confidence sequences: coverage when one looks after every observation, laws, and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.gate.dependence import Design
from shadowlane.gate.sequences import Spread, mean_cs, mean_cs_path, quantile_cs, rate_cs

RUNS, LENGTH = 300, 600
ALPHA = 0.05
# With a true miss chance of 5 %, more than 26 misses in 300 runs happen once in 300 tries; the seed is fixed besides.
MOST_MISSES = 26


def _misses(values: np.ndarray, truth: np.ndarray, high: float = 1.0) -> int:
    low, up = mean_cs_path(values, high=high, alpha=ALPHA)
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


def test_mean_cs_is_the_last_look_and_narrows() -> None:
    values = np.random.default_rng(1).random(4000)
    low, up = mean_cs_path(values)
    whole = mean_cs(values)
    assert (whole.lower, whole.upper) == pytest.approx((low[-1], up[-1]))
    assert whole.estimate == pytest.approx(values.mean())
    early = mean_cs(values[:400])
    assert whole.upper - whole.lower < 0.5 * (early.upper - early.lower)
    assert whole.upper - whole.lower < 0.09


def test_no_error_in_a_thousand_copies_proves_one_percent() -> None:
    assert mean_cs(np.zeros(1000)).upper < 0.01
    assert mean_cs(np.zeros(100)).upper > 0.01


@given(
    st.lists(st.floats(0, 2, allow_nan=False), min_size=1, max_size=60),
    st.floats(0.001, 0.2),
)
def test_mean_cs_holds_its_estimate_and_the_range(values: list[float], alpha: float) -> None:
    array = np.array(values)
    wide, narrow = mean_cs(array, high=2.0, alpha=alpha), mean_cs(array, high=2.0, alpha=2 * alpha)
    assert 0 <= wide.lower <= wide.estimate + 1e-12
    assert wide.estimate - 1e-12 <= wide.upper <= 2
    assert wide.lower <= narrow.lower + 1e-12
    assert narrow.upper <= wide.upper + 1e-12


def test_no_values_say_nothing() -> None:
    empty = np.array([])
    assert (mean_cs(empty, high=2.0).lower, mean_cs(empty, high=2.0).upper) == (0, 2)
    assert (rate_cs(0, 0).lower, rate_cs(0, 0).upper) == (0, 1)
    assert quantile_cs(empty, 0.95).upper == math.inf


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_values_outside_the_range_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.0 to 1\.0"):
        mean_cs(np.array([0.5, value]))


@pytest.mark.statistics
def test_rate_covers_at_every_look() -> None:
    hits = np.cumsum(np.random.default_rng(14).random((RUNS, LENGTH)) < 0.05, axis=-1)
    looks = range(20, LENGTH, 20)
    missed = 0
    for run in hits:
        intervals = [rate_cs(int(run[n - 1]), n, alpha=ALPHA) for n in looks]
        missed += any(not some.lower <= 0.05 <= some.upper for some in intervals)
    assert missed <= MOST_MISSES


@given(st.integers(0, 500), st.integers(0, 500))
def test_rate_is_symmetric_and_holds_its_estimate(hits: int, misses: int) -> None:
    if hits + misses == 0:
        return
    here, there = rate_cs(hits, hits + misses), rate_cs(misses, hits + misses)
    assert here.lower <= here.estimate <= here.upper
    assert (here.lower, here.upper) == pytest.approx((1 - there.upper, 1 - there.lower), abs=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="must be from 0 to"):
        rate_cs(hits, n)


@pytest.mark.statistics
def test_quantile_covers_at_every_look() -> None:
    values = np.random.default_rng(15).exponential(size=(RUNS, LENGTH))
    truth = -math.log(0.05)
    missed = 0
    for run in values:
        intervals = [quantile_cs(run[:n], 0.95, alpha=ALPHA) for n in range(20, LENGTH + 1, 20)]
        missed += any(not some.lower <= truth <= some.upper for some in intervals)
    assert missed <= MOST_MISSES


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80), st.sampled_from([0.5, 0.95, 0.99]))
def test_quantile_bounds_are_order_statistics_around_the_estimate(values: list[float], p: float) -> None:
    some = quantile_cs(np.array(values), p)
    assert some.lower <= some.estimate <= some.upper
    assert some.lower in (*values, -math.inf)
    assert some.upper in (*values, math.inf)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, math.nan])
def test_only_quantiles_between_0_and_1(p: float) -> None:
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        quantile_cs(np.ones(3), p)


@pytest.mark.statistics
@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_differences_cover_at_every_look(rate: float) -> None:
    """Bounds made for means near 0 hold for others too."""
    random = np.random.default_rng(16)
    missed = 0
    for _ in range(RUNS):
        steps = (random.random(LENGTH) < rate).astype(float) - (random.random(LENGTH) < rate / 3)
        looks = [mean_cs(steps[:n], low=-1.0, alpha=ALPHA) for n in range(20, LENGTH + 1, 20)]
        missed += any(not some.lower <= 2 * rate / 3 <= some.upper for some in looks)
    assert missed <= MOST_MISSES


def test_differences_that_are_nearly_all_0_are_bounded_as_tightly_as_rates() -> None:
    steps = np.zeros(1000)
    assert mean_cs(steps, low=-1.0).upper <= mean_cs(steps).upper


def test_values_that_count_for_fewer_have_wider_bounds() -> None:
    values = np.random.default_rng(17).random(2000)
    alone, in_runs = mean_cs(values), mean_cs(values, design=Design(runs=20.0))
    few = mean_cs(values[:100])
    assert in_runs.upper - in_runs.lower > 4 * (alone.upper - alone.lower)
    assert in_runs.upper - in_runs.lower == pytest.approx(few.upper - few.lower, rel=0.15)
    assert mean_cs(values, design=Design(runs=math.inf)).upper == 1.0


def test_a_spread_says_how_wide_the_bounds_of_more_values_are() -> None:
    values = np.random.default_rng(18).random(8000)
    few = Spread.of(values[:1000])
    assert few.radius(0.05, 8000) == pytest.approx(Spread.of(values).radius(0.05), rel=0.05)


@given(
    st.integers(1, 10**6),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(1e-9, 0.9),
    st.sampled_from([Design(), Design(3.0), Design(7.0, 2.0)]),
    st.booleans(),
)
def test_risk_is_the_radius_the_other_way_round(
    n: int, mean: float, share: float, alpha: float, design: Design, upper: bool
) -> None:
    spread = Spread.of_sums(mean, n, share * mean * (1 - mean), high=1.0, design=design, together=2.0)
    radius = spread.radius(alpha, upper=upper)
    assert spread.risk(radius, upper=upper) == pytest.approx(alpha, rel=1e-6)
    assert spread.risk(radius * 1.01, upper=upper) < alpha < spread.risk(radius * 0.99, upper=upper)


def test_no_distance_and_no_values_are_no_evidence() -> None:
    spread = Spread.of_sums(0.5, 10**6, 0.25, high=1.0, design=Design(), together=1.0)
    assert (spread.risk(0.0), spread.risk(-1.0), spread.risk(1e-12)) == (1.0, 1.0, 1.0)
    assert Spread.of(np.zeros(0)).risk(1.0) == 1.0
    assert Spread.of_sums(0.5, 9, 0.25, high=1.0, design=Design(math.inf), together=1.0).risk(0.4) == 1.0
