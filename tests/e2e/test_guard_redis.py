"""The Redis fence against a real server: in a shadow no key changes, whichever way the command takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.cache import CacheConfig

from shadowlane.errors import ConfigError
from shadowlane.guard import Shadow, ShadowWriteError, shadow_context
from shadowlane.guard.redis import fence, fence_async
from shadowlane.guard.redis_commands import CommandTable
from tests.support.servers import redis_server

SHADOW = Shadow(id="test")

WRITES: list[tuple[Any, ...]] = [
    ("SET", "text", "new"),
    ("set", "text", "new"),
    (b"SeT", "text", "new"),
    ("SETEX", "text", 10, "new"),
    ("GETSET", "text", "new"),
    ("GETDEL", "text"),
    ("GETEX", "text", "EX", 100),
    ("SET", "text", "new", "GET"),
    ("APPEND", "text", "x"),
    ("INCR", "number"),
    ("INCRBYFLOAT", "number", "0.5"),
    ("SETBIT", "text", 7, 1),
    ("BITFIELD", "text", "SET", "u8", 0, 255),
    ("BITOP", "NOT", "made", "text"),
    ("DEL", "text"),
    ("UNLINK", "text"),
    ("EXPIRE", "text", 100),
    ("PERSIST", "text"),
    ("RENAME", "text", "renamed"),
    ("COPY", "text", "copied"),
    ("MOVE", "text", 1),
    ("RESTORE", "restored", 0, "{dump}"),
    ("LPUSH", "list", "x"),
    ("RPOPLPUSH", "list", "other"),
    ("LMOVE", "list", "other", "LEFT", "RIGHT"),
    ("BLPOP", "list", 1),
    ("HSET", "hash", "field", "new"),
    ("HINCRBY", "hash", "count", 1),
    ("SADD", "set", "new"),
    ("SPOP", "set"),
    ("SUNIONSTORE", "made", "set", "set"),
    ("ZADD", "sorted", 1, "new"),
    ("ZRANGESTORE", "made", "sorted", 0, -1),
    ("ZUNIONSTORE", "made", 1, "sorted"),
    ("GEOADD", "geo", 1, 1, "x"),
    ("GEOSEARCHSTORE", "made", "geo", "FROMLONLAT", 13, 38, "BYRADIUS", 500, "km"),
    ("GEORADIUS", "geo", 13, 38, 500, "km", "STORE", "made"),
    ("PFADD", "unique", "new"),
    ("PFMERGE", "made", "unique"),
    ("XADD", "stream", "*", "a", "b"),
    ("XTRIM", "stream", "MAXLEN", 0),
    ("XGROUP", "CREATE", "stream", "group2", "0"),
    ("XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">"),
    ("XACK", "stream", "group", "1-1"),
    ("SORT", "list", "ALPHA", "STORE", "made"),
    ("EVAL", "return redis.call('SET', KEYS[1], 'scripted')", 1, "text"),
    ("EVAL", "return redis.call('SET', 'undeclared', 'scripted')", 0),
    ("FLUSHDB",),
    ("FLUSHALL",),
    ("SWAPDB", 0, 1),
    ("FUNCTION", "LOAD", "REPLACE", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"),
    ("SCRIPT", "LOAD", "return 1"),
    ("CONFIG", "SET", "maxmemory-samples", "7"),
    ("CONFIG SET", "maxmemory-samples", "8"),
]
# They leave nothing that a later look finds, or change it for others: other clients, other servers, the process.
FORBIDDEN: list[tuple[Any, ...]] = [
    ("PUBLISH", "channel", "hello"),
    ("SPUBLISH", "channel", "hello"),
    ("PFCOUNT", "unique"),
    ("EVALSHA", "0" * 40, 0),
    ("FCALL", "f", 0),
    ("SORT", "list"),
    ("CLIENT", "KILL", "ID", "1"),
    ("CLIENT", "PAUSE", "1"),
    ("CLIENT KILL", "ID", "1"),
    ("SAVE",),
    ("BGREWRITEAOF",),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "NO", "ONE"),
    ("DEBUG", "SLEEP", "0"),
    ("MIGRATE", "127.0.0.1", "1", "text", "0", "10"),
    ("ACL", "SETUSER", "mallory", "on"),
    ("MODULE", "LOAD", "x.so"),
    ("MONITOR",),
    ("NO-SUCH-COMMAND", "x"),
    ("", "x"),
    # Scripts that say they read may call what is no write and acts.
    ("EVAL_RO", "return redis.call('SLOWLOG', 'RESET')", 0),
    ("EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "text"),
    ("EVALSHA_RO", "0" * 40, 0),
    ("FCALL_RO", "f", 0),
    # They change the connection, which goes back to the pool.
    ("SELECT", 1),
    ("MULTI",),
    ("EXEC",),
    ("DISCARD",),
    ("WATCH", "text"),
    ("AUTH", "default", "x"),
    ("HELLO", 2),
    ("RESET",),
    ("QUIT",),
    ("READONLY",),
    ("CLIENT", "REPLY", "OFF"),
    ("CLIENT", "NO-TOUCH", "ON"),
    ("CLIENT", "TRACKING", "ON"),
    ("CLIENT SETNAME", "x"),
]
READS: list[tuple[Any, ...]] = [
    ("GET", "text"),
    ("get", "text"),
    ("MGET", "text", "number"),
    ("STRLEN", "text"),
    ("EXISTS", "text"),
    ("TTL", "text"),
    ("TYPE", "text"),
    ("OBJECT", "ENCODING", "text"),
    ("OBJECT ENCODING", "text"),
    ("MEMORY", "USAGE", "text"),
    ("LRANGE", "list", 0, -1),
    ("HGETALL", "hash"),
    ("SMEMBERS", "set"),
    ("ZRANGE", "sorted", 0, -1, "WITHSCORES"),
    ("ZUNION", 1, "sorted"),
    ("GEOSEARCH", "geo", "FROMLONLAT", 13, 38, "BYRADIUS", 500, "km"),
    ("GEORADIUS_RO", "geo", 13, 38, 500, "km"),
    ("BITFIELD_RO", "text", "GET", "u8", 0),
    ("XRANGE", "stream", "-", "+"),
    ("XREAD", "COUNT", 1, "STREAMS", "stream", "0"),
    ("XINFO", "STREAM", "stream"),
    ("SORT_RO", "list", "ALPHA"),
    ("SCAN", 0),
    ("KEYS", "*"),
    ("DBSIZE",),
    ("RANDOMKEY",),
    ("PING",),
    ("TIME",),
    ("INFO",),
    ("ECHO", "x"),
    ("CLIENT", "GETNAME"),
    ("CLIENT", "ID"),
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with redis_server() as made:
        yield made


@pytest.fixture
def store(port: int) -> Iterator[Store]:
    made = Store(port)
    try:
        yield made
    finally:
        made.admin.close()


class Store:
    """The server's keys as somebody else sees them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.admin = redis.Redis(port=port)
        run = self.admin.execute_command
        run("FLUSHALL")
        run("FUNCTION", "FLUSH")
        run("SCRIPT", "FLUSH")
        run("CONFIG", "SET", "maxmemory-samples", "5")
        run("SET", "text", "hello", "EX", 10_000)
        run("SET", "number", 5)
        run("RPUSH", "list", "a", "b", "c")
        run("HSET", "hash", "field", "value", "count", 1)
        run("SADD", "set", "one")
        run("ZADD", "sorted", 1, "one", 2, "two")
        run("GEOADD", "geo", 13.361389, 38.115556, "Palermo")
        run("PFADD", "unique", "a", "b")
        run("XADD", "stream", "1-1", "a", "b")
        run("XGROUP", "CREATE", "stream", "group", "0")
        run("XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">")
        run("XADD", "stream", "2-2", "a", "b")

    def marks(self) -> Any:
        """Every key of every database with its value and whether it expires, functions, scripts and settings."""
        found: dict[Any, Any] = {}
        for database in (0, 1):
            with redis.Redis(port=self.port, db=database) as client:
                for key in client.scan_iter(count=1000):
                    found[database, key] = (client.dump(key), round((client.pttl(key)) / 100_000))
                    if client.type(key) == b"stream":
                        found[database, key, "groups"] = client.xinfo_groups(key)
        memory = self.admin.info("memory")
        found["scripts"] = (memory["number_of_cached_scripts"], memory["number_of_functions"])
        found["config"] = self.admin.config_get("maxmemory-samples")
        return found

    def client(self, **options: Any) -> redis.Redis:
        made = redis.Redis(port=self.port, **{"protocol": 3, **options})
        fence(made)
        return made


def _direct(client: redis.Redis, command: tuple[Any, ...]) -> None:
    client.execute_command(*command)


def _pipeline(client: redis.Redis, command: tuple[Any, ...]) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.get("text")
        pipe.execute_command(*command)
        pipe.execute()


def _transaction(client: redis.Redis, command: tuple[Any, ...]) -> None:
    with client.pipeline(transaction=True) as pipe:
        pipe.get("text")
        pipe.execute_command(*command)
        pipe.execute()


def _watched(client: redis.Redis, command: tuple[Any, ...]) -> None:
    with client.pipeline() as pipe:
        pipe.watch("text")
        pipe.execute_command(*command)  # at once, because it watches


def _connection(client: redis.Redis, command: tuple[Any, ...]) -> None:
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*command)
        connection.read_response()
    finally:
        client.connection_pool.release(connection)


def _pubsub(client: redis.Redis, command: tuple[Any, ...]) -> None:
    with client.pubsub() as channel:
        channel.execute_command(*command)
        channel.connection.read_response()


WAYS: dict[str, Callable[[redis.Redis, tuple[Any, ...]], None]] = {
    "direct": _direct,
    "pipeline": _pipeline,
    "transaction": _transaction,
    "watched": _watched,
    "connection": _connection,
    "pubsub": _pubsub,
}


@pytest.mark.parametrize("options", [{"protocol": 3}, {"protocol": 2}, {"decode_responses": True}], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_gets_through_in_a_shadow(store: Store, way: str, options: dict[str, Any]) -> None:
    client = store.client(**options)
    before = store.marks()
    with shadow_context(SHADOW):
        for command in WRITES + FORBIDDEN:
            with pytest.raises(ShadowWriteError):
                WAYS[way](client, command)
        for command in READS:
            client.execute_command(*command)
            with client.pipeline() as pipe:
                pipe.execute_command(*command)
                pipe.execute()
    assert store.marks() == before
    client.close()


def test_every_write_of_the_corpus_is_one(store: Store) -> None:
    client = store.client()
    for command in WRITES:
        fresh = Store(store.port)
        before = fresh.marks()
        dump = fresh.admin.dump("text")
        client.execute_command(*(dump if part == "{dump}" else part for part in command))
        assert fresh.marks() != before, command
        fresh.admin.close()
    client.close()


@pytest.mark.parametrize("transaction", [False, True])
def test_nothing_gets_through_asyncio(store: Store, transaction: bool) -> None:
    async def work() -> None:
        client = redis.asyncio.Redis(port=store.port)
        await fence_async(client)
        with shadow_context(SHADOW):
            for command in WRITES + FORBIDDEN:
                with pytest.raises(ShadowWriteError):
                    await client.execute_command(*command)
                if command[0] == "WATCH":
                    continue  # a pipeline sends it at once
                async with client.pipeline(transaction=transaction) as pipe:
                    pipe.get("text")
                    pipe.execute_command(*command)
                    with pytest.raises(ShadowWriteError):
                        await pipe.execute()
            for command in READS:
                await client.execute_command(*command)
        assert await client.set("text", "prod")
        await client.aclose()

    before = store.marks()
    asyncio.run(work())
    after = store.marks()
    assert {key for key in after if after[key] != before.get(key)} == {(0, b"text")}


@pytest.mark.parametrize(
    "commands",
    [
        [("MULTI",)],
        [("SELECT", 1)],
        [("SUBSCRIBE", "channel")],
        [("MULTI",), ("GET", "text")],
        [("GET", "text"), ("EXEC",)],
        [("MULTI",), ("EXEC",), ("MULTI",), ("EXEC",)],
    ],
    ids=str,
)
def test_prod_gets_the_connection_back_as_it_was(store: Store, commands: list[tuple[Any, ...]]) -> None:
    """One connection in the pool: what a shadow left on it, prod would find."""
    pool = redis.BlockingConnectionPool(port=store.port, max_connections=1)
    client = redis.Redis(connection_pool=pool)
    fence(client)
    with shadow_context(SHADOW), client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        with pytest.raises(ShadowWriteError):
            pipe.execute()
        if len(commands) == 1:
            with pytest.raises(ShadowWriteError):
                client.execute_command(*commands[0])
    assert client.get("text") == b"hello"
    with shadow_context(SHADOW), client.pipeline(transaction=True) as pipe:
        pipe.get("text")
        assert pipe.execute() == [b"hello"]
    with shadow_context(SHADOW), client.pubsub() as channel:
        channel.subscribe("channel")
        assert channel.get_message(timeout=60) is not None
    assert client.get("text") == b"hello"
    client.close()
    pool.disconnect()


def test_confined_commands_stay_in_their_key_space(store: Store) -> None:
    client = redis.Redis(port=store.port)
    fence(client, confine=True)
    before = store.marks()
    refused = set()
    with shadow_context(SHADOW):
        for command in WRITES + FORBIDDEN:
            if command[0] == "BLPOP":
                continue
            try:
                client.execute_command(*command)
            except ShadowWriteError:
                refused.add(" ".join(str(part) for part in command[:2]).upper() if len(command) > 1 else command[0])
            except redis.ResponseError:
                pass  # the shadow's key space is empty at first: no such key
        client.set("text", "mine")
        client.mset({"a": 1, "b": 2})
        client.zadd("sorted", {"x": 1})
        client.zunionstore("union", ["sorted", "sorted too"])
        client.xadd("log", {"a": "b"}, id="5-5")
        assert client.get("text") == b"mine"
        assert client.mget("a", "b", "no such key") == [b"1", b"2", None]
        assert client.zscore("union", "x") == 1.0
        assert client.xread({"log": "0-0"})
        with client.pipeline() as pipe:
            pipe.incr("hits")
            pipe.get("hits")
            assert pipe.execute() == [1, b"1"]
    after = store.marks()
    changed = {key for key in set(before) | set(after) if before.get(key) != after.get(key)}
    assert all(isinstance(key, tuple) and key[1].startswith(b"shadow=true:") for key in changed), changed
    assert {
        (0, b"shadow=true:" + name) for name in (b"text", b"a", b"b", b"sorted", b"union", b"log", b"hits")
    } <= changed
    for name in ("FLUSHALL", "FLUSHDB", "PUBLISH CHANNEL", "SORT LIST", "SHUTDOWN NOSAVE", "SWAPDB 0"):
        assert name in refused
    assert any(name.startswith("EVAL ") for name in refused)
    assert client.get("text") == b"hello"
    client.close()


def test_a_pipeline_queued_outside_is_refused_inside(store: Store) -> None:
    client = store.client()
    pipe = client.pipeline()
    pipe.set("text", "queued")
    with shadow_context(SHADOW), pytest.raises(ShadowWriteError, match="Redis SET"):
        pipe.execute()
    assert client.get("text") == b"hello"
    client.close()


def test_the_connection_stays_good(store: Store) -> None:
    client = store.client(max_connections=1)
    for _ in range(5):
        with shadow_context(SHADOW):
            with pytest.raises(ShadowWriteError):
                client.set("text", "x")
            assert client.get("text") == b"hello"
        assert client.incr("number") > 5
    client.close()


def test_a_lock_and_a_registered_script_are_refused(store: Store) -> None:
    client = store.client()
    script = client.register_script("return redis.call('SET', KEYS[1], 'x')")
    with shadow_context(SHADOW):
        with pytest.raises(ShadowWriteError):
            script(keys=["text"])
        with pytest.raises(ShadowWriteError):
            client.lock("lock").acquire(blocking=False)
    assert client.get("text") == b"hello"
    assert not client.exists("lock")
    client.close()


def test_a_first_connection_made_in_a_shadow(store: Store) -> None:
    """The handshake's own commands (HELLO, CLIENT SETINFO, SELECT, AUTH) pass."""
    client = store.client(db=1, client_name="me")
    with shadow_context(SHADOW):
        assert client.get("text") is None
        assert client.client_getname() in ("me", b"me")
    client.close()


def test_the_table_agrees_with_the_server_about_every_command(store: Store) -> None:
    """No command that the server puts into @write is a read here, but for those that the server itself calls so."""
    table = CommandTable(_raw(store.admin, "COMMAND"))
    writing = {_name(one) for one in _raw(store.admin, "ACL", "CAT", "write")}
    for name in writing:
        command = table.find([part.encode() for part in name.split("|")])
        assert command is None or not command.reads or command.name in ("xgroup|help",), name
    reading = {_name(one) for one in _raw(store.admin, "ACL", "CAT", "read")}
    unread = set()
    for name in reading:
        command = table.find([part.encode() for part in name.split("|")])
        if command is not None and not command.reads:
            unread.add(name)
    assert unread <= {"pfcount"}, unread


def _raw(client: redis.Redis, *command: str) -> Any:
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*command)
        return connection.read_response(disable_decoding=True)
    finally:
        client.connection_pool.release(connection)


def _name(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_a_client_side_cache_is_fenced_too(store: Store) -> None:
    version = tuple(int(part) for part in store.admin.info("server")["redis_version"].split(".")[:2])
    if version < (7, 4):
        pytest.skip(f"redis-py caches on the client's side from Redis 7.4 on; this is {version[0]}.{version[1]}")
    client = store.client(cache_config=CacheConfig())
    with shadow_context(SHADOW):
        assert client.get("text") == client.get("text") == b"hello"
        with pytest.raises(ShadowWriteError):
            client.set("text", "x")
    assert client.set("text", "prod")
    assert client.get("text") == b"prod"
    client.close()


def test_clients_that_cannot_be_fenced_are_named(store: Store) -> None:
    client = store.client()
    with pytest.raises(ConfigError, match="fenced already"):
        fence(client)
    client.close()
    with (
        redis.Redis(port=store.port, single_connection_client=True) as single,
        pytest.raises(ConfigError, match="single_connection_client"),
    ):
        fence(single)
    with (
        redis.Redis(port=store.port, protocol=3, cache_config=CacheConfig()) as caching,
        pytest.raises(ConfigError, match="client-side cache"),
    ):
        fence(caching, confine=True)
    with pytest.raises(ConfigError, match="no fence for"):
        fence(object())  # type: ignore[arg-type]
