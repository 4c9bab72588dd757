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

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BETS",
    "LOG_WEIGHTS",
    "Interval",
    "mean_interval",
    "mean_sequence",
    "quantile_interval",
    "rate_interval",
    "ratio_interval",
]

_Floats = NDArray[np.float64]

# A finite grid of bets. Any grid with weights that sum to 1 is valid; this one is near the best bet for intrinsic times
# (sums of squared errors, in units of the range) from 0.1 to about 10^8, and puts its weight where a day's traffic is.
BETS: _Floats = 0.95 * 1.5 ** -np.arange(30, dtype=np.float64)
_WEIGHTS: _Floats = (np.arange(30, dtype=np.float64) + 1) ** -1.2
LOG_WEIGHTS: _Floats = np.log(_WEIGHTS / _WEIGHTS.sum())
_COST: _Floats = -np.log1p(-BETS) - BETS
_NEWTON_STEPS = 12
_BISECTIONS = 60

_CELL = 0.005
"""Width of a cell of the quantile's grid, in units of the logarithm. Fixed: it must not depend on the data."""
_MOST_CELLS = 400
_REACHES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_RATIO_BISECTIONS = 5

_QUANTILE_PRIOR = 50.0
"""How many observations the prior of a quantile's count weighs: tightest some hundred observations after the start."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a quantity lies: ``lower <= quantity <= upper``, with the point estimate and the sample's size."""

    estimate: float
    lower: float
    upper: float
    n: int


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
        value = np.log(total) + top[..., 0]
        u = u - (value - level) / ((terms * BETS).sum(axis=-1) / total)
    return u


def _paths(values: _Floats, low: float, high: float) -> tuple[_Floats, _Floats, _Floats]:
    """Scaled to [0, 1]: running counts, running means, and running sums of squared errors of the predictions."""
    scaled = (values - low) / (high - low)
    count = np.arange(1, values.shape[-1] + 1, dtype=np.float64)
    sums = np.cumsum(scaled, axis=-1)
    # The prediction of a value knows only those before it: a mean that starts from one half.
    prediction = (0.5 + sums - scaled) / count
    return count, sums / count, np.cumsum((scaled - prediction) ** 2, axis=-1)


def mean_sequence(
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


def mean_interval(values: _Floats, *, low: float = 0.0, high: float = 1.0, alpha: float = 0.05) -> Interval:
    """The last bounds of :func:`mean_sequence` for one run ``values`` (n,); without values, the whole range."""
    _check(values, low, high)
    n = len(values)
    if n == 0:
        return Interval(math.nan, low, high, 0)
    _, mean, variance = _paths(values, low, high)
    radius = float(_boundary(variance[-1:], alpha / 2)[0]) / n
    estimate, width = float(mean[-1]), high - low
    return Interval(
        low + width * estimate,
        low + width * max(estimate - radius, 0.0),
        low + width * min(estimate + radius, 1.0),
        n,
    )


def rate_interval(successes: int, n: int, *, alpha: float = 0.05) -> Interval:
    """Bounds of a rate from its count alone: the beta(1/2, 1/2) mixture of likelihood ratios.

    For independent trials of one rate. For trials whose rate may change, or when the order is known, use
    :func:`mean_interval`. Raises ValueError unless ``0 <= successes <= n``.
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


def quantile_interval(values: _Floats, p: float, *, alpha: float = 0.05) -> Interval:
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


def ratio_interval(above: _Floats, below: _Floats, p: float, *, alpha: float = 0.05) -> Interval:
    """Bounds of the ratio of the ``p``-quantiles of ``above`` and ``below``: (n,) both, positive, pair by pair.

    Let q be the true quantile of ``below``. For a ratio t, the pairs' differences 1{above <= t·q} − 1{below <= q} have
    a mean below 0 when the ratio is greater than t, and their own small variance when the two sides of a pair go
    together: so this is far tighter than two intervals side by side. q is not known; it lies in its interval (at
    ``alpha/2``), and on a fixed grid of cells of half a percent a ratio is refuted only when it is in *every* cell that
    the interval meets (at ``alpha/2``), the true one among them. Raises ValueError when the lengths differ.
    """
    if len(above) != len(below):
        raise ValueError(f"above holds {len(above)} values and below {len(below)}; give one of each for every pair")
    base = quantile_interval(below, p, alpha=alpha / 2)
    if base.n == 0:
        return Interval(math.nan, 0.0, math.inf, 0)
    estimate = float(np.quantile(above, p)) / base.estimate if base.estimate > 0 else math.nan
    if not (base.lower > 0 and math.isfinite(base.upper)):
        return Interval(estimate, 0.0, math.inf, base.n)
    first, last = math.floor(math.log(base.lower) / _CELL), math.floor(math.log(base.upper) / _CELL)
    edges = np.exp(_CELL * np.arange(first, last + 2))
    if len(edges) > _MOST_CELLS:
        return Interval(estimate, 0.0, math.inf, base.n)

    def sure(ratio: float, *, greater: bool) -> bool:
        for low, high in itertools.pairwise(edges.tolist()):
            if greater:
                steps = (above <= ratio * high).astype(np.float64) - (below <= low)
                if _one_sided(-steps, alpha / 4) <= 0:
                    return False
            else:
                steps = (above <= ratio * low).astype(np.float64) - (below <= high)
                if _one_sided(steps, alpha / 4) <= 0:
                    return False
        return True

    return Interval(
        estimate,
        _ratio_edge(lambda ratio: sure(ratio, greater=True), estimate, down=True),
        _ratio_edge(lambda ratio: sure(ratio, greater=False), estimate, down=False),
        base.n,
    )


def _one_sided(steps: _Floats, alpha: float) -> float:
    """The lower bound of the mean of values in [−1, 1], made for means near 0.

    A lower bound needs only that no value is more than the range below its prediction: with predictions of at most 0,
    a range of 1 is enough.
    """
    count = np.arange(1, len(steps) + 1, dtype=np.float64)
    prediction = np.minimum((np.cumsum(steps) - steps) / count, 0.0)
    variance = np.array([np.sum((steps - prediction) ** 2)])
    return float(steps.mean()) - float(_boundary(variance, alpha)[0]) / len(steps)


def _ratio_edge(sure: Callable[[float], bool], estimate: float, *, down: bool) -> float:
    """The ratio next to the estimate that is refuted, found by bisection of its logarithm; 0 or inf when none is."""
    sign = -1.0 if down else 1.0
    far = next((reach for reach in _REACHES if sure(estimate * math.exp(sign * reach))), None)
    if far is None:
        return 0.0 if down else math.inf
    near = _REACHES[_REACHES.index(far) - 1] if far != _REACHES[0] else 0.0
    for _ in range(_RATIO_BISECTIONS):
        middle = (near + far) / 2
        near, far = (near, middle) if sure(estimate * math.exp(sign * middle)) else (middle, far)
    return estimate * math.exp(sign * far)


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
