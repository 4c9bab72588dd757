"""The fleet's record in PostgreSQL: one row, replaced where its version is the one that was read.

A standby that takes over may not have the last writes, and a server without ``fsync`` may lose them when it dies: the
timeline, or the time at which the server started, is another one then, and the hosts see it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..errors import FleetError, MissingExtraError
from .engine import TIMEOUT_S, Stored

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError:
    raise MissingExtraError("fleet.url = postgresql://", "postgres", "psycopg") from None

__all__ = ["PostgresEngine"]

T = TypeVar("T")

_TABLE = (
    "CREATE TABLE IF NOT EXISTS shadowlane_fleet "
    "(name text PRIMARY KEY, version bigint NOT NULL, record bytea NOT NULL)"
)
_LIFE = (
    "(SELECT system_identifier FROM pg_control_system()) || '-' || "
    "left(pg_walfile_name(pg_current_wal_lsn()), 8) || '-' || extract(epoch FROM pg_postmaster_start_time())"
)
# Of constants of this module alone.
_READ = f"SELECT {_LIFE}, f.version, f.record FROM (SELECT 1) AS one LEFT JOIN shadowlane_fleet AS f ON f.name = %s"  # noqa: S608
_INSERT = (
    "INSERT INTO shadowlane_fleet (name, version, record) "
    f"SELECT %s, %s, %s WHERE {_LIFE} = %s ON CONFLICT (name) DO NOTHING"
)
_UPDATE = f"UPDATE shadowlane_fleet SET version = %s, record = %s WHERE name = %s AND version = %s AND {_LIFE} = %s"  # noqa: S608


class PostgresEngine:
    """An :class:`.Engine`. ``url`` is ``postgresql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE[?sslmode=...]``."""

    kind = "postgresql"

    def __init__(self, url: str, name: str) -> None:
        try:
            self._secrets = [str(value) for key, value in conninfo_to_dict(url).items() if "password" in key and value]
        except psycopg.Error:  # libpq quotes what it cannot read
            raise FleetError(
                "postgresql: the address of fleet.url or fleet.url_env cannot be read; write what has a meaning in an "
                "address with its number ('%' in a password: %25)"
            ) from None
        self._url, self._name = url, name
        self._connection: psycopg.Connection[Any] | None = None

    def read(self) -> Stored:
        """See :class:`.Engine`."""
        try:
            row = self._do(lambda connection: connection.execute(_READ, (self._name,)).fetchone())
        except _NoTableError:
            row = self._make_table()
        life, version, data = row or ("", None, None)
        return Stored(bytes(data) if data is not None else None, version, str(life))

    def _make_table(self) -> Any:
        """Make the table, or find it made by another host at the same moment; what is in it."""
        why: FleetError | None = None
        try:
            self._do(lambda connection: connection.execute(_TABLE))
        except FleetError as error:
            why = error
        try:
            return self._do(lambda connection: connection.execute(_READ, (self._name,)).fetchone())
        except _NoTableError as error:
            raise why or error from None

    def swap(self, before: Stored, version: int, data: bytes) -> bool:
        """See :class:`.Engine`."""

        def write(connection: psycopg.Connection[Any]) -> bool:
            with connection.transaction():
                connection.execute("SET LOCAL synchronous_commit = on")
                if before.version is None:
                    done = connection.execute(_INSERT, (self._name, version, data, before.life))
                else:
                    done = connection.execute(_UPDATE, (version, data, self._name, before.version, before.life))
                return done.rowcount == 1

        return self._do(write)

    def notes(self) -> list[str]:
        """See :class:`.Engine`."""
        row = self._do(
            lambda connection: connection.execute(
                "SELECT current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication)"
            ).fetchone()
        )
        names, standbys = row or ("", 0)
        if standbys and not names:
            return [
                "postgresql has standbys and none of them is synchronous: a server that is cut off and its successor "
                "may both give out the whole cap; set synchronous_standby_names, or fence the old server"
            ]
        return []

    def close(self) -> None:
        """See :class:`.Engine`."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _do(self, what: Callable[[psycopg.Connection[Any]], T]) -> T:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, prepare_threshold=None, connect_timeout=int(TIMEOUT_S)
                )
            with _cut_off_after(self._connection, TIMEOUT_S):
                return what(self._connection)
        except psycopg.errors.UndefinedTable:
            raise _NoTableError("postgresql: there is no table shadowlane_fleet") from None
        except (psycopg.Error, OSError) as error:
            self.close()
            text = " ".join(str(error).split())
            for secret in self._secrets:  # should a library say it
                text = text.replace(secret, "***")
            raise FleetError(f"postgresql: {type(error).__name__}: {text[:200]}") from None


class _NoTableError(FleetError):
    """The first host makes it."""


@contextlib.contextmanager
def _cut_off_after(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """libpq waits for an answer for as long as the other side keeps the connection; here it is ended."""
    # Of its own, so that one that is closed meanwhile, and its number given to another, is not touched.
    twin = socket.socket(fileno=os.dup(connection.fileno()))

    def cut() -> None:
        with contextlib.suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        twin.close()
