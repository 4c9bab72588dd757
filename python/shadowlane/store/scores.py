"""Rows of the store as :class:`~shadowlane.columns.ScoreColumns`, one array a column.

To add a column: a field of the record and a line of the same name in :data:`SCORE_TABLE`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns, Texts
from .engine import Database

__all__ = ["hash_of", "joined_columns", "rows_beside", "rows_of", "score_columns", "score_rows", "taken"]

_ROWS_AT_ONCE = 4096
"""Rows as Python objects take some twenty times the room of the arrays that they become."""
_KEYS_A_QUERY = 500


def _ints(values: Sequence[Any]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _reals(values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)  # None becomes NaN


_texts = Texts.of


def _bools(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.array(values, dtype=np.bool_)


def _hashes(values: Sequence[Any]) -> NDArray[np.int64]:
    """62 bits of each text, -1 for an empty one: numbers tell equal texts from others, at a tenth of the memory."""
    return np.array([hash_of(value) if value else -1 for value in values], dtype=np.int64)


def hash_of(value: str) -> int:
    """Of an exchange or a request what stands in :class:`~shadowlane.columns.ScoreColumns`."""
    return int.from_bytes(hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=8).digest(), "little") >> 2


class _Score(NamedTuple):
    field: str
    sql: str
    array: Callable[[Sequence[Any]], Any]
    """An array (n,), or :class:`~shadowlane.columns.Texts`."""


SCORE_TABLE: tuple[_Score, ...] = (
    _Score("started_ns", "started_ns", _ints),
    _Score("delta_s", "delta_s", _reals),
    _Score("anchored", "anchored", _reals),
    _Score("fact_flip", "fact_flip", _bools),
    _Score("citation_match", "citation_match", _reals),
    _Score("index_agrees", "index_agrees", _reals),
    _Score("state", "state", _texts),
    _Score("reason", "reason", _texts),
    _Score("prod_status", "prod_status", _ints),
    _Score("status", "status", _ints),
    _Score("prod_ttfb_ns", "prod_ttfb_ns", _ints),
    _Score("prod_ns", "prod_ns", _ints),
    _Score("shadow_ttfb_ns", "shadow_ttfb_ns", _ints),
    _Score("shadow_ns", "shadow_ns", _ints),
    _Score("embedder", "embedder", _texts),
    _Score("group", "coalesce(group_id, -1)", _ints),
    _Score("group_seen", "coalesce(group_seen, 0)", _ints),
    _Score("prod_lambda", "prod_lambda", _texts),
    _Score("shadow_lambda", "shadow_lambda", _texts),
    _Score("prod_flip", "prod_flip", _bools),
    _Score("flip", "lambda_flip", _bools),
    _Score("trend", "trend", _texts),
    _Score("structured", "differences IS NOT NULL", _bools),
    _Score("judge", "judge", _texts),
    _Score("rounds", "rounds", _ints),
    _Score("missing", "missing", _reals),
    _Score("extra", "extra", _reals),
    _Score("unread", "unread", _texts),
    _Score("exchange", "shadow_id", _hashes),
    _Score("request", "req_hash", _hashes),
    _Score("strange_calls", "strange_calls", _ints),
    _Score("collapse", "collapse", _texts),
    _Score("prod_collapse", "prod_collapse", _texts),
    _Score("waited_ns", "waited_ns", _ints),
    _Score("tries", "tries", _ints),
    _Score("tokens", "answer_tokens", _reals),
    _Score("prod_tokens", "prod_tokens", _reals),
    _Score("cost", "answer_cost", _reals),
    _Score("prod_cost", "prod_cost", _reals),
    _Score("cache_served", "cache_served", _bools),
    _Score("coverage", "coverage", _reals),
    _Score("retrieved", "retrieved", _reals),
    _Score("prod_retrieved", "prod_retrieved", _reals),
    _Score("prod_citation_match", "prod_citation_match", _reals),
    _Score("prod_coverage", "prod_coverage", _reals),
    _Score("prod_strange_calls", "coalesce(prod_strange_calls, -1)", _ints),
)
_SQL = ", ".join(score.sql for score in SCORE_TABLE)
_SHADOW_ID = [score.field for score in SCORE_TABLE].index("exchange")
Row = tuple[Any, ...]


def score_rows(db: Database, where: str, values: tuple[Any, ...]) -> Iterator[list[Row]]:
    """Rows of the columns of :data:`SCORE_TABLE` in the order of time, some at a time."""
    cursor = db.stream(f"SELECT {_SQL} FROM pairs {where} ORDER BY started_ns, id", values)  # noqa: S608
    try:
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows
    finally:
        cursor.close()


def rows_beside(db: Database, rows: Sequence[Row], shadow: str) -> list[Row]:
    """The rows of another shadow with the same ``shadow_id`` as ``rows``, in any order."""
    return rows_of(db, [row[_SHADOW_ID] for row in rows], shadow)


def rows_of(db: Database, ids: Sequence[str], shadow: str) -> list[Row]:
    """A shadow's rows of these ``shadow_id``, in any order."""
    found: list[Row] = []
    for start in range(0, len(ids), _KEYS_A_QUERY):
        some = ids[start : start + _KEYS_A_QUERY]
        marks = ", ".join("?" * len(some))
        query = f"SELECT {_SQL} FROM pairs WHERE shadow_id IN ({marks}) AND shadow = ?"  # noqa: S608
        found += db.execute(query, (*some, shadow)).fetchall()
    return found


def score_columns(rows: Sequence[Row]) -> ScoreColumns:
    """Rows of the columns of :data:`SCORE_TABLE` as arrays."""
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [() for _ in SCORE_TABLE]
    return ScoreColumns(
        **{score.field: score.array(values) for score, values in zip(SCORE_TABLE, columns, strict=True)}
    )


def taken(columns: ScoreColumns, rows: NDArray[np.bool_]) -> ScoreColumns:
    """Only these rows (n,)."""
    return ScoreColumns(**{score.field: getattr(columns, score.field)[rows] for score in SCORE_TABLE})


def joined_columns(parts: Iterable[ScoreColumns]) -> ScoreColumns:
    """Several pieces one after the other, in their order. A column's pieces are freed before the next is joined."""
    pieces: dict[str, list[Any]] = {score.field: [] for score in SCORE_TABLE}
    for part in parts:
        for field, arrays in pieces.items():
            arrays.append(getattr(part, field))
    if not pieces["started_ns"]:
        return score_columns([])
    return ScoreColumns(**{score.field: _joined(pieces.pop(score.field)) for score in SCORE_TABLE})


def _joined(arrays: list[Any]) -> Any:
    return Texts.joined(arrays) if isinstance(arrays[0], Texts) else np.concatenate(arrays)
