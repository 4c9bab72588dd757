"""A lane whose store is PostgreSQL, with a server that dies, stops and cuts connections under load: no copy is lost, no
row comes twice, prod notices nothing, and everything that reads works."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.servers import PostgresServer, running_postgres

from .conftest import World, until
from .test_serve import serving

SECRET = "pg-secret-7431"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as made:
        yield made


@pytest.fixture
def lane(world: World, server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A lane with one shadow and tables of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LANES_PASSWORD", SECRET)
    world.configure(world.shadow(), store=stored_in(world, server), shadows__candidate={"concurrency": 8})
    return world


def stored_in(world: World, server: PostgresServer) -> dict[str, str]:
    """``[store]``: tables of this world's own."""
    url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres?connect_timeout=60"
    schema = f"lane_{world.lane.name.rpartition('-')[2]}"
    return {"url": url, "schema": schema, "credential_env": "LANES_PASSWORD"}


def asked(server: PostgresServer, lane: World, query: str) -> list[Any]:
    """What somebody else sees in the lane's tables."""
    with psycopg.connect(f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres", autocommit=True) as db:
        db.execute("SELECT set_config('search_path', %s, false)", (f"lane_{lane.lane.name.rpartition('-')[2]}",))
        return db.execute(query.encode()).fetchall()


async def send(url: str, first: int, count: int) -> None:
    """``count`` requests at once, each answered by prod."""
    limits = httpx.Limits(max_connections=16)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as client:
        for answer in await asyncio.gather(
            *(client.post(url + "/ask", json={"q": number}) for number in range(first, first + count))
        ):
            assert answer.status_code == 200


def cut(server: PostgresServer, lane: World) -> None:
    sessions = "FROM pg_stat_activity WHERE application_name = 'shadowlane'"
    asked(server, lane, f"SELECT pg_terminate_backend(pid) {sessions}")


def restart(server: PostgresServer, number: int) -> None:
    server.stop(number)
    server.start()


def test_a_server_that_fails_under_load_costs_no_copy_and_no_answer(lane: World, server: PostgresServer) -> None:
    url = lane.gateway()
    asyncio.run(send(url, 0, 50))
    until(lambda: lane.worker_pid(), "a worker")
    until(lambda: lane.lane_status()["acked"] > 0, "the first rows are stored")
    faults: list[Callable[[], None]] = [
        lambda: cut(server, lane),
        lambda: restart(server, signal.SIGINT),
        lambda: cut(server, lane),
        lambda: restart(server, signal.SIGQUIT),
    ]
    sent = 50
    for fault in faults:
        asyncio.run(send(url, sent, 50))
        fault()
        asyncio.run(send(url, sent + 50, 50))
        sent += 100
    with server.paused():
        asyncio.run(send(url, sent, 50))
    server.stop()
    asyncio.run(send(url, sent + 50, 50))  # there is none at all
    server.start()
    sent += 100
    status = lane.settle(sent)
    assert status["mirrored"] == sent
    assert status["shadows"]["candidate"]["answered"] == sent
    assert asked(server, lane, "SELECT count(*), count(DISTINCT shadow_id) FROM pairs") == [(sent, sent)]
    assert asked(server, lane, "SELECT sum(n) FROM observed WHERE series = 'band'") == [(sent,)]
    (size,) = asked(server, lane, "SELECT sum(bytes) FROM pairs")[0]
    (packed,) = asked(server, lane, "SELECT sum(octet_length(packed)) FROM bodies")[0]
    assert asked(server, lane, "SELECT sum(bytes) FROM held") == [(size + packed,)]


def test_killed_workers_lose_nothing(lane: World, server: PostgresServer) -> None:
    url = lane.gateway()
    for first in range(0, 300, 100):
        asyncio.run(send(url, first, 100))
        # Else three might die at one copy, which then comes without contents.
        until(lambda first=first: lane.lane_status()["acked"] >= first - 100, "what was there two deaths ago is stored")
        pid = until(lane.worker_pid, "a worker")
        os.kill(pid, signal.SIGKILL)
    status = lane.settle(300)
    assert status["shadows"]["candidate"]["answered"] == 300
    assert asked(server, lane, "SELECT count(*), count(DISTINCT shadow_id) FROM pairs") == [(300, 300)]


def test_every_command_reads_it_and_none_says_the_password(lane: World, server: PostgresServer) -> None:
    before = lane.cli("status")
    assert (before.returncode, "not made yet" in before.stdout) == (0, True), before.stdout + before.stderr
    url = lane.gateway()
    asyncio.run(send(url, 0, 40))
    lane.settle(40)
    out = lane.folder / "out"
    shown = [
        *(lane.cli(*command) for command in (["status"], ["doctor"], ["report"], ["gate"], ["gate", "--restart"])),
        lane.cli("report", "--html", str(out.with_suffix(".html"))),
        lane.cli("export", "--format", "jsonl", "--out", str(out.with_suffix(".jsonl"))),
    ]
    for done in shown:
        assert done.returncode in (0, 1), (done.args, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
    assert len(out.with_suffix(".jsonl").read_text().splitlines()) == 40
    data = json.loads(lane.cli("report", "--json").stdout)
    assert data["pairs"] == 40
    server.stop()
    try:
        away = [lane.cli("status"), lane.cli("report"), lane.cli("doctor")]
    finally:
        server.start()
    assert away[0].returncode == 0, "the lane itself can be read: " + away[0].stderr
    assert all("127.0.0.1" in done.stdout + done.stderr for done in away), away
    assert away[1].returncode == 3, away[1]
    written = [path.read_text(errors="replace") for path in (lane.folder / "gateway.log", *lane.lane.glob("*.json"))]
    told = [done.stdout + done.stderr for done in (*shown, *away)]
    pages = [out.with_suffix(".html").read_text()]
    assert not any(SECRET in text for text in (*written, *told, *pages))


def test_pages_metrics_and_verdicts_are_served_from_it(
    lane: World, server: PostgresServer, client: httpx.Client
) -> None:
    gateway = lane.gateway()
    asyncio.run(send(gateway, 0, 30))
    lane.settle(30)
    url = serving(lane, "dashboard", "--listen", "127.0.0.1:0")
    ((first,),) = asked(server, lane, "SELECT min(shadow_id) FROM pairs")
    for path in ("/", f"/pairs/{first}", "/gate", "/readyz"):
        assert client.get(url + path).status_code == 200, path
    metrics = client.get(f"{url}/metrics").text
    assert 'shadowlane_readable{lane="default",part="store"} 1.0' in metrics, metrics
    cut(server, lane)
    restart(server, signal.SIGINT)
    assert client.get(f"{url}/pairs/{first}").status_code == 200
    assert SECRET not in metrics + client.get(url).text


def test_two_hosts_are_one_lane_and_each_accounts_for_its_own(
    lane: World, server: PostgresServer, tmp_path: Path
) -> None:
    folder = tmp_path / "two"
    folder.mkdir()
    other = World(folder)
    try:
        options = {"concurrency": 8}
        store = stored_in(lane, server)
        other.configure(other.shadow(), lane={"name": "two"}, store=store, shadows__candidate=options)
        one, two = lane.gateway(), other.gateway()

        async def both() -> None:
            await asyncio.gather(send(one, 0, 60), send(two, 1000, 40))

        asyncio.run(both())
        assert lane.settle(60)["shadows"]["candidate"]["answered"] == 60
        assert other.settle(40)["shadows"]["candidate"]["answered"] == 40
        assert asked(server, lane, "SELECT count(*), count(DISTINCT shadow_id) FROM pairs") == [(100, 100)]
        assert asked(server, lane, "SELECT sum(n) FROM observed WHERE series = 'band'") == [(100,)]
        for host in (lane, other):
            assert json.loads(host.cli("report", "--json").stdout)["pairs"] == 100
    finally:
        other.close()
