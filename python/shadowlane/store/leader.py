"""Which worker of several on one PostgreSQL does what is done once for all: retention, and telling each receiver of the
verdict.

The leader of a task holds a lease by the database's clock, under a fencing token that rises with each change of holder.
Invariants: what is done under a token is done in a transaction in which the token was found to be the last one; so
whoever took the lease over finds it done, or it is never done. The lease goes on with each such transaction. A clock
that was set makes a leader early or late, never two that can write.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg

from ..errors import DeposedError, StoreError
from .engine import TimeIsOver
from .postgres_database import PostgresDatabase

__all__ = ["LEASE_S", "RETENTION", "Leader", "Leading"]

LEASE_S = 20.0
RETENTION = "retention"
"""The task of deleting old pairs."""
_KEY, _KEPT = "leader:", "led:"
_LOCK_WAIT, _TAKING, _IDLE = "2s", "5s", "30s"
"""Who stands still within a transaction is cut off by the server, so that another one can take over."""
_RESIGN_S = 2.0
_NOW = "extract(epoch FROM clock_timestamp())"
_NUMBER = "CAST(split_part(meta.value, ' ', 1) AS BIGINT)"
_UNTIL = "CAST(split_part(meta.value, ' ', 2) AS DOUBLE PRECISION)"
_HOLDER = "split_part(meta.value, ' ', 3)"
# An end further ahead than a lease is of a clock that was set back. All of it is made of words of this module.
_TAKE = (
    f"INSERT INTO meta (key, value) VALUES (:key, 1 || ' ' || {_NOW} + :lease || ' ' || :holder || ' ' || :host) "  # noqa: S608
    f"ON CONFLICT (key) DO UPDATE SET value = ({_NUMBER} + CASE WHEN {_HOLDER} = :holder THEN 0 ELSE 1 END) || ' ' || "
    f"{_NOW} + :lease || ' ' || :holder || ' ' || :host "
    f"WHERE {_HOLDER} = :holder OR {_UNTIL} < {_NOW} OR {_UNTIL} > {_NOW} + 2 * :lease RETURNING {_NUMBER}"
)
_GO_ON = (
    f"UPDATE meta SET value = {_NUMBER} || ' ' || {_NOW} + :lease || ' ' || :holder || ' ' || :host "  # noqa: S608
    f"WHERE key = :key AND {_NUMBER} = :token AND {_HOLDER} = :holder"
)
_END = f"UPDATE meta SET value = {_NUMBER} || ' 0 - -' WHERE key = :key AND {_HOLDER} = :holder"  # noqa: S608
_OTHER = (
    f"SELECT 1 FROM meta WHERE key = :key AND {_HOLDER} <> :holder "  # noqa: S608
    f"AND {_UNTIL} BETWEEN {_NOW} AND {_NOW} + 2 * :lease"
)
_LOOK = f"SELECT {_NUMBER}, {_UNTIL} - {_NOW}, {_HOLDER}, split_part(value, ' ', 4) FROM meta WHERE key = :key"  # noqa: S608
_GET = "SELECT value FROM meta WHERE key = ?"
_SET = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class Leading(NamedTuple):
    """Who leads: the last token, the host that holds it, whether that is this worker, and for how many seconds yet."""

    token: int
    host: str
    here: bool
    left_s: float


class Leader:
    """One worker's part in one task. It belongs to the thread of its database."""

    def __init__(
        self,
        db: PostgresDatabase,
        task: str,
        *,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._db = db
        self.task = task
        self._lease_s = lease_s
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._host = "".join(char if char.isprintable() and char != " " else "_" for char in socket.gethostname())
        self._until = -math.inf
        self.token = 0
        """That of this worker's lease; 0: it does not lead, as far as it knows."""

    @property
    def left_s(self) -> float:
        """For how long nobody else can have taken over; counted from before the database was asked."""
        return max(self._until - self._clock(), 0.0) if self.token else 0.0

    def take(self) -> bool:
        """Take the lease, or go on with it; whether this worker leads now. Raises
        :class:`~shadowlane.errors.StoreError`."""
        asked = self._clock()
        with self._db.explained("ask who leads"):
            # Without a lock: whoever leads may be in the middle of a deed.
            other = self._db.execute(_OTHER, self._values()).fetchone()
            row = None if other else self._take()
        self.token = int(row[0]) if row else 0
        self._until = asked + self._lease_s if row else -math.inf
        return bool(row)

    def _take(self) -> Any:
        with self._db.transaction():
            wait = (
                "SELECT set_config('lock_timeout', ?, true), set_config('idle_in_transaction_session_timeout', ?, true)"
            )
            self._db.execute(wait, (_LOCK_WAIT, _TAKING))
            return self._db.execute(_TAKE, self._values()).fetchone()

    def go_on(self) -> None:
        """Hold the lease for longer. Raises as :meth:`keep`."""
        with self._db.explained("go on leading"), self.deed():
            pass

    @contextlib.contextmanager
    def deed(self) -> Iterator[None]:
        """A transaction that is committed under this worker's token. Raises
        :class:`~shadowlane.errors.DeposedError` when another one has led since; then nothing of it is."""
        asked = self._clock()
        with self._db.transaction():
            self._db.execute("SELECT set_config('idle_in_transaction_session_timeout', ?, true)", (_IDLE,))
            if not self.token or self._db.execute(_GO_ON, self._values()).rowcount != 1:
                self.token = 0
                raise DeposedError("another worker leads")
            yield
        self._until = asked + self._lease_s

    def resign(self) -> None:
        """Let another one lead at once. Raises nothing: the lease ends by itself."""
        with contextlib.suppress(psycopg.Error, StoreError, TimeIsOver):
            if self.token:
                with self._db.until(time.monotonic() + _RESIGN_S):
                    self._db.execute(_END, self._values())
        self.token = 0

    def look(self) -> Leading | None:
        """Who leads; ``None``: nobody ever did. Raises :class:`~shadowlane.errors.StoreError`."""
        with self._db.explained("ask who leads"):
            row = self._db.execute(_LOOK, {"key": _KEY + self.task}).fetchone()
        if row is None:
            return None
        token, left_s, holder, host = row
        return Leading(int(token), str(host), holder == self._holder, max(float(left_s), 0.0))

    def kept(self) -> str:
        """What a leader kept for its successors; empty: nothing. Raises :class:`~shadowlane.errors.StoreError`."""
        with self._db.explained("read"):
            row = self._db.execute(_GET, (_KEPT + self.task,)).fetchone()
        return str(row[0]) if row else ""

    def keep(self, value: str, token: int) -> None:
        """Keep it, where ``token`` is still this worker's. Raises :class:`~shadowlane.errors.DeposedError` where it is
        not, and :class:`~shadowlane.errors.StoreError`."""
        if token != self.token:
            raise DeposedError("another worker has led meanwhile")
        with self._db.explained("write"), self.deed():
            self._db.execute(_SET, (_KEPT + self.task, value))

    def _values(self) -> dict[str, object]:
        return {
            "key": _KEY + self.task,
            "lease": self._lease_s,
            "holder": self._holder,
            "host": self._host,
            "token": self.token,
        }
