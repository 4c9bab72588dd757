"""The ratio of two quantiles of pairs: coverage at every look, power on a day of traffic, laws, and edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.gate.paired import quantile_ratio

DAY = 43_200
"""Pairs of a day at 10 requests/s, of which 5 % are mirrored."""
P = 0.95
Pairs = Callable[[np.random.Generator, int, float], tuple[np.ndarray, np.ndarray]]


def lognormal(random: np.random.Generator, n: int, slower: float) -> tuple[np.ndarray, np.ndarray]:
    """A shared part of σ 0.6 and each side's own of σ 0.2."""
    shared = random.normal(0, 0.6, n)
    return slower * np.exp(shared + random.normal(0, 0.2, n)), np.exp(shared + random.normal(0, 0.2, n))


def in_runs(random: np.random.Generator, n: int, slower: float) -> tuple[np.ndarray, np.ndarray]:
    """Twenty pairs in a row took the same."""
    above, below = lognormal(random, n // 20, slower)
    return np.repeat(above, 20), np.repeat(below, 20)


def other_tail(random: np.random.Generator, n: int, slower: float) -> tuple[np.ndarray, np.ndarray]:
    """The shadow's own part is wider, its P95 ``slower`` times prod's."""
    shared = random.normal(0, 0.6, n)
    shift = math.exp(1.6448536 * (math.hypot(0.6, 0.2) - math.hypot(0.6, 0.5)))
    return slower * shift * np.exp(shared + random.normal(0, 0.5, n)), np.exp(shared + random.normal(0, 0.2, n))


@pytest.mark.statistics
@pytest.mark.parametrize("pairs", [lognormal, in_runs, other_tail])
def test_it_covers_at_every_look_of_a_window(pairs: Pairs) -> None:
    missed = 0
    for seed in range(100):
        above, below = pairs(np.random.default_rng(seed), 6000, 1.05)
        looks = [quantile_ratio(above[: 500 * k], below[: 500 * k], P, alpha=0.2, elapsed=k / 12) for k in range(1, 13)]
        missed += any(not some.lower <= 1.05 <= some.upper for some in looks)
    # A fifth may miss; a single look's bounds would be missed by half of the runs when looked at twelve times.
    assert missed <= 30


@pytest.mark.statistics
@pytest.mark.parametrize(("asked", "times"), [(1500, 8), (500, 24)])
@pytest.mark.parametrize("own", [0.0, 0.2])
def test_answers_to_one_question_are_no_independent_pairs(asked: int, times: int, own: float) -> None:
    """The question decides both times, but for ``own``."""
    missed = 0
    for seed in range(60):
        random = np.random.default_rng([seed, asked])
        question = random.integers(0, asked, asked * times)
        above, below = (some[question] for some in lognormal(random, asked, 1.05))
        above, below = (some * random.lognormal(0, own, len(question)) for some in (above, below))
        some = quantile_ratio(above, below, P, questions=question, alpha=0.2)
        missed += not some.lower <= 1.05 <= some.upper
    # A fifth may miss; as independent pairs, their bounds were missed by 27 to 44 of these runs.
    assert missed <= 20


def test_what_questions_repeat_by_chance_costs_nothing() -> None:
    above, below = lognormal(np.random.default_rng(9), 20_000, 1.0)
    asked = np.random.default_rng(10).integers(0, 1000, 20_000)
    assert quantile_ratio(above, below, P, questions=asked) == quantile_ratio(above, below, P)


@pytest.mark.parametrize("seed", range(8))
def test_an_equal_shadow_is_within_3_percent_after_a_day_and_one_10_percent_slower_is_not(seed: int) -> None:
    equal = quantile_ratio(*lognormal(np.random.default_rng(seed), DAY, 1.0), P)
    slower = quantile_ratio(*lognormal(np.random.default_rng(seed), DAY, 1.1), P, alpha=0.003)
    assert equal.upper <= 1.03
    assert slower.lower > 1.03


def narrowest(n: int) -> float:
    """The least width of an interval for one look: the efficiency bound of docs/parts/gate.md, by quadrature."""
    normal, z = NormalDist(), NormalDist().inv_cdf(P)
    both_sigma = math.hypot(0.6, 0.2)
    shared = np.linspace(-6, 6, 4001)
    weights = np.exp(-(shared**2) / 2)
    beyond = np.array([1 - normal.cdf((z * both_sigma - 0.6 * one) / 0.2) for one in shared])
    discordant = 2 * (1 - P - float(np.sum(weights * beyond**2) / weights.sum()))
    return 2 * normal.inv_cdf(0.975) * math.sqrt(discordant / n) * both_sigma / normal.pdf(z)


def test_at_the_end_of_the_window_it_is_hardly_wider_than_any_interval_of_one_look_can_be() -> None:
    assert narrowest(DAY) == pytest.approx(0.0220, abs=5e-5)
    found = [quantile_ratio(*lognormal(np.random.default_rng(seed), DAY, 1.0), P) for seed in range(20)]
    width = float(np.mean([some.upper - some.lower for some in found]))
    assert narrowest(DAY) < width < 1.1 * narrowest(DAY)


def test_bursts_of_an_equal_service_are_decided_once_there_are_enough_of_them() -> None:
    """5 % of 50 requests/s in bursts of twenty that are one: ten thousand bursts a day."""
    met = [
        quantile_ratio(*in_runs(np.random.default_rng(seed), 216_000, 1.0), P, alpha=0.1).upper <= 1.03
        for seed in range(12)
    ]
    assert sum(met) >= 6


def test_it_is_wide_early_and_narrows() -> None:
    above, below = lognormal(np.random.default_rng(3), DAY, 1.0)
    early = quantile_ratio(above[: DAY // 10], below[: DAY // 10], P, elapsed=0.1)
    late = quantile_ratio(above, below, P)
    assert early.upper - early.lower > 5 * (late.upper - late.lower)


def test_pairs_that_go_together_bound_it_more_tightly_than_strangers() -> None:
    above, below = lognormal(np.random.default_rng(4), 20_000, 1.0)
    together = quantile_ratio(above, below, P)
    apart = quantile_ratio(np.random.default_rng(5).permutation(above), below, P)
    assert apart.upper - apart.lower > 1.3 * (together.upper - together.lower)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 100), st.integers(800, 1200))
def test_it_does_not_depend_on_the_unit(scale: float, n: int) -> None:
    above, below = lognormal(np.random.default_rng(6), n, 1.2)
    here, there = quantile_ratio(above, below, 0.8), quantile_ratio(scale * above, scale * below, 0.8)
    assert (there.lower, there.upper) == pytest.approx((here.lower, here.upper), rel=1e-6)


def test_equal_times_are_equal() -> None:
    times = np.random.default_rng(7).lognormal(0, 0.5, 3000)
    some = quantile_ratio(times, times, P)
    assert (some.estimate, some.lower <= 1 <= some.upper, some.upper < 1.03) == (1.0, True, True)


@pytest.mark.parametrize("n", [0, 1, 50, 300])
def test_too_few_pairs_say_nothing(n: int) -> None:
    above, below = lognormal(np.random.default_rng(8), n, 1.0)
    some = quantile_ratio(above, below, P)
    assert (some.lower, some.upper, some.n) == (0.0, math.inf, n)


def test_times_of_zero_have_no_ratio() -> None:
    some = quantile_ratio(np.ones(1000), np.zeros(1000), P)
    assert (some.lower, some.upper) == (0.0, math.inf)


def test_both_times_of_every_pair_are_needed() -> None:
    with pytest.raises(ValueError, match="one of each for every pair"):
        quantile_ratio(np.ones(3), np.ones(2), P)


@pytest.mark.parametrize("elapsed", [0.0, -1.0, 1.1, math.nan])
def test_a_share_of_the_window_is_a_share(elapsed: float) -> None:
    with pytest.raises(ValueError, match="must be above 0, and at most 1"):
        quantile_ratio(np.ones(3), np.ones(3), P, elapsed=elapsed)
