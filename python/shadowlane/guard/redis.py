"""redis-py, sync and asyncio: write commands refused in a shadow, or confined to a key space (extra ``guard-redis``).

The fence is in the connection, below clients, pipelines, transactions, scripts and pub/sub: whatever packs a command
for the socket is classified. Invariant: in a shadow no command is packed that the server does not call a read (see
:mod:`.redis_commands`), or, with ``confine=True``, that could touch a key outside ``shadow=true:``. A pipeline with one
such command sends nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from ..errors import ConfigError, MissingExtraError
from .context import ShadowWriteError, cache_key, is_shadow, shadow_context
from .redis_commands import SUBSCRIBE, TRANSACTION, CommandTable

try:
    import redis
    import redis.asyncio
except ImportError:
    raise MissingExtraError("shadowlane.guard.redis", "guard-redis", "redis") from None

__all__ = ["fence", "fence_async"]

_ALONE: frozenset[str] = SUBSCRIBE
"""Packed alone by ``send_command``, which has classified it: then PubSub's own commands pass."""


def fence(client: redis.Redis, *, confine: bool = False) -> None:
    """Fence ``client``, before it is used: asks the server for its commands once, and makes its pool anew.

    In a shadow a command that is not a read raises :class:`~shadowlane.guard.ShadowWriteError` before it is sent. So
    does one that leaves its connection in another state (SELECT, WATCH, a MULTI without its EXEC in one pipeline),
    since prod gets the connection next, and a script, since one that says it reads may act (``SLOWLOG RESET``).

    :param confine: instead, all keys get the prefix ``shadow=true:`` in a shadow, those of reads too, and commands that
        write to their keys alone may run. Refused are still: what has no keys (FLUSHALL, PUBLISH), scripts, commands
        whose keys cannot be found (SORT), and what the server calls dangerous. The shadow's keys stay until they
        expire or are deleted.

    Clients that share the pool are fenced with it. Raises :class:`~shadowlane.errors.ConfigError` for cluster clients,
    ``single_connection_client=True``, and ``confine`` with a client-side cache; redis-py's errors when the server
    cannot be asked.
    """
    pool = _pool(client, confine)
    connection = pool.get_connection()
    try:
        connection.send_command("COMMAND")
        reply = connection.read_response(disable_decoding=True)
    finally:
        pool.release(connection)
    pool.disconnect()
    _install(pool, _SyncFence, CommandTable(reply), confine)


async def fence_async(client: redis.asyncio.Redis, *, confine: bool = False) -> None:
    """:func:`fence` for ``redis.asyncio.Redis``."""
    pool = _pool(client, confine)
    connection = await pool.get_connection()
    try:
        await connection.send_command("COMMAND")
        reply = await connection.read_response(disable_decoding=True)
    finally:
        await pool.release(connection)
    await pool.disconnect()
    _install(pool, _AsyncFence, CommandTable(reply), confine)


def _pool(client: Any, confine: bool) -> Any:
    pool = getattr(client, "connection_pool", None)
    if pool is None or not hasattr(pool, "connection_class"):
        raise ConfigError(f"client: no fence for {type(client).__name__}; fence redis.Redis or redis.asyncio.Redis")
    if getattr(client, "connection", None) is not None or getattr(client, "single_connection_client", False):
        raise ConfigError("client: has a connection of its own; make it without single_connection_client=True")
    if issubclass(pool.connection_class, _Fence):
        raise ConfigError("client: its pool is fenced already; call fence() once")
    if confine and getattr(pool, "cache", None) is not None:
        # It remembers answers by the keys as they were asked for, so prod would read what a shadow wrote.
        raise ConfigError(
            "confine = True: not with a client-side cache; make the client without cache and cache_config"
        )
    return pool


def _install(pool: Any, fenced: type[_Fence], table: CommandTable, confine: bool) -> None:
    base = pool.connection_class
    pool.connection_class = type(f"Shadow{base.__name__}", (fenced, base), {"table": table, "confine": confine})
    pool.reset()  # connections of the class before, idle and closed, are forgotten


class _Fence:
    """A mixin in front of a connection class, sync or async: packing is not I/O in either."""

    table: CommandTable
    confine: bool

    def pack_command(self, *args: Any) -> Any:
        return super().pack_command(*self._judged(args, _ALONE))  # type: ignore[misc]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> Any:
        batch = [tuple(command) for command in commands]
        # A transaction is whole when it begins and ends here: the connection is as it was when prod gets it next.
        whole = len(batch) > 1 and [_word(batch[0]), _word(batch[-1])] == ["multi", "exec"]
        kept = [*self._framed(batch[:1], whole), *map(self._judged, batch[1:-1]), *self._framed(batch[1:][-1:], whole)]
        return super().pack_commands(kept)  # type: ignore[misc]

    def _framed(self, commands: list[tuple[Any, ...]], whole: bool) -> list[tuple[Any, ...]]:
        return [self._judged(command, TRANSACTION if whole else frozenset()) for command in commands]

    def send_command(self, *args: Any, **kwargs: Any) -> Any:
        # redis-py's PubSub, which keeps its connection for itself, says here whether to check its health; a client's
        # own commands do not.
        kept = SUBSCRIBE if "check_health" in kwargs else frozenset[str]()
        return super().send_command(*self._judged(args, kept), **kwargs)  # type: ignore[misc]

    def _judged(self, args: tuple[Any, ...], stateful: frozenset[str] = frozenset()) -> tuple[Any, ...]:
        """``args``, with confined keys where asked for. Raises ShadowWriteError in a shadow for what may write.

        ``stateful``: commands that change the connection and may pass here, because it will be as it was.
        """
        if not is_shadow():
            return args
        if not args:
            raise ShadowWriteError("an empty Redis command")
        first = args[0].encode() if isinstance(args[0], str) else bytes(args[0])
        # redis-py splits a name of two words (CONFIG GET) itself; here it is done before, to see both.
        args = (*(first.split() or [b""]), *args[1:])
        encode = cast(Any, self).encoder.encode
        encoded = [bytes(encode(one)) for one in args]
        command = self.table.find(encoded)
        name = (command.name if command else encoded[0].decode("latin-1")).upper().replace("|", " ")
        if command is None:
            raise ShadowWriteError(f"Redis {name[:40]!r}: the server does not know the command")
        if not command.reads and not (self.confine and command.confinable):
            raise ShadowWriteError(f"Redis {name}: not a command that only reads")
        if command.name in TRANSACTION | SUBSCRIBE and command.name not in stateful:
            raise ShadowWriteError(f"Redis {name}: leaves its connection, which prod will use, in another state")
        if not self.confine:
            return args
        try:
            positions = command.key_positions(encoded)
        except ValueError as error:
            raise ShadowWriteError(f"Redis {name}: {error}") from None
        if not (command.reads or positions):
            raise ShadowWriteError(f"Redis {name}: writes without a key")
        confined = list(args)
        for position in positions:
            confined[position] = cache_key(encoded[position])
        return tuple(confined)


def _word(command: tuple[Any, ...]) -> str:
    name = command[0] if command else b""
    return (name if isinstance(name, str) else bytes(name).decode("latin-1")).strip().lower()


class _SyncFence(_Fence):
    """The handshake (HELLO, AUTH, CLIENT ...) is the client's own and belongs to no request: it is not classified."""

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        with shadow_context(None):
            return super().connect(*args, **kwargs)  # type: ignore[misc]

    def connect_check_health(self, *args: Any, **kwargs: Any) -> Any:
        with shadow_context(None):
            return super().connect_check_health(*args, **kwargs)  # type: ignore[misc]


class _AsyncFence(_Fence):
    """:class:`_SyncFence` for asyncio."""

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        with shadow_context(None):
            return await super().connect(*args, **kwargs)  # type: ignore[misc]

    async def connect_check_health(self, *args: Any, **kwargs: Any) -> Any:
        with shadow_context(None):
            return await super().connect_check_health(*args, **kwargs)  # type: ignore[misc]
