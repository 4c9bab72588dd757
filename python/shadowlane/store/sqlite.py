"""The embedded store: one SQLite file (https://sqlite.org/wal.html), written by the worker, read by anybody.

A process opens a file for writing once: the check of the file at its opening would drop the first one's locks, and the
next reader would take the write-ahead log away from under it. A process that is killed loses nothing that
:meth:`SqliteStore.save` returned for; a power cut may cost the last commits (``synchronous=NORMAL``), never the file's
consistency.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from ..types import Pair
from .base import SET_META, Row, Store
from .identity import MARK, FileIdentity
from .pruning import Retention, bytes_used, prune
from .rows import BODY_COLUMNS, PAIR_COLUMNS
from .schema import connect
from .sqlite_database import SqliteDatabase

__all__ = ["SqliteStore"]

_INSERT_PAIR = (
    f"INSERT INTO pairs (stored_ns, {', '.join(PAIR_COLUMNS)}) VALUES (?{', ?' * len(PAIR_COLUMNS)}) "  # noqa: S608
    "ON CONFLICT (shadow_id, shadow) DO NOTHING"
)
_INSERT_BODIES = f"INSERT INTO bodies (pair, {', '.join(BODY_COLUMNS)}) VALUES (?{', ?' * len(BODY_COLUMNS)})"  # noqa: S608


class SqliteStore(Store):
    """Pairs and counters in one file."""

    _db: SqliteDatabase

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_age_ns: int,
        max_bytes: int,
        keep_bodies: Literal["all", "reservoir", "none"] = "all",
        exemplars: int = 20,
        read_only: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.path = Path(path)
        db = connect(self.path, read_only=read_only)
        self._identity = None if read_only else FileIdentity(self.path)
        self._mark = ""
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

    def close(self) -> None:
        if self._identity is not None:
            self._identity.close()
        super().close()

    def _insert(self, now: int, pairs: Sequence[Pair], rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
        cursor = self._db.cursor()
        for at, thin in enumerate(rows):
            cursor.execute(_INSERT_PAIR, (now, *thin))
            if cursor.rowcount == 1 and cursor.lastrowid is not None:
                yield at, cursor.lastrowid

    def _put_bodies(self, kept: Sequence[tuple[int, tuple[bytes, ...]]]) -> None:
        self._db.executemany(_INSERT_BODIES, [(row, *thick) for row, thick in kept])

    def _finish_batch(self) -> None:
        self._mark = secrets.token_hex(8)
        self._db.execute(SET_META, (MARK, self._mark))

    def _committed(self) -> None:
        self.check()

    def check(self) -> None:
        if self._identity is not None:
            self._identity.check(self._mark)

    def _prune(self, allowed: Retention) -> int:
        return prune(self._db, allowed, self._epoch)

    def bytes_used(self) -> int:
        """Bytes of the pages that hold something (the file may be larger until :meth:`prune` shrinks it)."""
        with self._db.explained("read"):
            return bytes_used(self._db)
