"""The store on PostgreSQL, for lanes of several hosts: written by each host's worker, read by anybody.

A batch is copied into a temporary table and inserted from there, so that it takes a few exchanges with the server
however many rows it has. Invariants: those of :mod:`.base`; :meth:`PostgresStore.save` returns after the commit. Where
a connection is lost while the server commits, nobody knows the outcome: the batch is stored again, and rows and counts
of a batch that was committed are left alone. A server that lost what it had committed (restored from a copy, or a
standby that had not got it) is told apart when the connection is made again
(:class:`~shadowlane.errors.StoreLostError`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec
import psycopg

from ..errors import StoreLostError
from ..types import Pair
from .base import SET_META, Row, Store
from .leader import RETENTION, Leader
from .postgres_database import Address, Connection, PostgresDatabase, clean
from .postgres_days import DayGoneError, Days
from .postgres_pruning import bytes_held, prune_tables
from .postgres_schema import identity, prepare_tables
from .pruning import Retention
from .rows import PAIR_COLUMNS

__all__ = ["PostgresStore"]

_COLUMNS = ("route", "bytes", *PAIR_COLUMNS)
_NAMES = ", ".join(_COLUMNS)
_INCOMING = (
    f"CREATE TEMPORARY TABLE incoming ON COMMIT DELETE ROWS AS SELECT id AS nth, {_NAMES} FROM pairs WITH NO DATA"  # noqa: S608
)
_TYPES = (
    "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'pg_temp.incoming'::regclass "
    "AND attnum > 0 ORDER BY attnum"
)
_INSERT = (
    f"INSERT INTO pairs (stored_ns, {_NAMES}) SELECT ?, {_NAMES} FROM pg_temp.incoming ORDER BY nth "  # noqa: S608
    "ON CONFLICT (shadow_id, shadow) DO NOTHING RETURNING id, shadow_id, shadow"
)
_ROW_BYTES = 700
"""What a row takes beside its texts: its numbers, its head, and its part of the indexes (docs/operate/postgres.md)."""
_DIFFERENCES = PAIR_COLUMNS.index("differences")
_KEY = tuple(PAIR_COLUMNS.index(name) for name in ("shadow_id", "shadow"))
_MOST_PENDING = 1000
_DAY_NS = 24 * 3_600 * 10**9


class PostgresStore(Store):
    """Pairs and counters in one schema of a database."""

    _db: PostgresDatabase

    def __init__(
        self,
        address: Address,
        *,
        max_age_ns: int,
        max_bytes: int,
        keep_bodies: Literal["all", "reservoir", "none"] = "all",
        exemplars: int = 20,
        read_only: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self._identity = ""
        self._mark_key = f"write_mark:{secrets.token_hex(8)}"
        self._mark = ""
        """Of the last commit that was acknowledged."""
        self._pending: list[str] = []
        """Of those after it whose outcome nobody told: each of them may be committed, even later."""
        self._marked_ns = 0
        self._types: list[str] = []
        self._size = 0
        self._ids: dict[int, str] = {}
        """The ``shadow_id`` of each row of this batch, by its number."""
        db = PostgresDatabase(address, self._prepare, read_only=read_only)
        self._days = Days(db, max_age_ns)
        try:
            with db.explained("open"):
                db.open()
            super().__init__(
                db,
                max_age_ns=max_age_ns,
                max_bytes=max_bytes,
                keep_bodies=keep_bodies,
                exemplars=exemplars,
                read_only=read_only,
                clock_ns=clock_ns,
                stop=stop,
            )
        except BaseException:
            db.close()
            raise

    def close(self) -> None:
        """See :meth:`.Store.close`. Other workers lead at once."""
        for leader in self.leaders.values():
            leader.resign()
        super().close()

    def leader(self, task: str) -> Leader:
        """See :meth:`.Store.leader`."""
        if task not in self.leaders:
            self.leaders[task] = Leader(self._db, task)
        return self.leaders[task]

    def _prepare(self, db: PostgresDatabase, connection: Connection, again: bool) -> None:
        """A new connection: the first, or one in the stead of one that was lost."""
        if not again:
            prepare_tables(db, connection)
            self._identity = identity(connection)
        else:
            self._check_identity(db, connection)
        if not db.read_only:
            connection.execute(_INCOMING.encode())
            self._types = [name for (name,) in connection.execute(_TYPES.encode())]

    def _check_identity(self, db: PostgresDatabase, connection: Connection) -> None:
        there = connection.execute("SELECT to_regclass('meta') IS NOT NULL").fetchone() == (True,)
        if not there or identity(connection) != self._identity:
            raise StoreLostError(
                f"{db.address.shown}: the lane's tables were dropped or replaced while they were open; nothing is "
                "acknowledged that is not in them. A new worker opens what is there now"
            )
        row = connection.execute("SELECT value FROM meta WHERE key = %s", (self._mark_key,)).fetchone()
        mark = str(row[0]) if row else ""
        lately = self._clock_ns() - self._marked_ns < _DAY_NS  # older marks are deleted
        if mark != self._mark and mark not in self._pending and lately:
            raise StoreLostError(
                f"{db.address.shown}: what was committed is not there any more: the server was restored from a copy, "
                "or a standby took over that had not got it; see Failover in docs/operate/postgres.md. A new worker "
                "opens what is there"
            )

    def save(self, pairs: Sequence[Pair]) -> int:
        """See :meth:`.Store.save`."""
        ids = [clean([pair.copy.shadow_id])[0] for pair in pairs]
        try:
            self._make_days(ids)
            try:
                return super().save(pairs)
            except DayGoneError:  # rows so old that retention has dropped their day meanwhile
                self._size = 0
                self._days.forget()
                self._make_days(ids)
                return super().save(pairs)
        finally:
            self._size = 0
            self._ids.clear()

    def _make_days(self, ids: Sequence[str]) -> None:
        with self._db.explained("make a day's tables"):
            self._days.make_for(ids)

    def _insert(self, now: int, pairs: Sequence[Pair], rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
        self._db.account = self._epoch
        if self._exemplars is not None:
            # The sample is all hosts': what another one has changed since is read anew.
            self._db.execute("SELECT pg_advisory_xact_lock(?, ?)", self._db.lock("exemplars"))
            self._exemplars.forget()
        sizes = [_ROW_BYTES + sum(len(value) for value in thin if isinstance(value, str)) for thin in rows]
        self._db.copy(
            f"pg_temp.incoming (nth, {_NAMES})",
            self._types,
            (
                (at, _text(pair.copy.route), size, *_readable(thin))
                for at, (pair, thin, size) in enumerate(zip(pairs, rows, sizes, strict=True))
            ),
        )
        first: dict[tuple[str, str], int] = {}
        for at, thin in enumerate(rows):
            shadow_id, shadow = clean([thin[place] for place in _KEY])
            first.setdefault((shadow_id, shadow), at)
        try:
            stored = self._db.execute(_INSERT, (now,)).fetchall()
        except psycopg.errors.CheckViolation:  # no other check is there: "no partition of relation found for row"
            raise DayGoneError from None
        for row, shadow_id, shadow in stored:
            at = first[shadow_id, shadow]
            self._size += sizes[at]
            self._ids[row] = shadow_id
            yield at, row

    def _put_bodies(self, kept: Sequence[tuple[int, tuple[bytes, ...]]]) -> None:
        if kept:
            packed = [(row, self._ids[row], thick[-1]) for row, thick in kept]
            self._db.copy("bodies (pair, shadow_id, packed)", ("bigint", "text", "bytea"), packed)
            self._size += sum(len(value) for *_, value in packed)

    def _finish_batch(self) -> None:
        self._db.hold(self._size)
        self._size = 0
        self._marked_ns = self._clock_ns()
        mark = f"{self._marked_ns} {secrets.token_hex(8)}"
        self._pending = [*self._pending[-_MOST_PENDING:], mark]
        self._db.execute(SET_META, (self._mark_key, mark))

    def _committed(self) -> None:
        self._mark, self._pending = self._pending[-1], []

    def check(self) -> None:
        """A connection that was made again is checked where it is made; one that was not is the same server."""

    def _prune(self, allowed: Retention) -> int:
        self._db.account = self._epoch
        return prune_tables(self._db, allowed, self._epoch, self.leader(RETENTION), self._days, self._clock_ns())

    def _hold(self, size: int) -> None:
        self._db.account = self._epoch
        self._db.hold(size)

    def bytes_used(self) -> int:
        """See :func:`.postgres_pruning.bytes_held`."""
        with self._db.explained("read"):
            return bytes_held(self._db)


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _readable(thin: Sequence[Any]) -> list[Any]:
    """A row whose JSON PostgreSQL can take texts out of: they hold no NUL."""
    values = list(thin)
    found = values[_DIFFERENCES]
    if found is not None and "\\u0000" in found:
        places = msgspec.json.decode(found, type=list[list[str]])
        values[_DIFFERENCES] = msgspec.json.encode([clean(place) for place in places]).decode()
    return values
