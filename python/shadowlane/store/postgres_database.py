"""Connections to PostgreSQL as a :class:`~shadowlane.store.engine.Database`: opened again when they are lost, and ended
when nobody waits for them any more.

Invariants: a transaction is on one connection from its beginning to its end, and is never begun again in the middle;
what is read outside of one is asked once more at most, on a new connection; nothing waits for ever for a server that
does not answer. What an error says holds no password, and quotes nothing of a row.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ..errors import StoreError
from .engine import Cursor, TimeIsOver, Values
from .postgres_dialect import POSTGRES
from .postgres_errors import NoAnswer, explanation, is_unkept

__all__ = ["Address", "Connection", "PostgresDatabase", "clean"]

_PATIENCE_S = 60.0
"""How long one statement may take before its server counts as away. What is read may take :data:`_READING_S`."""
_READING_S = 600.0
_CANCEL_S = 2.0
_ROWS_AT_ONCE = 512
_DEFAULTS: dict[str, Any] = {
    "application_name": "shadowlane",
    "client_encoding": "utf8",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


class Address(NamedTuple):
    """Where a lane's tables are."""

    url: str
    schema: str
    shown: str
    """For people: without parameters."""
    password: Callable[[], str] = str
    """Gives the password; an empty one: as libpq finds it."""
    connect_s: int = 10
    """How long a connection is waited for, in whole seconds, at least 2, where the URL has no ``connect_timeout``."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that looks up from waiting."""

    look: Callable[[], None] | None = None
    """Called some times a second while an answer is waited for; raises to end it."""

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return super().wait(gen if self.look is None else _watched(gen, self.look), *args, **options)


def _watched(waiting: Any, look: Callable[[], None]) -> Generator[Any, Any, Any]:
    """psycopg's generator of what to wait for; it is resumed with 0 when nothing came for a tenth of a second."""
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if not ready:
                look()
            wanted = waiting.send(ready)
    except StopIteration as end:
        return end.value


class _Numeric(psycopg.adapt.Loader):
    """Sums of integers come as ``numeric``: as the integers that they are."""

    def load(self, data: Any) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


class PostgresDatabase:
    """See :class:`.Database`. ``prepare`` is called with the first connection, and with each that replaces it and
    ``again``: it raises when the database is not the one that it was."""

    dialect = POSTGRES

    def __init__(
        self, address: Address, prepare: Callable[[PostgresDatabase, Connection, bool], None], *, read_only: bool
    ) -> None:
        self.address = address
        self.read_only = read_only
        self.account = ""
        """Whose row of ``held`` counts what is kept and dropped."""
        self._prepare = prepare
        self._stop: Callable[[], bool] | None = None
        self._deadline = math.inf
        self._give_up = math.inf
        self._idle: list[Connection] = []
        self._closed = self._within = False

    def open(self) -> None:
        """Raises :class:`psycopg.Error`, and what ``prepare`` raises."""
        self._db = self.connect()
        try:
            self._prepare(self, self._db, False)
        except BaseException:
            self._db.close()
            raise

    # ---- connections

    def connect(self) -> Connection:
        """A new connection in autocommit mode. Raises :class:`psycopg.Error`."""
        wait: dict[str, Any] = {"connect_timeout": self.address.connect_s}
        options: dict[str, Any] = {**_DEFAULTS, **wait, **conninfo_to_dict(self.address.url)}
        if password := self.address.password():
            options["password"] = password
        db = Connection.connect(autocommit=True, **options)
        try:
            db.adapters.register_loader("numeric", _Numeric)
            db.look = self._look
            self._patient()
            schema = '"' + self.address.schema.replace('"', '""') + '"'
            db.execute(
                "SELECT set_config('search_path', %s, false), set_config('jit', 'off', false), "
                "set_config('default_transaction_read_only', %s, false)",
                (schema, "on" if self.read_only else "off"),
            )
            # What is acknowledged must outlive a crash of the server.
            db.execute(
                "SELECT set_config('synchronous_commit', 'local', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
        except BaseException:
            db.close()
            raise
        return db

    def _usable(self) -> Connection:
        if self._closed:
            raise psycopg.InterfaceError("the store is closed")
        if self._db.closed:
            if self._within:
                raise psycopg.OperationalError("the connection was lost in the middle of a transaction")
            self._db = self.connect()
            try:
                self._prepare(self, self._db, True)
            except BaseException:
                self._db.close()
                raise
        return self._db

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        for db in (getattr(self, "_db", None), *self._idle):
            if db is not None:
                db.close()
        self._idle.clear()

    # ---- waiting

    def _patient(self) -> None:
        self._give_up = time.monotonic() + (_READING_S if self.read_only else _PATIENCE_S)

    @contextlib.contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """What is asked of a connection itself may take so long."""
        self._give_up = time.monotonic() + seconds
        try:
            yield
        finally:
            self._patient()

    def _look(self) -> None:
        now = time.monotonic()
        if now > self._deadline:
            raise TimeIsOver
        if self._stop is not None and self._stop():
            raise StoreError(f"{self.address.shown}: cannot read: interrupted: who reads it was told to stop")
        if now > self._give_up:
            raise NoAnswer("the server does not answer")

    def watch(self, stop: Callable[[], bool]) -> None:
        self._stop = stop

    @contextlib.contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        self._deadline = deadline
        try:
            yield
        finally:
            self._deadline = math.inf

    @contextlib.contextmanager
    def _asking(self, db: Connection) -> Iterator[None]:
        """One thing is asked of the server. A connection on which it was left alone is of no use any more."""
        self._patient()
        try:
            yield
        except psycopg.Error:
            if time.monotonic() > self._give_up:  # psycopg's own words of it depend on what was asked
                db.close()
                raise NoAnswer("the server does not answer") from None
            raise
        except (TimeIsOver, StoreError):
            with contextlib.suppress(psycopg.Error):
                db.cancel_safe(timeout=_CANCEL_S)
            db.close()
            raise

    # ---- queries

    def execute(self, query: str, values: Values = (), /) -> Cursor:
        db = self._usable()
        told = _told(query, isinstance(values, Mapping)), clean(values)
        try:
            with self._asking(db):
                return db.execute(*told)
        except psycopg.OperationalError as error:
            if self._within or not db.closed or isinstance(error, NoAnswer):
                raise
        db = self._usable()
        with self._asking(db):
            return db.execute(*told)

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> object:
        some = [clean(row) for row in rows]
        if not some:
            return None
        db = self._usable()
        with self._asking(db), db.cursor() as cursor:
            cursor.executemany(_told(query, False), some)
        return None

    def copy(self, into: str, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write rows into ``TABLE (COLUMNS)``, inside a transaction."""
        db = self._usable()
        with self._asking(db), db.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(clean(row))

    def stream(self, query: str, values: Values = (), /) -> Cursor:
        """On a connection of its own, in a transaction that sees one state."""
        self._usable()
        while True:
            reused = bool(self._idle)
            db = self._idle.pop() if reused else self.connect()
            try:
                with self._asking(db):
                    db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    db.execute(f"DECLARE rows NO SCROLL CURSOR FOR {_told(query, False)}".encode(), clean(values))
            except BaseException as error:
                db.close()
                if not reused or not isinstance(error, psycopg.OperationalError):
                    raise
            else:
                return _Stream(self, db)

    def fetch(self, db: Connection, size: int) -> list[Any]:
        """Some rows of a stream."""
        with self._asking(db):
            self._look()
            return db.execute(f"FETCH FORWARD {size:d} FROM rows".encode()).fetchall()

    def give_back(self, db: Connection) -> None:
        """The connection of a stream that is over."""
        try:
            with self._asking(db):
                db.rollback()
        except (psycopg.Error, StoreError, TimeIsOver):
            db.close()
        if self._closed or db.closed:
            db.close()
        else:
            self._idle.append(db)

    # ---- transactions

    @contextlib.contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[None]:
        self.execute("BEGIN")
        self._within = True
        try:
            if alone:
                self.execute("SELECT pg_advisory_xact_lock(?, ?)", self.lock("meta"))
            yield
            cursor: Any = self.execute("COMMIT")
            if cursor.statusmessage != "COMMIT":
                raise psycopg.OperationalError("the server rolled the transaction back")
        except BaseException as error:
            self._roll_back(error)
            raise
        finally:
            self._within = False

    def _roll_back(self, error: BaseException) -> None:
        db = self._db
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            db.close()  # a server that became a standby: the next connection may find the new primary
        if not db.closed:
            try:
                with self._asking(db):
                    db.rollback()
            except (psycopg.Error, StoreError, TimeIsOver):
                db.close()

    def lock(self, what: str) -> tuple[int, int]:
        """The numbers of an advisory lock of this lane's (https://www.postgresql.org/docs/current/explicit-locking.html,
        Advisory Locks)."""
        number = zlib.crc32(f"{self.address.schema}\x00{what}".encode())
        return 0x53484C4E, number - (1 << 32 if number >> 31 else 0)

    @contextlib.contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if is_unkept(error):
                raise ValueError(f"a value that PostgreSQL does not take ({type(error).__name__})") from None
            text = explanation(error, self.address.password())
            raise StoreError(f"{self.address.shown}: cannot {doing}: {text}") from None

    def drop_bodies(self, pair: int, /) -> None:
        query = "DELETE FROM bodies WHERE pair = ? RETURNING coalesce(octet_length(packed), 0)"
        self.hold(-sum(row[0] for row in self.execute(query, (pair,)).fetchall()))

    def hold(self, size: int) -> None:
        """Count bytes that are kept from this transaction on; below zero: no more."""
        if size:
            add = (
                "INSERT INTO held (lane_epoch, bytes) VALUES (?, ?) "
                "ON CONFLICT (lane_epoch) DO UPDATE SET bytes = held.bytes + excluded.bytes"
            )
            self.execute(add, (self.account, size))


class _Stream:
    """Rows of a query of any size. See :meth:`.Database.stream`."""

    rowcount = -1

    def __init__(self, owner: PostgresDatabase, db: Connection) -> None:
        self._owner, self._db = owner, db
        self._open = True

    def fetchone(self) -> Any:
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int, /) -> list[Any]:
        return self._owner.fetch(self._db, size)

    def fetchall(self) -> list[Any]:
        return list(self)

    def __iter__(self) -> Iterator[Any]:
        while rows := self.fetchmany(_ROWS_AT_ONCE):
            yield from rows

    def close(self) -> None:
        if self._open:
            self._open = False
            self._owner.give_back(self._db)


@functools.lru_cache(1024)
def _told(query: str, named: bool) -> str:
    """A query with psycopg's placeholders."""
    query = query.replace("%", "%%")
    return re.sub(r":(\w+)", r"%(\1)s", query) if named else query.replace("?", "%s")


def clean(values: Values) -> Any:
    """What PostgreSQL keeps: text without NUL, which has ``?`` in its stead, as what is not Unicode has."""
    if isinstance(values, Mapping):
        return values
    return [value.replace("\x00", "?") if isinstance(value, str) and "\x00" in value else value for value in values]
