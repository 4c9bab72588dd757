"""ΔS, λ and latency of a window in equal steps of time, for the charts that show how they went.

Invariants: what is held does not grow with the rows; a step without a value has none, and is drawn as a gap.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..gate.selection import comparable

__all__ = ["STEPS", "Series"]

STEPS = 96
_A_FACTOR = 32
"""Buckets for each factor of e in time: a quantile is read to 1.6 %."""
_BUCKETS = 700
"""From 1 µs to some days."""


class Series:
    """Sums by step from ``since_ns`` to before ``until_ns``, fed with rows in any order."""

    def __init__(self, since_ns: int, until_ns: int) -> None:
        self._since = since_ns
        self._step = max((until_ns - since_ns) / STEPS, 1.0)
        self._pairs, self._scored, self._delta = (np.zeros(STEPS) for _ in range(3))
        self._states, self._convergent = np.zeros(STEPS), np.zeros(STEPS)
        self._times = {who: np.zeros((STEPS, _BUCKETS), dtype=np.uint32) for who in ("prod", "shadow")}

    def add(self, columns: ScoreColumns) -> None:
        """The next rows."""
        at = np.floor((columns.started_ns - self._since) / self._step).astype(np.int64)
        inside = (at >= 0) & (at < STEPS)
        self._pairs += _counts(at[inside])
        scored = inside & ~np.isnan(columns.delta_s)
        self._scored += _counts(at[scored])
        self._delta += np.bincount(at[scored], columns.delta_s[scored], STEPS)
        said = inside & (columns.state != "")
        self._states += _counts(at[said])
        self._convergent += _counts(at[said & (columns.state == "convergent")])
        timed = inside & comparable(columns)
        for who, took in (("prod", columns.prod_ns), ("shadow", columns.shadow_ns)):
            bucket = np.log(np.maximum(took[timed], 1_000) / 1_000) * _A_FACTOR
            np.add.at(self._times[who], (at[timed], np.minimum(bucket, _BUCKETS - 1).astype(np.int64)), 1)

    def data(self) -> dict[str, list[Any]]:
        """By step: ``t`` (its middle, Unix time), ``pairs``, ``delta`` (mean), ``convergent`` (share), and the P95 of
        both sides in seconds; ``None`` without data."""
        middles = (self._since + self._step * (np.arange(STEPS) + 0.5)) / 1e9
        return {
            "t": [round(float(middle), 1) for middle in middles],
            "pairs": [int(n) for n in self._pairs],
            "delta": _shares(self._delta, self._scored),
            "convergent": _shares(self._convergent, self._states),
            "prod_p95": _p95(self._times["prod"]),
            "shadow_p95": _p95(self._times["shadow"]),
        }


def _counts(at: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(at, minlength=STEPS)


def _shares(sums: NDArray[np.float64], n: NDArray[np.float64]) -> list[float | None]:
    return [round(float(total / count), 5) if count else None for total, count in zip(sums, n, strict=True)]


def _p95(times: NDArray[np.uint32]) -> list[float | None]:
    found: list[float | None] = []
    for row in times:
        n = int(row.sum())
        bucket = int(np.searchsorted(np.cumsum(row), math.ceil(0.95 * n))) if n else 0
        found.append(round(1e-6 * math.exp((bucket + 0.5) / _A_FACTOR), 6) if n else None)
    return found
