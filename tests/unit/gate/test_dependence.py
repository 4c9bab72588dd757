"""Design effects: what runs, repeated questions and slow changes are worth, and what bounds made with them promise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from shadowlane.gate.dependence import INDEPENDENT, design_of
from shadowlane.gate.sequences import mean_cs

TARGET = 0.45
N = 3000
Series = tuple[np.ndarray, np.ndarray | None]


def beta(random: np.random.Generator, n: int) -> np.ndarray:
    """ΔS whose mean is exactly the target."""
    return random.beta(2, 2 / TARGET - 2, n)


def alone(random: np.random.Generator) -> Series:
    return beta(random, N), None


def runs_of_20(random: np.random.Generator) -> Series:
    return np.repeat(beta(random, N // 20), 20), None


def runs_of_many_lengths(random: np.random.Generator) -> Series:
    return np.repeat(beta(random, N), random.geometric(1 / 8, N))[:N], None


def noisy_runs_of_7(random: np.random.Generator) -> Series:
    return np.clip(np.repeat(beta(random, N // 7 + 1), 7)[:N] * random.uniform(0.9, 1.1, N), 0, 2), None


def questions_asked_20_times(random: np.random.Generator) -> Series:
    which = random.permutation(np.repeat(np.arange(N // 20), 20))
    return beta(random, N // 20)[which], which


@pytest.mark.statistics
@pytest.mark.parametrize("series", [alone, runs_of_20, runs_of_many_lengths, noisy_runs_of_7, questions_asked_20_times])
def test_at_exactly_the_target_neither_met_nor_missed_is_claimed_too_often(series: Callable[..., Series]) -> None:
    """Looked at fifteen times; each claim may be wrong in one run of twenty."""
    met = missed = 0
    for seed in range(100):
        values, questions = series(np.random.default_rng(seed))
        was_met = was_missed = False
        for n in range(200, N + 1, 200):
            design = design_of(values[:n], None if questions is None else questions[:n])
            some = mean_cs(values[:n], high=2.0, design=design)
            was_met |= some.upper <= TARGET
            was_missed |= some.lower > TARGET
        met, missed = met + was_met, missed + was_missed
    assert met <= 9
    assert missed <= 9


@pytest.mark.statistics
def test_taken_as_independent_runs_claim_something_nearly_always() -> None:
    """The test above has teeth."""
    claimed = 0
    for seed in range(50):
        values, _ = runs_of_20(np.random.default_rng(seed))
        looks = [mean_cs(values[:n], high=2.0) for n in range(200, N + 1, 200)]
        claimed += any(some.upper <= TARGET or some.lower > TARGET for some in looks)
    assert claimed > 25


@pytest.mark.statistics
def test_independent_values_are_worth_themselves() -> None:
    effects = [design_of(beta(np.random.default_rng(seed), 20_000)).total for seed in range(60)]
    assert sum(effect > 1.0 for effect in effects) <= 6
    assert max(effects) < 2.0


@pytest.mark.parametrize("length", [5, 20, 60])
def test_runs_are_worth_one_value_each(length: int) -> None:
    values = np.repeat(beta(np.random.default_rng(1), 40_000 // length), length)
    assert design_of(values).runs == pytest.approx(length, rel=0.5)


def test_runs_that_may_be_longer_than_can_be_seen_are_worth_nothing() -> None:
    values = np.repeat(beta(np.random.default_rng(2), 10), 20)
    assert math.isinf(design_of(values).runs)


@pytest.mark.parametrize("seed", range(6))
def test_a_single_outage_is_a_run_though_nobody_saw_a_second_one(seed: int) -> None:
    """Forty minutes of a day of 43,000 copies, beside one failure in a thousand."""
    random = np.random.default_rng(seed)
    failed = random.random(43_000) < 0.001
    start = random.integers(0, 41_800)
    failed[start : start + 1200] = True
    assert design_of(failed.astype(float)).runs > 100
    assert mean_cs(failed.astype(float), design=design_of(failed.astype(float))).lower < 0.01


def test_a_mean_that_changes_with_the_hour_is_no_dependence() -> None:
    hours = np.linspace(0, 2 * np.pi, 43_200)
    values = 0.3 + 0.15 * np.sin(hours) + np.random.default_rng(3).normal(0, 0.1, len(hours))
    assert design_of(values).total == 1.0


def test_a_mean_that_changes_at_once_is_no_endless_run() -> None:
    values = np.concatenate([np.full(15_000, 0.55), np.full(15_000, 0.25)])
    values += np.random.default_rng(6).normal(0, 0.05, len(values))
    assert design_of(values).runs < 100


def test_answers_to_one_question_are_one_vote() -> None:
    values, questions = questions_asked_20_times(np.random.default_rng(4))
    assert design_of(values, questions).questions == pytest.approx(20, rel=0.1)
    assert design_of(values, np.full(N, -1)).questions == 1.0
    assert design_of(values, np.arange(N)).questions == 1.0


def test_a_question_that_is_a_tenth_of_the_traffic_is_a_part_of_its_own() -> None:
    random = np.random.default_rng(5)
    popular = random.random(20_000) < 0.1
    values = np.where(popular, 0.8, random.random(20_000))
    questions = np.where(popular, 0, np.arange(20_000) + 1)
    assert design_of(values, questions).questions == 1.0


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros(1), np.zeros(5000), np.ones(3), np.array([0.0, 1.0])])
def test_values_that_tell_nothing_are_taken_as_independent(values: np.ndarray) -> None:
    assert design_of(values, np.zeros(len(values), dtype=np.int64)) == INDEPENDENT
