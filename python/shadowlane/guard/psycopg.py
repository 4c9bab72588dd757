"""psycopg 3, sync and async: statements classified, every transaction of a shadow READ ONLY (extra ``guard-psycopg``).

``ShadowConnection`` and ``AsyncShadowConnection`` are connection classes: use them as ``psycopg.Connection``, and as
``connection_class`` of a ``psycopg_pool``. Invariant: in a shadow no statement leaves a fenced cursor that was not
classified, and none runs before its transaction is READ ONLY and has its snapshot, so that it cannot be made writable
again. That costs one round trip a statement, in shadows only; outside nothing changes and nothing has to be put back.

In autocommit a statement gets a transaction of its own. What goes around cursors (``connection.pgconn``), and cursors
of another class that are made by hand, are not fenced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from ..errors import ConfigError, MissingExtraError
from .context import ShadowWriteError, is_shadow, refuse
from .statements import READ_ONLY, Vouched, check_statement

try:
    import psycopg
    from psycopg import pq, sql
except ImportError:
    raise MissingExtraError("shadowlane.guard.psycopg", "guard-psycopg", "psycopg") from None

__all__ = [
    "AsyncShadowClientCursor",
    "AsyncShadowConnection",
    "AsyncShadowCursor",
    "AsyncShadowServerCursor",
    "ShadowClientCursor",
    "ShadowConnection",
    "ShadowCursor",
    "ShadowServerCursor",
]


_TWO_PHASE = "a two-phase transaction"


def _judge(cursor: Any, query: Any, parameters: bool) -> None:
    if isinstance(query, bytes):
        text = query.decode(cursor.connection.info.encoding, "surrogateescape")
    elif isinstance(query, str):
        text = query
    elif isinstance(query, sql.Composable):
        text = query.as_string(cursor.connection)
    else:
        raise ShadowWriteError(f"an SQL statement in a form that cannot be classified: {type(query).__name__}")
    vouched: Vouched | None = cursor.connection.vouched
    check_statement(text, "postgres", parameters=parameters, vouched=vouched)


def _check_factory(factory: Any, fence: type) -> None:
    if not (isinstance(factory, type) and issubclass(factory, fence)):
        name = getattr(factory, "__name__", factory)
        raise ConfigError(
            f"cursor_factory = {name}: makes cursors without a fence; use one of shadowlane.guard.psycopg"
        )


def _idle_autocommit(connection: Any) -> bool:
    return bool(connection.autocommit) and connection.info.transaction_status == pq.TransactionStatus.IDLE


class _Fence:
    """The sync half: a mixin in front of a cursor class."""

    connection: Any

    @contextmanager
    def _fenced(self, query: Any, parameters: bool) -> Iterator[None]:
        if not is_shadow():
            yield
            return
        _judge(self, query, parameters)
        if _idle_autocommit(self.connection):
            with self.connection.transaction():
                self._read_only()
                yield
        else:
            self._read_only()
            yield

    def _read_only(self) -> None:
        with psycopg.Cursor(self.connection) as cursor:
            cursor.execute(READ_ONLY)

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """As in psycopg; see the module for what it does in a shadow."""
        with self._fenced(query, params is not None):
            return super().execute(query, params, **options)  # type: ignore[misc]

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        """As in psycopg; see the module for what it does in a shadow."""
        with self._fenced(query, True):
            super().executemany(query, params_seq, **options)  # type: ignore[misc]

    def stream(self, query: Any, params: Any = None, **options: Any) -> Iterator[Any]:
        """As in psycopg; see the module for what it does in a shadow."""
        with self._fenced(query, params is not None):
            yield from super().stream(query, params, **options)  # type: ignore[misc]

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **options: Any) -> Iterator[Any]:
        """As in psycopg. In a shadow every COPY has to be vouched for: its text can name files and programs."""
        with self._fenced(statement, params is not None), super().copy(statement, params, **options) as copy:  # type: ignore[misc]
            yield copy


class _AsyncFence:
    """The async half: a mixin in front of an async cursor class."""

    connection: Any

    @asynccontextmanager
    async def _fenced(self, query: Any, parameters: bool) -> AsyncIterator[None]:
        if not is_shadow():
            yield
            return
        _judge(self, query, parameters)
        if _idle_autocommit(self.connection):
            async with self.connection.transaction():
                await self._read_only()
                yield
        else:
            await self._read_only()
            yield

    async def _read_only(self) -> None:
        async with psycopg.AsyncCursor(self.connection) as cursor:
            await cursor.execute(READ_ONLY)

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """As in psycopg; see the module for what it does in a shadow."""
        async with self._fenced(query, params is not None):
            return await super().execute(query, params, **options)  # type: ignore[misc]

    async def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        """As in psycopg; see the module for what it does in a shadow."""
        async with self._fenced(query, True):
            await super().executemany(query, params_seq, **options)  # type: ignore[misc]

    async def stream(self, query: Any, params: Any = None, **options: Any) -> AsyncIterator[Any]:
        """As in psycopg; see the module for what it does in a shadow."""
        async with self._fenced(query, params is not None):
            async for row in super().stream(query, params, **options):  # type: ignore[misc]
                yield row

    @asynccontextmanager
    async def copy(self, statement: Any, params: Any = None, **options: Any) -> AsyncIterator[Any]:
        """As in psycopg. In a shadow every COPY has to be vouched for: its text can name files and programs."""
        async with (
            self._fenced(statement, params is not None),
            super().copy(statement, params, **options) as copy,  # type: ignore[misc]
        ):
            yield copy


class ShadowCursor(_Fence, psycopg.Cursor[Any]):
    """A fenced ``psycopg.Cursor``."""


class ShadowClientCursor(_Fence, psycopg.ClientCursor[Any]):
    """A fenced ``psycopg.ClientCursor``."""


class ShadowServerCursor(_Fence, psycopg.ServerCursor[Any]):
    """A fenced ``psycopg.ServerCursor``."""


class AsyncShadowCursor(_AsyncFence, psycopg.AsyncCursor[Any]):
    """A fenced ``psycopg.AsyncCursor``."""


class AsyncShadowClientCursor(_AsyncFence, psycopg.AsyncClientCursor[Any]):
    """A fenced ``psycopg.AsyncClientCursor``."""


class AsyncShadowServerCursor(_AsyncFence, psycopg.AsyncServerCursor[Any]):
    """A fenced ``psycopg.AsyncServerCursor``."""


class ShadowConnection(psycopg.Connection[Any]):
    """A ``psycopg.Connection`` whose cursors are fenced in a shadow."""

    vouched: Vouched | None = None
    """Lets statements pass that the policy does not know to be reads; set it on a connection or a subclass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = ShadowCursor
        self.server_cursor_factory = ShadowServerCursor

    def cursor(self, name: str = "", **options: Any) -> Any:
        """As in psycopg. Raises ConfigError when a factory was set that makes cursors without the fence."""
        _check_factory(self.server_cursor_factory if name else self.cursor_factory, _Fence)
        return super().cursor(name, **options)

    # Two-phase transactions stay on the server, and their commands pass by the cursors.

    def tpc_begin(self, xid: Any) -> None:
        """As in psycopg; refused in a shadow."""
        refuse(_TWO_PHASE)
        super().tpc_begin(xid)

    def tpc_prepare(self) -> None:
        """As in psycopg; refused in a shadow."""
        refuse(_TWO_PHASE)
        super().tpc_prepare()

    def tpc_commit(self, xid: Any = None) -> None:
        """As in psycopg; refused in a shadow."""
        refuse(_TWO_PHASE)
        super().tpc_commit(xid)

    def tpc_rollback(self, xid: Any = None) -> None:
        """As in psycopg; in a shadow refused for a transaction that somebody else prepared."""
        if xid is not None:
            refuse(_TWO_PHASE)
        super().tpc_rollback(xid)


class AsyncShadowConnection(psycopg.AsyncConnection[Any]):
    """A ``psycopg.AsyncConnection`` whose cursors are fenced in a shadow."""

    vouched: Vouched | None = None
    """Lets statements pass that the policy does not know to be reads; set it on a connection or a subclass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = AsyncShadowCursor
        self.server_cursor_factory = AsyncShadowServerCursor

    def cursor(self, name: str = "", **options: Any) -> Any:
        """As in psycopg. Raises ConfigError when a factory was set that makes cursors without the fence."""
        _check_factory(self.server_cursor_factory if name else self.cursor_factory, _AsyncFence)
        return super().cursor(name, **options)

    async def tpc_begin(self, xid: Any) -> None:
        """As in psycopg; refused in a shadow."""
        refuse(_TWO_PHASE)
        await super().tpc_begin(xid)

    async def tpc_prepare(self) -> None:
        """As in psycopg; refused in a shadow."""
        refuse(_TWO_PHASE)
        await super().tpc_prepare()

    async def tpc_commit(self, xid: Any = None) -> None:
        """As in psycopg; refused in a shadow."""
        refuse(_TWO_PHASE)
        await super().tpc_commit(xid)

    async def tpc_rollback(self, xid: Any = None) -> None:
        """As in psycopg; in a shadow refused for a transaction that somebody else prepared."""
        if xid is not None:
            refuse(_TWO_PHASE)
        await super().tpc_rollback(xid)
