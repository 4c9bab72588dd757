"""SQLite's connection as a :class:`~shadowlane.store.engine.Database`, and what its errors mean to a person.

Invariant: nothing is between a query and SQLite: the connection itself has the few methods that it lacks.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import StoreError
from .engine import Dialect, TimeIsOver, Values

__all__ = ["SQLITE", "SqliteDatabase", "explained"]

_LOOK_EVERY = 4000
"""Instructions of SQLite's machine between two looks at the clock: some tens of microseconds."""

SQLITE = Dialect(
    route="route_of(method, target)",  # a function of the connection, see .schema
    route_parts="method, target",
    indexed="INDEXED BY {}",
    not_indexed="NOT INDEXED",
    now="((julianday('now') - 2440587.5) * 86400.0)",
    bodies="bodies.pair = pairs.id",
    beside="LEFT JOIN bodies ON bodies.pair = pairs.id",
    differences=(
        "json_extract(difference.value, '$[1]')",
        "json_extract(difference.value, '$[2]')",
        "difference.value",
        "json_each(pairs.differences) AS difference",
    ),
    # Beside max() the other columns are those of the row that has it: https://sqlite.org/lang_select.html#bareagg
    furthest=(
        "SELECT pairs.id, max(10 * fact_flip + coalesce(delta_s, 0)) AS far, count(*) FROM {first} pairs {where} "
        "{also} AND (delta_s IS NOT NULL OR fact_flip = 1) GROUP BY coalesce('group ' || group_id, req_hash) "
        "ORDER BY far DESC, pairs.id LIMIT ?"
    ),
)


class SqliteDatabase(sqlite3.Connection):
    """See :class:`.Database`."""

    dialect = SQLITE
    path = Path()
    _stop: Callable[[], bool] | None = None

    def stream(self, query: str, values: Values = (), /) -> sqlite3.Cursor:
        return self.execute(query, values)

    @contextlib.contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[None]:
        """There is one writer at a time anyway."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # A full disk makes SQLite roll back by itself; a second rollback would hide the cause.
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise

    def explained(self, doing: str) -> contextlib.AbstractContextManager[None]:
        return explained(self.path, doing)

    @contextlib.contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        stop = self._stop
        self.set_progress_handler(lambda: time.monotonic() > deadline or (stop is not None and stop()), _LOOK_EVERY)
        try:
            yield
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            raise TimeIsOver from None
        finally:
            self.set_progress_handler(stop, _LOOK_EVERY)

    def watch(self, stop: Callable[[], bool]) -> None:
        self._stop = stop
        self.set_progress_handler(stop, _LOOK_EVERY)

    def drop_bodies(self, pair: int, /) -> None:
        self.execute("DELETE FROM bodies WHERE pair = ?", (pair,))


_REMEDIES = (
    ("interrupted", "who reads it was told to stop"),
    ("disk is full", "the disk is full; free space, or lower store.max_bytes"),
    ("readonly database", "the file or its directory cannot be written; check owner and mode"),
    ("unable to open", "the file cannot be opened; check that its directory exists and may be entered"),
    ("database is locked", "another process holds it; find it with `fuser`, or give each lane a store of its own"),
    ("not a database", "the file is not a SQLite database; move it away, or correct store.url"),
    ("malformed", "the file is damaged; keep a copy for `sqlite3 FILE .recover`, and move it away"),
    ("disk I/O error", "the disk failed or a limit was hit; check the kernel's log, quotas and free space"),
)


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn SQLite's and the system's errors into a StoreError with the file, the cause and the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        remedy = next((remedy for part, remedy in _REMEDIES if part in text), "see https://sqlite.org/rescode.html")
        raise StoreError(f"{path}: cannot {doing}: {text}: {remedy}") from error
    except FileNotFoundError:
        raise StoreError(f"{path}: cannot {doing}: the directory {path.parent} does not exist; create it") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot {doing}: {error.strerror}; check owner, mode and free space") from error
