"""Gateways and worker in pid namespaces of their own, over one shared directory, as containers of one pod have them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import ROOT, Process, World, until

SERVE = """
import sys
from shadowlane import Lane
lane = Lane.open(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        ticket = lane.admit("GET", "/x", [])
        assert lane.offer(ticket, "/x", [], b"", 200, [(b"content-type", b"text/plain")], b"answer", 1000, 0)
    print("done", flush=True)
"""


def _may_unshare() -> bool:
    program = shutil.which("unshare")
    return bool(program) and subprocess.run([program, "--pid", "--fork", "true"], check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _may_unshare(), reason="this user may not make a pid namespace")

OWN_PROC = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
OUTER_PROC = ("unshare", "--pid", "--fork", "--kill-child")


class Producer:
    """A gateway process that offers as many exchanges as it is told, in a pid namespace or not."""

    def __init__(self, world: World, *around: str) -> None:
        self.popen = subprocess.Popen(
            [*around, sys.executable, "-c", SERVE, str(world.config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        )
        self._answer("ready")

    def _answer(self, wanted: str) -> None:
        assert self.popen.stdout is not None
        assert self.popen.stdout.readline() == f"{wanted}\n"

    def serve(self, count: int) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{count}\n")
        self.popen.stdin.flush()
        self._answer("done")

    def kill(self) -> None:
        """With its whole namespace, as a container that is killed."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.communicate()


@pytest.fixture
def producers() -> Iterator[list[Producer]]:
    made: list[Producer] = []
    yield made
    for one in made:
        if one.popen.poll() is None:
            one.kill()


def worker(world: World, *around: str) -> None:
    arguments = [*around, sys.executable, "-m", "shadowlane", "worker", "--config", str(world.config)]
    world.processes.append(Process(arguments, world.folder / "worker.log"))
    until(lambda: (world.lane / "control.shm").exists() and world.lane_status()["worker"]["alive"], "the worker")


def rings(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.lane_status()["rings"]
    return found


@pytest.mark.parametrize("around", [OWN_PROC, OUTER_PROC], ids=["own proc", "outer proc"])
@pytest.mark.parametrize("around_worker", [(), OWN_PROC, OUTER_PROC], ids=["beside", "own proc", "outer proc"])
def test_a_gateway_in_another_namespace_lives_until_it_is_killed(
    world: World, producers: list[Producer], around: tuple[str, ...], around_worker: tuple[str, ...]
) -> None:
    world.configure(world.shadow(), lane={"worker": "external", "ring_bytes": 1 << 20, "max_body_bytes": 65536})
    worker(world, *around_worker)
    producers += [Producer(world, *around), Producer(world)]
    # Longer than a worker needs to look who lives, again and again: each batch is offered when the last is stored.
    for batch in range(1, 11):
        for one in producers:
            one.serve(10)
        world.settle(20 * batch)
        assert [ring["alive"] for ring in rings(world)] == [True, True]
    producers[0].kill()
    until(lambda: len(rings(world)) == 1, "the killed one's ring is retired")
    producers[1].serve(10)
    status = world.settle(210)
    assert status["mirrored"] == 210
    assert status["dropped"] == {}
    assert status["shadows"]["candidate"]["answered"] == 210


def test_many_killed_gateways_leave_no_ring(world: World, producers: list[Producer]) -> None:
    """Every container starts with the same process ids."""
    world.configure(world.shadow(), lane={"worker": "external", "ring_bytes": 1 << 20, "max_body_bytes": 65536})
    worker(world, *OWN_PROC)
    for number in range(1, 6):
        producers.append(Producer(world, *OWN_PROC))
        producers[-1].serve(3)
        assert any(ring["alive"] and not ring["same_namespace"] for ring in rings(world))
        producers[-1].kill()
        until(lambda: rings(world) == [], "its ring is retired")
        assert world.settle(3 * number)["mirrored"] == 3 * number


def test_status_and_doctor_say_where_a_process_is(world: World, producers: list[Producer]) -> None:
    world.configure(world.shadow(), lane={"worker": "external", "ring_bytes": 1 << 20, "max_body_bytes": 65536})
    worker(world, *OWN_PROC)
    producers.append(Producer(world, *OWN_PROC))
    text = world.cli("status").stdout
    assert "of another pid namespace (alive)" in text
    assert "of another pid namespace, heartbeat" in text
    assert "of another pid namespace is at work" in world.cli("doctor").stdout
    done = world.cli("status", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "of another pid namespace is at work" in done.stdout
    world.processes[-1].stop(signal.SIGKILL)
    until(lambda: world.cli("status", "--check").returncode == 1, "the check says that there is none")
