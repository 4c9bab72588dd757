"""Which rows are read and in which order, as SQL.

Invariant: what comes from outside goes in as a value, never into the text of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from .engine import Dialect
from .rows import BODY_COLUMNS, PAIR_COLUMNS
from .tallies import without_routes

__all__ = ["Order", "pairs_query", "selected"]

Order = Literal["time", "newest", "worst", "flipped", "refused"]

_ORDERS: dict[Order, str] = {
    "time": "started_ns, id",
    "newest": "started_ns DESC, id DESC",
    # A contradicted fact is worse than any distance: cosine calls "Paris" and "Lyon" near.
    "worst": "fact_flip DESC, delta_s IS NULL, delta_s DESC, id",
    "flipped": "prod_flip, started_ns DESC, id DESC",
    "refused": "started_ns DESC, id DESC",
}
_ONLY = {"flipped": "lambda_flip = 1", "refused": "status >= 400 AND prod_status < 400"}
"""Orders of some rows alone."""


def selected(
    since_ns: int | None, shadow: str | None, without: Sequence[str] = (), *, dialect: Dialect | None = None
) -> tuple[str, tuple[Any, ...]]:
    """The condition, or nothing, and its values. ``without`` asks for the ``dialect``."""
    parts: list[str] = []
    values: list[Any] = []
    if since_ns is not None:
        parts.append("started_ns >= ?")
        values.append(since_ns)
    if shadow is not None:
        parts.append("shadow = ?")
        values.append(shadow)
    if without and dialect is not None:
        parts.append(without_routes(without, dialect))
        values.extend(without)
    return ("WHERE " + " AND ".join(parts) if parts else ""), tuple(values)


def pairs_query(
    since_ns: int | None,
    shadow: str | None,
    order: Order,
    *,
    with_bodies: bool,
    only_kept: bool,
    dialect: Dialect,
    at: Sequence[int] | None = None,
) -> tuple[str, tuple[Any, ...]]:
    """The query of :meth:`.SqliteStore.iter_pairs`, but for the value of its limit; ``at``: of rows of these times
    alone, in ns. Raises ValueError for an order that is none."""
    if order not in _ORDERS:
        raise ValueError(f"order = {order!r}: use one of {', '.join(_ORDERS)}")
    where, values = selected(since_ns, shadow)
    if only := _ONLY.get(order):
        where = f"{where} AND {only}" if where else f"WHERE {only}"
    if at is not None:
        here = f"started_ns IN ({', '.join('?' * len(at))})" if at else "1 = 0"
        where, values = f"{where} AND {here}" if where else f"WHERE {here}", (*values, *at)
    columns = [f"pairs.{name}" for name in ("id", "stored_ns", *PAIR_COLUMNS)]
    if with_bodies:
        columns += [f"bodies.{name}" for name in BODY_COLUMNS]
    join = dialect.beside if with_bodies else ""
    if only_kept:
        # By the number alone: for some hundred rows a look into each partition's key costs less than reading one whole.
        join = "JOIN bodies ON bodies.pair = pairs.id"
    return f"SELECT {', '.join(columns)} FROM pairs {join} {where} ORDER BY {_ORDERS[order]} LIMIT ?", values  # noqa: S608
