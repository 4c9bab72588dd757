"""A worker that hangs is ended and replaced by one other, whether one gateway process watches it or four do."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from .conftest import World, until

STARTED = re.compile(r"worker (\d+): lane ")


def ask(client: httpx.Client, gateway: str, count: int) -> None:
    for number in range(count):
        assert client.post(f"{gateway}/ask", json={"question": f"how {number}?"}).status_code == 200


def started(world: World) -> list[str]:
    """Every worker that had the lane, by process id."""
    return STARTED.findall((world.lane / "worker.log").read_text())


def processes(world: World) -> set[int]:
    """Worker processes that were started for this lane and are there now, whether they have it or not."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"worker" in words and os.fsencode(world.lane / "config.json") in words:
            found.add(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("gateways", [1, 4])
def test_a_stopped_worker_is_replaced_by_one(world: World, client: httpx.Client, gateways: int) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 3600.0})
    gateway = world.gateway(workers=gateways)
    ask(client, gateway, 8)
    world.settle(8)
    assert len(started(world)) == 1
    (hung,) = processes(world)
    os.kill(hung, signal.SIGSTOP)
    seen: Counter[int] = Counter()
    ask(client, gateway, 8)

    def replaced() -> bool:
        seen.update(processes(world))
        return world.worker_pid() not in (0, hung)

    until(replaced, "another worker has the lane")
    status = world.settle(16)
    assert status["shadows"]["candidate"]["answered"] == 16
    assert set(seen) | processes(world) == {hung, world.worker_pid()}, "one process was started, and no other"
    assert len(started(world)) == 2
    assert "another worker" not in (world.lane / "worker.log").read_text()
    assert hung not in processes(world)
    until(lambda: not (world.lane / "worker.error").exists(), "what was is over")


@pytest.mark.slow
def test_four_gateways_start_one_worker_for_one_that_is_killed(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 3600.0})
    gateway = world.gateway(workers=4)
    ask(client, gateway, 4)
    world.settle(4)
    for round_ in range(2, 5):
        before = world.worker_pid()
        os.kill(before, signal.SIGKILL)
        until(lambda: world.worker_pid() not in (0, before), "another worker has the lane")  # noqa: B023 - asked at once
        ask(client, gateway, 4)
        world.settle(4 * round_)
        assert len(started(world)) == round_
    assert "another worker" not in (world.lane / "worker.log").read_text()
