"""One arm's answers to one paraphrase group: the last few, its state, and how often that changed.

Invariant: what is kept is bounded by ``window`` answers and :data:`SERIES` values of ΔS. Most questions come once, and
a table of groups is as large as its capacity, so an arm with one answer takes little more than the answer's row.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lambda_ import State
from .lambda_last import distances, last_state, last_trend

__all__ = ["SERIES", "ArmHistory", "Reading"]

SERIES = 6
"""Values of ΔS that the last step of a trend depends on: its rolling mean over 5, and that of the step before."""


class Reading(NamedTuple):
    """What one more answer says."""

    state: State
    """Against the medoid of the arm's answers to this group."""
    flipped: bool
    """Whether the state differs from the one before it."""
    trend: State | None
    """λ of the arm's series of ΔS; ``None`` below two values, and for an answer without ΔS."""


class ArmHistory:
    """The last answers of an arm: a row, what it cites, and whether it collapsed, for each; oldest first."""

    __slots__ = ("_apart", "citations", "collapsed", "deltas", "flips", "rows", "state")

    def __init__(
        self,
        rows: tuple[NDArray[np.float32], ...] = (),
        citations: tuple[frozenset[Hashable], ...] = (),
        collapsed: tuple[bool, ...] = (),
        deltas: tuple[float, ...] = (),
        state: State | None = None,
        flips: int = 0,
    ) -> None:
        self.rows = rows
        """A (d,) float32 unit row for each answer."""
        self._apart: tuple[list[float], ...] = ()
        """ΔS of the later ones of the answers to those before each and to itself, see :func:`.lambda_last.last_state`:
        computed once, when there are two answers."""
        self.citations = citations
        self.collapsed = collapsed
        self.deltas = deltas
        self.state = state
        self.flips = flips

    def observe(
        self,
        window: int,
        answer: NDArray[np.float32],
        citations: Iterable[Hashable],
        collapsed: bool,
        delta: float | None,
    ) -> Reading:
        """Add an answer, (d,) float32, and read it; of more than ``window`` answers the oldest go."""
        self._add(answer.astype(np.float32), window)  # its own: a batch's rows are not kept for one
        self.citations = (*self.citations, frozenset(citations))[-window:]
        self.collapsed = (*self.collapsed, collapsed)[-window:]
        if delta is not None:
            self.deltas = (*self.deltas, delta)[-SERIES:]
        trend = last_trend(self.deltas) if delta is not None and len(self.deltas) > 1 else None
        if len(self.rows) == 1:  # an answer by itself is its own medoid
            state: State = "divergent" if collapsed else "convergent"
        else:
            state = last_state(self._apart, self.citations, self.collapsed)
        flipped = self.state is not None and state != self.state
        self.flips += flipped
        self.state = state
        return Reading(state, flipped, trend)

    def _add(self, row: NDArray[np.float32], window: int) -> None:
        if (gone := len(self.rows) + 1 - window) > 0:
            self.rows = self.rows[gone:]
            self._apart = tuple(others[gone:] for others in self._apart[gone:])
        self.rows = rows = (*self.rows, row)
        if len(rows) > 1:
            new = range(len(self._apart), len(rows))
            self._apart += tuple(distances(rows[: position + 1], rows[position]) for position in new)
