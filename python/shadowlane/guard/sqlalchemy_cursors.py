"""Raw cursors of a fenced engine: what ``raw_connection()`` hands out, classified like all statements of a shadow.

A raw cursor passes SQLAlchemy's events by. So the driver itself is told to make cursors that classify: psycopg (sync
and async), psycopg2 and sqlite3 take a class for that when they connect. Invariants: nothing is asked outside a shadow;
a connection that was taken from the pool before the copy is refused, since it is not read-only; the dialect's own
questions about a connection that it is only opening pass. Other drivers (asyncpg, aiosqlite) take no class, and their
raw cursors are not classified.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any

from .context import ShadowWriteError, is_shadow

__all__ = ["CursorFence"]

_JUDGED = ("execute", "executemany", "stream", "copy")
_REFUSED = ("executescript", "callproc", "copy_expert", "copy_from", "copy_to")
_DRIVERS = ("psycopg", "psycopg_async", "psycopg2", "pysqlite")


class CursorFence:
    """Gives the connections of ``driver`` cursors that ask ``check`` (a function of a statement's text) in a shadow."""

    def __init__(self, driver: str, check: Callable[[str], None]) -> None:
        self._driver = driver
        self._check = check
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        """Connections that were handed out once: before, only the dialect speaks on them."""
        self._read_only: weakref.WeakSet[Any] = weakref.WeakSet()
        self._made: dict[type[Any], type[Any]] = {}

    def prepare(self, options: dict[str, Any]) -> None:
        """Put the class into the ``options`` that a connection will be made with; nothing for an unknown driver."""
        if self._driver == "psycopg2":
            import psycopg2.extensions as psycopg2  # type: ignore[import-untyped]

            options["cursor_factory"] = self._fenced(options.get("cursor_factory") or psycopg2.cursor)
        elif self._driver in ("psycopg", "psycopg_async"):
            import psycopg

            plain = psycopg.AsyncCursor if self._driver == "psycopg_async" else psycopg.Cursor
            options["cursor_factory"] = self._fenced(options.get("cursor_factory") or plain)
        elif self._driver == "pysqlite":
            import sqlite3

            options["factory"] = self._sqlite(options.get("factory") or sqlite3.Connection)

    def opened(self, connection: Any, *, read_only: bool) -> None:
        """The driver's connection leaves the pool, or a transaction of it begins: its cursors classify from now on.
        ``read_only``: it was made so for the copy that uses it."""
        if self._driver in _DRIVERS:
            self._open.add(connection)
            (self._read_only.add if read_only else self._read_only.discard)(connection)

    def _sqlite(self, base: type[Any]) -> type[Any]:
        import sqlite3

        fence = self

        class Fenced(base):  # type: ignore[misc]
            def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
                return super().cursor(fence._fenced(factory))

            # sqlite3's own shortcuts make their cursor in C, past the method above.
            def execute(self, *args: Any) -> Any:
                return self.cursor().execute(*args)

            def executemany(self, *args: Any) -> Any:
                return self.cursor().executemany(*args)

            def executescript(self, *args: Any) -> Any:
                return self.cursor().executescript(*args)

        return Fenced

    def _fenced(self, base: type[Any]) -> type[Any]:
        if base not in self._made:
            methods = {name: self._judged(getattr(base, name)) for name in (*_JUDGED, *_REFUSED) if hasattr(base, name)}
            self._made[base] = type(f"Shadow{base.__name__}", (base,), methods)
        return self._made[base]

    def _judged(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(method):

            async def asynchronous(cursor: Any, statement: Any = "", *args: Any, **kwargs: Any) -> Any:
                self._judge(cursor, method.__name__, statement)
                return await method(cursor, statement, *args, **kwargs)

            return asynchronous

        def synchronous(cursor: Any, statement: Any = "", *args: Any, **kwargs: Any) -> Any:
            self._judge(cursor, method.__name__, statement)
            return method(cursor, statement, *args, **kwargs)

        return synchronous

    def _judge(self, cursor: Any, method: str, statement: Any) -> None:
        connection = cursor.connection
        if not is_shadow() or connection not in self._open:
            return
        if connection not in self._read_only:
            raise ShadowWriteError("a cursor of a connection that was taken from the pool before the copy")
        if method in _REFUSED:
            raise ShadowWriteError(f"a raw cursor's {method}()")
        self._check(_text(statement, cursor))


def _text(statement: Any, cursor: Any) -> str:
    """A statement as text: drivers take bytes and composed objects too."""
    if hasattr(statement, "as_string"):
        return str(statement.as_string(cursor))
    return bytes(statement).decode("utf-8", "replace") if isinstance(statement, bytes | bytearray) else str(statement)
