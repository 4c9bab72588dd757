"""Intervals that stay valid however often one looks: confidence sequences for means, rates and quantiles.

Invariant: each function's interval misses its target *at any time of the whole run* with probability at most ``alpha``,
so that judging every minute does not inflate false alarms. A plain 95 % interval looked at often enough misses almost
surely. numpy only.

Sources: Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of
Statistics 49 (2021), Theorem 4 (empirical Bernstein) and section 3.4 (discrete mixtures); Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting", JRSS B 86 (2024), for the predictions; Robbins, "Statistical
methods related to the law of the iterated logarithm", Ann. Math. Stat. 41 (1970), for the beta mixture; Howard and
Ramdas, "Sequential estimation of quantiles", Bernoulli 28 (2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dependence import INDEPENDENT, Design

__all__ = [
    "BETS",
    "LOG_WEIGHTS",
    "Errors",
    "Interval",
    "Spread",
    "mean_cs",
    "mean_cs_path",
    "minus",
    "quantile_cs",
    "rate_cs",
]

_Floats = NDArray[np.float64]

# A finite grid of bets. Any grid with weights that sum to 1 is valid; this one is near the best bet for intrinsic times
# (sums of squared errors, in units of the range) from 0.1 to about 10^8, and puts its weight where a day's traffic is.
BETS: _Floats = 0.95 * 1.5 ** -np.arange(30, dtype=np.float64)
_WEIGHTS: _Floats = (np.arange(30, dtype=np.float64) + 1) ** -1.2
LOG_WEIGHTS: _Floats = np.log(_WEIGHTS / _WEIGHTS.sum())
_COST: _Floats = -np.log1p(-BETS) - BETS
_NEWTON_STEPS = 12
_SETTLED = 1e-14
"""A step of Newton's that is a smaller part of where it leads changes no digit that is shown."""
_BISECTIONS = 60

_QUANTILE_PRIOR = 50.0
"""How many observations the prior of a quantile's count weighs: tightest some hundred observations after the start."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a quantity lies: ``lower <= quantity <= upper``, with the point estimate and the sample's size."""

    estimate: float
    lower: float
    upper: float
    n: int


def minus(a: Interval, b: Interval) -> Interval:
    """The difference of two quantities, at the sum of their risks."""
    return Interval(a.estimate - b.estimate, a.lower - b.upper, a.upper - b.lower, min(a.n, b.n))


def _boundary(variance: _Floats, alpha: float) -> _Floats:
    """How far a sum may wander from its mean, given the sum of squared errors so far, both in units of the range.

    The ``u`` where the mixture Σ w exp(λu − ψ(λ)V) reaches 1/α. It is convex and rises with ``u``, so Newton's steps
    from a point on the right come down to the root and never pass it: stopping early only makes the interval wider.
    """
    level = math.log(1 / alpha)
    slack = _COST * variance[..., None] - LOG_WEIGHTS
    u: _Floats = ((level + slack) / BETS).min(axis=-1)
    for _ in range(_NEWTON_STEPS):
        exponents = BETS * u[..., None] - slack
        top = exponents.max(axis=-1, keepdims=True)
        terms = np.exp(exponents - top)
        total = terms.sum(axis=-1)
        step = (np.log(total) + top[..., 0] - level) / ((terms * BETS).sum(axis=-1) / total)
        u = u - step
        if (step <= _SETTLED * u).all():
            break
    return u


def _evidence(u: float, variance: float) -> float:
    """What :func:`_boundary` finds the root of, less the level: the logarithm of the mixture at ``u``."""
    exponents = BETS * u - (_COST * variance - LOG_WEIGHTS)
    top = float(exponents.max())
    return top + math.log(float(np.exp(exponents - top).sum()))


def _paths(values: _Floats, low: float, high: float) -> tuple[_Floats, _Floats, _Floats]:
    """Scaled to [0, 1]: running counts, running means, and running sums of squared errors of the predictions."""
    scaled = (values - low) / (high - low)
    count = np.arange(1, values.shape[-1] + 1, dtype=np.float64)
    sums = np.cumsum(scaled, axis=-1)
    # The prediction of a value knows only those before it: a mean that starts from one half.
    prediction = (0.5 + sums - scaled) / count
    return count, sums / count, np.cumsum((scaled - prediction) ** 2, axis=-1)


def mean_cs_path(
    values: _Floats, *, low: float = 0.0, high: float = 1.0, alpha: float = 0.05
) -> tuple[_Floats, _Floats]:
    """Bounds of the mean after each observation: two arrays of the shape of ``values``, whose last axis is time.

    ``values`` are bounded in [``low``, ``high``]. With probability at least 1 − ``alpha`` the bounds hold at every time
    at once, for the average over the time so far of each observation's mean given the past: traffic may change through
    the day, and need not be independent. Raises ValueError when a value is outside the range or NaN.
    """
    _check(values, low, high)
    if values.shape[-1] == 0:
        return values.copy(), values.copy()
    count, mean, variance = _paths(values, low, high)
    radius = _boundary(variance, alpha / 2) / count
    width = high - low
    return low + width * np.clip(mean - radius, 0.0, 1.0), low + width * np.clip(mean + radius, 0.0, 1.0)


@dataclass(slots=True)
class Errors:
    """Values in [``low``, ``high``], fed in the order of time, and the squared errors of predicting each by those
    before it.

    For differences (``low`` is −``high``) each bound is made for means near 0: an upper bound needs only that no value
    is more than its unit above its prediction, and with predictions of 0 or more half the range is such a unit.
    """

    low: float = 0.0
    high: float = 1.0
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    """The sum of the values' squares."""
    below: float = 0.0
    """Sums of squared errors for the lower and the upper bound, in units of :attr:`unit` squared."""
    above: float = 0.0

    @property
    def unit(self) -> float:
        """What errors are measured in."""
        return self.high if self.low == -self.high else self.high - self.low

    @property
    def mean(self) -> float:
        """NaN without values."""
        return self.total / self.n if self.n else math.nan

    def add(self, values: _Floats) -> None:
        """The next values (m,). Raises ValueError for one outside the range, or NaN."""
        _check(values, self.low, self.high)
        if not len(values):
            return
        count = self.n + np.arange(1, len(values) + 1, dtype=np.float64)
        before = self.total + np.cumsum(values) - values
        if self.low == -self.high:
            scaled, seen = values / self.high, before / self.high / count
            self.below += float(np.sum((scaled - np.minimum(seen, 0.0)) ** 2))
            self.above += float(np.sum((scaled - np.maximum(seen, 0.0)) ** 2))
        else:
            scaled = (values - self.low) / self.unit
            # The prediction of a value knows only those before it: a mean that starts from one half.
            seen = (0.5 + (before - (count - 1) * self.low) / self.unit) / count
            self.below += float(np.sum((scaled - seen) ** 2))
            self.above = self.below
        self.n += len(values)
        self.total += float(values.sum())
        self.squares += float(np.sum(values**2))


@dataclass(frozen=True, slots=True)
class Spread:
    """What the interval of a mean is made of, so that it can be had at other risks, and for more values like these."""

    mean: float
    n: int
    low: float
    high: float
    unit: float
    """What sums of squared errors are measured in."""
    variances: tuple[float, float]
    """Sums of squared errors of the predictions, for the lower and the upper bound, in units of ``unit`` squared."""
    design: Design
    together: float
    """How many values an unlikely event comes with, at least 1."""

    @classmethod
    def of(
        cls,
        values: _Floats,
        *,
        low: float = 0.0,
        high: float = 1.0,
        design: Design = INDEPENDENT,
        together: float = 1.0,
    ) -> Spread:
        """Of one run ``values`` (n,) in [``low``, ``high``]. Raises ValueError for a value outside, or NaN."""
        errors = Errors(low, high)
        errors.add(values)
        return cls.of_errors(errors, design=design, together=together)

    @classmethod
    def of_errors(cls, errors: Errors, *, design: Design = INDEPENDENT, together: float = 1.0) -> Spread:
        """Of values that were fed one after the other."""
        variances = (errors.below, errors.above)
        return cls(errors.mean, errors.n, errors.low, errors.high, errors.unit, variances, design, together)

    @classmethod
    def of_sums(cls, mean: float, n: int, variance: float, *, high: float, design: Design, together: float) -> Spread:
        """Of ``n`` > 0 values in [0, ``high``] that are summed up already: squared errors of running predictions are
        the variance's, and a logarithm's more."""
        errors = variance * (n + math.log(n) + 1.0) / high**2 + 0.25
        return cls(mean, n, 0.0, high, high, (errors, errors), design, together)

    def radius(self, alpha: float, n: float | None = None, *, upper: bool = True) -> float:
        """How far a bound lies from the mean; with ``n``, once there are so many values like these."""
        company = max(self.design.runs, self.together, 1.0)
        if not self.n or not math.isfinite(company):
            return math.inf
        count = float(self.n) if n is None else n
        variance = self.variances[upper] * self.design.total * count / self.n / company**2
        return self.unit * company * float(_boundary(np.array([variance]), alpha / 2)[0]) / count

    def risk(self, distance: float, *, upper: bool = True) -> float:
        """The smallest ``alpha`` at which the bound lies no further than ``distance`` from the mean: what
        :meth:`radius` says, the other way round; 1 where no smaller one does."""
        company = max(self.design.runs, self.together, 1.0)
        if not self.n or not math.isfinite(company) or distance <= 0:
            return 1.0
        variance = self.variances[upper] * self.design.total / company**2
        evidence = _evidence(distance * self.n / (self.unit * company), variance) - math.log(2)
        return math.exp(-max(evidence, 0.0))

    def interval(self, alpha: float = 0.05) -> Interval:
        """Bounds that hold at any time with 1 − ``alpha``; without values, the whole range."""
        below, above = self.radius(alpha, upper=False), self.radius(alpha)
        if not math.isfinite(above):
            return Interval(self.mean, self.low, self.high, self.n)
        return Interval(self.mean, max(self.mean - below, self.low), min(self.mean + above, self.high), self.n)


def mean_cs(
    values: _Floats,
    *,
    low: float = 0.0,
    high: float = 1.0,
    alpha: float = 0.05,
    design: Design = INDEPENDENT,
    together: float = 1.0,
) -> Interval:
    """The last bounds of :func:`mean_cs_path` for one run ``values`` (n,); without values, the whole range.

    With a ``design`` other than independence the values are worth fewer, and the bounds are as wide as those of that
    many: asymptotic then (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and
    asymptotic confidence sequences", Annals of Statistics 52 (2024)), and not for every n.
    """
    return Spread.of(values, low=low, high=high, design=design, together=together).interval(alpha)


def rate_cs(successes: int, n: int, *, alpha: float = 0.05) -> Interval:
    """Bounds of a rate from its count alone: the beta(1/2, 1/2) mixture of likelihood ratios.

    For independent trials of one rate. For trials whose rate may change, or when the order is known, use
    :func:`mean_cs`. Raises ValueError unless ``0 <= successes <= n``.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes = {successes!r}: must be from 0 to n = {n!r}")
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    failures = n - successes
    evidence = _log_beta(0.5 + successes, 0.5 + failures) - _log_beta(0.5, 0.5)
    level = math.log(1 / alpha)
    estimate = successes / n

    def refuted(rate: float) -> bool:
        if rate <= 0:
            return successes > 0
        if rate >= 1:
            return failures > 0
        return evidence - successes * math.log(rate) - failures * math.log1p(-rate) >= level

    return Interval(estimate, _edge(refuted, 0.0, estimate), _edge(refuted, 1.0, estimate), n)


def quantile_cs(values: _Floats, p: float, *, alpha: float = 0.05) -> Interval:
    """Bounds of the ``p``-quantile of ``values`` (n,), ``0 < p < 1``: order statistics; ±inf where n is too small.

    The number of values up to the true quantile is binomial with the known rate ``p``; the beta mixture says which
    counts are refuted. For observations of one continuous distribution. Raises ValueError for another ``p`` or NaN.
    """
    if not 0 < p < 1:
        raise ValueError(f"p = {p!r}: must be between 0 and 1")
    if np.isnan(values).any():
        raise ValueError("values hold NaN")
    n = len(values)
    if n == 0:
        return Interval(math.nan, -math.inf, math.inf, 0)
    a, b = _QUANTILE_PRIOR * p, _QUANTILE_PRIOR * (1 - p)
    level = math.log(1 / alpha) + _log_beta(a, b)
    log_p, log_q = math.log(p), math.log1p(-p)

    def refuted(count: int) -> bool:
        return _log_beta(a + count, b + n - count) - count * log_p - (n - count) * log_q >= level

    middle = round(n * p)
    least, most = _first_kept(refuted, 0, middle), _first_kept(refuted, n, middle)
    ordered = np.sort(values)
    return Interval(
        float(np.quantile(ordered, p)),
        float(ordered[least - 1]) if least > 0 else -math.inf,
        float(ordered[most]) if most < n else math.inf,
        n,
    )


def _check(values: _Floats, low: float, high: float) -> None:
    if not (np.isfinite(values).all() and bool(np.all(values >= low)) and bool(np.all(values <= high))):
        raise ValueError(f"values must be numbers from {low} to {high}")


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _edge(refuted: Callable[[float], bool], outside: float, inside: float) -> float:
    """The border between refuted and kept rates, on its outer side."""
    if not refuted(outside):
        return outside
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside


def _first_kept(refuted: Callable[[int], bool], outside: int, inside: int) -> int:
    """The outermost count that is not refuted, between ``outside`` and the kept count ``inside``."""
    if not refuted(outside):
        return outside
    while abs(outside - inside) > 1:
        middle = (outside + inside) // 2
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return inside
