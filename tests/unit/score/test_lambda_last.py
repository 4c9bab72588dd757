"""The newest answer's λ, computed alone, is what the tables of many groups and steps say last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowlane.errors import ScoreError
from shadowlane.score.lambda_ import lambda_group, lambda_trend
from shadowlane.score.lambda_last import distances, last_state, last_trend

# Multiples of a half degree meet at equal sums and at both bands; hundredths of ΔS at every threshold of a step.
ANGLES = st.lists(st.integers(0, 720).map(lambda half: half / 2), min_size=1, max_size=9)
SERIES = st.lists(st.integers(0, 200).map(lambda hundredth: hundredth / 100), min_size=2, max_size=9) | st.lists(
    st.floats(0, 2), min_size=2, max_size=9
)


def unit(degrees: list[float], dim: int) -> NDArray[np.float32]:
    angles = np.radians(degrees)
    rows = np.zeros((len(degrees), dim), dtype=np.float32)
    rows[:, 0], rows[:, dim - 1] = np.cos(angles), np.sin(angles)
    return rows


def apart(rows: NDArray[np.float32]) -> list[list[float]]:
    return [distances(rows[: position + 1], row) for position, row in enumerate(rows)]


@given(ANGLES, st.sampled_from([2, 8, 256]), st.data())
def test_the_state_is_the_last_of_the_group(degrees: list[float], dim: int, data: st.DataObject) -> None:
    rows, count = unit(degrees, dim), len(degrees)
    cites = data.draw(st.lists(st.frozensets(st.sampled_from("abc")), min_size=count, max_size=count))
    collapsed = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    rows[np.array(collapsed)] = data.draw(st.sampled_from([0.0, np.nan]))
    assert last_state(apart(rows), cites, collapsed) == lambda_group(rows, cites, collapsed)[-1]


@given(SERIES)
def test_the_trend_is_the_last_of_the_series(series: list[float]) -> None:
    assert last_trend(series) == lambda_trend(series)[-1]


def test_a_row_that_is_not_finite_is_said() -> None:
    rows = unit([0, 1, 2], 2)
    rows[2] = np.nan
    with pytest.raises(ScoreError, match="NaN"):
        last_state(apart(rows), [frozenset()] * 3, [False] * 3)
