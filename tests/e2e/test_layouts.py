"""A release with another layout was here before, or still runs: the gateway mirrors, and its accounting is whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from shadowlane.config import lane_directory, load_config

from .conftest import World, until

VERSION_AT = 7


def ask(client: httpx.Client, gateway: str, count: int) -> None:
    for number in range(count):
        assert client.post(f"{gateway}/ask", json={"question": f"how {number}?"}).status_code == 200


def set_layout(path: Path, change: int) -> None:
    with path.open("r+b") as file:
        file.seek(VERSION_AT)
        (version,) = file.read(1)
        file.seek(VERSION_AT)
        file.write(bytes([version + change]))


def truncated(path: Path) -> None:
    os.truncate(path, 100)


def newer(path: Path) -> None:
    set_layout(path, 1)


def older(path: Path) -> None:
    set_layout(path, -1)


def is_path_held(path: Path) -> bool:
    """Whether a process holds the lock on the file's first byte."""
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except OSError:
            return True
    return False


def killed_with_copies(world: World, client: httpx.Client) -> None:
    """A lane of a gateway and a worker that were killed: 20 stored, and 5 that nobody has read."""
    gateway = world.gateway()
    ask(client, gateway, 20)
    world.settle(20)
    os.kill(world.worker_pid(), signal.SIGSTOP)
    ask(client, gateway, 5)
    # A client has its answer before the copy is made.
    until(lambda: world.lane_status()["mirrored"] == 25, "all copies are made")
    world.processes[-1].stop(signal.SIGKILL)
    os.kill(world.lane_status()["worker"]["pid"], signal.SIGKILL)
    until(lambda: not world.worker_pid(), "the worker is gone")


@pytest.mark.parametrize("change", [older, newer, truncated])
def test_a_control_file_of_another_layout(world: World, client: httpx.Client, change: Callable[[Path], None]) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 3600.0})
    killed_with_copies(world, client)
    old = world.lane
    change(old / "control.shm")
    gateway = world.gateway()
    world.lane = lane_directory(load_config(world.config))
    try:
        assert world.lane.parent == old
        ask(client, gateway, 10)
        status = world.settle(10)
        assert status["shadows"]["candidate"]["answered"] == 10
        assert status["refused"] == []
        unread = until(lambda: world.status()["unread"], "what nobody holds is counted and removed")
        assert unread.startswith("5 copies in 1 rings"), unread
        assert list(old.glob("*.shm")) == []
        after = world.settle(10)
        assert after["older"] == []
        assert "unread" in world.cli("status").stdout
        doctor = world.cli("doctor").stdout
        assert "other release" in doctor
        assert "5 copies" in doctor
    finally:
        world.close()
        world.lane = old


def test_a_lane_of_another_layout_that_still_runs_goes_on_beside(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 3600.0})
    first = world.gateway()
    ask(client, first, 5)
    world.settle(5)
    old, worker = world.lane, world.worker_pid()
    # Both processes run on with what they have mapped, as those of another release would.
    newer(old / "control.shm")
    until(lambda: lane_directory(load_config(world.config)) != old, "this release looks beside it")
    second = world.gateway()
    world.lane = lane_directory(load_config(world.config))
    try:
        ask(client, second, 7)
        status = world.settle(7)
        assert status["shadows"]["candidate"]["answered"] == 7
        (line,) = status["older"]
        assert "have them still" in line
        assert "beside another release's" in (world.folder / "gateway.log").read_text()
        assert (old / "ring-1.shm").exists()
    finally:
        world.close()
        world.lane = old
        os.kill(worker, signal.SIGTERM)
        until(lambda: not is_path_held(old / "worker.lock"), "the other release's worker leaves")
        shutil.rmtree(old)


@pytest.mark.parametrize("change", [older, newer])
def test_a_ring_of_another_layout(world: World, client: httpx.Client, change: Callable[[Path], None]) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 3600.0})
    killed_with_copies(world, client)
    (ring,) = world.lane.glob("ring-*.shm")
    change(ring)
    gateway = world.gateway()
    ask(client, gateway, 10)

    def retired() -> bool:
        status = world.status()
        assert status["accounting"]["holds"], status["accounting"]
        assert all(shadow["in_flight"] >= 0 for shadow in status["shadows"].values())
        return status["refused"] == []

    until(retired, "the other layout's ring is retired")
    status = world.settle(35)
    assert status["mirrored"] == 30
    assert status["dropped"] == {"unreadable": 5}
    assert status["shadows"]["candidate"]["answered"] == 30
