"""ΔS in the report: means, quantiles, bands and histogram, one block an embedder.

Invariants: scores of different embedders are never averaged; what is held does not grow with the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bands import CRITICAL, STABLE
from ..columns import ScoreColumns
from ..gate.sample import Sample
from ..gate.selection import DELTA_S_MAX
from ..gate.sequences import Errors, Spread, minus

__all__ = ["HISTOGRAM_EDGES", "DeltaBlocks"]

HISTOGRAM_EDGES: NDArray[np.float64] = np.linspace(0.0, 1.0, 41)
"""Bins of 0.025; what is above 1 counts in the last one."""


class _Block:
    """The ΔS of one embedder."""

    def __init__(self) -> None:
        self.errors = Errors(0.0, DELTA_S_MAX)
        self.bands = np.zeros(3, dtype=np.int64)
        self.histogram = np.zeros(len(HISTOGRAM_EDGES) - 1, dtype=np.int64)
        self.values = Sample(1)

    def add(self, values: NDArray[np.float64], exchange: NDArray[np.int64]) -> None:
        self.errors.add(values)
        self.bands += np.bincount(np.searchsorted([STABLE, CRITICAL], values, side="right"), minlength=3)
        self.histogram += np.histogram(np.minimum(values, 1.0), HISTOGRAM_EDGES)[0]
        self.values.add(exchange, values)

    def data(self, name: str, noise: _Block | None) -> dict[str, Any]:
        interval = Spread.of_errors(self.errors).interval()
        excess = None
        if noise is not None:
            excess = minus(*(Spread.of_errors(some.errors).interval(0.025) for some in (self, noise)))
        median, p95 = np.quantile(self.values.column(0), [0.5, 0.95]).tolist()
        return {
            "embedder": name,
            "n": self.errors.n,
            "mean": interval.estimate,
            "interval": [interval.lower, interval.upper],
            "median": median,
            "p95": p95,
            "sampled": self.values.note,
            "bands": {
                band: n / self.errors.n
                for band, n in zip(("stable", "transitional", "critical"), self.bands.tolist(), strict=True)
            },
            "histogram": {
                "edges": [round(edge, 6) for edge in HISTOGRAM_EDGES.tolist()],
                "counts": self.histogram.tolist(),
            },
            "floor": None if noise is None else noise.errors.mean,
            "floor_n": 0 if noise is None else noise.errors.n,
            "above_floor": None if excess is None else excess.estimate,
            "above_floor_interval": None if excess is None else [excess.lower, excess.upper],
        }


class DeltaBlocks:
    """The ΔS of all rows, fed in the order of time."""

    def __init__(self) -> None:
        self._blocks: dict[str, _Block] = {}

    def add(self, columns: ScoreColumns) -> None:
        """The next rows."""
        scored = ~np.isnan(columns.delta_s)
        for name in columns.embedder[scored].counts():
            mine = scored & (columns.embedder == name)
            values = np.clip(columns.delta_s[mine], 0.0, DELTA_S_MAX)
            self._blocks.setdefault(name, _Block()).add(values, columns.exchange[mine])

    def data(self, control: DeltaBlocks | None = None) -> list[dict[str, Any]]:
        """One block an embedder: n, mean with its any-time 95 % interval, median, P95, bands, histogram; ``sampled``
        says of how many values the quantiles are, where that are not all.

        ``control`` is prod against a second prod. Where it has scores of the same embedder, ``floor`` is their mean,
        and ``above_floor`` the excess of the mean over it, with an any-time 95 % interval of its own.
        """
        noise = {} if control is None else control._blocks
        blocks = [block.data(name, noise.get(name)) for name, block in sorted(self._blocks.items())]
        return sorted(blocks, key=lambda block: -block["n"])

    def means(self) -> dict[str, float]:
        """By embedder."""
        return {name: block.errors.mean for name, block in self._blocks.items()}
