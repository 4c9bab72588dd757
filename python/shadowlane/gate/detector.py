"""Whether the mean of values that come step by step rose suddenly: an e-detector (Shin, Ramdas, Rinaldo, "E-detectors:
a nonparametric framework for sequential change detection", New England J. Stat. Data Sci. 2 (2023), arXiv:2203.03532).

The hypothesis of no change: the mean of the next step is not above the mean of what was before it by more than a
tolerance. Of each step, z is how far it lies above that limit in standard deviations, so its mean is at most 0, and its
variance at most 1; then exp(λ min(z, B) - ψ(λ)) with ψ(λ) = (exp(λB) - 1 - λB) / B² has a mean of at most 1 (Bennett,
J. Amer. Stat. Assoc. 57 (1962)). Products of these that begin at each step are summed (Shiryaev-Roberts) and averaged
over λ. The mean of that sum is at most the number of steps, at any time at which one may stop, so by chance it takes c
steps on average, or more, to reach c. What was before is estimated, with a margin, and so are the deviations: this
holds asymptotically.

Invariant: the limit and the standard deviation of a step are made of the steps before it. One step multiplies the sum
by less than 5, so that what is over after a few steps is no change, however bad it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_STEPS", "Found", "Limits", "Scan", "scan"]

_Floats = NDArray[np.float64]

LEAST_STEPS = 30
"""So many neighbouring steps must have values before the first one can be held against them."""
_CAP = 3.0
"""B: what is further away says no more."""
_BETS: _Floats = np.array([0.1, 0.2, 0.35, 0.55, 0.75])
"""λ: for changes of a tenth of a standard deviation a step up to such that are beyond the cap."""
_COSTS: _Floats = (np.exp(_BETS * _CAP) - 1 - _BETS * _CAP) / _CAP**2
_SPANS = (1, 2, 4, 8)
"""The standard deviation is the largest that sums over so many steps show: runs may be longer than a step. What swings
more slowly is a change."""
_LEAST_SPANS = 12
"""Of fewer pairs of neighbouring sums nothing is told."""
_MARGIN = 2.0
"""So many standard errors of the mean of what was before are added to the limit."""
_LEAST_DEVIATION = 0.02
"""Of one value, where shares have the binomial's."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is no change yet."""

    tolerance: float
    """How far the mean of a step may be above what was before."""
    share: bool = False
    """Whether values are events, or differences of two: their variance is at least the binomial's."""
    lately: int | None = None
    """Steps: the mean of so many, half as many before now, is what was before, where it is larger than the mean of all;
    for values that rise and fall with the time of day. ``None``: the mean of all alone."""


@dataclass(frozen=True, slots=True)
class Found:
    """A change."""

    begin: int
    """The step with which it likely began: the maximum-likelihood estimate under the best λ."""
    sure: int
    """The step at which it was told."""
    before: float
    """The mean of what was before."""
    during: float
    """The mean from the beginning to that step."""
    since: float
    """The mean from the beginning to the end."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What the steps say, for each series (...)."""

    counts: _Floats
    sums: _Floats
    logs: _Floats
    """(..., T) the logarithm of the sum after each step."""
    begun: NDArray[np.int64]
    """(...) how many steps were looked at."""
    _walks: _Floats
    """(..., λ, T) log products of all steps up to each."""
    _usual: _Floats
    """(..., T) the mean of what was before each step."""

    def first(self, threshold: float) -> NDArray[np.int64]:
        """(...) the step at which the sum reaches ``threshold``; T where it never does."""
        hit = self.logs >= math.log(threshold)
        first: NDArray[np.int64] = np.where(hit.any(axis=-1), hit.argmax(axis=-1), self.logs.shape[-1])
        return first

    def found(self, threshold: float) -> Found | None:
        """The first change of a single series (T,); ``None``: there is none."""
        sure = int(self.first(threshold))
        if sure >= len(self.logs):
            return None
        walks = self._walks[:, : sure + 1]
        since = walks[:, -1:] - np.concatenate([np.zeros((len(walks), 1)), walks[:, :-1]], axis=1)
        begin = int(np.unravel_index(np.argmax(since), since.shape)[1])
        return Found(begin, sure, float(self._usual[begin]), self._mean(begin, sure + 1), self._mean(begin, None))

    def _mean(self, begin: int, end: int | None) -> float:
        part = slice(begin, end)
        return float(self.sums[part].sum() / self.counts[part].sum())


def scan(counts: _Floats, sums: _Floats, limits: Limits) -> Scan:
    """Look at steps in the order of time: how many values each had (..., T), 0 for none, and their sum (..., T)."""
    usual, weight = _usual(counts, sums, limits.lately)
    variance, neighbours = _variance(counts, sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = _least_variance(usual, weight, limits)
        variance = np.maximum(variance, least)
        limit = usual + limits.tolerance + _MARGIN * np.sqrt(variance / weight)
        z = (sums - counts * limit) / np.sqrt(counts * variance)
    open_ = (neighbours >= LEAST_STEPS) & (counts > 0) & (weight > 0)
    z = np.where(open_, np.minimum(z, _CAP), 0.0)
    gains = _BETS[:, None] * z[..., None, :] - _COSTS[:, None] * open_[..., None, :]
    walks: _Floats = np.cumsum(gains, axis=-1)
    starts = np.where(open_[..., None, :], gains - walks, -np.inf)
    each = np.logaddexp.accumulate(starts, axis=-1) + walks
    logs: _Floats = np.logaddexp.reduce(each, axis=-2) - math.log(len(_BETS))
    return Scan(counts, sums, logs, open_.sum(axis=-1), walks, usual)


def _usual(counts: _Floats, sums: _Floats, lately: int | None) -> tuple[_Floats, _Floats]:
    """(..., T) the mean of what was before each step, and of how many values it is."""
    n, total = _before(counts), _before(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = total / n
        if lately is None:
            return usual, n
        at = np.arange(counts.shape[-1])
        end = np.maximum(at - lately // 2, 0)  # what began an hour ago is not what was before
        begin = np.maximum(end - lately, 0)
        n_lately, total_lately = (some[..., end] - some[..., begin] for some in (n, total))
        late = np.where(n_lately > 0, total_lately / n_lately, -np.inf)
    larger = late > usual
    return np.where(larger, late, usual), np.where(larger, n_lately, n)


def _before(values: _Floats) -> _Floats:
    """(..., T) the sum of the values before each."""
    sums: _Floats = np.cumsum(values, axis=-1) - values
    return sums


def _variance(counts: _Floats, sums: _Floats) -> tuple[_Floats, _Floats]:
    """(..., T) the variance of one value as sums of earlier steps show it, and how many pairs of neighbouring steps
    have told it. Of neighbours, so that a mean which moves slowly is not taken for it; to what single steps show the
    standard deviation of that estimate is added."""
    most, neighbours = np.zeros_like(counts), np.zeros_like(counts)
    steps = counts.shape[-1]
    for span in _SPANS:
        whole = steps // span * span
        if whole < 2 * span:
            break
        n, total = (some[..., :whole].reshape(*some.shape[:-1], -1, span).sum(axis=-1) for some in (counts, sums))
        told, known = _squares_so_far(n, total)
        # The k-th pair of spans is over when step (k + 2) * span begins.
        at = np.arange(steps) // span - 2
        count = np.where(at >= 0, told[..., np.maximum(at, 0)], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = known[..., np.maximum(at, 0)] / count
            found = found * (1 + np.sqrt(3 / count)) if span == 1 else found
        most = np.where(count >= _LEAST_SPANS, np.maximum(most, found), most)
        neighbours = count if span == 1 else neighbours
    return most, neighbours


def _squares_so_far(n: _Floats, total: _Floats) -> tuple[_Floats, _Floats]:
    """(..., K) how many pairs of neighbours both have values, up to each, and the sum of their squared differences,
    scaled to the variance of one value. The two largest, which a jump of the mean makes, count as the third."""
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.diff(total / n, axis=-1) ** 2 / (1 / n[..., 1:] + 1 / n[..., :-1])
    has = (n[..., 1:] > 0) & (n[..., :-1] > 0)
    rest = np.where(has, squares, 0.0)
    known = np.cumsum(rest, axis=-1)
    for weight in (-1.0, -1.0, 2.0):
        largest = np.maximum.accumulate(rest, axis=-1)
        known = known + weight * largest
        before = np.concatenate([np.zeros_like(largest[..., :1]), largest[..., :-1]], axis=-1)
        rest = np.minimum(rest, before)
    return np.cumsum(has, axis=-1).astype(np.float64), known


def _least_variance(usual: _Floats, weight: _Floats, limits: Limits) -> _Floats:
    """(..., T) what the variance of one value is at least."""
    if not limits.share:
        return np.full_like(usual, max(limits.tolerance, _LEAST_DEVIATION) ** 2)
    # Where none was seen among n, the share is surely below 3/n.
    level = np.clip(np.maximum(usual + limits.tolerance, 3 / weight), limits.tolerance, 0.5)
    least: _Floats = level * (1 - level)
    return least
