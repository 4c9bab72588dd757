"""Every request is accounted for, whatever dies, and prod's answers are what they are without us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections import Counter

import httpx
import pytest

from .conftest import World, until


def rows(world: World) -> list[tuple[str, str, str]]:
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        return db.execute("SELECT shadow_id, shadow, reason FROM pairs").fetchall()


def test_each_reason_is_counted_once(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow(), lane={"max_body_bytes": 65536})
    url = world.gateway()
    sent = Counter[str]()

    def send(kind: str, method: str, path: str, **options: object) -> None:
        client.request(method, url + path, **options)  # type: ignore[arg-type]
        sent[kind] += 1

    for number in range(20):
        send("mirrored", "GET", f"/x?n={number}")
        send("mirrored", "POST", "/ask", json={"q": number})
    for _ in range(3):
        send("method", "DELETE", "/x")
        send("method", "POST", "/ask", json={}, headers={"X-HTTP-Method-Override": "DELETE"})
        send("route", "POST", "/v1/../files", json={})
        send("loop", "GET", "/x", headers={"x-shadow": "1"})
        send("request_too_large", "POST", "/ask", content=b"x" * 70000)
    send("mirrored", "HEAD", "/x")
    send("mirrored", "GET", "/missing")
    send("prod_failed", "GET", "/raise")
    send("mirrored", "GET", "/large")
    status = world.settle(sum(sent.values()))
    mirrored = sent.pop("mirrored")
    assert status["mirrored"] == mirrored
    # httpx resolves the dot segments before it sends, so the path that arrives is a plain one that no pattern names.
    assert status["dropped"] == {"method": 0, **sent}
    assert status["shadows"]["candidate"]["answered"] == mirrored
    stored = rows(world)
    assert len(stored) == mirrored
    assert len({row[0] for row in stored}) == mirrored


def test_the_switch_stops_all_copies_at_once_and_starts_them_again(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    url = world.gateway()
    client.get(url + "/x")
    assert world.cli("off").returncode == 0
    for _ in range(5):
        client.get(url + "/x")
    assert world.cli("on").returncode == 0
    client.get(url + "/x")
    status = world.settle(7)
    assert status["mirrored"] == 2
    assert status["dropped"] == {"disabled": 5}


# A connection for each request, so that the kernel spreads them over the processes.
NO_KEEPALIVE = httpx.Limits(max_connections=32, max_keepalive_connections=0)


async def load(url: str, count: int, kill: list[int] | None = None, world: World | None = None) -> int:
    """Send ``count`` requests; after each of the given numbers of them, kill the worker with SIGKILL.

    A copy at which three workers died comes without contents. So that none does, what was there at the last death but
    one is stored before the next.
    """
    errors = 0
    async with httpx.AsyncClient(timeout=30, trust_env=False, limits=NO_KEEPALIVE) as client:
        gate = asyncio.Semaphore(32)

        async def one(number: int) -> int:
            async with gate:
                answer = await client.post(url + "/ask", json={"q": number})
                return int(answer.status_code != 200)

        for start in range(0, count, 100):
            errors += sum(await asyncio.gather(*(one(start + number) for number in range(100))))
            if kill and world is not None and start + 100 in kill:
                nth = kill.index(start + 100)
                done = kill[nth - 2] if nth >= 2 else 0
                await asyncio.to_thread(until, lambda: world.lane_status()["acked"] >= done, f"{done} are stored")  # noqa: B023
                pid = await asyncio.to_thread(until, world.worker_pid, "a worker")
                os.kill(pid, signal.SIGKILL)
    return errors


def test_a_killed_worker_loses_nothing_and_stores_nothing_twice(world: World) -> None:
    world.configure(world.shadow(), shadows__candidate={"concurrency": 4})
    url = world.gateway()
    errors = asyncio.run(load(url, 1000, [200, 500, 900], world))
    assert errors == 0
    status = world.settle(1000)
    assert status["mirrored"] == 1000
    assert status["shadows"]["candidate"]["answered"] == 1000
    assert len(rows(world)) == len({row[0] for row in rows(world)}) == 1000


def test_a_killed_gateway_is_drained_and_its_open_requests_are_counted(world: World) -> None:
    world.configure(world.shadow())
    url = world.gateway()

    async def run() -> None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            for number in range(30):
                await client.get(f"{url}/x?n={number}")
            hanging = [asyncio.create_task(client.get(url + "/hang")) for _ in range(4)]
            await asyncio.to_thread(until, lambda: world.lane_status()["open"] == 4, "four open requests")
            world.processes[-1].stop(signal.SIGKILL)
            await asyncio.gather(*hanging, return_exceptions=True)

    # The worker starts with the gateway; without one the ring stays, and nothing is lost either.
    asyncio.run(run())
    until(lambda: not world.lane_status()["rings"], "the dead gateway's ring is removed")
    status = world.settle(34)
    assert status["mirrored"] == 30
    assert status["dropped"] == {"producer_died": 4}


@pytest.mark.parametrize("workers", [2, 4])
def test_processes_share_one_worker_one_ratio_and_one_cap(world: World, workers: int) -> None:
    world.configure(world.shadow(), sampling={"ratio": 0.3, "seed": 5})
    url = world.gateway(workers)
    until(lambda: len(world.lane_status()["rings"]) >= workers, "a ring for each process")
    assert asyncio.run(load(url, 1000)) == 0
    status = world.settle(1000)
    assert abs(status["mirrored"] - 300) <= 2
    assert status["dropped"] == {"sampled_out": 1000 - status["mirrored"]}
    serving = [ring for ring in status["rings"] if ring["started"]]
    assert len(serving) >= 2, "the kernel gave all connections to one process"
    # The trial: every taken request is timed, and as many of the others, Binomial(700, 3/7): 13.1 is one sigma.
    every = status["overhead"]["all"]
    assert status["overhead"]["randomized"]
    assert every["taken"] == status["mirrored"]
    assert abs(every["not_taken"] - 300) < 6 * 13.1
    assert every["p50"]["interval_s"][0] <= every["p50"]["added_s"] <= every["p50"]["interval_s"][1]
    assert [block["route"] for block in status["overhead"]["routes"]] == ["POST /ask"]
    # What the processes timed outlives them.
    world.processes[-1].stop()
    until(lambda: not world.lane_status()["rings"], "the rings of both are removed")
    assert world.status()["overhead"] == status["overhead"]


def test_the_cap_holds_over_all_processes(world: World) -> None:
    world.configure(world.shadow(), limits={"qps": 5.0, "burst": 20})
    url = world.gateway(2)
    import time

    began = time.monotonic()
    assert asyncio.run(load(url, 500)) == 0
    took = time.monotonic() - began
    status = world.settle(500)
    assert 20 <= status["mirrored"] <= 20 + 5.0 * took + 1
    assert status["dropped"] == {"cap": 500 - status["mirrored"]}


def test_the_worker_leaves_when_the_gateway_has_and_all_is_stored(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    url = world.gateway()
    client.get(url + "/x")
    world.settle(1)
    assert world.worker_pid()
    world.processes[-1].stop()
    until(lambda: not world.worker_pid(), "the worker leaves")
    assert world.lane_status()["rings"] == []


def test_two_shadows_each_get_their_share(world: World, client: httpx.Client) -> None:
    second = world.shadow()
    world.configure(world.shadow(), shadows__half={"url": second, "ratio": 0.5})
    url = world.gateway()
    for number in range(200):
        client.get(f"{url}/x?n={number}")
    status = world.settle(200)
    assert status["shadows"]["candidate"]["answered"] == 200
    half = status["shadows"]["half"]
    assert half["failed"] == {"sampled_out": 200 - half["answered"]}
    # Binomial(200, 1/2): outside 60..140 less than once in a hundred million.
    assert 60 <= half["answered"] <= 140
