"""Noise: paths that differ between prod and a second prod as often, and the two tests behind it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.errors import DataError
from shadowlane.score.noise import NoiseModel, fisher_greater, wilson_lower
from shadowlane.score.structure import Difference, structural_difference


def difference(path: str) -> Difference:
    return Difference(path, "value", 1, 2, path)


def model(control: tuple[int, int], shadow: tuple[int, int] = (0, 0), **settings: Any) -> NoiseModel:
    """A model that saw "/t" differ in k of n pairs of each arm."""
    learnt = NoiseModel(**settings)
    for number in range(control[1]):
        learnt.observe([difference("/t")] if number < control[0] else [])
    for number in range(shadow[1]):
        learnt.observe([difference("/t")] if number < shadow[0] else [], arm="shadow")
    return learnt


@pytest.mark.parametrize(
    ("control", "shadow", "noise"),
    [
        ((100, 100), (100, 100), True),  # a timestamp
        ((20, 100), (22, 100), True),
        ((20, 100), (60, 100), False),  # noisy before, much worse now
        ((0, 100), (1, 100), False),  # never differed without a change
        ((0, 100), (100, 100), False),
        ((1, 10), (3, 10), True),  # too few to tell
        ((10, 1000), (30, 1000), False),
        ((100, 100), (0, 0), True),
        ((1, 100), (0, 0), False),
        ((0, 0), (5, 5), False),
    ],
)
def test_noise(control: tuple[int, int], shadow: tuple[int, int], noise: bool) -> None:
    learnt = model(control, shadow)
    assert learnt.is_noise("/t") is noise
    kept = [difference("/t"), difference("/answer")]
    assert learnt.filter(kept) == (kept[1:] if noise else kept)


def test_noise_is_learnt_by_shape() -> None:
    learnt = NoiseModel()
    for number in range(50):
        a, b = {"rows": [{"at": number}] * 3}, {"rows": [{"at": -1}] * 3}
        learnt.observe(structural_difference(a, b))
    assert learnt.paths() == ["/rows/*/at"]
    assert learnt.evidence("/rows/*/at").control_differs == 50
    later = structural_difference({"rows": [{"at": 1, "v": 1}] * 9}, {"rows": [{"at": 2, "v": 2}] * 9})
    assert {item.shape for item in learnt.filter(later)} == {"/rows/*/v"}


def test_real_noise_is_rarely_reported() -> None:
    """200 noisy places, both arms alike: all together they may be reported with a chance of 5 %, not 5 % of them."""
    import random

    reported = 0
    for seed in range(20):
        rng = random.Random(seed)
        learnt = NoiseModel()
        for arm in ("control", "shadow"):
            for _ in range(60):
                paths = [f"/p{number}" for number in range(200) if rng.random() < 0.3]
                learnt.observe([difference(path) for path in paths], arm=arm)
        reported += any(not learnt.is_noise(path) for path in learnt.paths())
    assert reported <= 3


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"alpha": 1.0}, {"floor": -0.1}, {"floor": 1.0}])
def test_settings_are_checked(settings: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(settings))):
        NoiseModel(**settings)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_fishers_test_against_counting(hits_a: int, miss_a: int, hits_b: int, miss_b: int) -> None:
    n_a, n_b = hits_a + miss_a, hits_b + miss_b
    hits = hits_a + hits_b
    ways = sum(math.comb(n_a, k) * math.comb(n_b, hits - k) for k in range(hits_a, hits + 1) if k <= n_a)
    exact = ways / math.comb(n_a + n_b, hits)
    assert fisher_greater(hits_a, n_a, hits_b, n_b) == pytest.approx(exact, rel=1e-9)


def test_wilsons_bound() -> None:
    assert wilson_lower(0, 0) == 0.0
    assert wilson_lower(0, 50) == 0.0
    # Wilson's interval for 5 of 10 at 95 % two-sided: 0.2366 to 0.7634.
    assert wilson_lower(5, 10, z=1.959963984540054) == pytest.approx(0.2366, abs=5e-5)
