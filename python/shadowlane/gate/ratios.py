"""The ratio of two sums over pairs: how much more the shadow uses in all than prod does for the same requests.

The sums' ratio R is where the mean of ``above − R·below`` is 0 (ratio estimation: Cochran, "Sampling Techniques", 3rd
ed. 1977, chapter 6). So its bounds are those of that mean, over the mean of ``below``; they hold at any time
asymptotically, as the sequences with a design effect do. What both have in common, long questions and short ones, is in
neither.

Invariant: bounds are finite only where ``below`` has a sum above 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .dependence import design_of
from .sequences import Interval, Spread

__all__ = ["sum_increase"]

_Floats = NDArray[np.float64]


def sum_increase(above: _Floats, below: _Floats, questions: NDArray[np.int64], *, alpha: float = 0.05) -> Interval:
    """Bounds of Σ ``above`` / Σ ``below`` − 1: (n,) both, 0 or more, pair by pair, in the order of time; ``questions``
    (n,) says what each pair answers, negative where that is not known."""
    n = len(below)
    total = float(below.sum())
    if n == 0 or not total > 0.0:
        return Interval(math.nan, -1.0, math.inf, n)
    ratio = float(above.sum()) / total
    rest = above - ratio * below
    most = float(np.abs(rest).max())
    if most == 0.0:
        return Interval(ratio - 1.0, ratio - 1.0, ratio - 1.0, n)
    spread = Spread.of(rest / most, low=-1.0, high=1.0, design=design_of(rest, questions))
    radius = spread.radius(alpha) * most / (total / n)
    return Interval(ratio - 1.0, max(ratio - 1.0 - radius, -1.0), ratio - 1.0 + radius, n)
