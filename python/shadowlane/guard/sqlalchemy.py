"""SQLAlchemy 2, sync and async: statements classified, transactions READ ONLY, flushes refused (``guard-sqlalchemy``).

Five fences, each for what the others cannot see: every statement is classified before its cursor runs; every
transaction of a shadow is made READ ONLY as its first act; a connection that a shadow takes from the pool is read-only
as a session, which holds in autocommit; raw cursors are classified by the driver's own class
(:mod:`.sqlalchemy_cursors`); a unit of work with changes is refused before it makes statements, also when it is flushed
later (:mod:`.sqlalchemy_orm`). Invariants: a connection goes back to the pool as it came, or not at all; a transaction
that was begun before the copy, which cannot be made READ ONLY for a while, says nothing for it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError, MissingExtraError
from .context import ShadowWriteError, is_shadow, refuse, shadow_context
from .statements import READ_ONLY, Vouched, check_statement

try:
    from sqlalchemy import Connection, Engine, event
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .sqlalchemy_cursors import CursorFence
    from .sqlalchemy_orm import watch_sessions
except ImportError:
    raise MissingExtraError("shadowlane.guard.sqlalchemy", "guard-sqlalchemy", "sqlalchemy") from None

__all__ = ["fence"]

_SESSION_MARK, _TRANSACTION_MARK = "shadowlane_read_only_session", "shadowlane_read_only_transaction"
_POLICY = {"postgresql": "postgres", "sqlite": "sqlite"}
_SESSION = {
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ),
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
}
_fenced: weakref.WeakSet[Engine] = weakref.WeakSet()


def fence(engine: Engine | AsyncEngine, *, vouched: Vouched | None = None) -> None:
    """Fence ``engine`` (PostgreSQL or SQLite), before it is used. Outside a shadow nothing changes.

    :param vouched: a function of a statement's text; true lets a statement pass that the policy does not know to be a
        read, such as one that calls a function of your own. READ ONLY still holds.

    In a shadow a statement, flush or bulk operation that may write raises :class:`~shadowlane.guard.ShadowWriteError`;
    what the server itself refuses raises the driver's error. Raises :class:`~shadowlane.errors.ConfigError` for another
    database, and :class:`TypeError` for what is no engine. Engines made from this one with ``execution_options()``
    afterwards are fenced with it. Connections that are open already are closed when they come back, and made anew.
    """
    sync = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    if not isinstance(sync, Engine):
        raise TypeError(f"engine: no fence for {type(engine).__name__}; give an Engine or AsyncEngine of SQLAlchemy")
    name = sync.dialect.name
    if name not in _POLICY:
        raise ConfigError(f"engine: no fence for {name!r}; fenced are postgresql and sqlite")
    if sync in _fenced:
        raise ConfigError("engine: it is fenced already; call fence() once")
    _fenced.add(sync)
    _Fence(sync, vouched).attach(sync)
    # Not the events of the same names: commit_prepared() and rollback_prepared() raise none.
    for step in ("do_begin_twophase", "do_prepare_twophase", "do_commit_twophase", "do_rollback_twophase"):
        setattr(sync.dialect, step, _one_phase_only(step, getattr(sync.dialect, step)))
    watch_sessions(_guards)
    sync.dispose(close=False)  # idle connections whose cursors do not classify are forgotten


class _Fence:
    """What one engine's events do. It does not hold the engine, so that the engine can go."""

    def __init__(self, engine: Engine, vouched: Vouched | None) -> None:
        dialect = engine.dialect
        self._name = dialect.name
        self._policy = _POLICY[dialect.name]
        self._formats = dialect.paramstyle in ("format", "pyformat")
        self._vouched = vouched
        self._cursors = CursorFence(f"{dialect.driver}_async" if dialect.is_async else dialect.driver, self._check)

    def attach(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "before_cursor_execute", self._classify)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "commit", self._end)
        event.listen(engine, "rollback", self._end)
        event.listen(engine, "checkout", self._checkout)
        event.listen(engine, "checkin", self._checkin)

    def _check(self, text: str) -> None:
        check_statement(text, self._policy, parameters=self._formats, vouched=self._vouched)

    def _classify(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if is_shadow():
            if not {_SESSION_MARK, _TRANSACTION_MARK} & connection.info.keys():
                raise ShadowWriteError("a statement on a connection or in a transaction from before the copy")
            # SQLAlchemy passes empty parameters where there are none, and psycopg then replaces %% all the same.
            self._check(statement)

    def _begin(self, connection: Connection, *_: Any) -> None:
        # In autocommit nothing begins; the session's setting, made at checkout, holds there.
        if is_shadow() and self._name == "postgresql" and not _autocommit(connection.connection.dbapi_connection):
            with shadow_context(None):  # a statement of the fence's own
                cursor = connection.connection.cursor()
                try:
                    cursor.execute(READ_ONLY)
                finally:
                    cursor.close()
            connection.info[_TRANSACTION_MARK] = True
            self._cursors.opened(connection.connection.driver_connection, read_only=True)

    def _end(self, connection: Connection) -> None:
        if connection.info.pop(_TRANSACTION_MARK, False) and _SESSION_MARK not in connection.info:
            self._cursors.opened(connection.connection.driver_connection, read_only=False)

    def _connect(self, _: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        self._cursors.prepare(options)

    def _checkout(self, dbapi_connection: Any, record: Any, proxy: Any) -> None:
        if is_shadow():
            _session(dbapi_connection, _SESSION[self._name][0])
            record.info[_SESSION_MARK] = True
        self._cursors.opened(record.driver_connection, read_only=is_shadow())

    def _checkin(self, dbapi_connection: Any, record: Any) -> None:
        record.info.pop(_TRANSACTION_MARK, None)
        if record.info.pop(_SESSION_MARK, False) and dbapi_connection is not None:
            try:
                _session(dbapi_connection, _SESSION[self._name][1])
            except Exception as error:
                record.invalidate(error)


def _one_phase_only(step: str, do: Callable[..., Any]) -> Callable[..., Any]:
    """The dialect's ``do``, refused in a shadow: what is prepared stays on the server, and its commands pass by the
    cursors. Undoing a transaction that is not prepared passes, so that one that was begun outside can end."""

    def guarded(connection: Connection, xid: Any, is_prepared: bool = True, recover: bool = False) -> Any:
        if is_prepared or recover or step != "do_rollback_twophase":
            refuse("a two-phase transaction")
        if step in ("do_begin_twophase", "do_prepare_twophase"):
            return do(connection, xid)
        return do(connection, xid, is_prepared=is_prepared, recover=recover)

    return guarded


def _autocommit(dbapi_connection: Any) -> bool:
    return bool(getattr(dbapi_connection, "autocommit", False))


def _session(dbapi_connection: Any, statement: str) -> None:
    """Run a statement of the session on a connection that has no transaction open, and leave none open."""
    with shadow_context(None):  # a statement of the fence's own
        cursor = dbapi_connection.cursor()
        try:
            cursor.execute(statement)
        finally:
            cursor.close()
    if not _autocommit(dbapi_connection):
        dbapi_connection.commit()


def _guards(bind: Engine | Connection) -> bool:
    return bind.engine in _fenced
