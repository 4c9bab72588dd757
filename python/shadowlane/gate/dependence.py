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

from .blocks import Blocks
from .repeats import Questions, Repeats

__all__ = ["INDEPENDENT", "Design", "design_of", "effect_of_repeats", "effect_of_runs", "runs_of", "variance_of"]

_Floats = NDArray[np.float64]

_LEAST_BLOCKS = 48
"""Half an hour of a day each: what is slower than that is taken for a change of the mean."""
_SIGMAS = 3.0
_NOISE = (35 / 9) ** 0.5
"""The standard deviation of an effect's estimate from n/L blocks is this times (L/n) ** 0.5, for Gaussian sums."""
_MOST_NOISE = 0.4
_RISES, _STEEP = 1.5, 3.0
"""An effect that rises so much at each of the last two doublings of the blocks, and over all of them, has not come to
its end: runs that are much longer would make it twice as large each time."""
_ACROSS = 5 / 9
"""What second differences of blocks of length L miss of runs of length l, in units of l/L: the blocks' own variance
lacks 1/3, and the covariance of neighbours, which share the runs across their border, takes 2/9."""
_SELF_REPRESENTING = 1 / 100
_ROUNDING = 1e-12
"""Values whose spread is less than this part of their squares are equal."""


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


@dataclass(frozen=True, slots=True)
class Runs:
    """The design effect of runs in time, at least 1, and what it surely is at least."""

    effect: float
    at_least: float


def design_of(values: _Floats, questions: NDArray[np.int64] | None = None) -> Design:
    """The design effects of ``values`` (n,), in the order of time; ``questions`` (n,) says what each one answers, with
    a negative number for "not known"."""
    blocks, known = Blocks(), Questions()
    repeats = known.repeats()
    blocks.add(values)
    if questions is not None:
        repeats.add(known.slots(questions), values)
    mean = float(values.mean()) if len(values) else 0.0
    squares = float(np.sum(values**2))
    return Design(
        effect_of_runs(blocks, variance_of(len(values), mean, squares)),
        effect_of_repeats(repeats, len(values), mean, squares, known.share),
    )


def variance_of(n: int, mean: float, squares: float) -> float:
    """The variance of ``n`` values of this mean and sum of squares; 0 where they are equal but for rounding."""
    spread = squares - n * mean**2
    return spread / n if spread > _ROUNDING * squares else 0.0


def effect_of_runs(blocks: Blocks, variance: float) -> float:
    """The effect of runs in time on values of this ``variance``; infinite while they may be longer than the longest
    block."""
    return runs_of(blocks, variance).effect


def runs_of(blocks: Blocks, variance: float) -> Runs:
    """The effect of runs, and how sure it is.

    Longer blocks see longer runs, and less surely. The block length is the one that surely shows most (its estimate
    less two standard deviations), which is no longer than it takes to see the runs whole: the largest of all estimates
    would be that of the largest error. One standard deviation is added for what longer blocks would show besides.
    """
    longest = blocks.n // _LEAST_BLOCKS // blocks.length * blocks.length
    if longest < 2 or variance <= 0.0:
        return Runs(1.0, 1.0)
    if _still_rises(blocks, longest):
        return Runs(math.inf, math.inf)
    best = Runs(1.0, 1.0)
    for length in _lengths(blocks.length, longest):
        squares = blocks.variance(length) / variance
        found, known = float(squares.mean()), _NOISE * (length / blocks.n) ** 0.5
        if length > 1 and found > 1.0 + _SIGMAS * known:
            # Rare events make sums with heavy tails, whose squares say less than those of Gaussian ones; yet that they
            # are no independent ones is sure: a single outage is a run, though nobody saw a second one.
            noise = max(known, _NOISE * float(squares.std()) / (found * (2 * len(squares)) ** 0.5))
            noise = min(noise, _MOST_NOISE)
            effect = _across(found, length)
            best = max(best, Runs(effect * (1 + noise), effect * (1 - 2 * noise)), key=lambda some: some.at_least)
    return best


def _lengths(least: int, longest: int) -> list[int]:
    """From the longest down by roots of two, each a multiple of ``least``."""
    steps = (int(longest / 2 ** (k / 2)) // least * least for k in range(2 * longest.bit_length() + 1))
    return sorted({max(least, some) for some in steps})


def _still_rises(blocks: Blocks, longest: int) -> bool:
    """Whether longer blocks would show more. A mean that changed at once, at one moment, is left out."""
    parts = [max(blocks.length, longest // part // blocks.length * blocks.length) for part in (4, 2, 1)]
    short, quarter, half, whole = (blocks.variance_without_steps(length) for length in (1, *parts))
    return whole > _RISES**2 * quarter and whole > _RISES * half and whole > _STEEP * short


def _across(found: float, length: int) -> float:
    """Solves ``found = d (1 - 5/9 d / length)``: runs of length d, seen through blocks of ``length``."""
    left = 1.0 - 4 * _ACROSS * found / length
    return length * (1.0 - math.sqrt(max(left, 0.0))) / (2 * _ACROSS)


def effect_of_repeats(repeats: Repeats, n: int, mean: float, squares: float, share: float) -> float:
    """The effect of repeated questions on ``n`` values, from sums over those ``share`` of the questions that are
    known."""
    sizes = repeats.sizes
    spread = n * variance_of(n, mean, squares)
    # Within a question that represents itself, answers vary around its own mean.
    drawn = (sizes > 1) & (sizes <= _SELF_REPRESENTING * n)
    if spread <= 0.0 or not drawn.any():
        return 1.0
    sizes, sums = sizes[drawn], repeats.sums[drawn]
    own = repeats.squares[drawn] - 2 * mean * sums + sizes * mean**2
    excess = float(np.sum((sums - sizes * mean) ** 2 - own)) / (share * spread)
    noise = _SIGMAS * float(np.sqrt(2 * np.sum(sizes * (sizes - 1.0)))) / (share * n)
    return 1.0 + excess if excess > noise else 1.0
