"""How ΔS was before, how it moves from window to window, and how it varies within one question.

Invariant: what is compared is of one embedder, and of the version that answers now where it says so (windows), or of
what answered before it (the earlier window).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..config import Config
from .selection import DELTA_S_MAX, repeated
from .series import Series, joined
from .window import PinSeen, Start, last_change

__all__ = ["BATCHES", "MOST_SQUARE", "Batch", "Drift", "drift_of", "spread_series"]

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
    """What is known of ΔS beside the window's own values."""

    earlier: NDArray[np.float64] | None = None
    """(n,) ΔS of the window before this one, in the order of time; ``None``: there is no such window."""
    batches: tuple[Batch, ...] = ()
    """Window by window, oldest first, the current one last."""
    spread: Series | None = None
    """Half the squared difference of each answer's ΔS from that of the answer before it to the same question: its mean
    is the variance within questions; with the control's at the same answers. ``None`` without repeated questions."""
    level: float = field(default=float("nan"))
    """Mean ΔS of the answers in ``spread``."""


class PastSource(Protocol):
    """What reads a store's past."""

    def delta_values(self, shadow: str, since_ns: int, until_ns: int, embedder: str) -> NDArray[np.float64]: ...
    def delta_sums(
        self, shadow: str, since_ns: int, until_ns: int, bin_ns: int, embedder: str
    ) -> list[tuple[int, int, float, float]]: ...
    def pins(self, shadow: str, since_ns: int) -> list[PinSeen]: ...
    def window_restarted(self, shadow: str) -> int | None: ...


def drift_of(
    config: Config,
    shadow: str,
    store: PastSource,
    start: Start,
    now_ns: int,
    columns: ScoreColumns,
    control: ScoreColumns | None,
    embedder: str,
    *,
    whole: bool,
) -> Drift:
    """The drift of one shadow. ``whole``: of a file, which has nothing before it."""
    spread, level = spread_series(columns, control, embedder)
    if whole or not embedder:
        return Drift(spread=spread, level=level)
    length = int(config.gate.window_hours * _HOUR_NS)
    earlier = store.delta_values(shadow, start.since_ns - length, start.since_ns, embedder)
    return Drift(
        earlier=np.clip(earlier, 0.0, DELTA_S_MAX) if len(earlier) else None,
        batches=_batches(config, shadow, store, now_ns, length, embedder),
        spread=spread,
        level=level,
    )


def _batches(
    config: Config, shadow: str, store: PastSource, now_ns: int, length: int, embedder: str
) -> tuple[Batch, ...]:
    since = now_ns - BATCHES * length
    sums = store.delta_sums(shadow, since, now_ns, length, embedder)
    full = [row for row in sums if row[1] >= config.gate.min_pairs]
    if len(full) < 2:
        return ()
    changed = last_change(store.pins(shadow, since), config.pins)
    origin = max(store.window_restarted(shadow) or 0, 0 if changed is None else changed.at_ns)
    return tuple(
        Batch(n, total / n, max(squares / n - (total / n) ** 2, 0.0))
        for number, n, total, squares in full
        if since + number * length >= origin
    )


def spread_series(columns: ScoreColumns, control: ScoreColumns | None, embedder: str) -> tuple[Series | None, float]:
    """The series of :attr:`Drift.spread`, and the mean ΔS of its answers."""
    values, has = _squares(columns, embedder)
    if not has.any():
        return None, float("nan")
    level = float(np.mean(columns.delta_s[has]))
    series = Series(values[has], columns.group[has])
    if control is not None:
        floor, floor_has = _squares(control, embedder)
        mine, theirs = joined(columns, has, control, floor_has)
        excess = values[mine] - floor[theirs] if len(mine) else None
        series = Series(values[has], columns.group[has], excess, columns.group[mine], floor[theirs], floor[floor_has])
    return series, level


def _squares(columns: ScoreColumns, embedder: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """For each row that answers a question again: half the squared step from the answer before."""
    values, has = np.zeros(len(columns)), np.zeros(len(columns), dtype=bool)
    rows = np.flatnonzero(repeated(columns) & ~np.isnan(columns.delta_s) & (columns.embedder == embedder))
    order = rows[np.argsort(columns.group[rows], kind="stable")]
    again = np.flatnonzero(columns.group[order][1:] == columns.group[order][:-1])
    before, after = order[again], order[again + 1]
    values[after] = np.minimum((columns.delta_s[after] - columns.delta_s[before]) ** 2 / 2, MOST_SQUARE)
    has[after] = True
    return values, has
