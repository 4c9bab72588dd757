"""The ratio of two quantiles of pairs: how much slower the shadow's P95 is than prod's, by the discordant pairs.

Both times of a pair belong to one request, so a slow request is slow at both. What tells the two quantiles apart are
the pairs of which exactly one time is beyond: with q prod's quantile and t a ratio, the pairs in which only the shadow
is above t·q against those in which only prod is above q. At the true ratio both are equally frequent (McNemar,
Psychometrika 12 (1947)), whatever the two have in common. q is prod's sample quantile; what its error adds is in the
variance, by the slopes of both distributions there (the linear expansion of quantiles: Bahadur, Ann. Math. Stat. 37
(1966)), and so is the dependence of one pair on the next, and of all that answer one question (:mod:`.dependence`).

The count of these pairs over the window is near a Brownian motion, for which :mod:`.boundary` says how far it may be
off: the bounds hold at every look at one window together, and at its end they are hardly wider than those for a single
look. No estimate from the pairs alone has a smaller variance, unless it assumes more of their distribution (the
influence function of the ratio is unique, see docs/parts/gate.md).

Invariant: bounds are finite only where enough pairs are discordant for the approximation; else they are 0 and inf.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blocks import Blocks
from .boundary import limit
from .dependence import Runs, design_of, runs_of, variance_of
from .sequences import Interval

__all__ = ["PairedQuantiles", "quantile_ratio"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_LEAST_BEYOND = 20.0
"""Independent times beyond the quantile, below which nothing is said of it."""
_EQUAL = 1e-4
"""Ratios that differ by less are one, and the rounding of nanoseconds."""
_FARTHEST = math.log(16.0)
_STEPS = 40
_MORE = 10
"""Windows like this one that somebody may wait for new questions."""
_SLOPE_SHARES = (0.6, 1.6)
"""The slopes at a quantile are taken between these multiples of its share beyond."""


@dataclass(frozen=True, slots=True)
class PairedQuantiles:
    """The ``p``-quantiles of two times of each pair, and what bounds of their ratio are made of."""

    estimate: float
    """The ratio of the sample's quantiles; NaN where there is none."""
    n: int
    known: bool
    """Whether there are enough pairs for the approximation."""
    base: float
    """Prod's quantile."""
    slow: _Floats
    """The shadow's times, ascending, of the pairs whose prod time is beyond its quantile."""
    quick: _Floats
    """Those of the others."""
    slope: float
    """How steep the shadow's distribution is at its quantile, in units of prod's."""
    effect: float
    """The design effect of runs and of repeated questions."""
    repeats: float = 1.0
    """That of repeated questions alone."""
    asked: int = 0
    """How many questions there are; 0: not known."""
    once: int = 0
    """Of these, how many were asked once: nearly so many new ones come with as many pairs again (Good, Biometrika 40
    (1953))."""
    share_beyond: float = 0.05
    """Of the times, how many are beyond the quantile."""

    @classmethod
    def of(cls, above: _Floats, below: _Floats, p: float, questions: _Ints | None = None) -> PairedQuantiles:
        """Of ``above`` and ``below``: (n,) both, positive, pair by pair, in the order of time; ``questions`` (n,) says
        what each pair answers, negative: not known. Raises ValueError when the lengths differ."""
        if len(above) != len(below):
            raise ValueError(f"above holds {len(above)} values and below {len(below)}; give one of each for every pair")
        n, none = len(below), np.zeros(0)
        base, top = (float(np.quantile(some, p)) if n else math.nan for some in (below, above))
        if not (base > 0.0 and top > 0.0):
            return cls(math.nan, n, False, base, none, none, 1.0, 1.0, share_beyond=1 - p)
        beyond, slope = below > base, _slope(above, below, p)
        effect = _runs_effect(above, below, (above > top) - beyond.astype(np.float64))
        repeats, asked, once = 1.0, 0, 0
        if questions is not None:
            # What one pair adds to the error of the ratio: its own part, and that in prod's quantile.
            repeats = design_of((above > top) - slope * beyond, questions).questions
            times = np.unique(questions[questions >= 0], return_counts=True)[1]
            asked, once = len(times), int((times == 1).sum())
            effect += repeats - 1.0
        known = n * (1 - p) / effect >= _LEAST_BEYOND
        slow, quick = np.sort(above[beyond]), np.sort(above[~beyond])
        return cls(top / base, n, known, base, slow, quick, slope, effect, repeats, asked, once, 1 - p)

    @property
    def independent(self) -> float:
        """How many independent pairs these are worth."""
        return self.n / self.effect

    @property
    def alike(self) -> float:
        """How much a question decides, from 0 to 1: two answers to it say as much as one where it is 1."""
        each = self.n / self.asked if self.asked else 0.0
        return min((self.repeats - 1.0) / (each - 1.0), 1.0) if each > 1.0 else 0.0

    def questions_needed(self, pairs: float) -> int:
        """How many questions have to be asked for so many independent pairs, where no number of answers to these is
        worth as much, and new ones do not come; 0: it is, or they do, or nobody knows how much a question decides."""
        most = (self.asked + _MORE * self.once) / self.alike if self.alike > 0.0 else math.inf
        return 0 if pairs < most else math.ceil(pairs * self.alike) + 1

    def refutes(self, ratio: float, most: float, *, upper: bool) -> bool:
        """Whether a ratio is too large (``upper``) or too small for these pairs, when a sum may be off by ``most``
        standard deviations. One more pair must speak against it, for the steps of counts."""
        if not self.known:
            return False
        ns = self.base * ratio
        only_shadow = len(self.quick) - int(np.searchsorted(self.quick, ns, side="right"))
        only_prod = int(np.searchsorted(self.slow, ns, side="right"))
        both = len(self.slow) - only_prod
        variance = only_shadow + self.slope**2 * only_prod + (1 - self.slope) ** 2 * both
        against = only_prod - only_shadow if upper else only_shadow - only_prod
        return against - 1.0 > most * math.sqrt(max(variance, 1.0) * self.effect)

    @property
    def least(self) -> float:
        """How many independent pairs it takes before anything is said."""
        return _LEAST_BEYOND / self.share_beyond

    def interval(self, alpha: float, elapsed: float) -> Interval:
        """Bounds of the ratio, see :func:`quantile_ratio`."""
        most = limit(alpha, elapsed)
        if not self.known:
            return Interval(self.estimate, 0.0, math.inf, self.n)
        centre = math.log(self.estimate)
        lower = _edge(lambda at: self.refutes(math.exp(at), most, upper=False), centre, centre - _FARTHEST)
        upper = _edge(lambda at: self.refutes(math.exp(at), most, upper=True), centre, centre + _FARTHEST)
        return Interval(
            self.estimate,
            0.0 if lower is None else math.exp(lower),
            math.inf if upper is None else math.exp(upper),
            self.n,
        )


def quantile_ratio(
    above: _Floats,
    below: _Floats,
    p: float,
    *,
    questions: _Ints | None = None,
    alpha: float = 0.05,
    elapsed: float = 1.0,
) -> Interval:
    """Bounds of the ratio of the ``p``-quantiles of ``above`` and ``below``: (n,) both, positive, pair by pair, in the
    order of time; ``questions`` (n,) says what each pair answers, negative: not known.

    ``elapsed`` is the share of the window that is over, in (0, 1]: the bounds hold with 1 − ``alpha`` at all looks of
    the window together, each alone with 1 − ``alpha`` / 2, and are wide early. Raises ValueError when the lengths
    differ or ``elapsed`` is no such share.
    """
    return PairedQuantiles.of(above, below, p, questions).interval(alpha, elapsed)


def _runs_effect(above: _Floats, below: _Floats, discordant: _Floats) -> float:
    """The design effect of runs. Discordant pairs are few, so that their runs are seen late; those of the pairs' ratios
    show at once, and are no shorter: whichever surely shows more counts."""
    found = [_runs(discordant)]
    if above.min() > 0 and below.min() > 0:
        ratios = np.log(above / below)
        if float(ratios.std()) > _EQUAL:
            found.append(_runs(ratios))
    return max(found, key=lambda some: some.at_least).effect


def _runs(values: _Floats) -> Runs:
    blocks = Blocks()
    blocks.add(values)
    return runs_of(blocks, variance_of(len(values), float(values.mean()), float(np.sum(values**2))))


def _slope(above: _Floats, below: _Floats, p: float) -> float:
    """The ratio of the slopes of both distributions of logarithms at their quantiles."""
    low, high = 1 - _SLOPE_SHARES[1] * (1 - p), 1 - _SLOPE_SHARES[0] * (1 - p)
    widths = [float(np.diff(np.log(np.quantile(some, [low, high])))[0]) for some in (below, above)]
    if min(widths) <= 0.0:
        return 1.0
    return min(max(widths[0] / widths[1], 0.25), 4.0)


def _edge(refuted: Callable[[float], bool], inside: float, outside: float) -> float | None:
    """Where refusal begins between a kept and a refuted value; ``None`` when not even ``outside`` is refuted."""
    if not refuted(outside):
        return None
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside
