"""How long prod and the shadow take, for the report: quantiles of both, and how much slower the shadow's P95 is.

Invariant: a time that ran into the deadline counts with the time that it took, so that a shadow which hangs cannot look
fast; what is held does not grow with the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..gate.reverse import turned
from ..gate.sample import Sample
from ..gate.selection import comparable, first_bytes

__all__ = ["Latency"]

_RESAMPLES = 400
_RESAMPLED_PAIRS = 20_000
_ECDF_POINTS = 120
_SEED = 20240607


class Latency:
    """The times of the pairs that can be compared, fed in the order of time. ``reverse``: the increase is prod's above
    the shadow's."""

    def __init__(self, *, reverse: bool = False) -> None:
        self._reverse = reverse
        self._sides = ("shadow", "prod") if reverse else ("prod", "shadow")
        """The baseline, and the candidate."""
        self._seconds, self._first = Sample(2), Sample(2)
        self._apart = False
        self._deadlines = 0

    def add(self, columns: ScoreColumns) -> None:
        """The next rows."""
        if self._reverse:
            columns = turned(columns)
        use = comparable(columns)
        self._seconds.add(columns.exchange[use], columns.prod_ns[use] / 1e9, columns.shadow_ns[use] / 1e9)
        first, prod, shadow = first_bytes(columns)
        self._first.add(columns.exchange[first], prod[first] / 1e9, shadow[first] / 1e9)
        self._apart |= bool(((prod < columns.prod_ns) | (shadow < columns.shadow_ns))[first].any())
        self._deadlines += int((use & (columns.reason == "deadline")).sum())

    def data(self, *, bounds: bool = True) -> dict[str, Any] | None:
        """P50, P95, P99 of both in seconds, the P95's increase with a bootstrap interval, both ECDFs; ``sampled`` says
        of how many of the pairs, where that are not all. ``ttfb`` are those of the first byte; ``None`` where it is the
        last one everywhere, which is to say that nobody measured it. ``None``: no pairs. Without ``bounds`` there is no
        interval, which takes most of the time.

        The interval resamples pairs (percentile bootstrap, fixed seed), so it holds for one look; the gate uses an
        interval that holds at any time and is wider.
        """
        if not len(self._seconds):
            return None
        base, more = self._seconds.column(0), self._seconds.column(1)
        increase = _p95_increase(base, more)
        first, second = self._sides
        return {
            "n": self._seconds.n,
            "sampled": self._seconds.note,
            "deadlines": self._deadlines,
            "reverse": self._reverse,
            first: _quantiles(base),
            second: _quantiles(more),
            "ttfb": self._first_bytes(),
            "p95_increase": increase if math.isfinite(increase) else None,
            "p95_interval": _bootstrap(base, more, _p95_increase) if bounds and math.isfinite(increase) else None,
            "ecdf": {first: _ecdf(base), second: _ecdf(more)},
        }

    def _first_bytes(self) -> dict[str, Any] | None:
        if not self._apart:
            return None
        return {who: _quantiles(self._first.column(index)) for index, who in enumerate(self._sides)}


def _p95_increase(prod: NDArray[np.float64], shadow: NDArray[np.float64]) -> float:
    bottom = float(np.quantile(prod, 0.95))
    return float(np.quantile(shadow, 0.95)) / bottom - 1 if bottom > 0 else math.inf


def _bootstrap(
    prod: NDArray[np.float64],
    shadow: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
) -> list[float]:
    prod, shadow = prod[-_RESAMPLED_PAIRS:], shadow[-_RESAMPLED_PAIRS:]
    random = np.random.default_rng(_SEED)
    values = np.empty(_RESAMPLES)
    for index in range(_RESAMPLES):
        drawn = random.integers(0, len(prod), len(prod))
        values[index] = statistic(prod[drawn], shadow[drawn])
    return [float(value) for value in np.quantile(values, [0.025, 0.975])]


def _quantiles(seconds: NDArray[np.float64]) -> dict[str, float]:
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]).tolist()
    return {"p50": p50, "p95": p95, "p99": p99}


def _ecdf(seconds: NDArray[np.float64]) -> dict[str, Sequence[float]]:
    """Seconds at evenly spread shares: enough points to draw."""
    shares = np.linspace(0.0, 1.0, min(_ECDF_POINTS, max(2, len(seconds))))
    return {"shares": shares.tolist(), "seconds": np.quantile(seconds, shares).tolist()}
