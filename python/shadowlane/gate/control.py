"""The control's own rows, which are the noise floor of every shadow of a lane: read once, not once a shadow.

Invariant: what is kept is sums, and of the very window, routes and embedder that a shadow is evaluated with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..columns import ScoreColumns
from .fold import RowSource
from .kept import ALL, folded
from .reverse import turned
from .segments import SegmentSource, SegmentSums, same_segments
from .series import SeriesFold

__all__ = ["ControlRows", "ControlSource"]

_Key = tuple[int, str, tuple[str, ...]]


class ControlSource(RowSource, SegmentSource, Protocol):
    """What reading the control's rows needs of the store."""


@dataclass(frozen=True)
class FloorPlan:
    """The control's own rows. See :class:`.kept.Plan`."""

    store: ControlSource
    shadow: str
    since_ns: int
    embedder: str
    without: tuple[str, ...]
    reverse: bool
    control: str = ""
    until_ns: int = ALL

    @property
    def deciding(self) -> dict[str, Any]:
        """See :class:`.kept.Plan`."""
        return {
            "kind": "floors",
            "embedder": self.embedder,
            "without": sorted(self.without),
            "reverse": self.reverse,
        }

    def new(self) -> SeriesFold:
        """See :class:`.kept.Plan`."""
        return SeriesFold(self.embedder, with_control=True)

    def pieces(self, from_ns: int, until_ns: int) -> Iterator[ScoreColumns]:
        """See :class:`.kept.Plan`."""
        return self.store.pieces(self.shadow, from_ns, without=self.without, until_ns=until_ns)

    def add(self, fold: SeriesFold, piece: ScoreColumns) -> None:
        """See :class:`.kept.Plan`."""
        fold.add_control(turned(piece) if self.reverse else piece)


class ControlRows:
    """The rows of the arm ``name`` in ``store``. ``reverse``: for shadows that are the baseline (:mod:`.reverse`)."""

    def __init__(self, store: ControlSource, name: str, *, reverse: bool = False) -> None:
        self._store, self._name, self._reverse = store, name, reverse
        self._floors: dict[_Key, SeriesFold] = {}
        self._segments: dict[_Key, tuple[set[tuple[str, str]], tuple[SegmentSums, ...]]] = {}

    def floors(self, since_ns: int, embedder: str, without: Sequence[str]) -> SeriesFold:
        """The control's values by rule since then, but for the routes of ``without``; ``embedder``: whose ΔS counts."""
        key = since_ns, embedder, tuple(without)
        if key not in self._floors:
            self._floors[key] = folded(self._store, self.plan(since_ns, embedder, without))
        return self._floors[key]

    def plan(self, since_ns: int, embedder: str, without: Sequence[str]) -> FloorPlan:
        """What is folded for :meth:`floors`."""
        return FloorPlan(self._store, self._name, since_ns, embedder, tuple(without), self._reverse)

    def segments(
        self, since_ns: int, embedder: str, without: Sequence[str], wanted: Sequence[SegmentSums]
    ) -> tuple[SegmentSums, ...]:
        """What the control has of the segments that are ``wanted``, and maybe of others."""
        key, names = (since_ns, embedder, tuple(without)), {(one.kind, one.name) for one in wanted}
        known, sums = self._segments.get(key, (set(), ()))
        if not names <= known:
            known = known | names
            sums = same_segments(self._store, self._name, since_ns, embedder, known, without, reverse=self._reverse)
            self._segments[key] = known, sums
        return sums
