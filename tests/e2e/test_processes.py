"""Every way in which a gateway's processes and threads come to be: each has a ring of its own, and all are counted."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import ROOT, Process, World, until


@pytest.fixture
def lane_only(world: World) -> Iterator[World]:
    """A lane without a worker: what the processes counted is all that there is."""
    world.configure("http://127.0.0.1:9", lane={"worker": "external", "ring_bytes": 1 << 20, "max_body_bytes": 65536})
    return world


def script(world: World, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user would; it reads the configuration's path from its arguments."""
    file = world.folder / "program.py"
    file.write_text(PRELUDE + textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, str(file), str(world.config), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=world.folder,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done


PRELUDE = """\
import multiprocessing, os, sys, threading
from shadowlane import Lane

def serve(lane, count, tag=b"x"):
    for number in range(count):
        ticket = lane.admit("GET", "/x", [(b"x-number", b"%d" % number)])
        assert ticket is not None
        assert lane.offer(ticket, "/x", [], b"", 200, [(b"content-type", b"text/plain")], tag * 40, 1000, 0)

"""


def drain(world: World) -> list[bytes]:
    """Be the worker for a moment: the response bodies of all copies, acknowledged, and the dead rings removed."""
    from shadowlane import _core
    from shadowlane.types import Copy

    drainer = _core.Drainer(str(world.lane), allow_headers=())
    bodies: list[bytes] = []
    try:
        while True:
            rows = drainer.drain(1000, 1 << 30)
            for row in rows:
                copy = Copy(**dict(zip(Copy.__struct_fields__, row, strict=True)))
                bodies.append(copy.response_body)
                drainer.ack(copy.ring, copy.seq)
            if not rows and not drainer.pending():
                drainer.drain(1, 1)
                return bodies
    finally:
        drainer.close()


def check(world: World, mirrored: int, rings: int) -> dict[str, Any]:
    before = world.lane_status()
    assert len(before["rings"]) == rings, before["rings"]
    assert len(drain(world)) == mirrored
    status = world.lane_status()
    assert (status["seen"], status["mirrored"], status["open"]) == (mirrored, mirrored, 0)
    assert status["acked"] == mirrored
    assert status["rings"] == []
    return before


def test_fork(lane_only: World) -> None:
    script(
        lane_only,
        """
        lane = Lane.open(sys.argv[1])
        serve(lane, 10)
        idle = os.fork()
        if idle == 0:
            os._exit(0)          # a child that serves nothing makes no ring
        os.waitpid(idle, 0)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                serve(lane, 20)
                grandchild = os.fork()
                if grandchild == 0:
                    serve(lane, 5)
                    os._exit(0)
                assert os.waitpid(grandchild, 0)[1] == 0
                lane.close()
                os._exit(0)
            children.append(child)
        serve(lane, 10)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        serve(lane, 10)          # a child's close is not ours
        """,
    )
    check(lane_only, mirrored=30 + 3 * 25, rings=7)


def test_fork_while_other_threads_serve(lane_only: World) -> None:
    script(
        lane_only,
        """
        lane = Lane.open(sys.argv[1])
        threads = [threading.Thread(target=serve, args=(lane, 300)) for _ in range(4)]
        for thread in threads:
            thread.start()
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                mine = [threading.Thread(target=serve, args=(lane, 5)) for _ in range(4)]
                for thread in mine:
                    thread.start()
                for thread in mine:
                    thread.join()
                os._exit(0 if lane.faults == 0 else 3)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        for thread in threads:
            thread.join()
        """,
    )
    check(lane_only, mirrored=4 * 300 + 8 * 20, rings=9)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(lane_only: World, method: str) -> None:
    script(
        lane_only,
        """
        def child(config, method):
            global lane
            if method != "fork":
                lane = Lane.open(config)
            serve(lane, 20)

        if __name__ == "__main__":
            config, method = sys.argv[1:]
            lane = Lane.open(config)
            serve(lane, 10)
            context = multiprocessing.get_context(method)
            children = [context.Process(target=child, args=(config, method)) for _ in range(3)]
            for process in children:
                process.start()
            for process in children:
                process.join()
                assert process.exitcode == 0
            lane.close()
        """,
        method,
    )
    check(lane_only, mirrored=70, rings=4)


def test_threads_share_one_ring_and_mix_nothing(lane_only: World) -> None:
    script(
        lane_only,
        """
        lane = Lane.open(sys.argv[1])
        tags = (b"a", b"b", b"c", b"d", b"e", b"f")
        threads = [threading.Thread(target=serve, args=(lane, 250, tag)) for tag in tags]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """,
    )
    assert len(lane_only.lane_status()["rings"]) == 1
    bodies = Counter(drain(lane_only))
    assert bodies == {tag * 40: 250 for tag in (b"a", b"b", b"c", b"d", b"e", b"f")}


def test_a_process_whose_main_thread_has_ended_is_alive(lane_only: World) -> None:
    """Its leader looks like a zombie in /proc, and its ring must not be taken for a dead one's."""
    file = lane_only.folder / "program.py"
    file.write_text(
        PRELUDE
        + textwrap.dedent("""
        import ctypes
        lane = Lane.open(sys.argv[1])
        serve(lane, 3)
        ready = threading.Event()

        def go_on():
            ready.wait()
            print("ready", flush=True)
            sys.stdin.buffer.read(1)
            serve(lane, 4)
            os._exit(0)

        threading.Thread(target=go_on).start()
        ready.set()
        ctypes.CDLL(None).pthread_exit(None)
        """)
    )
    with subprocess.Popen(
        [sys.executable, str(file), str(lane_only.config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z", "a zombie")
        assert lane_only.lane_status()["rings"][0]["alive"]
        assert len(drain(lane_only)) == 3
        assert len(lane_only.lane_status()["rings"]) == 1
        process.stdin.write(b"g")
        process.stdin.flush()
        assert process.wait(60) == 0
    assert len(drain(lane_only)) == 4
    assert lane_only.lane_status()["seen"] == 7


def test_gunicorn_preload(world: World) -> None:
    """The application, and with it the lane, is made in the master; its workers are forked from it."""
    world.configure(world.shadow())
    port = world.ports.reserve()
    arguments = [sys.executable, "-m", "gunicorn", "tests.support.gateway:mirrored", "--preload", "--workers", "3"]
    arguments += ["--worker-class", "asgi", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    process = Process(arguments, world.folder / "gunicorn.log", {"SHADOWLANE_CONFIG": str(world.config)})
    world.processes.append(process)
    process.listening(port)

    def serving() -> list[dict[str, Any]]:
        return [ring for ring in world.lane_status()["rings"] if ring["started"]]

    sent = 0
    deadline = time.monotonic() + 60
    # A connection for each request; the kernel gives them to whichever worker is waiting.
    while len(serving()) < 2 or sent < 60:
        answer = httpx.get(f"http://127.0.0.1:{port}/x?n={sent}", timeout=30, trust_env=False)
        assert answer.status_code == 200
        sent += 1
        assert time.monotonic() < deadline, "one process got every connection"
    rings = world.lane_status()["rings"]
    assert process.popen.pid in {ring["pid"] for ring in rings}, "the master has a ring, made before the forks"
    assert process.popen.pid not in {ring["pid"] for ring in serving()}, "and no worker writes to it"
    assert len({ring["pid"] for ring in rings}) == len(rings)
    # A worker of gunicorn is killed: the master forks another one.
    victim = serving()[0]["pid"]
    until(lambda: world.lane_status()["mirrored"] == sent, "each copy is made, which is behind its answer")
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in {ring["pid"] for ring in world.lane_status()["rings"]}, "the dead ring is removed")
    for _ in range(20):
        answer = httpx.get(f"http://127.0.0.1:{port}/x", timeout=30, trust_env=False)
        assert answer.status_code == 200
        sent += 1
    status = world.settle(sent)
    assert status["mirrored"] == sent
    assert status["shadows"]["candidate"]["answered"] == sent


def test_uvicorn_reload(world: World, client: httpx.Client) -> None:
    """The process that serves is replaced whenever a file changes: the old one's ring is emptied and removed."""
    world.configure(world.shadow())
    app = world.folder / "app_to_reload.py"
    app.write_text("from tests.support.gateway import mirrored\n")
    port = world.ports.reserve()
    arguments = [sys.executable, "-m", "uvicorn", "app_to_reload:mirrored", "--port", str(port), "--reload"]
    arguments += ["--app-dir", str(world.folder), "--reload-dir", str(world.folder), "--log-level", "warning"]
    env = {"SHADOWLANE_CONFIG": str(world.config), "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "python")])}
    process = Process(arguments, world.folder / "uvicorn.log", env)
    world.processes.append(process)
    process.listening(port)
    url = f"http://127.0.0.1:{port}/x"
    sent = 0
    pids: list[int] = []

    def rings() -> list[dict[str, Any]]:
        return list(world.lane_status()["rings"])

    changes = itertools.count(1)
    next_change = 0.0

    def old_is_gone() -> bool:
        """Change the file until the reloader sees it: what changes before its first look is what it compares with."""
        nonlocal next_change
        if Path(f"/proc/{pids[-1]}").exists():
            if time.monotonic() >= next_change:
                next_change = time.monotonic() + 3
                changed = next(changes)
                app.write_text(f"from tests.support.gateway import mirrored\n# changed {changed}\n")
                os.utime(app, (time.time() + 10 * changed,) * 2)
            return False
        return pids[-1] not in {ring["pid"] for ring in rings()}

    for change in range(3):
        for _ in range(10):
            assert client.get(url).status_code == 200
            sent += 1
        serving = [ring["pid"] for ring in rings() if ring["alive"] and ring["started"]]
        assert len(serving) == 1
        pids.extend(serving)
        if change < 2:
            next_change = 0.0
            until(old_is_gone, "the old process is gone")
            until(lambda: any(ring["alive"] for ring in rings()), "the new process has a ring")
            process.listening(port)
    assert len(set(pids)) == 3
    status = world.settle(sent)
    assert status["mirrored"] == sent
    assert json.dumps(status["dropped"]) == "{}"
