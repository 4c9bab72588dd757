"""λ of the newest answer alone, for the few answers that a live group keeps.

Invariant: what comes out is what :mod:`.lambda_` gives last: the same definition without arrays over groups and steps,
whose set-up takes longer than the arithmetic when there are at most a handful of values. Sums of ΔS that differ in
their last bits are ties there and here.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from ..bands import CRITICAL, STABLE
from ..errors import ScoreError
from .lambda_ import JUMP, STEP, TIE, WINDOW, State

__all__ = ["distances", "last_state", "last_trend"]

_STABLE, _CRITICAL = float(np.float32(STABLE)), float(np.float32(CRITICAL))
_DIGITS = 1e9
_ONE = np.float32(1)


def distances(rows: Iterable[NDArray[np.float32]], answer: NDArray[np.float32]) -> list[float]:
    """ΔS of an answer's (d,) float32 unit row to each of others, in [0, 2]; NaN where a row is not finite."""
    return [min(max(float(_ONE - row.dot(answer)), 0.0), 2.0) for row in rows]


def last_state(
    apart: Sequence[Sequence[float]], citations: Sequence[frozenset[Hashable]], collapsed: Sequence[bool]
) -> State:
    """The last of :func:`~shadowlane.score.lambda_.lambda_group`: ``apart`` has for each of r ≥ 1 answers its ΔS to
    those before it and to itself, as :func:`distances` gives them.

    Raises :class:`~shadowlane.errors.ScoreError` when the row of an answer that has not collapsed is not finite.
    """
    if collapsed[-1]:
        return "divergent"
    up = [position for position, down in enumerate(collapsed) if not down]
    totals = [0.0] * len(up)
    for at, position in enumerate(up):
        others = apart[position]
        for before in range(at):
            totals[at] += others[up[before]]
            totals[before] += others[up[before]]
        totals[at] += others[position]
    least = min(totals) + TIE * len(apart)
    medoid = next((up[at] for at, total in enumerate(totals) if total <= least), up[0])
    delta = apart[-1][medoid]
    if math.isnan(delta):
        raise ScoreError("last_state: ΔS is NaN for an answer that has not collapsed; check the embedder")
    own, middle = citations[-1], citations[medoid]
    agreement = len(own & middle) / len(own | middle) if own or middle else None
    if delta < _STABLE and (agreement is None or agreement >= 1):
        return "convergent"
    if delta >= _CRITICAL and not agreement:
        return "chaotic"
    return "recursive"


def last_trend(series: Sequence[float]) -> State:
    """The last of :func:`~shadowlane.score.lambda_.lambda_trend`: two values of ΔS or more, none NaN."""
    count = len(series)
    step = _rounded(series[-1] - series[-2])
    sums = [0.0, *accumulate(series)]
    window, before = min(count, WINDOW), min(count - 1, WINDOW)
    mean = (sums[count] - sums[count - window]) / window
    drift = _rounded(mean - (sums[count - 1] - sums[count - 1 - before]) / before)
    dead = _rounded(STEP / window)
    rising = drift >= dead
    if step <= -STEP and not rising:
        return "convergent"
    if abs(step) < STEP and abs(drift) < dead:
        return "recursive"
    if -STEP < step <= JUMP and _turned(series):
        return "divergent"
    if step > JUMP:
        return "chaotic"
    return "divergent" if step >= STEP or (rising and step > -STEP) else "recursive"


def _turned(series: Sequence[float]) -> bool:
    """Whether the steps of the window go up once and down once."""
    recent = series[-WINDOW:]
    steps = [_rounded(after - before) for before, after in pairwise(recent)]
    return any(step > 0 for step in steps) and any(step < 0 for step in steps)


def _rounded(value: float) -> float:
    """As numpy rounds to nine digits."""
    return round(value * _DIGITS) / _DIGITS
