"""Sums over a shadow's rows by route, tenant, model and repeated question.

Invariant: no more than :data:`MOST_SEGMENTS` of a kind come out, those with the most copies; of routes no more are held
than that many times over while rows are summed up.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence

from ..types import route_of
from .tallies import FAILED

__all__ = ["MOST_SEGMENTS", "SegmentRow", "segment_rows"]

MOST_SEGMENTS = 200
_MOST_ROUTES = 20 * MOST_SEGMENTS

SegmentRow = tuple[str, str, int, int, int, float, float, int]
"""Kind, name, copies sent, failed, pairs scored, Σ ΔS, Σ ΔS², contradicted facts."""

_NEVER_SENT = "(reason = 'deadline' AND shadow_ns = 0)"
_MINE = "delta_s IS NOT NULL AND embedder = ?"
_SUMS = (
    f"count(*), total({FAILED}), total({_MINE}), total(CASE WHEN {_MINE} THEN delta_s END), "
    f"total(CASE WHEN {_MINE} THEN delta_s * delta_s END), total({_MINE} AND fact_flip)"
)
_BY = {
    "tenant": ("tenant", "tenant <> ''"),
    "model": ("prod_model", "prod_model <> ''"),
    "question": ("'group ' || group_id", "group_id IS NOT NULL"),
}


def segment_rows(
    db: sqlite3.Connection, shadow: str, since_ns: int, embedder: str, not_sent: Sequence[str], least: int
) -> Iterator[SegmentRow]:
    """The segments with ``least`` copies or more. ``embedder``: whose ΔS counts; ``not_sent``: reasons of copies that
    never went out."""
    marks = ", ".join("?" * len(not_sent))
    where = f"shadow = ? AND started_ns >= ? AND reason NOT IN ({marks}) AND NOT {_NEVER_SENT}"
    values = (embedder, embedder, embedder, embedder, shadow, since_ns, *not_sent)
    query = f"SELECT method, target, {_SUMS} FROM pairs WHERE {where} GROUP BY method, target"  # noqa: S608
    yield from _routes(db.execute(query, values), least)
    for kind, (name, has) in _BY.items():
        query = (
            f"SELECT {name}, {_SUMS} FROM pairs WHERE {where} AND {has} GROUP BY 1 HAVING count(*) >= ? "  # noqa: S608
            "ORDER BY 2 DESC LIMIT ?"
        )
        for row in db.execute(query, (*values, least, MOST_SEGMENTS)):
            yield _typed(kind, row)


def _routes(rows: Iterator[tuple[object, ...]] | sqlite3.Cursor, least: int) -> Iterator[SegmentRow]:
    sums: dict[str, list[float]] = {}
    for method, target, *values in rows:
        route = route_of(str(method), str(target))
        if route not in sums and len(sums) >= _MOST_ROUTES:
            continue
        held = sums.setdefault(route, [0.0] * len(values))
        sums[route] = [before + float(value) for before, value in zip(held, values, strict=True)]
    for name, values in heapq.nlargest(MOST_SEGMENTS, sums.items(), key=lambda item: item[1][0]):
        if values[0] >= least:
            yield _typed("route", (name, *values))


def _typed(kind: str, row: Sequence[object]) -> SegmentRow:
    name, sent, failed, scored, delta, squares, flips = row
    numbers = [float(value) for value in (sent, failed, scored, delta, squares, flips)]  # type: ignore[arg-type]
    sent_n, failed_n, scored_n, delta_s, squares_s, flips_n = numbers
    return kind, str(name), int(sent_n), int(failed_n), int(scored_n), delta_s, squares_s, int(flips_n)
