"""The ratio of two quantiles of pairs: how much slower the shadow's P95 is than prod's, by the discordant pairs.

Both times of a pair belong to one request, so a slow request is slow at both. What tells the two quantiles apart are
the pairs of which exactly one time is beyond: with q prod's quantile and t a ratio, the pairs in which only the shadow
is above t·q against those in which only prod is above q. At the true ratio both are equally frequent (McNemar,
Psychometrika 12 (1947)), whatever the two have in common. q is prod's sample quantile; what its error adds is in the
variance, by the slopes of both distributions there (the linear expansion of quantiles: Bahadur, Ann. Math. Stat. 37
(1966)), and so is the dependence of one pair on the next (:mod:`.dependence`).

The count of these pairs over the window is near a Brownian motion, which crosses a constant boundary during the window
with twice the chance to be beyond it at the end (reflection principle; as group-sequential boundary: O'Brien and
Fleming, Biometrics 35 (1979), in continuous time: Lan and DeMets, Biometrika 70 (1983)). So the bounds hold at every
look at one window together, and at its end they are hardly wider than those for a single look: a verdict of this gate
needs the whole window anyway.

Invariant: bounds are finite only where enough pairs are discordant for the approximation; else they are 0 and inf.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from .dependence import design_of
from .sequences import Interval

__all__ = ["quantile_ratio"]

_Floats = NDArray[np.float64]

_LEAST_BEYOND = 20.0
"""Independent times beyond the quantile, below which nothing is said of it."""
_EQUAL = 1e-4
"""Ratios that differ by less are one, and the rounding of nanoseconds."""
_FARTHEST = math.log(16.0)
_STEPS = 40
_SLOPE_SHARES = (0.6, 1.6)
"""The slopes at a quantile are taken between these multiples of its share beyond."""


@dataclass(frozen=True, slots=True)
class _Discordance:
    """Sorted times of the shadow, of the pairs whose prod time is beyond its quantile and of the others."""

    slow: _Floats
    quick: _Floats
    slope: float
    """How steep the shadow's distribution is at its quantile, in units of prod's."""

    def at(self, ns: float) -> tuple[float, float]:
        """At a time for the shadow's quantile: how many more pairs are beyond there than at prod, and the variance."""
        only_shadow = len(self.quick) - int(np.searchsorted(self.quick, ns, side="right"))
        only_prod = int(np.searchsorted(self.slow, ns, side="right"))
        both = len(self.slow) - only_prod
        variance = only_shadow + self.slope**2 * only_prod + (1 - self.slope) ** 2 * both
        return float(only_shadow - only_prod), float(variance)


def quantile_ratio(above: _Floats, below: _Floats, p: float, *, alpha: float = 0.05, elapsed: float = 1.0) -> Interval:
    """Bounds of the ratio of the ``p``-quantiles of ``above`` and ``below``: (n,) both, positive, pair by pair, in the
    order of time.

    ``elapsed`` is the share of the window that is over, in (0, 1]: the bounds hold with 1 − ``alpha`` at all looks of
    the window together, and are wide early. Raises ValueError when the lengths differ or ``elapsed`` is no such share.
    """
    if len(above) != len(below):
        raise ValueError(f"above holds {len(above)} values and below {len(below)}; give one of each for every pair")
    if not 0.0 < elapsed <= 1.0:
        raise ValueError(f"elapsed = {elapsed!r}: must be above 0, and at most 1")
    n = len(below)
    if n == 0:
        return Interval(math.nan, 0.0, math.inf, 0)
    base, top = float(np.quantile(below, p)), float(np.quantile(above, p))
    if base <= 0.0 or top <= 0.0:
        return Interval(math.nan, 0.0, math.inf, n)
    estimate = top / base
    beyond = below > base
    effect = _effect(above, below, (above > top) - beyond.astype(np.float64))
    if n * (1 - p) / effect < _LEAST_BEYOND or not math.isfinite(effect):
        return Interval(estimate, 0.0, math.inf, n)
    pairs = _Discordance(np.sort(above[beyond]), np.sort(above[~beyond]), _slope(above, below, p))
    limit = NormalDist().inv_cdf(1 - alpha / 4) / math.sqrt(elapsed)

    def refuted(log_ratio: float, sign: float) -> bool:
        more, variance = pairs.at(base * math.exp(log_ratio))
        return -sign * more - 1.0 > limit * math.sqrt(max(variance, 1.0) * effect)

    centre = math.log(estimate)
    lower = _edge(lambda at: refuted(at, -1.0), centre, centre - _FARTHEST)
    upper = _edge(lambda at: refuted(at, 1.0), centre, centre + _FARTHEST)
    return Interval(
        estimate,
        0.0 if lower is None else math.exp(lower),
        math.inf if upper is None else math.exp(upper),
        n,
    )


def _effect(above: _Floats, below: _Floats, discordant: _Floats) -> float:
    """The design effect of runs. Discordant pairs are few, so that their runs are seen late; those of the pairs' ratios
    show at once, and are no shorter."""
    some = design_of(discordant).runs
    if above.min() > 0 and below.min() > 0:
        ratios = np.log(above / below)
        if float(ratios.std()) > _EQUAL:
            some = max(some, design_of(ratios).runs)
    return some


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
