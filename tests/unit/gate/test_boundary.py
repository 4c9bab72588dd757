"""The boundary of a window's sums: its level at every look, and what it costs at the end."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.gate.boundary import limit


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_a_sum_passes_it_at_any_of_many_looks_with_no_more_than_the_stated_risk(alpha: float) -> None:
    looks, runs = 240, 20_000
    steps = np.random.default_rng(1).normal(0, 1, (runs, looks))
    sums = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, looks + 1))
    most = np.array([limit(alpha, k / looks) for k in range(1, looks + 1)])
    passed = (np.abs(sums) > most).any(axis=1).mean()
    noise = 3 * math.sqrt(alpha / runs)
    assert 0.85 * alpha < passed < alpha + noise


@pytest.mark.parametrize("alpha", [0.004, 0.05, 0.2])
def test_looks_in_the_last_minute_and_at_the_end_together_keep_the_risk(alpha: float) -> None:
    runs, looks = 100_000, 20
    random = np.random.default_rng(2)
    before = random.normal(0, math.sqrt(0.999), (runs, 1))
    last = np.cumsum(random.normal(0, math.sqrt(0.001 / looks), (runs, looks)), axis=1)
    passed = (np.abs(before + last) > limit(alpha, 0.9995)).any(axis=1).mean()
    assert passed < 0.96 * alpha + 3 * math.sqrt(alpha / runs)


def test_at_the_end_it_is_hardly_more_than_a_single_looks() -> None:
    assert limit(0.05, 1.0) < 1.03 * NormalDist().inv_cdf(0.975)


@given(st.floats(1e-6, 0.5), st.floats(0.01, 0.99))
def test_it_is_wide_early_and_for_small_risks(alpha: float, elapsed: float) -> None:
    assert limit(alpha, elapsed) > limit(alpha, 1.0)
    assert limit(alpha, elapsed / 2) > limit(alpha, elapsed)
    assert limit(alpha / 2, elapsed) > limit(alpha, elapsed)


@pytest.mark.parametrize("elapsed", [0.0, -1.0, 1.1, math.nan])
def test_a_share_of_the_window_is_a_share(elapsed: float) -> None:
    with pytest.raises(ValueError, match="must be above 0, and at most 1"):
        limit(0.05, elapsed)
