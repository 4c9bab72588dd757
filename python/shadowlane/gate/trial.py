"""How much slower mirroring makes the requests that it takes: a bound of a quantile's increase that holds at any time.

Two groups of requests, told apart by a coin, are known by histograms of how long they took. What is bounded is
q₁/q₀ − 1, for the p-quantiles of the taken requests and of the others over the whole time so far.

At the true q₁ and q₀ each group exceeds its own quantile with probability 1 − p, on average over the time. So a wager
that the taken ones exceed it more often than they should and the others less often (or the reverse), ∏ (1 + κξ) with a
stake κ on each request's centred exceedance ξ, has an expectation of at most 1 at every time, and ever passes 1/α with
probability at most α (Ville's inequality): Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", JRSS B 86 (2024), here with a fixed mixture of stakes instead of predicted ones, because counts have no order.
A pair of quantiles is refuted when its wager wins. q₀ itself is bounded by a wager on it alone, and the bound of the
ratio is the worst over all q₀ that are left. The aim is that of the sequential tests between two arms in Howard and
Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification", Bernoulli 28
(2022); a wager on both groups together is narrower than one sequence for each, whose widths add up.

Invariant: the latencies may drift, since both groups live through the same time. Assumed is that within a piece (an
hour) the chance to be in either group does not change, and that the coin and the groups' sizes, which give the weights,
know nothing of how long a request takes. The lane's coin is not drawn anew for each request but spreads the taken ones
evenly: groups are more alike for it, not less, and the tests run that one. Inside a bucket (at most 1.6 % wide)
requests are taken as evenly spread, in both groups alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sequences import BETS, LOG_WEIGHTS, Interval

__all__ = ["Piece", "Trial", "increase_cs"]

_Floats = NDArray[np.float64]

_ON_BASE = 0.2
"""The part of the risk that is spent on where q₀ is; its bounds hardly change the ratio's."""
_CELLS = 100
_BISECTIONS = 30
_LEAST_NS = 1.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Requests of a time in which the coin did not change: counts (m,) by bucket, taken and not taken."""

    taken: _Floats
    not_taken: _Floats

    @property
    def n(self) -> tuple[float, float]:
        """The groups' sizes."""
        return float(self.taken.sum()), float(self.not_taken.sum())


@dataclass(frozen=True, slots=True)
class Trial:
    """The pieces of one randomized trial, over the same buckets with ``edges`` (m + 1,) in ns, ascending.

    Each piece weighs as much as its smaller group, in both groups alike; one without a control group weighs nothing.
    """

    edges: _Floats
    pieces: tuple[Piece, ...]
    note: str = ""
    """What one must know to read it; empty: nothing."""

    @property
    def n(self) -> tuple[int, int]:
        """How many requests are compared: taken, not taken."""
        both = [piece.n for piece in self.pieces if min(piece.n) > 0]
        return round(sum(taken for taken, _ in both)), round(sum(other for _, other in both))


class _Group:
    """One group's wagers: the logarithm of each stake's wealth at every edge, and between them linear."""

    def __init__(self, edges: _Floats, counts: list[_Floats], weights: list[float], p: float) -> None:
        self._edges = edges
        above = [_above(some) for some in counts]
        self._above = sum((w * some for w, some in zip(weights, above, strict=True)), np.zeros(len(edges)))
        self.more = np.zeros((len(edges), len(BETS)))
        self.fewer = np.zeros((len(edges), len(BETS)))
        for w, some in zip(weights, above, strict=True):
            for table, stakes in ((self.more, w * BETS), (self.fewer, -w * BETS)):
                table += np.outer(some, np.log1p(stakes * p))
                table += np.outer(some[0] - some, np.log1p(-stakes * (1 - p)))

    def at(self, table: _Floats, ns: _Floats) -> _Floats:
        """Rows of a table (m + 1, stakes) at times ``ns`` (k,): (k, stakes)."""
        bucket = np.clip(np.searchsorted(self._edges, ns, side="right") - 1, 0, len(self._edges) - 2)
        low, high = self._edges[bucket], self._edges[bucket + 1]
        part = np.clip((ns - low) / (high - low), 0.0, 1.0)[:, None]
        rows: _Floats = table[bucket] * (1 - part) + table[bucket + 1] * part
        return rows

    def quantile(self, p: float) -> float:
        """The weighted sample's ``p``-quantile in ns."""
        return float(np.interp(-(1 - p) * self._above[0], -self._above, self._edges))


def increase_cs(trial: Trial, p: float, *, alpha: float = 0.05) -> Interval:
    """The relative increase of the ``p``-quantile by being taken, with bounds that hold at any time with 1 − ``alpha``.

    ``n`` is the size of the smaller group. Bounds that the counts do not give are −1 and ∞.
    Raises ValueError unless ``0 < p < 1``.
    """
    if not 0 < p < 1:
        raise ValueError(f"p = {p!r}: must be between 0 and 1")
    pieces = [piece for piece in trial.pieces if min(piece.n) > 0]
    if not pieces:
        return Interval(math.nan, -1.0, math.inf, 0)
    smaller = [min(piece.n) for piece in pieces]
    shares = [(least / piece.n[0], least / piece.n[1]) for least, piece in zip(smaller, pieces, strict=True)]
    taken = _Group(trial.edges, [piece.taken for piece in pieces], [share for share, _ in shares], p)
    other = _Group(trial.edges, [piece.not_taken for piece in pieces], [share for _, share in shares], p)
    estimate, n = taken.quantile(p) / other.quantile(p) - 1, round(sum(smaller))

    first, last = max(float(trial.edges[0]), _LEAST_NS), float(trial.edges[-1])
    won = math.log(2 / (_ON_BASE * alpha))
    lowest = _edge(lambda ns: _log_wealth(other.at(other.more, ns)) >= won, np.array([last]), first)
    highest = _edge(lambda ns: _log_wealth(other.at(other.fewer, ns)) >= won, np.array([first]), last)
    if not (math.isfinite(lowest[0]) and math.isfinite(highest[0])):
        return Interval(estimate, -1.0, math.inf, n)
    cells = np.geomspace(lowest[0], highest[0], _CELLS + 1)
    lows, highs = cells[:-1], cells[1:]
    won = math.log(2 / ((1 - _ON_BASE) * alpha))
    # For every q₀ in a cell the wager wins at least what it wins at the end that is worse for it.
    at_high, at_low = other.at(other.more, highs), other.at(other.fewer, lows)
    firsts, lasts = np.full(_CELLS, first), np.full(_CELLS, last)
    above = _edge(lambda ns: _log_wealth(taken.at(taken.fewer, ns) + at_high) >= won, firsts, last)
    below = _edge(lambda ns: _log_wealth(taken.at(taken.more, ns) + at_low) >= won, lasts, first)
    lower = np.where(np.isfinite(below), below / highs, 0.0)
    return Interval(estimate, float(lower.min()) - 1, float((above / lows).max()) - 1, n)


def _above(counts: _Floats) -> _Floats:
    """How many requests took longer than each edge (m + 1,)."""
    return np.concatenate([np.cumsum(counts[::-1])[::-1], [0.0]])


def _log_wealth(terms: _Floats) -> _Floats:
    """The mixture over all stakes: (k, stakes) to (k,)."""
    terms = terms + LOG_WEIGHTS
    top = terms.max(axis=-1)
    wealth: _Floats = top + np.log(np.exp(terms - top[:, None]).sum(axis=-1))
    return wealth


def _edge(refuted: Callable[[_Floats], NDArray[np.bool_]], kept: _Floats, outside: float) -> _Floats:
    """The times between ``kept`` (k,) and ``outside`` from which on all are refuted, by bisection of the logarithm; ∞
    where not even ``outside`` is."""
    near, far = np.log(kept), np.full(len(kept), math.log(outside))
    found = refuted(np.exp(far))
    for _ in range(_BISECTIONS):
        middle = (near + far) / 2
        beyond = refuted(np.exp(middle))
        far, near = np.where(beyond, middle, far), np.where(beyond, near, middle)
    return np.where(found, np.exp(far), math.inf)
