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
from tests.support.fleet import Fleet

from .conftest import World, until

pytest.importorskip("redis")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, claim_s=2.0, max_deliveries=100_000)
    try:
        yield made
    finally:
        made.close()


async def ask(url: str, first: int, count: int) -> None:
    """So many questions, none alike, each answered by prod."""
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=8)) as client:
        gate = asyncio.Semaphore(8)

        async def one(number: int) -> None:
            async with gate:
                answer = await client.post(url + "/ask", json={"q": number})
                assert answer.status_code == 200

        await asyncio.gather(*(one(first + number) for number in range(count)))


def test_two_hosts_forward_and_one_judge_stores_each_copy_once(fleet: Fleet) -> None:
    judge = fleet.judge("judge", fleet.host("a").shadow())
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


def test_the_gate_beside_the_store_knows_what_the_hosts_count_and_time(fleet: Fleet) -> None:
    """Half of the requests are taken on each host: the trial of mirroring's cost, the sampler, prod's failures."""
    half = {"sampling": {"ratio": 0.5, "seed": 3}}
    hosts = [fleet.host(name, **half) for name in ("a", "b")]
    judge = fleet.judge("judge", hosts[0].shadow(), **half)
    judge.start()
    for number, host in enumerate(hosts):
        asyncio.run(ask(host.gateway(), 1000 * number, 100))
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
        # The one at work: what it holds goes to the other, which waited for its turn, or to its successor. One that has
        # nothing to do is not worth a kill, but a judge that is quick may be done before the kill comes.
        held = fleet.state().total.judged
        until(lambda held=held: fleet.state().pending or fleet.state().total.judged > held, "a judge is at work")
        judge = choose.choice(judges)
        running[judge].stop(signal.SIGKILL)
        running[judge] = judge.start()
    state = fleet.settle(asked)
    assert state.total == Accounts(forwarded=asked, judged=asked)
    assert state.lost == 0
    rows = fleet.rows()
    assert len(rows) == len({row[0] for row in rows}) == asked
    assert all(one.forwarded == one.judged == asked // 2 for one in state.sources.values())


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
    assert not any("stream" in text for text in said["alerts"])
    # A judge that is told to end gives nothing up, and a forwarding host's doctor sees the server.
    assert running.stop() == 0
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
