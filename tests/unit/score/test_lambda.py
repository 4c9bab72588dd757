"""λ over groups and over time: the design's table cell by cell, and the laws that hold for any input."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from shadowlane.errors import ScoreError
from shadowlane.score.lambda_ import (
    STATES,
    accepted,
    convergence_rate,
    flip_rate,
    lambda_group,
    lambda_groups,
    lambda_trend,
    lambda_trends,
    pair_states,
)


def fan(*degrees: float) -> NDArray[np.float32]:
    """Unit rows in the plane at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


NONE = float("nan")


@pytest.mark.parametrize(
    ("delta", "agreement", "collapsed", "state"),
    [
        (0.0, 1.0, False, "convergent"),
        (0.39, NONE, False, "convergent"),
        (0.39, 0.5, False, "recursive"),
        (0.39, 0.0, False, "recursive"),
        (0.40, 1.0, False, "recursive"),
        (0.59, NONE, False, "recursive"),
        (0.59, 0.0, False, "recursive"),
        (0.60, 1.0, False, "recursive"),
        (0.60, 0.5, False, "recursive"),
        (0.60, 0.0, False, "chaotic"),
        (0.60, NONE, False, "chaotic"),
        (2.0, 0.0, False, "chaotic"),
        (0.0, 1.0, True, "divergent"),
        (2.0, 0.0, True, "divergent"),
        (float("nan"), NONE, True, "divergent"),
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_pair_states(delta: float, agreement: float, collapsed: bool, state: str, kind: type) -> None:
    assert pair_states(np.array([delta], kind), np.array([agreement]), np.array([collapsed])).tolist() == [state]


def test_group_that_agrees_converges() -> None:
    states = lambda_group(fan(0, 1, 2, 3, 4, 5))
    assert states == ["convergent"] * 6
    assert accepted(states)


def test_group_is_measured_from_its_medoid() -> None:
    # Four runs near 0°, one at 60° (ΔS 0.5), one at 90° (ΔS 1): the medoid lies among the four.
    states = lambda_group(fan(0, 2, 4, 6, 62, 92))
    assert states == ["convergent"] * 4 + ["recursive", "chaotic"]
    assert not accepted(states)


def test_citations_of_a_group() -> None:
    rows = fan(0, 0, 0, 0)
    states = lambda_group(rows, [["a", "b"], ["b", "a", "a"], ["a"], ["z"]])
    assert states == ["convergent", "convergent", "recursive", "recursive"]
    far = lambda_group(fan(0, 0, 0, 90, 90), [["a"], ["a"], ["a"], ["z"], ["a", "b"]])
    assert far == ["convergent", "convergent", "convergent", "chaotic", "recursive"]


def test_collapsed_runs_neither_choose_the_medoid_nor_are_it() -> None:
    rows = fan(0, 3, 90, 90, 90)
    rows[3] = np.nan
    states = lambda_group(rows, collapsed=[False, False, True, True, True])
    assert states == ["convergent", "convergent", "divergent", "divergent", "divergent"]
    assert lambda_group(rows, collapsed=[True] * 5) == ["divergent"] * 5


def test_group_without_runs_and_with_one() -> None:
    assert lambda_group(np.empty((0, 4), np.float32)) == []
    assert lambda_group(fan(30)) == ["convergent"]
    assert not accepted([])


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 7))
def test_many_groups_are_each_by_itself(seed: int, groups: int, runs: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.standard_normal((groups, runs, 3)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    citations = [
        [set(random.integers(0, 3, size=random.integers(0, 3)).tolist()) for _ in range(runs)] for _ in range(groups)
    ]
    collapsed = random.random((groups, runs)) < 0.3
    together = lambda_groups(rows, citations, collapsed)
    assert together.shape == (groups, runs)
    for group in range(groups):
        assert together[group].tolist() == lambda_group(rows[group], citations[group], collapsed[group])
    delta = np.clip(1 - rows @ rows.transpose(0, 2, 1), 0, 2)
    np.testing.assert_array_equal(lambda_groups(delta=delta, citations=citations, collapsed=collapsed), together)
    assert ((together == "divergent") == collapsed).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "either embeddings"),
        ({"embeddings": fan(0), "delta": np.zeros((1, 1))}, "either embeddings"),
        ({"embeddings": np.zeros(3, np.float32)}, r"\(3,\)"),
        ({"delta": np.zeros((2, 3))}, r"\(g, r, r\)"),
        ({"embeddings": fan(0, 1), "citations": [["a"]]}, "2 runs"),
        ({"embeddings": fan(0, 1), "citations": ["ab", "ac"]}, "single text"),
        ({"embeddings": fan(0, 1), "collapsed": [True]}, "collapsed"),
        ({"embeddings": fan(0, 1) * np.nan}, "NaN"),
    ],
)
def test_group_refuses(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(ScoreError, match=says):
        lambda_group(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("series", "states"),
    [
        ([0.8, 0.6, 0.5, 0.48], ["convergent"] * 3),
        ([0.30, 0.28], ["convergent"]),  # the edge: Δ is −0.02 exactly
        ([0.30] * 5, ["recursive"] * 4),
        ([0.30, 0.31, 0.30, 0.31], ["recursive"] * 3),
        ([0.30, 0.34], ["divergent"]),  # the edge: Δ is 0.04 exactly
        ([0.30, 0.3401], ["chaotic"]),
        ([0.2, 0.3, 0.5], ["chaotic", "chaotic"]),
        ([0.30, 0.33, 0.31, 0.34], ["divergent", "convergent", "divergent"]),
        # Slow rise: no step is large, and yet the mean moves away.
        ([0.300, 0.315, 0.330, 0.345, 0.360], ["recursive", "divergent", "divergent", "divergent"]),
        # A single spike leaves the window: the mean falls while the steps are flat and have turned.
        (
            [0.3, 0.9, 0.3, 0.3, 0.3, 0.3, 0.3],
            ["chaotic", "convergent", "divergent", "divergent", "recursive", "recursive"],
        ),
    ],
)
def test_trend(series: list[float], states: list[str]) -> None:
    assert lambda_trend(series) == states


def by_the_letter(series: Sequence[float]) -> list[str]:
    """The definition once more, one step at a time."""
    states = []
    for t in range(1, len(series)):
        window = series[max(0, t - 4) : t + 1]
        before = series[max(0, t - 5) : t]
        step = round(series[t] - series[t - 1], 9)
        drift = round(float(np.mean(window)) - float(np.mean(before)), 9)
        dead = round(0.02 / len(window), 9)
        steps = [round(right - left, 9) for left, right in itertools.pairwise(window)]
        turned = any(one > 0 for one in steps) and any(one < 0 for one in steps)
        if step <= -0.02 and drift < dead:
            states.append("convergent")
        elif abs(step) < 0.02 and abs(drift) < dead:
            states.append("recursive")
        elif -0.02 < step <= 0.04 and turned:
            states.append("divergent")
        elif step > 0.04:
            states.append("chaotic")
        elif step >= 0.02 or (drift >= dead and step > -0.02):
            states.append("divergent")
        else:
            states.append("recursive")
    return states


@given(st.lists(st.integers(0, 40).map(lambda value: value / 50), max_size=12))
def test_trend_against_the_definition(series: list[float]) -> None:
    assert lambda_trend(series) == by_the_letter(series)


@given(arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(0, 9)), elements=st.floats(0, 2)))
def test_many_series_are_each_by_itself(series: NDArray[np.float64]) -> None:
    together = lambda_trends(series)
    assert together.shape == (len(series), max(series.shape[1] - 1, 0))
    for own, states in zip(series, together, strict=True):
        assert states.tolist() == lambda_trend(own)
        assert set(states) <= set(STATES)


def test_trend_refuses() -> None:
    with pytest.raises(ScoreError, match="lambda_trends"):
        lambda_trend(np.zeros((2, 3)))
    with pytest.raises(ScoreError, match=r"\(g, t\)"):
        lambda_trends(np.zeros(3))
    with pytest.raises(ScoreError, match="NaN"):
        lambda_trend([0.1, float("nan")])


def test_rates() -> None:
    states = ["convergent", "convergent", "chaotic", "convergent"]
    assert convergence_rate(states) == 0.75
    assert flip_rate(states) == pytest.approx(2 / 3)
    assert np.isnan(convergence_rate([]))
    assert np.isnan(flip_rate(["convergent"]))
    two = np.array([states, ["chaotic"] * 4])
    assert convergence_rate(two) == 3 / 8
    assert flip_rate(two) == pytest.approx(2 / 6)  # no step leads from one group to the next


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (["convergent"] * 10, True),
        (["convergent"] * 9 + ["recursive"], True),
        (["convergent"] * 8 + ["divergent"] * 2, True),
        (["convergent"] * 8 + ["recursive"] * 2, False),
        (["convergent"] * 9 + ["chaotic"], False),
        (["convergent"] * 7 + ["divergent"] * 3, False),
    ],
)
def test_acceptance(states: list[str], verdict: bool) -> None:
    assert accepted(states) is verdict


@given(st.lists(st.sampled_from((0.0, 17.0, 45.0, 61.0, 90.0)), min_size=2, max_size=6), st.data())
def test_a_tie_of_the_medoid_breaks_to_the_first_whatever_the_last_bit(
    angles: list[float], data: st.DataObject
) -> None:
    rows = fan(*angles).astype(np.float64)
    exact = np.round(np.clip(1 - rows @ rows.T, 0, 2), 3)
    noise = data.draw(arrays(np.float64, exact.shape, elements=st.floats(-1e-8, 1e-8)))
    assert lambda_group(delta=exact) == lambda_group(delta=exact + noise)


def test_of_two_answers_as_near_to_the_others_the_first_is_the_medoid() -> None:
    delta = np.array([[0.0, 0.5, 0.3], [0.5, 0.0, 0.3 + 1e-12], [0.3, 0.3 + 1e-12, 0.0]])
    delta[:, 2] = delta[2, :] = (0.5, 0.5, 0.0)
    assert lambda_group(delta=delta) == ["convergent", "recursive", "recursive"]
    delta[0, 1] += 3e-9
    delta[1, 0] += 3e-9
    delta[0, 2] += 3e-9
    assert lambda_group(delta=delta) == ["convergent", "recursive", "recursive"]
