"""The lane's files are removed or replaced while it runs: it is made anew, and nothing is lost or left uncounted."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from shadowlane.errors import StoreError
from shadowlane.store import SqliteStore

from .conftest import Process, World, until


def stored(database: Path) -> set[str]:
    """The questions of all rows that have an answer."""
    try:
        with SqliteStore(database, max_age_ns=1, max_bytes=1, read_only=True) as store:
            rows = list(store.iter_pairs(with_bodies=True))
    except StoreError:
        return set()
    assert all(row.pair.outcome.reason == "" for row in rows)
    return {row.pair.copy.body.decode() for row in rows}


def ask(client: httpx.Client, gateway: str, names: range) -> set[str]:
    bodies = {f'{{"question": "number {number}"}}' for number in names}
    for body in bodies:
        answer = client.post(f"{gateway}/ask", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 200
    return bodies


def remove(lane: Path) -> None:
    shutil.rmtree(lane)


def replace(lane: Path) -> None:
    """By an empty directory."""
    lane.rename(lane.with_name(f"{lane.name}-{secrets.token_hex(4)}"))
    lane.mkdir(mode=0o700)


def remove_control(lane: Path) -> None:
    (lane / "control.shm").unlink()


def remove_rings(lane: Path) -> None:
    for ring in lane.glob("ring-*.shm"):
        ring.unlink()


@pytest.fixture(autouse=True)
def leftovers(world: World) -> object:
    yield
    for moved in world.lane.parent.glob(f"{world.lane.name}-*"):
        shutil.rmtree(moved)


@pytest.mark.slow
@pytest.mark.parametrize("how", [remove, replace, remove_control, remove_rings])
@pytest.mark.parametrize("gateways", [1, 3])
def test_no_copy_is_lost(world: World, client: httpx.Client, how: Callable[[Path], None], gateways: int) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 3600.0}, store={"keep_bodies": "all"})
    gateway = world.gateway(workers=gateways)
    sent = ask(client, gateway, range(20))
    world.settle(20)
    before = world.lane_status()["lane_id"]
    how(world.lane)
    # At once, before anybody can have noticed, and then until all have.
    sent |= ask(client, gateway, range(20, 50))
    log, count = world.folder / "gateway.log", 50

    def noticed() -> bool:
        nonlocal sent, count
        sent |= ask(client, gateway, range(count, count + 5))
        count += 5
        return log.read_text().count("made anew in") >= gateways

    until(noticed, "each process has made the lane anew")
    until(lambda: stored(world.database) == sent, "every copy is stored")
    until(lambda: len(world.lane_status()["rings"]) == gateways, "each gateway has a ring again")

    def whole() -> bool:
        status = world.status()
        return bool(
            status["accounting"]["holds"]
            and status["started"]
            and status["open"] == 0
            and all(shadow["in_flight"] == 0 for shadow in status["shadows"].values())
        )

    until(whole, "the accounting is whole again")
    assert (world.lane_status()["lane_id"] == before) == (how is remove_rings)
    assert "made anew" in log.read_text()


@pytest.mark.slow
def test_without_a_worker_the_gateway_takes_its_copies_along(world: World, client: httpx.Client) -> None:
    """Nobody reads the ring that was removed: what is in it goes into the new one."""
    world.configure(world.shadow(), lane={"worker": "external"}, store={"keep_bodies": "all"})
    gateway = world.gateway()
    sent = ask(client, gateway, range(30))
    remove(world.lane)
    sent |= ask(client, gateway, range(30, 40))
    until(
        lambda: (world.lane / "control.shm").exists() and world.lane_status()["mirrored"] == 40,
        "what was in the ring is in the new one",
    )
    status = world.lane_status()
    assert (status["seen"], status["open"], status["dropped"]) == (40, 0, {})
    arguments = ["-m", "shadowlane", "worker", "--config", str(world.config)]
    world.processes.append(Process([sys.executable, *arguments], world.folder / "worker.log"))
    world.settle(40)
    assert stored(world.database) == sent
    # And the worker that somebody started by hand opens what is there when that goes too.
    worker = world.worker_pid()
    remove(world.lane)
    sent |= ask(client, gateway, range(40, 50))
    until(lambda: stored(world.database) == sent, "every copy is stored")
    until(
        lambda: (world.lane / "control.shm").exists() and world.worker_pid() == worker,
        "the same worker has the new lane",
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_end_while_it_finishes_opens_no_other_lane(
    world: World, client: httpx.Client, number: signal.Signals
) -> None:
    asked = world.folder / "asked.log"
    world.configure(
        world.shadow("hang", log=asked), lane={"worker": "external"}, shadows__candidate={"timeout_s": 60.0}
    )
    hanging = world.processes[-1]
    gateway = world.gateway()
    log = world.folder / "worker.log"
    worker = Process([sys.executable, "-m", "shadowlane", "worker", "--config", str(world.config)], log)
    world.processes.append(worker)
    ask(client, gateway, range(1))
    until(lambda: asked.exists() and asked.read_text(), "the shadow holds the copy")
    remove(world.lane)
    until(lambda: "opening what is there now" in log.read_text(), "the worker finishes what it has")
    os.kill(worker.popen.pid, number)
    hanging.stop()
    until(lambda: worker.popen.poll() is not None, "it ends")
    assert worker.popen.returncode == 0
    assert log.read_text().count(": lane ") == 1


@pytest.mark.slow
def test_drops_are_counted_over_the_change(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 3600.0}, sampling={"ratio": 1e-6})
    gateway = world.gateway()
    ask(client, gateway, range(5))
    until(lambda: world.lane_status()["seen"] == 5, "they are counted")
    remove(world.lane)
    ask(client, gateway, range(200))
    until(lambda: (world.lane / "control.shm").exists() and world.lane_status()["seen"] >= 200, "all are counted")
    assert world.lane_status()["dropped"].keys() == {"sampled_out"}


@pytest.mark.slow
def test_a_directory_that_cannot_be_made_anew_is_said_once(world: World, client: httpx.Client) -> None:
    parent = world.lane.with_name(f"{world.lane.name}-parent")
    parent.mkdir(mode=0o700)
    world.lane = parent / "lane"
    try:
        world.configure(world.shadow(), lane={"idle_exit_s": 3600.0})
        gateway = world.gateway()
        ask(client, gateway, range(3))
        world.settle(3)
        shutil.rmtree(world.lane)
        world.lane.symlink_to("/nonexistent")
        log = world.folder / "gateway.log"
        until(lambda: "cannot be made anew" in log.read_text(), "it is said")
        until(lambda: log.read_text().count("tried again") >= 2, "it is tried again and again")
        ask(client, gateway, range(3, 6))
        assert log.read_text().count("cannot be made anew") == 1
        world.lane.unlink()
        until(lambda: "made anew in" in log.read_text(), "it is made when it can be")
        until(lambda: world.lane_status()["mirrored"] >= 3, "what waited is there")
        until(lambda: world.status()["shadows"]["candidate"]["in_flight"] == 0, "and is sent")
    finally:
        world.close()
        shutil.rmtree(parent)
