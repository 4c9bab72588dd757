"""Gateways' hosts that only forward, a Redis stream, and judges: whatever dies, each copy is one row, and the accounts
over all hosts are exact. Real processes, a real server."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shadowlane.offload.stream import Accounts
from tests.support.fleet import Fleet

from .conftest import until

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


def test_killed_judges_and_forwarders_lose_nothing_and_store_nothing_twice(fleet: Fleet) -> None:
    """``SHADOWLANE_KILLS``: how often one of them is killed (500 in the nightly run)."""
    kills = int(os.environ.get("SHADOWLANE_KILLS", "24"))
    shadow = fleet.host("a").shadow()
    judges = [fleet.judge(f"judge-{number}", shadow) for number in range(2)]
    urls = [fleet.worlds[0].gateway(), fleet.host("b").gateway()]
    forwarding = [world for world in fleet.worlds if world not in judges]
    running = {judge: judge.start() for judge in judges}
    choose = random.Random(7)
    asked = 0
    for kill in range(kills):
        for url in urls:
            asyncio.run(ask(url, asked, 20))
            asked += 20
        if kill % 4 == 3:
            world = choose.choice(forwarding)
            pid = until(world.worker_pid, "a forwarding worker")
            os.kill(pid, signal.SIGKILL)
            continue
        # A judge in the middle of its work: what it holds goes to the other, or to its successor.
        until(lambda: fleet.state().total.judged, "a judge is at work") if not kill else None
        judge = choose.choice(judges)
        running[judge].stop(signal.SIGKILL)
        running[judge] = judge.start()
    state = fleet.settle(asked)
    assert state.total == Accounts(forwarded=asked, judged=asked)
    assert state.lost == 0
    rows = fleet.rows()
    assert len(rows) == len({row[0] for row in rows}) == asked
    assert all(one.forwarded == one.judged == asked // 2 for one in state.sources.values())
