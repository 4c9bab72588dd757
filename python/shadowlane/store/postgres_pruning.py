"""Retention in PostgreSQL: see :mod:`.pruning`, whose rules it keeps.

Rows go in bounded batches, and not as partitions of a day: a unique key over a partitioned table must hold the
partition's column, so that ``(shadow_id, shadow)`` alone would not be unique (docs/adr/0022-one-store-two-engines.md).

Invariants: as there; the leader alone deletes (:mod:`.leader`), each batch under its token, and the others leave it to
that one. A mark that is said while its row goes is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import DeposedError
from .leader import Leader
from .postgres_database import PostgresDatabase
from .pruning import KEEP_NS, Retention, delete_sums

__all__ = ["bytes_held", "prune_tables"]

_DELETE_ROWS = 1000
_DELETE = (
    "WITH oldest AS (SELECT id FROM pairs WHERE {where} ORDER BY started_ns LIMIT ?), "
    "thick AS (DELETE FROM bodies USING oldest WHERE bodies.pair = oldest.id "
    "RETURNING coalesce(octet_length(packed), 0) AS size), "
    "gone AS (DELETE FROM pairs USING oldest WHERE pairs.id = oldest.id "
    "RETURNING shadow_id, shadow, started_ns, fact_flip, delta_s, mark, bytes), "
    "said AS (INSERT INTO marks (shadow_id, shadow, started_ns, fact_flip, delta_s, mark) "
    "SELECT shadow_id, shadow, started_ns, fact_flip, delta_s, mark FROM gone WHERE mark <> '' "
    "ON CONFLICT (shadow, shadow_id) DO UPDATE SET mark = excluded.mark) "
    "SELECT count(*), coalesce(sum(bytes), 0) + (SELECT coalesce(sum(size), 0) FROM thick) FROM gone"
)
_DROP_BODIES = (
    "WITH gone AS (DELETE FROM bodies WHERE pair IN (SELECT pair FROM bodies ORDER BY pair LIMIT ?) "
    "RETURNING coalesce(octet_length(packed), 0) AS size) SELECT count(*), coalesce(sum(size), 0) FROM gone"
)
_OLD_MARKS = "DELETE FROM meta WHERE key LIKE 'write_mark:%' AND CAST(split_part(value, ' ', 1) AS BIGINT) < ?"
_MARKS_KEPT_NS = 7 * 24 * 3_600 * 10**9


def prune_tables(db: PostgresDatabase, allowed: Retention, epoch: str, leader: Leader) -> int:
    """Delete what is not allowed, where this worker leads; returns how many rows. Raises :class:`psycopg.Error`."""
    deleted = 0
    if not leader.take():
        return deleted
    try:
        for n in _pruned(db, allowed, epoch, leader):
            deleted += n
    except DeposedError:
        pass  # its successor goes on
    return deleted


def _pruned(db: PostgresDatabase, allowed: Retention, epoch: str, leader: Leader) -> Iterator[int]:
    """Rows of each batch."""
    stored_before = allowed.now_ns - KEEP_NS
    oldest = allowed.now_ns - allowed.max_age_ns
    while n := _delete(db, leader, _DELETE.format(where="started_ns < ? AND stored_ns < ?"), (oldest, stored_before)):
        yield n
    while bytes_held(db) > allowed.max_bytes:
        n = _delete(db, leader, _DELETE.format(where="stored_ns < ?"), (stored_before,))
        if not n and not _delete(db, leader, _DROP_BODIES, ()):
            break
        yield n
    with leader.deed():
        delete_sums(db, allowed, epoch)
        db.execute(_OLD_MARKS, (allowed.now_ns - _MARKS_KEPT_NS,))


def _delete(db: PostgresDatabase, leader: Leader, query: str, values: tuple[Any, ...]) -> int:
    with leader.deed():
        rows, size = db.execute(query, (*values, _DELETE_ROWS)).fetchone()
        db.hold(-int(size))
    return int(rows)


def bytes_held(db: PostgresDatabase) -> int:
    """Bytes of the rows that are kept, with their bodies and their part of the indexes; what is free inside the tables
    is not counted."""
    return int(db.execute("SELECT coalesce(sum(bytes), 0) FROM held").fetchone()[0])
