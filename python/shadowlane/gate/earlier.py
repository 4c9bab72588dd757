"""The window before this one: what ΔS was before anything changed.

Invariant: what is held does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import Config
from .drift import PastSource
from .sample import Sample
from .selection import DELTA_S_MAX
from .window import Start

__all__ = ["EarlierPlan", "earlier_plan"]

_HOUR_NS = 3600 * 10**9


@dataclass(frozen=True)
class EarlierPlan:
    """ΔS of the window before. See :class:`.kept.Plan`."""

    store: PastSource
    shadow: str
    since_ns: int
    until_ns: int
    embedder: str
    control: str = ""

    @property
    def deciding(self) -> dict[str, Any]:
        """See :class:`.kept.Plan`."""
        return {"kind": "earlier", "embedder": self.embedder, "until_ns": self.until_ns}

    def new(self) -> Sample:
        """See :class:`.kept.Plan`."""
        return Sample(1)

    def pieces(self, from_ns: int, until_ns: int) -> Iterator[NDArray[np.float64]]:
        """See :class:`.kept.Plan`."""
        return self.store.delta_values(self.shadow, from_ns, until_ns, self.embedder)

    def add(self, fold: Sample, piece: NDArray[np.float64]) -> None:
        """See :class:`.kept.Plan`."""
        fold.add(np.arange(fold.n, fold.n + len(piece)), np.clip(piece, 0.0, DELTA_S_MAX))


def earlier_plan(config: Config, shadow: str, store: PastSource, start: Start, embedder: str) -> EarlierPlan:
    """What the window is held against where no control runs."""
    length = int(config.gate.window_hours * _HOUR_NS)
    return EarlierPlan(store, shadow, start.since_ns - length, start.since_ns, embedder)
