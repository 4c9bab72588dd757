"""How ΔS was before, how it moves from window to window, and how it varies within one question.

Invariant: what is compared is of one embedder, and of the version that answers now where it says so (windows), or of
what answered before it (the earlier window); what is held does not grow with the rows.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..config import Config
from ..types import PinSeen
from .repeats import MOST_QUESTIONS, Questions
from .sample import Sample
from .selection import DELTA_S_MAX
from .series import Series, joined
from .stream import Stream
from .window import last_change, window_start

__all__ = ["BATCHES", "MOST_SQUARE", "Batch", "Drift", "DriftFold", "drift_of"]

_HOUR_NS = 3600 * 10**9
BATCHES = 7
"""Windows that are looked at, the current one included."""
MOST_SQUARE = 0.125
"""Half the square of two answers' difference in ΔS; one above 0.5 counts as 0.5, so that few make no variance."""


@dataclass(frozen=True, slots=True)
class Batch:
    """ΔS of one window."""

    n: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What is known of ΔS beside the window's means."""

    deltas: Sample = field(default_factory=lambda: Sample(1))
    """The window's ΔS, where no control runs."""
    earlier: Sample = field(default_factory=lambda: Sample(1))
    """ΔS of the window before this one; empty: there is none."""
    batches: tuple[Batch, ...] = ()
    """Window by window, oldest first, the current one last."""
    spread: Series | None = None
    """Half the squared difference of each answer's ΔS from that of the answer before it to the same question: its mean
    is the variance within questions; with the control's at the same answers. ``None`` without repeated questions."""
    level: float = math.nan
    """Mean ΔS of the answers in ``spread``."""


class DriftFold:
    """The spread within questions, made of pieces of rows in the order of time. ``embedder``: whose ΔS counts."""

    def __init__(self, embedder: str, *, with_control: bool) -> None:
        self.embedder = embedder
        self.deltas = Sample(1)
        self.with_control = with_control
        self._questions = Questions()
        self._squares = Stream(0.0, MOST_SQUARE, self._questions)
        self._excess = Stream(-MOST_SQUARE, MOST_SQUARE, self._questions)
        self._floor = Stream(0.0, MOST_SQUARE)
        self._sum = 0.0
        self._last: OrderedDict[int, tuple[float, float]] = OrderedDict()
        """By question, ΔS of its last answer, the shadow's and the control's."""

    def add(self, columns: ScoreColumns, control: ScoreColumns | None, questions: NDArray[np.int64]) -> None:
        """The next rows, the control's of the same requests in any order, and the question of each row."""
        scored = ~np.isnan(columns.delta_s) & (columns.embedder == self.embedder)
        if not self.with_control:
            self.deltas.add(columns.exchange[scored], np.clip(columns.delta_s[scored], 0.0, DELTA_S_MAX))
        rows = np.flatnonzero(scored & (columns.group >= 0))
        if not len(rows):
            return
        theirs = self._controls(columns, control, scored)
        order = rows[np.argsort(columns.group[rows], kind="stable")]
        before = self._before(columns, theirs, order)
        has = ~np.isnan(before[0])
        again, steps = (
            order[has],
            [_half_square(now[order] - old)[has] for now, old in zip((columns.delta_s, theirs), before, strict=True)],
        )
        in_time = np.argsort(again)
        again, (mine, own) = again[in_time], (some[in_time] for some in steps)
        slots = self._questions.slots(questions[again])
        self._squares.add(mine, slots)
        self._sum += float(columns.delta_s[again].sum())
        both = ~np.isnan(own)
        self._excess.add(mine[both] - own[both], slots[both])
        self._floor.add(own[both])

    def _controls(
        self, columns: ScoreColumns, control: ScoreColumns | None, scored: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """The control's ΔS at each row; NaN where it has none."""
        found = np.full(len(columns), np.nan)
        if control is not None:
            known = ~np.isnan(control.delta_s) & (control.embedder == self.embedder)
            mine, theirs = joined(columns, scored, control, known)
            found[mine] = control.delta_s[theirs]
        return found

    def _before(
        self, columns: ScoreColumns, theirs: NDArray[np.float64], order: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(2, n) the ΔS of the answer before each of ``order``, which is by question and time, the shadow's and the
        control's; NaN where there is none."""
        group = columns.group[order]
        both = np.stack([columns.delta_s[order], theirs[order]])
        before = np.concatenate([np.full((2, 1), np.nan), both[:, :-1]], axis=1)
        first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
        last = np.concatenate([first[1:], [len(group)]]) - 1
        for at, end in zip(first.tolist(), last.tolist(), strict=True):
            question = int(group[at])
            before[:, at] = self._last.pop(question, (np.nan, np.nan))
            self._last[question] = (float(both[0, end]), float(both[1, end]))  # the newest are last
        while len(self._last) > MOST_QUESTIONS:
            self._last.popitem(last=False)
        return before

    def spread(self) -> tuple[Series | None, float]:
        """The series of :attr:`Drift.spread`, and the mean ΔS of its answers."""
        n = len(self._squares)
        if not n:
            return None, math.nan
        if not self.with_control:
            return Series(self._squares), self._sum / n
        return Series(self._squares, self._excess if len(self._excess) else None, self._floor), self._sum / n


def _half_square(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.minimum(steps**2 / 2, MOST_SQUARE)
    return squares


class PastSource(Protocol):
    """What reads a store's past."""

    def delta_values(
        self, shadow: str, since_ns: int, until_ns: int, embedder: str
    ) -> Iterator[NDArray[np.float64]]: ...
    def delta_sums(
        self, shadow: str, since_ns: int, until_ns: int, bin_ns: int, embedder: str, *, from_ns: int
    ) -> list[tuple[int, int, float, float]]: ...
    def pins(self, shadow: str, since_ns: int) -> list[PinSeen]: ...
    def window_restarted(self, shadow: str) -> int | None: ...


def drift_of(
    config: Config, shadow: str, store: PastSource, now_ns: int, fold: DriftFold, earlier: Sample, *, whole: bool
) -> Drift:
    """The drift of one shadow. ``earlier``: ΔS of the window before. ``whole``: of a file, which has nothing before
    it."""
    spread, level = fold.spread()
    if whole or not fold.embedder:
        return Drift(deltas=fold.deltas, spread=spread, level=level)
    length = int(config.gate.window_hours * _HOUR_NS)
    batches = _batches(config, shadow, store, now_ns, length, fold.embedder)
    return Drift(deltas=fold.deltas, earlier=earlier, batches=batches, spread=spread, level=level)


def _batches(
    config: Config, shadow: str, store: PastSource, now_ns: int, length: int, embedder: str
) -> tuple[Batch, ...]:
    # The windows move as the gate's does, not with every look. The current one is the last, whatever it has by now.
    since = window_start(config, now_ns) - (BATCHES - 1) * length

    def sums(from_ns: int) -> list[list[float]]:
        found = np.zeros((BATCHES, 3))
        for number, *row in store.delta_sums(shadow, since, now_ns, length, embedder, from_ns=from_ns):
            found[min(number, BATCHES - 1)] += row
        rows: list[list[float]] = found.tolist()
        return rows

    def full(rows: list[list[float]]) -> list[int]:
        return [number for number, (n, *_) in enumerate(rows) if n >= config.gate.min_pairs]

    rows = sums(since)
    if len(full(rows)) < 2:
        return ()
    changed = last_change(store.pins(shadow, since), config.pins)
    origin = max(store.window_restarted(shadow) or 0, 0 if changed is None else changed.at_ns)
    if origin > since:
        rows = sums(origin)
    return tuple(
        Batch(int(n), total / n, max(squares / n - (total / n) ** 2, 0.0))
        for number in full(rows)
        for n, total, squares in [rows[number]]
        # As whole as the hour allows by which windows move.
        if since + number * length >= origin - _HOUR_NS
    )
