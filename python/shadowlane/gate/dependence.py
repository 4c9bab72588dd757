"""How many independent values a series is worth: the design effect of bursts and of repeated questions.

A confidence sequence for independent values is far too narrow for values that come in runs: twenty equal values in a
row say as much as one. The *design effect* is the factor by which the variance of a sum exceeds that of independent
values (Kish, "Survey Sampling", 1965, section 8.2). Two causes are measured, each from the values themselves:

*Runs in time*: sums over blocks of consecutive values (batch means, Conway, Management Science 9 (1963)), at block
lengths up to 1/48 of the series; what blocks share by a run that lies across their border is added back. The spread of
block sums is measured by their second differences, so that a mean which changes slowly (the diurnal cycle) is not taken
for dependence: confidence sequences hold for the average of a changing mean anyway.

*Repeated questions*: sums over all answers to one question (the sandwich variance of Liang and Zeger, Biometrika 73
(1986)). A question that makes up more than a hundredth of the traffic is no draw from many questions but a part of its
own ("self-representing", Kish, section 9.3): only what differs within it counts.

Invariant: an effect is counted only where it stands out of the noise of its own estimate by three standard deviations,
so that independent values are nearly always worth themselves; it is never below 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["INDEPENDENT", "Design", "design_of"]

_Floats = NDArray[np.float64]

_LEAST_BLOCKS = 48
"""Half an hour of a day each: what is slower than that is taken for a change of the mean."""
_SIGMAS = 3.0
_NOISE = (35 / 9) ** 0.5
"""The standard deviation of an effect's estimate from n/L blocks is this times (L/n) ** 0.5, for Gaussian sums."""
_RISES, _STEEP = 1.5, 3.0
"""An effect that rises so much over the last doubling of the blocks, and over all of them, has not come to its end."""
_OF_ONE_STEP = 3
"""Second differences that a single step of the mean can reach."""
_ACROSS = 5 / 9
"""What second differences of blocks of length L miss of runs of length l, in units of l/L: the blocks' own variance
lacks 1/3, and the covariance of neighbours, which share the runs across their border, takes 2/9."""
_SELF_REPRESENTING = 1 / 100


@dataclass(frozen=True, slots=True)
class Design:
    """Design effects, each at least 1."""

    runs: float = 1.0
    """Of runs in time: also how many values an unlikely event comes with."""
    questions: float = 1.0
    """Of repeated questions."""

    @property
    def total(self) -> float:
        """The factor by which the variance of the sum exceeds that of independent values."""
        return self.runs + self.questions - 1.0


INDEPENDENT = Design()


def design_of(values: _Floats, questions: NDArray[np.int64] | None = None) -> Design:
    """The design effects of ``values`` (n,), in the order of time; ``questions`` (n,) says what each one answers, with
    a negative number for "not known"."""
    n = len(values)
    centred = values - values.mean() if n else values
    spread = float(np.sum(centred**2))
    if spread <= 0.0:
        return INDEPENDENT
    return Design(_runs(values, spread / n), 1.0 if questions is None else _repeats(centred, spread, questions))


def _runs(values: _Floats, variance: float) -> float:
    """The effect of runs; infinite while they may be longer than the longest block."""
    longest = len(values) // _LEAST_BLOCKS
    if longest < 2:
        return 1.0
    sums = np.concatenate([[0.0], np.cumsum(values)])
    lengths = sorted({max(1, int(longest / 2 ** (k / 2))) for k in range(2 * longest.bit_length() + 1)})
    if _still_rises(sums, longest, variance):
        return math.inf
    effects = {length: float(_squares(sums, length, variance).mean()) for length in lengths}
    worst = 1.0
    for length, found in effects.items():
        if length > 1 and found > 1.0 + _SIGMAS * _NOISE * (length / len(values)) ** 0.5:
            worst = max(worst, _across(found, length))
    return worst


def _still_rises(sums: _Floats, longest: int, variance: float) -> bool:
    """Whether longer blocks would show more. A mean that changed at once, at one moment, is left out."""
    short, half, whole = (
        float(np.sort(_squares(sums, length, variance))[:-_OF_ONE_STEP].mean())
        for length in (1, max(1, longest // 2), longest)
    )
    return whole > _RISES * half and whole > _STEEP * short


def _squares(sums: _Floats, length: int, variance: float) -> _Floats:
    """Squared second differences of the sums over blocks of ``length``: their mean is the variance of such a sum, in
    units of independent values'."""
    blocks = (len(sums) - 1) // length
    of_blocks = np.diff(sums[: blocks * length + 1 : length])
    squares: _Floats = np.diff(of_blocks, 2) ** 2 / (6 * length * variance)
    return squares


def _across(found: float, length: int) -> float:
    """Solves ``found = d (1 - 5/9 d / length)``: runs of length d, seen through blocks of ``length``."""
    left = 1.0 - 4 * _ACROSS * found / length
    return length * (1.0 - math.sqrt(max(left, 0.0))) / (2 * _ACROSS)


def _repeats(centred: _Floats, spread: float, questions: NDArray[np.int64]) -> float:
    known = questions >= 0
    if not known.any():
        return 1.0
    _, which, sizes = np.unique(questions[known], return_inverse=True, return_counts=True)
    sums = np.bincount(which, weights=centred[known])
    own = np.bincount(which, weights=centred[known] ** 2)
    drawn = sizes <= max(1.0, _SELF_REPRESENTING * len(centred))
    # Within a question that represents itself, answers vary around its own mean.
    excess = float(np.sum((sums**2 - own)[drawn])) / spread
    noise = _SIGMAS * float(np.sqrt(2 * np.sum((sizes * (sizes - 1.0))[drawn]))) / len(centred)
    return 1.0 + excess if excess > noise else 1.0
