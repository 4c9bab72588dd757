"""Sums over a shadow's rows by route, tenant, model and repeated question.

Invariant: rows are summed up in the database, and no more than :data:`MOST_SEGMENTS` of a kind come out, those with the
most copies, or those that are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..types import NOT_SENT
from .engine import ALL, Database
from .tallies import FAILED, NEVER_SENT, PROD_FAILED, without_routes

__all__ = ["MOST_SEGMENTS", "SegmentRow", "segment_rows"]

MOST_SEGMENTS = 200

SegmentRow = tuple[str, str, int, int, int, float, float, int, int]
"""Kind, name, copies sent, failed, pairs scored, Σ ΔS, Σ ΔS², contradicted facts, pairs whose facts were looked at."""

_MINE = "delta_s IS NOT NULL AND embedder = ?"
_READ = f"fact_flip = 1 OR ({_MINE} AND (unread = '' OR delta_s = 0))"
"""As the rule on the whole's facts reads them: equal texts contradict nothing, in whatever language."""
_SUMS = (
    f"count(*) FILTER (WHERE {_MINE}) AS scored, "
    f"coalesce(sum(delta_s) FILTER (WHERE {_MINE}), 0.0) AS delta, "
    f"coalesce(sum(delta_s * delta_s) FILTER (WHERE {_MINE}), 0.0) AS squares, sum(fact_flip) AS flips, "
    f"count(*) FILTER (WHERE {_READ}) AS read"
)
_TOTALS = "sum(sent), sum(failed), sum(scored), sum(delta), sum(squares), sum(flips), sum(read)"
_BY = {
    "tenant": ("tenant", "tenant <> ''", "tenant"),
    "model": ("prod_model", "prod_model <> ''", "prod_model"),
    "question": ("group_id", "group_id IS NOT NULL", "'group ' || group_id"),
}


def segment_rows(
    db: Database,
    shadow: str,
    since_ns: int,
    embedder: str,
    least: int,
    without: Sequence[str],
    only: Collection[tuple[str, str]] | None,
    reverse: bool,
) -> Iterator[SegmentRow]:
    """The segments with ``least`` copies or more, but for the routes of ``without``. ``embedder``: whose ΔS counts;
    ``only``: all of these kinds and names instead; ``reverse``: prod's failures count."""
    where = f"shadow = ? AND started_ns >= ? AND reason NOT IN ({', '.join('?' * len(NOT_SENT))}) AND NOT {NEVER_SENT}"
    if without:
        where += f" AND {without_routes(without, db.dialect)}"
    most = MOST_SEGMENTS if only is None else ALL
    values = (*[embedder] * 4, shadow, since_ns, *NOT_SENT, *without, least, most)
    # Where a route is a function of Python's, it is asked once for each target.
    routes = (db.dialect.route_parts, "target <> ''", db.dialect.route)
    for kind, (parts, has, name) in {"route": routes, **_BY}.items():
        sums = f"count(*) AS sent, count(*) FILTER (WHERE {PROD_FAILED if reverse else FAILED}) AS failed, {_SUMS}"
        inner = f"SELECT {parts}, {sums} FROM pairs WHERE {where} AND {has} GROUP BY {parts}"  # noqa: S608
        query = (
            f"SELECT {name}, {_TOTALS} FROM ({inner}) AS parts "  # noqa: S608
            "GROUP BY 1 HAVING sum(sent) >= ? ORDER BY 2 DESC, 1 LIMIT ?"
        )
        for segment, sent, failed, scored, delta, squares, flips, read in db.execute(query, values):
            if only is None or (kind, segment) in only:
                yield kind, segment, sent, int(failed), int(scored), delta, squares, int(flips), int(read)
