"""The whole lane with a shadow that tries to write: gateway, worker, a guarded service under uvicorn, real servers.

Two promises meet here. Requests that may write are never copied, whatever they are dressed as; and copies arrive signed
and marked, so that what the service writes while it answers one reaches neither database, cache nor upstream.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import psycopg
import pytest
import redis

from shadowlane.config import Config
from shadowlane.errors import ConfigError
from tests.e2e.conftest import Process, World
from tests.support.recorder import Recorder, recorder
from tests.support.servers import postgres_server, redis_server

KEY = "a key that only the lane and its shadow know"
JSON = {"content-type": "application/json"}
WAYS = {"sqlalchemy", "psycopg", "thread", "task", "redis", "upstream"}

Request = tuple[str, str, dict[str, str], bytes]


def _json(path: str, body: Any, headers: dict[str, str] | None = None) -> Request:
    return "POST", path, {**JSON, **(headers or {})}, json.dumps(body).encode()


CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
READS: list[Request] = [
    ("GET", "/a?q=1%20x", {}, b""),
    ("GET", "/%C3%A4/b%2Fc?", {}, b""),
    ("GET", "/items?name=delete&sort=x", {}, b""),
    _json("/v1/chat/completions", CHAT),
    _json("/v1/embeddings", {"model": "m", "input": "text"}),
    _json("/graphql", {"query": "query A { a } mutation B { b }", "operationName": "A"}),
    _json("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    _json("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look", "arguments": {}}}),
    _json("/db", {"query": "SELECT name FROM item WHERE id = 1"}),
]
WRITES: list[Request] = [
    *((method, "/a", JSON, b"{}") for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "MKCOL")),
    # the method is another one than it seems
    ("GET", "/a", {"X-HTTP-Method-Override": "DELETE"}, b""),
    ("GET", "/a", {"X-Method-Override": "PUT"}, b""),
    ("GET", "/a", {"X-HTTP-Method": "PATCH"}, b""),
    ("GET", "/a?_method=DELETE", {}, b""),
    ("GET", "/a?x=1&%5Fmethod=DELETE", {}, b""),
    ("GET", "/graphql?query=mutation%7Ba%7D", {}, b""),
    _json("/v1/chat/completions", CHAT, {"X-HTTP-Method-Override": "DELETE"}),
    _json("/v1/chat/completions?_method=DELETE", CHAT),
    # state at a provider
    _json("/v1/files", {}),
    _json("/v1/batches", {}),
    _json("/v1/assistants", {}),
    _json("/v1/threads", {}),
    _json("/v1/fine_tuning/jobs", {}),
    _json("/v1/responses", {"model": "m", "input": "x", "background": True}),
    _json("/v1/responses", {"model": "m", "input": "x", "previous_response_id": "r"}),
    # GraphQL mutations in disguise
    _json("/graphql", {"query": "mutation { a }"}),
    _json("/graphql", {"query": "query A { a } mutation B { b }", "operationName": "B"}),
    _json("/graphql", {"query": "query A { a } mutation B { b }"}),
    _json("/graphql", {"query": "# query { a }\nsubscription { b }"}),
    _json("/graphql", {"query": "{ a"}),
    _json("/graphql", {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}),
    _json("/graphql", [{"query": "{ a }"}, {"query": "mutation { a }"}]),
    ("POST", "/graphql", JSON, b'{"query": "{ a }", "query": "mutation { a }"}'),
    # SQL
    _json("/db", {"query": "WITH x AS (DELETE FROM item RETURNING id) SELECT * FROM x"}),
    _json("/db", {"query": "SELECT * FROM item FOR UPDATE"}),
    _json("/db", {"query": "SELECT nextval('counter')"}),
    _json("/db", {"query": "SELECT 1; DELETE FROM item"}),
    _json("/db", {"query": "SELECT * INTO copy FROM item"}),
    _json("/db", {"query": "EXPLAIN ANALYZE DELETE FROM item"}),
    _json("/db", {"query": "SELECT/**/lo_creat(-1)"}),
    # tool calls
    _json("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "delete", "arguments": {}}}),
    _json(
        "/mcp",
        [
            {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "delete"}},
        ],
    ),
    _json("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": "x"}}),
    # a copy of a copy
    ("GET", "/a", {"x-shadow": "1"}, b""),
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with postgres_server() as made:
        yield made


@pytest.fixture
def cache() -> Iterator[redis.Redis]:
    with redis_server() as made, redis.Redis(port=made) as client:
        yield client


@pytest.fixture
def upstream() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


@pytest.fixture
def database(port: int) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", autocommit=True) as admin:
        admin.execute("DROP TABLE IF EXISTS visit")
        admin.execute("CREATE TABLE visit (path text, way text)")
        yield admin


class Guarded:
    """The shadow: its address, and what it said about the copies that it answered."""

    def __init__(self, world: World, env: dict[str, str]) -> None:
        listen = world.ports.reserve()
        self.url = f"http://127.0.0.1:{listen}"
        self._log: Path = world.folder / "said.jsonl"
        arguments = [sys.executable, "-m", "uvicorn", "tests.support.guarded:app", "--port", str(listen)]
        env = {**env, "GUARDED_KEY": KEY, "GUARDED_LOG": str(self._log)}
        process = Process([*arguments, "--log-level", "warning"], world.folder / "guarded.log", env)
        world.processes.append(process)
        process.listening(listen)

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@pytest.fixture
def guarded(
    world: World, port: int, cache: redis.Redis, upstream: Recorder, database: psycopg.Connection[Any]
) -> Guarded:
    options = {"GUARDED_REDIS": str(cache.connection_pool.connection_kwargs["port"]), "GUARDED_UPSTREAM": upstream.url}
    return Guarded(world, {"GUARDED_DSN": f"host=127.0.0.1 port={port} user=postgres dbname=postgres", **options})


def test_nothing_is_written_through_the_whole_lane(
    world: World,
    client: httpx.Client,
    guarded: Guarded,
    database: psycopg.Connection[Any],
    cache: redis.Redis,
    upstream: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANE_SIGN_KEY", KEY)
    world.configure(
        guarded.url + "/base",
        routes={"presets": ["openai", "graphql", "mcp"], "read": ["POST /db sql:postgres", "GET *", "HEAD *"]},
        policy={"allow_tools": ["look"]},
        shadows__candidate={"timeout_s": 30.0, "sign_key_env": "LANE_SIGN_KEY"},
    )
    gateway = world.gateway()
    for method, target, headers, body in [*READS, *WRITES]:
        answer = client.request(method, gateway + target, headers=headers, content=body)
        assert answer.status_code == 200, (method, target)  # prod serves them all
    upgrades = _upgrades(gateway)
    for raw in upgrades:
        _ask_raw(gateway, raw)
    status = world.settle(len(READS) + len(WRITES) + len(upgrades))
    said = guarded.said()
    arrived = sorted(one["request"] for one in said)
    assert arrived == sorted(f"{method} /base{unquote(target.partition('?')[0])}" for method, target, _, _ in READS)
    assert status["shadows"]["candidate"]["answered"] == len(READS)

    # The shadow tried to write for each of them, in every way that it has.
    assert all(one["signed"] and one["id"] for one in said), said
    for one in said:
        assert {way for way, outcome in one["tried"].items() if outcome == "refused"} == WAYS, one
        assert one["visits"] == 0
    assert database.execute("SELECT count(*) FROM visit").fetchone() == (0,)
    assert cache.dbsize() == 0
    assert [seen.method for seen in upstream.seen] == ["GET"] * len(READS)  # its reads passed

    # Asked by somebody else, a forged tag is refused, and a request of prod's writes.
    for forged in ({"x-shadow": "1"}, {"baggage": "shadow=true"}):
        assert client.post(guarded.url + "/base/ask", headers=forged).status_code == 403
    answer = client.post(guarded.url + "/base/ask")
    assert set(answer.json()["tried"].values()) == {"written"}
    assert database.execute("SELECT count(*) FROM visit").fetchone() == (4,)
    assert cache.get("visits") == b"1"
    assert upstream.seen[-1].method == "POST"


def _upgrades(gateway: str) -> list[bytes]:
    host = gateway.removeprefix("http://")
    head = f"GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade, close\r\n"
    return [f"{head}Upgrade: {what}\r\n\r\n".encode() for what in ("h2c", "other/1")]


def _ask_raw(gateway: str, data: bytes) -> None:
    host, _, port = gateway.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200"), answer


@pytest.mark.parametrize(
    ("value", "text"), [(None, "is not set"), ("short", "too few for a signing key")], ids=["unset", "short"]
)
def test_a_key_that_cannot_be_used_is_an_error_at_start(value: str | None, text: str) -> None:
    config = Config.from_dict({"shadows": {"one": {"url": "http://127.0.0.1:1", "sign_key_env": "LANE_SIGN_KEY"}}})
    environ: dict[str, Any] = {} if value is None else {"LANE_SIGN_KEY": value}
    with pytest.raises(ConfigError, match=text):
        config.shadows["one"].sign_key(environ)
