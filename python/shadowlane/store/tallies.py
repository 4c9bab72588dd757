"""Counts over rows that are no scores: by route, by what the shadow said when it refused, by what was blocked.

Invariant: bodies are not touched, and what was never sent for a cause of ours is no refusal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..types import FLAG_NO_PROD, FLAG_TOLD, NOT_SENT, route_of
from .block_totals import SAID
from .engine import Database, Dialect

__all__ = [
    "FAILED",
    "NEVER_SENT",
    "PROD_FAILED",
    "SAID",
    "ProdSeen",
    "Refused",
    "Routed",
    "by_route",
    "difference_counts",
    "flips",
    "last_embedder",
    "most_said",
    "policy_counts",
    "prod_seen",
    "refusals",
    "refused_routes",
    "routed",
    "said_counts",
    "without_routes",
]

Routed = tuple[str, int, int]
"""Route, copies, and those of them that the shadow failed."""
Refused = tuple[int, str, str, str, str, int]
"""Status, reason, words, target, method, copies."""


class ProdSeen(NamedTuple):
    """Of how many copies prod's side is not what a gateway sees."""

    stood_in: int = 0
    """``[control]`` answered in its stead."""
    told: int = 0
    """Telemetry told of it: no headers, no status but success, no first byte."""
    untimed: int = 0
    """Nobody told how long it took."""


FAILED = "reason <> '' OR status >= 500 OR (status >= 400 AND prod_status < 400)"
"""Of the rows that were sent, those that the shadow failed."""
PROD_FAILED = "prod_status >= 500 OR (prod_status >= 400 AND reason = '' AND status < 400)"
"""Those that prod failed, where the shadow is what it is held against."""
NEVER_SENT = "(reason = 'deadline' AND shadow_ns = 0)"
"""It waited for a slot until it was too late, or gave way."""
_MOST_KINDS = 500
_MOST_SAID = 12


def _newest(where: str, newest: int | None) -> tuple[str, tuple[int, ...]]:
    if newest is None:
        return f"(SELECT * FROM pairs {where}) AS newest", ()  # noqa: S608
    return f"(SELECT * FROM pairs {where} ORDER BY started_ns DESC LIMIT ?) AS newest", (newest,)  # noqa: S608


def without_routes(routes: Sequence[str], dialect: Dialect) -> str:
    """The condition that a row is of none of these routes; they are its values."""
    return f"{dialect.route} NOT IN ({', '.join('?' * len(routes))})"


def by_route(db: Database, where: str, values: tuple[Any, ...], newest: int | None) -> list[Routed]:
    """``(route, copies, failed)``, most copies first; of the newest so many rows, or of all."""
    rows, limit = _newest(where, newest)
    query = f"SELECT method, target, count(*), count(*) FILTER (WHERE {FAILED}) FROM {rows} GROUP BY method, target"  # noqa: S608
    copies: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for method, target, n, bad in db.execute(query, (*values, *limit)):
        route = route_of(method, target)
        copies[route] += n
        failed[route] += bad
    return routed(copies, failed)


def refusals(db: Database, where: str, values: tuple[Any, ...], newest: int | None) -> list[Refused]:
    """``(status, reason, words, target, method, copies)`` of answers of HTTP 400 and above where prod's was below, and
    of copies that reached nobody; at most 500 kinds, most frequent first."""
    rows, limit = _newest(where, newest)
    query = (
        f"SELECT status, reason, detail, max(target), method, count(*) AS n FROM {rows} "  # noqa: S608
        "WHERE (status >= 400 AND prod_status < 400) OR reason IN ('connect_error', 'transport_error') "
        "GROUP BY status, reason, detail, method, substr(target, 1, 200) ORDER BY n DESC, 1, 2, 3, 5, 4 LIMIT ?"
    )
    return [tuple(row) for row in db.execute(query, (*values, *limit, _MOST_KINDS))]


def refused_routes(db: Database, where: str, values: tuple[Any, ...]) -> list[Routed]:
    """``(route, copies, refused)`` of the copies that were sent, most copies first: how many there are, and how many of
    them the shadow answered with HTTP 4xx where prod had none. Refusals for the moment (408, 429) count as neither."""
    unsent = ", ".join("?" * len(NOT_SENT))
    refused = "reason = '' AND status BETWEEN 400 AND 499 AND prod_status < 400"
    query = (
        f"SELECT method, target, count(*), count(*) FILTER (WHERE {refused}) "  # noqa: S608
        f"FROM (SELECT * FROM pairs {where}) AS mine WHERE reason NOT IN ({unsent}) AND NOT {NEVER_SENT} "
        "AND status NOT IN (408, 429) GROUP BY method, target"
    )
    copies: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for method, target, n, some in db.execute(query, (*values, *NOT_SENT)):
        route = route_of(method, target)
        copies[route] += n
        bad[route] += some
    return routed(copies, bad)


def routed(copies: Mapping[str, int], some: Mapping[str, int]) -> list[Routed]:
    """Both counts by route, most copies first."""
    return [(route, n, some.get(route, 0)) for route, n in sorted(copies.items(), key=lambda one: (-one[1], one[0]))]


def policy_counts(
    db: Database, where: str, values: tuple[Any, ...], *, reverse: bool = False
) -> tuple[dict[str, int], int, int]:
    """Why copies were blocked as writes (reason in words to count, most frequent first), how many tool calls were asked
    for that prod never made (``reverse``: that prod made and the shadow never), and in how many pairs."""
    calls_of = "prod_strange_calls" if reverse else "strange_calls"
    query = f"SELECT why, count(*) AS n FROM pairs {where} AND blocked <> '' GROUP BY why ORDER BY n DESC, why"  # noqa: S608
    why = dict(db.execute(query, values).fetchall())
    query = f"SELECT coalesce(sum({calls_of}), 0), count(*) FROM pairs {where} AND {calls_of} > 0"  # noqa: S608
    calls, pairs = db.execute(query, values).fetchone()
    return why, int(calls), int(pairs)


def flips(db: Database, where: str, values: tuple[Any, ...]) -> tuple[int, int, int]:
    """How often a shadow's λ flipped on a repeated question, how often of these prod's did too, and when last."""
    columns = "count(*), coalesce(sum(prod_flip), 0), coalesce(max(started_ns), 0)"
    row = db.execute(f"SELECT {columns} FROM pairs {where} AND lambda_flip = 1", values).fetchone()  # noqa: S608
    return int(row[0]), int(row[1]), int(row[2])


def said_counts(db: Database, where: str, values: tuple[Any, ...]) -> dict[str, list[tuple[str, str, int]]]:
    """Of the answered copies, ``(prod's, the shadow's, pairs)`` by ``models`` and ``finish`` (why the answers ended),
    and ``("", how they agree, pairs)`` by ``tools``; each the most frequent first, at most 12."""
    found = {}
    for name, (one, shadow) in SAID.items():
        prod = one or "''"
        query = (
            f"SELECT {prod}, {shadow}, count(*) AS n FROM pairs {where} AND reason = '' "  # noqa: S608
            f"AND ({prod} <> '' OR {shadow} <> '') GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT {_MOST_SAID}"
        )
        found[name] = [(str(a), str(b), int(n)) for a, b, n in db.execute(query, values)]
    return found


def most_said(counts: Mapping[str, Mapping[tuple[str, str], int]]) -> dict[str, list[tuple[str, str, int]]]:
    """The same of counts by what was said."""
    return {
        name: [(*words, n) for words, n in sorted(some.items(), key=lambda one: (-one[1], one[0]))[:_MOST_SAID]]
        for name, some in counts.items()
    }


def prod_seen(db: Database, where: str, values: tuple[Any, ...], newest: int | None) -> ProdSeen:
    """How prod's side is known in the newest so many rows, or in all."""
    rows, limit = _newest(where, newest)
    untimed = "prod_status <> 0 AND prod_ns = 0"
    sums = (f"flags & {FLAG_NO_PROD} <> 0", f"flags & {FLAG_TOLD} <> 0", untimed)
    query = f"SELECT {', '.join(f'count(*) FILTER (WHERE {one})' for one in sums)} FROM {rows}"  # noqa: S608
    return ProdSeen(*db.execute(query, (*values, *limit)).fetchone())


def difference_counts(db: Database, where: str, values: tuple[Any, ...]) -> list[tuple[str, str, int, str]]:
    """Shape and kind of what differs in JSON answers, in how many pairs, and one row of it; most frequent first."""
    shape, kind, text, each = db.dialect.differences
    query = (
        f"SELECT {shape}, {kind}, count(DISTINCT pairs.id), max({text}) FROM pairs, {each} {where} "  # noqa: S608
        "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    )
    return [tuple(row) for row in db.execute(query, values)]


def last_embedder(db: Database, where: str, values: tuple[Any, ...]) -> str:
    """What the newest scored row was scored with; empty when there is none."""
    query = f"SELECT embedder FROM pairs {where} AND delta_s IS NOT NULL ORDER BY started_ns DESC, id DESC LIMIT 1"  # noqa: S608
    row = db.execute(query, values).fetchone()
    return str(row[0]) if row else ""
