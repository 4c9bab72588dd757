"""A worker that is killed while its calls are out sends them again: the caps hold all the same."""

from __future__ import annotations

import os
import signal
import threading
import time

import httpx
import pytest

from tests.support.rawserver import RawServer

from .conftest import World, until

QPS, BURST, OUT = 8.0, 40, 32
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nyes"


class Held:
    """A shadow that answers nobody until it is let, and notes when it was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.let = threading.Event()

    def answer(self, path: str) -> bytes:
        self.asked.append(time.monotonic())
        self.let.wait(300)
        return ANSWER


@pytest.mark.parametrize(("cap", "deaths"), [("the lane's", 1), ("the lane's", 3), ("the shadow's own", 1)])
def test_a_cap_holds_over_the_deaths_of_workers(world: World, client: httpx.Client, deaths: int, cap: str) -> None:
    held = Held()
    limits = {"qps": QPS, "burst": BURST}
    lane, own = (limits, {}) if cap == "the lane's" else ({}, limits)
    with RawServer(held.answer) as server:
        world.configure(server.url, limits=lane, shadows__candidate={"concurrency": OUT, "timeout_s": 60.0, **own})
        url = world.gateway()
        began = time.monotonic()
        for number in range(BURST):
            assert client.get(f"{url}/x?n={number}").status_code == 200
        enough = OUT
        for death in range(deaths):
            until(lambda enough=enough: len(held.asked) >= enough, "calls are out")
            pid = world.worker_pid()
            os.kill(pid, signal.SIGKILL)
            enough = len(held.asked) + 1  # before another worker can be there: it tries what is suspected one by one
            until(lambda pid=pid: world.worker_pid() not in (0, pid), f"worker {death + 2}")
        held.let.set()
        status = world.settle(BURST)
        took = max(held.asked) - began
    assert len(held.asked) > BURST, "something was sent again, else this test says nothing"
    assert len(held.asked) <= BURST + QPS * took + 1
    candidate = status["shadows"]["candidate"]
    assert candidate["answered"] + candidate["failed"].get("cap", 0) == BURST
    # The lane's cap is waited for. A shadow's own refuses what comes too soon.
    assert candidate["answered"] == BURST or cap != "the lane's"


def test_a_slow_shadow_holds_up_no_copy_behind_a_death(world: World, client: httpx.Client) -> None:
    """What was out when a worker was killed is sent again without waiting for one answer after the other."""
    held = Held()
    with RawServer(held.answer) as server:
        world.configure(server.url, shadows__candidate={"concurrency": OUT, "timeout_s": 600.0, "deadline_s": 1200.0})
        url = world.gateway()
        for number in range(OUT):
            assert client.get(f"{url}/x?n={number}").status_code == 200
        until(lambda: len(held.asked) == OUT, "calls are out")
        os.kill(world.worker_pid(), signal.SIGKILL)
        until(lambda: len(held.asked) == 2 * OUT, "all are out again, and none is answered", 120)
        held.let.set()
        assert world.settle(OUT)["shadows"]["candidate"]["answered"] == OUT
