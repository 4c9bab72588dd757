"""Retention: rows older than the configured age go, then the oldest ones while the file is too large.

Invariants: no row that was stored within :data:`KEEP_NS` is deleted, because a redelivered copy must still meet its key
(redelivery follows a crash of the worker within seconds); counters and what persons said stay; each step is a small
transaction of its own, so that a reader or a writer never waits long, and a process that is killed leaves whole rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .engine import Database
from .sqlite_database import SqliteDatabase

__all__ = ["KEEP_NS", "Retention", "bytes_used", "delete_sums", "prune"]

KEEP_NS = 3_600 * 10**9
"""Rows stored less than this ago are never deleted (their bodies may be, when the file is too large)."""

# What a person said outlives the row: it is counted against what was thought of the pair automatically.
_KEEP_MARKS = (
    "INSERT INTO marks (shadow_id, shadow, started_ns, fact_flip, delta_s, mark) "
    "SELECT shadow_id, shadow, started_ns, fact_flip, delta_s, mark FROM pairs WHERE mark <> '' AND id IN ({oldest}) "
    "ON CONFLICT (shadow, shadow_id) DO UPDATE SET mark = excluded.mark"
)
_DELETE_ROWS = 100
_VACUUM_PAGES = 1000
_MINUTE_NS = 60 * 10**9
_HOUR_NS = 3_600 * 10**9
_SPENT_MINUTES = 2 * 24 * 60
# Where a lane's first row in the window begins stays when it is old, while its lane has newer rows or may get some.
_DELETE_TIMES = (
    "DELETE FROM times WHERE hour < :hour AND ("
    "EXISTS (SELECT 1 FROM times AS t WHERE t.lane_id = times.lane_id AND t.hour < :hour AND t.at_ns > times.at_ns) OR "
    "lane_id <> :lane AND NOT EXISTS (SELECT 1 FROM times AS t WHERE t.lane_id = times.lane_id AND t.hour >= :hour))"
)


class Retention(NamedTuple):
    """What is allowed at a moment."""

    now_ns: int
    max_age_ns: int
    max_bytes: int


def prune(db: SqliteDatabase, allowed: Retention, epoch: str) -> int:
    """Delete what is not allowed, and give the space back to the file system. Returns how many rows were deleted.

    When the rows that may be deleted are not enough, the oldest remaining bodies go, and their rows stay. ``epoch`` is
    the lane's life that may yet write. Raises :class:`sqlite3.Error`.
    """
    stored_before = allowed.now_ns - KEEP_NS
    oldest = allowed.now_ns - allowed.max_age_ns
    deleted = 0
    while n := _delete(db, "started_ns < ? AND stored_ns < ?", (oldest, stored_before)):
        deleted += n
    while bytes_used(db) > allowed.max_bytes:
        n = _delete(db, "stored_ns < ?", (stored_before,))
        if not n and not _drop_bodies(db):
            break
        deleted += n
    with db.transaction():
        delete_sums(db, allowed, epoch)
    _shrink(db)
    return deleted


def delete_sums(db: Database, allowed: Retention, epoch: str) -> None:
    """Delete the sums of old minutes and hours that nothing asks for any more, within a transaction."""
    oldest = allowed.now_ns - allowed.max_age_ns
    db.execute("DELETE FROM spend WHERE minute < ?", (allowed.now_ns // _MINUTE_NS - _SPENT_MINUTES,))
    db.execute(_DELETE_TIMES, {"hour": oldest // _HOUR_NS, "lane": epoch})


def bytes_used(db: SqliteDatabase) -> int:
    """Bytes of the pages that hold something."""
    return (_pragma(db, "page_count") - _pragma(db, "freelist_count")) * _pragma(db, "page_size")


def _delete(db: SqliteDatabase, where: str, values: tuple[Any, ...]) -> int:
    oldest = f"SELECT id FROM pairs WHERE {where} ORDER BY started_ns LIMIT {_DELETE_ROWS}"  # noqa: S608
    with db.transaction():
        db.execute(_KEEP_MARKS.format(oldest=oldest), values)
        return db.execute(f"DELETE FROM pairs WHERE id IN ({oldest})", values).rowcount  # noqa: S608


def _drop_bodies(db: SqliteDatabase) -> int:
    oldest = f"SELECT pair FROM bodies ORDER BY pair LIMIT {_DELETE_ROWS}"  # noqa: S608
    with db.transaction():
        return db.execute(f"DELETE FROM bodies WHERE pair IN ({oldest})").rowcount  # noqa: S608


def _shrink(db: SqliteDatabase) -> None:
    while _pragma(db, "freelist_count") > 0:
        before = _pragma(db, "page_count")
        # The pragma frees pages as it is stepped: unread, it would free one.
        db.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        if _pragma(db, "page_count") >= before:
            break
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pragma(db: SqliteDatabase, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
