"""Retention in PostgreSQL: see :mod:`.pruning`, whose rules it keeps.

What is too old goes by whole days, with the partition that a day's rows are in (:mod:`.postgres_days`), so that it
costs no delete of a row and gives the space back: a row stays until the last one of its day may go. Rows that are in no
day's partition, that are too old for the others of their day, or that are too many, go in bounded batches.

Invariants: as there; the leader alone deletes (:mod:`.leader`), each step under its token, and the others leave it to
that one. A mark that is said while its row goes is kept. A partition is detached first, with its marks copied in the
same transaction; then it is nobody's, and its tables are dropped with what is counted of them in a second one. A leader
that dies between both leaves tables that the next one drops.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from ..errors import DeposedError
from .leader import Leader
from .postgres_database import PostgresDatabase
from .postgres_days import BEFORE, DAY_NS, Days, Partition
from .pruning import KEEP_NS, Retention, delete_sums

__all__ = ["bytes_held", "prune_tables"]

_DELETE_ROWS = 1000
_KEPT = "shadow_id, shadow, started_ns, fact_flip, delta_s, mark"
_SAID = "ON CONFLICT (shadow, shadow_id) DO UPDATE SET mark = excluded.mark"
_BODIES = (
    "DELETE FROM bodies_{} AS bodies USING oldest WHERE bodies.pair = oldest.id "
    "RETURNING coalesce(octet_length(packed), 0) AS size"
)
_DELETE = (
    "WITH oldest AS (SELECT id FROM pairs_{name} WHERE {where} ORDER BY started_ns LIMIT ?), "  # noqa: S608
    f"thick AS ({_BODIES.format('{name}')}), elsewhere AS ({{elsewhere}}), "
    "chosen AS (DELETE FROM exemplars USING oldest WHERE exemplars.pair = oldest.id), "
    "gone AS (DELETE FROM pairs_{name} AS pairs USING oldest WHERE pairs.id = oldest.id "
    f"RETURNING {_KEPT}, bytes), "
    f"said AS (INSERT INTO marks ({_KEPT}) SELECT {_KEPT} FROM gone WHERE mark <> '' {_SAID}) "
    "SELECT count(*), coalesce(sum(bytes), 0) + (SELECT coalesce(sum(size), 0) FROM thick) "
    "+ (SELECT coalesce(sum(size), 0) FROM elsewhere) FROM gone"
)
_NONE = "SELECT 0 AS size WHERE false"
_STRAYS = (
    "SELECT CAST(CAST(tableoid AS regclass) AS text) FROM pairs WHERE started_ns < ? AND stored_ns < ? "
    "ORDER BY started_ns LIMIT 1"
)
_DROP_BODIES = (
    "WITH gone AS (DELETE FROM bodies WHERE pair IN (SELECT pair FROM bodies ORDER BY pair LIMIT ?) "
    "RETURNING coalesce(octet_length(packed), 0) AS size) SELECT count(*), coalesce(sum(size), 0) FROM gone"
)
# Of rows that a worker of the release before deleted, or that have lost their bodies.
_LOST_EXEMPLARS = "DELETE FROM exemplars WHERE NOT EXISTS (SELECT FROM bodies WHERE bodies.pair = exemplars.pair)"
_OLD_MARKS = "DELETE FROM meta WHERE key LIKE 'write_mark:%' AND CAST(split_part(value, ' ', 1) AS BIGINT) < ?"
_MARKS_KEPT_NS = 7 * 24 * 3_600 * 10**9
_VACUUM_WAIT = "5s"
_LOCK_WAIT = "500ms"
"""Who reads or writes waits behind who waits for them, so this is short; a day that is read just now goes later."""
_LEFT = "left_"
"""What the tables of a detached partition are named before their drop."""
_LEFT_BEHIND = (
    "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) AND relkind = 'r' "  # noqa: S608
    f"AND starts_with(relname, '{_LEFT}pairs_')"
)
_NEWEST = "SELECT (SELECT max(started_ns) FROM {0}), (SELECT stored_ns FROM {0} ORDER BY id DESC LIMIT 1)"
_PAGES = 1 << 15
"""So many pages of a table are looked at in one query: 256 MiB."""
_SUMS = (("pairs", "count(*), coalesce(sum(bytes), 0)"), ("bodies", "0, coalesce(sum(octet_length(packed)), 0)"))
_ELSEWHERE = (
    f"WITH gone AS (DELETE FROM bodies_{BEFORE} USING {{rows}} AS rows WHERE rows.ctid >= CAST(? AS tid) "  # noqa: S608
    f"AND rows.ctid < CAST(? AS tid) AND bodies_{BEFORE}.pair = rows.id "
    f"RETURNING coalesce(octet_length(bodies_{BEFORE}.packed), 0) AS size) SELECT coalesce(sum(size), 0) FROM gone"
)


def prune_tables(db: PostgresDatabase, allowed: Retention, epoch: str, leader: Leader, days: Days, wall_ns: int) -> int:
    """Delete what is not allowed, where this worker leads, and make the partitions of days to come; returns how many
    rows are gone. Raises :class:`psycopg.Error`."""
    deleted = 0
    if not leader.take():
        return deleted
    try:
        if days.make_ahead(wall_ns):  # once a day
            with leader.deed():
                db.execute(_LOST_EXEMPLARS)
        for n in _pruned(db, allowed, epoch, leader, days):
            deleted += n
    except DeposedError:
        pass  # its successor goes on
    return deleted


def _pruned(db: PostgresDatabase, allowed: Retention, epoch: str, leader: Leader, days: Days) -> Iterator[int]:
    """Rows of each step."""
    stored_before = allowed.now_ns - KEEP_NS
    oldest = allowed.now_ns - allowed.max_age_ns
    for (name,) in db.execute(_LEFT_BEHIND).fetchall():
        yield _drop(db, leader, str(name).removeprefix(f"{_LEFT}pairs_"))
    for one in days.all():
        if one.until_ns is None:
            yield from _batches(db, leader, one.name, "started_ns < ? AND stored_ns < ?", (oldest, stored_before))
        elif one.until_ns <= oldest and _detach(db, leader, one.name, stored_before, oldest):
            yield _drop(db, leader, one.name)
    strays = (oldest - DAY_NS, stored_before)
    while found := db.execute(_STRAYS, strays).fetchone():
        name = str(found[0]).removeprefix("pairs_")
        yield from _batches(db, leader, name, "started_ns < ? AND stored_ns < ?", strays)
    yield from _shrunk(db, allowed.max_bytes, stored_before, leader, days)
    with leader.deed():
        delete_sums(db, allowed, epoch)
        db.execute(_OLD_MARKS, (allowed.now_ns - _MARKS_KEPT_NS,))


def _shrunk(db: PostgresDatabase, max_bytes: int, stored_before: int, leader: Leader, days: Days) -> Iterator[int]:
    """The oldest rows, until what is kept is not too much; then the oldest bodies of rows that must stay."""
    for one in days.all():
        excess = bytes_held(db) - max_bytes
        if excess <= 0:
            return
        if one.until_ns is not None and _on_disk(db, one) <= excess and _detach(db, leader, one.name, stored_before):
            yield _drop(db, leader, one.name)
            continue
        for n in _batches(db, leader, one.name, "stored_ns < ?", (stored_before,)):
            yield n
            if bytes_held(db) <= max_bytes:
                return
    while bytes_held(db) > max_bytes and _delete(db, leader, _DROP_BODIES, ()):
        yield 0


def _batches(db: PostgresDatabase, leader: Leader, name: str, where: str, values: tuple[Any, ...]) -> Iterator[int]:
    elsewhere = _NONE if name == BEFORE else _BODIES.format(BEFORE)
    query = _DELETE.format(name=name, where=where, elsewhere=elsewhere)
    while n := _delete(db, leader, query, values):
        yield n


def _delete(db: PostgresDatabase, leader: Leader, query: str, values: tuple[Any, ...]) -> int:
    with leader.deed():
        rows, size = db.execute(query, (*values, _DELETE_ROWS)).fetchone()
        db.hold(-int(size))
    return int(rows)


def _detach(db: PostgresDatabase, leader: Leader, name: str, stored_before: int, oldest: int | None = None) -> bool:
    """Take a day's rows out of what is read and written, if all of them may go and nobody reads for long just now."""
    pairs, bodies = f"pairs_{name}", f"bodies_{name}"
    try:
        with leader.deed():
            # A vacuum of these tables gives way after a second, while nobody waits.
            db.execute("SELECT set_config('lock_timeout', ?, true)", (_VACUUM_WAIT,))
            db.execute(f"LOCK TABLE {pairs}, {bodies} IN SHARE UPDATE EXCLUSIVE MODE")
            db.execute("SELECT set_config('lock_timeout', ?, true)", (_LOCK_WAIT,))
            db.execute("LOCK TABLE ONLY pairs, ONLY bodies IN ACCESS EXCLUSIVE MODE")
            started, stored = db.execute(_NEWEST.format(pairs)).fetchone()
            if started is not None and (stored >= stored_before or (oldest is not None and started >= oldest)):
                return False
            db.execute(f"INSERT INTO marks ({_KEPT}) SELECT {_KEPT} FROM {pairs} WHERE mark <> '' {_SAID}")  # noqa: S608
            for table, part in (("pairs", pairs), ("bodies", bodies)):
                db.execute(f"ALTER TABLE {table} DETACH PARTITION {part}")
                db.execute(f"ALTER TABLE {part} RENAME TO {_LEFT}{part}")
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _drop(db: PostgresDatabase, leader: Leader, name: str) -> int:
    """Drop the tables of a detached partition: how many rows they had. Nobody else writes to them, so they are counted
    before, some pages at a time."""
    rows = size = 0
    for table, sums in _SUMS:
        for piece in _pieces(db, f"{_LEFT}{table}_{name}"):
            query = f"SELECT {sums} FROM {_LEFT}{table}_{name} WHERE ctid >= CAST(? AS tid) AND ctid < CAST(? AS tid)"  # noqa: S608
            some, kept = db.execute(query, piece).fetchone()
            rows, size = rows + int(some), size + int(kept)
            leader.go_on()
    pairs = f"{_LEFT}pairs_{name}"
    if db.execute(f"SELECT EXISTS (SELECT FROM bodies_{BEFORE})").fetchone()[0]:  # noqa: S608
        for piece in _pieces(db, pairs):
            with leader.deed():
                db.hold(-int(db.execute(_ELSEWHERE.format(rows=pairs), piece).fetchone()[0]))
    with leader.deed():
        if db.execute("SELECT to_regclass(?)", (pairs,)).fetchone()[0] is None:
            return 0  # a leader before this one has dropped it since
        db.execute(f"DELETE FROM exemplars WHERE pair IN (SELECT id FROM {pairs})")  # noqa: S608
        db.hold(-size)
        db.execute(f"DROP TABLE {pairs}, {_LEFT}bodies_{name}")
    return rows


def _pieces(db: PostgresDatabase, table: str) -> Iterator[tuple[str, str]]:
    """The pages of a table, some at a time."""
    query = "SELECT pg_relation_size(CAST(? AS regclass)) / CAST(current_setting('block_size') AS BIGINT)"
    for first in range(0, int(db.execute(query, (table,)).fetchone()[0]), _PAGES):
        yield f"({first},0)", f"({first + _PAGES},0)"


def _on_disk(db: PostgresDatabase, one: Partition) -> int:
    """Bytes of a partition's tables, their indexes and what is free in them: no less than what is held of its rows."""
    query = "SELECT pg_total_relation_size(CAST(? AS regclass)) + pg_total_relation_size(CAST(? AS regclass))"
    return int(db.execute(query, (f"pairs_{one.name}", f"bodies_{one.name}")).fetchone()[0])


def bytes_held(db: PostgresDatabase) -> int:
    """Bytes of the rows that are kept, with their bodies and their part of the indexes; what is free inside the tables
    is not counted."""
    return int(db.execute("SELECT coalesce(sum(bytes), 0) FROM held").fetchone()[0])
