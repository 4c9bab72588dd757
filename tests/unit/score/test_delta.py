"""ΔS: the laws of a distance on the sphere, the exact oracle, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowlane.errors import ScoreError
from shadowlane.score.delta import band, bands, delta_s


def unit_rows(seed: int, n: int, d: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


shapes = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 70))


@given(shapes)
def test_equals_one_minus_the_cosine(shape: tuple[int, int, int]) -> None:
    seed, n, d = shape
    a, b = unit_rows(seed, n, d), unit_rows(seed + 1, n, d)
    exact = 1 - (a.astype(np.float64) * b.astype(np.float64)).sum(axis=1)
    result = delta_s(a, b)
    assert result.dtype == np.float32
    assert result.shape == (n,)
    np.testing.assert_allclose(result, np.clip(exact, 0, 2), atol=2e-6)


@given(shapes)
def test_is_symmetric_bounded_and_zero_on_itself(shape: tuple[int, int, int]) -> None:
    seed, n, d = shape
    a, b = unit_rows(seed, n, d), unit_rows(seed + 1, n, d)
    there = delta_s(a, b)
    np.testing.assert_array_equal(there, delta_s(b, a))
    assert ((there >= 0) & (there <= 2)).all()
    np.testing.assert_allclose(delta_s(a, a), 0, atol=1e-6)
    np.testing.assert_allclose(delta_s(a, -a), 2, atol=1e-6)
    np.testing.assert_allclose(there + delta_s(a, -b), 2, atol=2e-6)


@given(shapes)
def test_is_row_by_row(shape: tuple[int, int, int]) -> None:
    seed, n, d = shape
    a, b = unit_rows(seed, n, d), unit_rows(seed + 1, n, d)
    order = np.random.default_rng(seed).permutation(n)
    np.testing.assert_allclose(delta_s(a[order], b[order]), delta_s(a, b)[order], atol=1e-6)


def test_leaves_its_input_alone() -> None:
    a, b = unit_rows(1, 64, 32), unit_rows(2, 64, 32)
    before = a.copy(), b.copy()
    delta_s(a, b)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


def test_one_vector_is_one_row() -> None:
    a = np.array([1, 0], dtype=np.float32)
    b = np.array([0, 1], dtype=np.float32)
    np.testing.assert_array_equal(delta_s(a, b), [1])


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        (np.ones((2, 3), np.float64), np.ones((2, 3), np.float32), "a has type float64"),
        (np.ones((2, 3), np.float32), np.ones((2, 3), np.int64), "b has type int64"),
        (np.ones((2, 3), np.float32), np.ones((3, 3), np.float32), r"\(2, 3\) and b has \(3, 3\)"),
        (np.ones((1, 3), np.float32), np.ones((4, 3), np.float32), "same number of rows"),
        (np.ones((2, 3, 4), np.float32), np.ones((2, 3, 4), np.float32), r"\(n, d\)"),
        (np.ones((2, 0), np.float32), np.ones((2, 0), np.float32), "d > 0"),
        ([[1.0, 0.0]], np.ones((1, 2), np.float32), "a is a list"),
        (
            np.ones((4, 3), np.float32)[::2],
            np.ones((2, 3), np.float32),
            "a is not contiguous by rows",
        ),
        (np.ones((2, 3), np.float32), np.ones((3, 2), np.float32).T, "b is not contiguous"),
    ],
)
def test_refuses_what_it_would_have_to_guess(a: NDArray[np.float32], b: NDArray[np.float32], says: str) -> None:
    with pytest.raises(ScoreError, match=says):
        delta_s(a, b)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0.0, "stable"),
        (0.3999, "stable"),
        (0.40, "transitional"),
        (0.5999, "transitional"),
        (0.60, "critical"),
        (2.0, "critical"),
    ],
)
def test_bands(value: float, name: str) -> None:
    assert band(value) == name
    assert bands(np.array([value])).tolist() == [name]
    assert bands(np.array([[value]], dtype=np.float32)).tolist() == [[name]]


def test_nan_has_no_band() -> None:
    with pytest.raises(ScoreError, match="NaN"):
        band(float("nan"))
    with pytest.raises(ScoreError, match="NaN"):
        bands(np.array([0.1, np.nan]))
