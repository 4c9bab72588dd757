"""What a report computes with: scores, times and statuses of many rows, one array a column.

To add a column: a field of :class:`ScoreColumns` and a line of the same name in :data:`SCORE_TABLE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["SCORE_SQL", "ScoreColumns", "score_columns"]


class ScoreColumns(msgspec.Struct, frozen=True, kw_only=True):
    """One array a column, all of the same length, in the order of ``started_ns``."""

    started_ns: NDArray[np.int64]
    delta_s: NDArray[np.float64]
    """NaN where there is no score."""
    anchored: NDArray[np.float64]
    """NaN where there is no score."""
    fact_flip: NDArray[np.bool_]
    citation_match: NDArray[np.float64]
    """NaN where neither side cites."""
    index_agrees: NDArray[np.float64]
    """1 or 0; NaN where it is not known."""
    state: NDArray[np.str_]
    reason: NDArray[np.str_]
    """Empty where the shadow answered."""
    prod_status: NDArray[np.int64]
    status: NDArray[np.int64]
    """The shadow's; 0 where it did not answer."""
    prod_ttfb_ns: NDArray[np.int64]
    prod_ns: NDArray[np.int64]
    shadow_ttfb_ns: NDArray[np.int64]
    shadow_ns: NDArray[np.int64]
    embedder: NDArray[np.str_]
    group: NDArray[np.int64]
    """The paraphrase group; -1 where there is none."""
    group_seen: NDArray[np.int64]
    prod_lambda: NDArray[np.str_]
    shadow_lambda: NDArray[np.str_]
    prod_flip: NDArray[np.bool_]
    flip: NDArray[np.bool_]
    trend: NDArray[np.str_]
    structured: NDArray[np.bool_]
    """Whether both answers are JSON and were compared by structure."""
    judge: NDArray[np.str_]
    """The judge's verdict; empty where it gave none."""
    rounds: NDArray[np.int64]
    """Requests sent for the answer: more than one where tool calls were stubbed."""

    def __len__(self) -> int:
        return len(self.started_ns)


def _ints(values: Sequence[Any]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _reals(values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _texts(values: Sequence[Any]) -> NDArray[np.str_]:
    return np.array(values, dtype=np.str_)


def _bools(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.array(values, dtype=np.bool_)


class _Score(NamedTuple):
    field: str
    sql: str
    array: Callable[[Sequence[Any]], NDArray[Any]]


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
)
SCORE_SQL = ", ".join(score.sql for score in SCORE_TABLE)


def score_columns(rows: Sequence[Sequence[Any]]) -> ScoreColumns:
    """Rows of :data:`SCORE_SQL` as arrays."""
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [() for _ in SCORE_TABLE]
    return ScoreColumns(
        **{score.field: score.array(values) for score, values in zip(SCORE_TABLE, columns, strict=True)}
    )
