"""What the gate keeps of the stored rows while it reads them, piece by piece.

Invariant: what is held does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..columns import ScoreColumns
from .accounts import AccountFold
from .change import ChangeFold
from .drift import DriftFold
from .kept import ALL, FoldSource
from .reverse import turned
from .sample import PairedSample
from .selection import comparable, sent, tried_in_vain
from .series import SeriesFold, question_of
from .timeline import Timeline

__all__ = ["RowFold", "RowPlan", "RowSource", "plan_rows"]


class RowSource(FoldSource, Protocol):
    """What reading the rows needs of the store."""

    def pieces(
        self, shadow: str, since_ns: int | None = None, *, without: Sequence[str] = (), until_ns: int = ALL
    ) -> Iterator[ScoreColumns]: ...
    def pieces_beside(
        self,
        shadow: str,
        other: str,
        since_ns: int | None = None,
        *,
        without: Sequence[str] = (),
        until_ns: int = ALL,
    ) -> Iterator[tuple[ScoreColumns, ScoreColumns]]: ...
    def last_embedder(self, shadow: str, since_ns: int | None = None) -> str: ...


class RowFold:
    """One shadow's rows in a window that is ``window_ns`` long (``None``: as long as it has rows)."""

    def __init__(
        self,
        embedder: str,
        *,
        with_control: bool,
        slot_wait_ms: float,
        window_ns: int | None = None,
        reverse: bool = False,
    ) -> None:
        self.rows = 0
        self.first_ns = 0
        self._window_ns = window_ns
        self._reverse = reverse
        self.timeline = Timeline()
        """Of the copies that were sent."""
        self.times = PairedSample()
        """The shadow's and prod's time to the end of the answer, in ns. Bounds of quantiles hold until the window's
        end, and at it once: later rows wait for the next window, which begins within the hour."""
        self.scores = SeriesFold(embedder, with_control=with_control)
        self.accounts = AccountFold(slot_wait_ms)
        self.drift = DriftFold(embedder, with_control=with_control)
        self.change = ChangeFold(embedder)
        self._tried, self._in_vain = 0, 0

    def add(self, columns: ScoreColumns, control: ScoreColumns | None = None) -> None:
        """The next rows, and those of the control's that answered the same requests."""
        if not len(columns):
            return
        tried, in_vain = tried_in_vain(columns)  # it is the shadow that may be asked wrongly, whatever its part
        self._tried += tried
        self._in_vain += in_vain
        if self._reverse:
            columns, control = turned(columns), None if control is None else turned(control)
        self.first_ns = self.first_ns if self.rows else int(columns.started_ns[0])
        self.rows += len(columns)
        self.timeline.add(columns.started_ns[sent(columns)])
        inside = np.ones(len(columns), dtype=bool)
        if self._window_ns is not None:
            inside = columns.started_ns < self.first_ns + self._window_ns
        use = comparable(columns) & inside
        times = (some[use].astype(np.float64) for some in (columns.shadow_ns, columns.prod_ns))
        questions = question_of(columns)
        self.times.add(columns.exchange[use], *times, questions=questions[use])
        self.scores.add(columns, control, inside)
        self.accounts.add(columns, questions, inside)
        self.drift.add(columns, control, questions)
        self.change.add(columns, control)

    @property
    def never_asked(self) -> bool:
        """Whether no copy was ever a request that the shadow takes."""
        return 0 < self._tried == self._in_vain


@dataclass(frozen=True, kw_only=True)
class RowPlan:
    """A shadow's rows in ``store`` since a moment, beside them the ``control``'s of the same requests (its name; empty:
    none runs), but for the routes of ``without``. ``reverse``: the shadow is the baseline (:mod:`.reverse`)."""

    store: RowSource
    shadow: str
    since_ns: int
    control: str = ""
    embedder: str
    slot_wait_ms: float = 200.0
    without: tuple[str, ...] = ()
    window_ns: int | None = None
    reverse: bool = False
    until_ns: int = ALL

    @property
    def deciding(self) -> dict[str, Any]:
        """See :class:`.kept.Plan`."""
        return {
            "kind": "rows",
            "embedder": self.embedder,
            "slot_wait_ms": self.slot_wait_ms,
            "without": sorted(self.without),
            "window_ns": self.window_ns,
            "reverse": self.reverse,
        }

    def new(self) -> RowFold:
        """See :class:`.kept.Plan`."""
        return RowFold(
            self.embedder,
            with_control=bool(self.control),
            slot_wait_ms=self.slot_wait_ms,
            window_ns=self.window_ns,
            reverse=self.reverse,
        )

    def pieces(self, from_ns: int, until_ns: int) -> Iterator[tuple[ScoreColumns, ScoreColumns | None]]:
        """See :class:`.kept.Plan`."""
        if self.control:
            yield from self.store.pieces_beside(
                self.shadow, self.control, from_ns, without=self.without, until_ns=until_ns
            )
            return
        for columns in self.store.pieces(self.shadow, from_ns, without=self.without, until_ns=until_ns):
            yield columns, None

    def add(self, fold: RowFold, piece: tuple[ScoreColumns, ScoreColumns | None]) -> None:
        """See :class:`.kept.Plan`."""
        fold.add(*piece)


def plan_rows(
    store: RowSource,
    shadow: str,
    since_ns: int,
    *,
    control: str = "",
    slot_wait_ms: float = 200.0,
    without: Sequence[str] = (),
    window_ns: int | None = None,
    reverse: bool = False,
) -> RowPlan:
    """The plan of one shadow's verdict: ΔS that counts is that of the embedder which scored last."""
    return RowPlan(
        store=store,
        shadow=shadow,
        since_ns=since_ns,
        control=control,
        embedder=store.last_embedder(shadow, since_ns),
        slot_wait_ms=slot_wait_ms,
        without=tuple(without),
        window_ns=window_ns,
        reverse=reverse,
    )
