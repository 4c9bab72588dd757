"""Nothing is written: write attempts through the whole lane, at a prod and a shadow that carry out all they get."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import attempts, writer
from tests.support.attempts import Attempt

from .conftest import Process, World, until

ROUTES = {
    "presets": ["openai", "anthropic", "graphql", "mcp", "search"],
    "read": ["POST /ask", "POST /ask/*", "POST /v1/*", "GET *", "HEAD *"],
}


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """The dialect, and one store for prod and one for the shadow."""
    if request.param == "sqlite":
        yield "sqlite", f"sqlite:{tmp_path / 'prod.db'}", f"sqlite:{tmp_path / 'shadow.db'}"
        return
    psycopg = pytest.importorskip("psycopg", reason="PostgreSQL's store needs psycopg")
    servers = pytest.importorskip("tests.support.servers", reason="needs the guard's PostgreSQL server")
    with servers.postgres_server() as port:
        base = f"host=127.0.0.1 port={port} user=postgres dbname="
        with psycopg.connect(base + "postgres", autocommit=True) as db:
            db.execute("CREATE DATABASE prod")
            db.execute("CREATE DATABASE shadow")
        yield "postgres", base + "prod", base + "shadow"


def serve(world: World, app: str, env: dict[str, str]) -> str:
    port = world.ports.reserve()
    arguments = [sys.executable, "-m", "uvicorn", f"tests.support.writer:{app}", "--port", str(port)]
    arguments += ["--ws", "none"]  # an upgrade is the application's to answer, whatever is installed
    process = Process([*arguments, "--log-level", "warning"], world.folder / f"{app}.log", env)
    world.processes.append(process)
    process.listening(port)
    return f"http://127.0.0.1:{port}"


def send(client: httpx.Client, url: str, attempt: Attempt) -> None:
    if not attempt.raw:
        headers = {**attempt.headers, "x-attempt": attempt.name}
        client.request(attempt.method, url + attempt.target, headers=headers, content=attempt.body)
        return
    # Before the first line's end there is no header yet, so the name goes behind it.
    line, end, rest = attempt.raw.partition(b"\n")
    name = f"X-Attempt: {attempt.name}\r\nConnection: close\r\n".encode()
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(line + end + name + rest)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while connection.recv(65536):
                pass


def lines(file: Path) -> list[list[str]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_no_write_reaches_the_shadow_and_every_read_does(
    world: World, client: httpx.Client, stores: tuple[str, str, str]
) -> None:
    dialect, prod_store, shadow_store = stores
    for store in (prod_store, shadow_store):
        writer.prepare(store)
    before = writer.contents(shadow_store)
    prod_log, shadow_log = world.folder / "prod.jsonl", world.folder / "shadow.jsonl"
    shadow = serve(world, "app", {"WRITER_STORE": shadow_store, "WRITER_LOG": str(shadow_log)})
    world.configure(
        shadow,
        routes={**ROUTES, "read": [*ROUTES["read"], f"POST /db sql:{dialect}", f"GET /db sql:{dialect}"]},
        policy={"allow_tools": ["weather"]},
    )
    env = {"WRITER_STORE": prod_store, "WRITER_LOG": str(prod_log), "SHADOWLANE_CONFIG": str(world.config)}
    url = serve(world, "mirrored", env)

    writes = [*attempts.ATTEMPTS, *attempts.sql_attempts(dialect)]
    for attempt in writes:
        send(client, url, attempt)
    # Every attempt is a real one: prod, which got it, wrote.
    with writer.connected(prod_store) as db:
        written = {row[0] for row in db.execute("SELECT attempt FROM effects").fetchall()}
        written |= {row[0] for row in db.execute("SELECT attempt FROM keys").fetchall()}
    tame = [attempt.name for attempt in writes if not attempt.name.endswith("!") and attempt.name not in written]
    assert tame == []
    seen = len(lines(prod_log))
    until(lambda: world.lane_status()["seen"] >= seen, "all attempts to be seen")
    assert writer.contents(shadow_store) == before

    allowed = [*attempts.READS, *attempts.NEUTRALISED]
    for attempt in allowed:
        send(client, url, attempt)
    status = world.settle(seen + len(allowed))

    assert writer.contents(shadow_store) == before, "rows, keys, tables or sequences changed"
    got = lines(shadow_log)
    assert len(got) == len(allowed), sorted(map(str, got))
    for attempt in attempts.READS:
        wanted = httpx.URL(url + attempt.target)
        same = [
            one
            for one in got
            if one[:3] == [attempt.method, wanted.path, wanted.query.decode()] and one[3] == attempt.body.decode()
        ]
        assert same, f"{attempt.name} did not reach the shadow as it was: {got}"
    candidate = status["shadows"]["candidate"]
    assert candidate["answered"] == len(allowed)
    assert set(candidate["failed"]) <= {"write_intent"}
    dropped = status["dropped"]
    assert set(dropped) <= {"method", "route"}
    assert candidate["failed"]["write_intent"] + sum(dropped.values()) == seen
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        rows = db.execute("SELECT reason, blocked, why, normalised FROM pairs").fetchall()
        asked = db.execute("SELECT count(*) FROM pairs WHERE normalised LIKE '%store: false%'").fetchone()[0]
    assert all(why for _, _, why, _ in rows), "every verdict says why"
    assert all(reason == blocked for reason, blocked, _, _ in rows)
    assert asked >= 3
    report = json.loads(world.cli("report", "--json").stdout)["shadows"][0]
    assert sum(report["blocked"].values()) == candidate["failed"]["write_intent"]
    page = world.folder / "page.html"
    assert world.cli("report", "--html", str(page)).returncode == 0
    assert "GraphQL mutation" in page.read_text()
