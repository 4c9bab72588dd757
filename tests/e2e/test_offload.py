"""Gateways' hosts that only forward, a Redis stream, and judges: whatever dies, each copy is one row, and the accounts
over all hosts are exact. Real processes, a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shadowlane.offload.stream import Accounts
from shadowlane.worker.state import read_state
from tests.support.fleet import Fleet, Judge
from tests.support.servers import running_postgres

from .conftest import World, until

pytest.importorskip("redis")
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, claim_s=2.0, max_deliveries=100_000)
    try:
        yield made
    finally:
        made.close()


SECRET = "jane.doe@example.org"


async def ask(url: str, first: int, count: int) -> None:
    """So many questions, none alike, each answered by prod."""
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=8)) as client:
        gate = asyncio.Semaphore(8)

        async def one(number: int) -> None:
            async with gate:
                answer = await client.post(url + "/ask", json={"q": number, "from": SECRET})
                assert answer.status_code == 200

        await asyncio.gather(*(one(first + number) for number in range(count)))


def test_two_hosts_forward_and_one_judge_stores_each_copy_once(fleet: Fleet) -> None:
    log = fleet.folder / "shadow.log"
    judge = fleet.judge("judge", fleet.host("a").shadow(log=log))
    urls = [fleet.worlds[0].gateway(), fleet.host("b").gateway()]
    for number, url in enumerate(urls):
        asyncio.run(ask(url, 1000 * number, 60))
    # Nobody judges yet: all of it waits in the stream, and no ring holds anything.
    until(lambda: fleet.state().length == 120, "all copies are in the stream")
    judge.start()
    state = fleet.settle(120)
    assert state.total == Accounts(forwarded=120, judged=120)
    assert {name.split("/")[0]: one for name, one in state.sources.items()} == {
        "a": Accounts(forwarded=60, judged=60),
        "b": Accounts(forwarded=60, judged=60),
    }
    rows = fleet.rows()
    assert len(rows) == len({row[0] for row in rows}) == 120
    assert {row[1:] for row in rows} == {("candidate", "")}
    # The shadow knows each for a copy, as if its own host had sent it, and nobody's secret left that host.
    asked = [dict(json.loads(line)["headers"]) for line in log.read_text().splitlines()]
    assert {one["x-shadow"] for one in asked} == {"1"}
    assert {one["x-shadow-id"] for one in asked} == {row[0] for row in rows}
    written = [file for file in (fleet.folder / "redis").rglob("*") if file.is_file()]
    assert any(b"[EMAIL]" in file.read_bytes() for file in written)
    assert not any(SECRET.encode() in file.read_bytes() for file in (log, *written))


def test_the_gate_beside_the_store_knows_what_the_hosts_count_and_time(fleet: Fleet) -> None:
    """Half of the requests are taken on each host: the trial of mirroring's cost, the sampler, prod's failures."""
    half = {"sampling": {"ratio": 0.5, "seed": 3}}
    hosts = [fleet.host(name, **half) for name in ("a", "b")]
    judge = fleet.judge("judge", hosts[0].shadow(), **half)
    judge.start()
    for number, host in enumerate(hosts):
        asyncio.run(ask(host.gateway(), 1000 * number, 100))
    until(lambda: sum(host.lane_status()["seen"] for host in hosts) == 200, "all are counted")
    taken = sum(host.lane_status()["mirrored"] for host in hosts)
    fleet.settle(taken)

    def counted() -> dict[str, Any] | None:
        status = judge.status()
        return status if status["seen"] == 200 else None

    status = until(counted, "the hosts' counts")
    assert (status["mirrored"], status["dropped"]) == (taken, {"sampled_out": 200 - taken})
    assert (status["sampler"]["eligible"], status["sampler"]["taken"]) == (200, taken)
    [revision] = status["sampler"]["revisions"]
    assert (revision["ratio"], revision["eligible"], revision["taken"]) == (0.5, 200, taken)

    def judged() -> dict[str, str] | None:
        [verdict] = json.loads(judge.cli("gate", "--json").stdout)["shadows"]
        lines = {rule["key"]: rule["evidence"] for rule in verdict["rules"]}
        return None if "timed yet" in lines["overhead"] else lines

    lines = until(judged, "what the hosts timed")
    assert f"{taken} of 200 eligible requests taken" in lines["sampling"]
    assert f"prod failed 0 of {taken} requests" in lines["prod_errors"]


def test_killed_judges_and_forwarders_lose_nothing_and_store_nothing_twice(fleet: Fleet) -> None:
    """``SHADOWLANE_JUDGE_KILLS``: how often one of them is killed (500 in the nightly run)."""
    kills = int(os.environ.get("SHADOWLANE_JUDGE_KILLS", "20"))
    shadow = fleet.host("a").shadow()
    judges = [fleet.judge(f"judge-{number}", shadow) for number in range(2)]
    forwarding = [fleet.worlds[0], fleet.host("b")]
    urls = [world.gateway() for world in forwarding]
    running = {judge: judge.start() for judge in judges}
    choose = random.Random(7)
    asked = 0
    for kill in range(kills):
        for url in urls:
            asyncio.run(ask(url, asked, 20))
            asked += 20
        if kill % 4 == 3:
            pid = until(choose.choice(forwarding).worker_pid, "a forwarding worker")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            continue
        # The one at work: what it holds goes to the other, which waited for its turn, or to its successor. A judge that
        # is quick may be done before the kill comes.
        until(lambda: (state := fleet.state()).pending or state.total.judged == asked, "a judge is at work")  # noqa: B023
        judge = choose.choice(judges)
        running[judge].stop(signal.SIGKILL)
        running[judge] = judge.start()
    state = fleet.settle(asked)
    assert state.total == Accounts(forwarded=asked, judged=asked)
    assert state.lost == 0
    rows = fleet.rows()
    assert len(rows) == len({row[0] for row in rows}) == asked
    assert all(one.forwarded == one.judged == asked // 2 for one in state.sources.values())


def test_a_full_stream_pauses_admission_on_the_hosts_and_loses_nothing(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, max_length=20)
    try:
        host = fleet.host("a")
        judge = fleet.judge("judge", host.shadow())
        url, asked = host.gateway(), 0

        def dropped() -> int:
            nonlocal asked
            asyncio.run(ask(url, asked, 10))
            asked += 10
            return int(host.lane_status()["dropped"].get("backlog", 0))

        until(dropped, "admission pauses")
        until(lambda: fleet.state().length == 20, "the stream is full")
        judge.start()
        until(lambda: not host.lane_status()["cap"]["paused_reason"] and fleet.state().length < 16, "the pause is over")
        # Whether more than the stream's 20 came before the pause hangs on when the host looked.
        asyncio.run(ask(url, asked, 10))
        asked += 10
        until(lambda: host.lane_status()["seen"] == asked and host.lane_status()["open"] == 0, "all are counted")
        counted = host.lane_status()
        state = fleet.settle(counted["mirrored"])
        assert set(counted["dropped"]) == {"backlog"}
        assert counted["seen"] == counted["mirrored"] + counted["dropped"]["backlog"]
        assert state.total.judged == len(fleet.rows()) == counted["mirrored"] > 20
    finally:
        fleet.close()


def test_judges_with_one_postgresql_work_at_once_and_store_each_copy_once(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No turns: both take from the stream, and are killed with what they hold."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    psycopg = pytest.importorskip("psycopg")
    with running_postgres() as database:
        url = f"postgresql://postgres@127.0.0.1:{database.port}/postgres"
        host = fleet.host("a")
        shadow = host.shadow()
        judges = [
            fleet.judge(f"judge-{number}", shadow, store={"url": url, "schema": "offload"}) for number in range(2)
        ]
        running = {judge: judge.start() for judge in judges}
        gateway, asked = host.gateway(), 0

        def worked(judge: Judge) -> int:
            state = read_state(judge.lane)
            return int(state["offload"].get("judged", 0)) if state is not None else 0

        def load() -> None:
            nonlocal asked
            asyncio.run(ask(gateway, asked, 40))
            asked += 40

        def both() -> bool:
            if asked - fleet.state().total.judged < 200:  # no more than they can judge later, however long they start
                load()
            return all(worked(judge) for judge in judges)

        until(both, "both have judged something")
        for number in range(6):
            load()
            judge = judges[number % 2]
            running[judge].stop(signal.SIGKILL)
            running[judge] = judge.start()
        state = fleet.settle(asked)
        assert state.total == Accounts(forwarded=asked, judged=asked)
        with psycopg.connect(f"host=127.0.0.1 port={database.port} user=postgres dbname=postgres") as db:
            rows = db.execute("SELECT count(*), count(DISTINCT shadow_id) FROM offload.pairs").fetchone()
            counted = db.execute("SELECT sum(n) FROM offload.counts").fetchone()
        assert rows == (asked, asked)
        assert counted == (asked,)
        for judge in judges:
            running[judge].stop()


def test_the_server_is_killed_in_the_middle_and_both_sides_say_where_the_copies_are(fleet: Fleet) -> None:
    host = fleet.host("a")
    judge = fleet.judge("judge", host.shadow())
    url = host.gateway()
    running = judge.start()
    asyncio.run(ask(url, 0, 40))
    until(lambda: fleet.state().total.judged, "it is at work")
    fleet.server.stop()
    asyncio.run(ask(url, 40, 40))
    until(lambda: any("cannot connect" in text for text in host.status()["alerts"]), "the host says so")
    until(lambda: any("cannot connect" in text for text in judge.status()["alerts"]), "the judge says so")
    assert sum(ring["used"] for ring in host.lane_status()["rings"]) > 0
    fleet.server.start()
    state = fleet.settle(80)
    assert state.total == Accounts(forwarded=80, judged=80)
    assert len(fleet.rows()) == len({row[0] for row in fleet.rows()}) == 80
    said = until(lambda: shown(host, "of those: judged 80, set aside 0, 0 not yet"), "the host's part")
    assert said["offload"]["own"] == {"base": 0, "forwarded": 80, "judged": 80, "set_aside": 0}
    said = until(lambda: shown(judge, "forwarded 80 = judged 80 + set aside 0 + lost 0 + in the stream 0"), "all parts")
    assert said["shadows"]["candidate"]["answered"] == said["shadows"]["candidate"]["mirrored"] == 80
    for world in (host, judge):
        until(lambda world=world: not any("stream" in text for text in world.status()["alerts"]), "nothing is wrong")
    # A judge that is told to end gives nothing up, and a forwarding host's doctor sees the server.
    running.popen.terminate()
    until(lambda: running.popen.poll() is not None, "the judge leaves", 120)
    assert running.popen.poll() == 0
    asyncio.run(ask(url, 80, 5))
    until(lambda: fleet.state().length == 5, "they wait")
    checks = {one["text"]: one["level"] for one in json.loads(host.cli("doctor", "--json").stdout)["checks"]}
    assert [level for text, level in checks.items() if "append-only file, appendfsync always" in text] == ["ok"]
    assert [level for text, level in checks.items() if "no maxmemory" in text] == ["warn"]


def shown(world: World, line: str) -> dict[str, Any] | None:
    """The host's status once a line of its accounting says so; its accounting must hold whenever it is asked."""
    status = world.status()
    assert status["accounting"]["holds"], status["accounting"]
    return status if any(line in one for one in status["accounting"]["lines"]) else None
