"""Nothing grows: memory over a million offers, descriptors, threads and mappings over a thousand lanes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

from .conftest import World

PRELUDE = """\
import gc, json, os, sys, threading, time
from shadowlane import Lane, _core
from shadowlane.types import Copy

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def held():
    # A thread that was joined may still be on its way out of the kernel's list.
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/task")) > threading.active_count() and time.monotonic() < deadline:
        os.sched_yield()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "mappings": sum("shadowlane-test" in line for line in open("/proc/self/maps")),
    }

def empty(drainer):
    while rows := drainer.drain(1000, 1 << 30):
        for copy in (Copy(**dict(zip(Copy.__struct_fields__, row))) for row in rows):
            drainer.ack(copy.ring, copy.seq)

"""


def measure(world: World, text: str) -> list[dict[str, int]]:
    """Run the program; the measurements that it prints, one JSON object a line."""
    file = world.folder / "program.py"
    file.write_text(PRELUDE + textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, str(file), str(world.config), str(world.lane)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_memory_is_flat_over_a_million_offers(world: World) -> None:
    """Taken and stored, dropped for a full ring, given back: all ways that a ticket can go."""
    world.configure(
        "http://127.0.0.1:9",
        lane={"worker": "external", "ring_bytes": 1 << 18, "max_body_bytes": 16384},
        limits={"qps": 1e6, "burst": 1_000_000},
    )
    first, last = measure(
        world,
        """
        config, directory = sys.argv[1:]
        lane = Lane.open(config)
        drainer = _core.Drainer(directory, allow_headers=())
        headers = [(b"content-type", b"application/json"), (b"accept", b"*/*")]
        body = b'{"q": "what is flat"}'
        answers = [[b"x" * 200, b"y" * 100], b"z" * 300, b""]

        def offers(count):
            done = 0
            for number in range(count):
                ticket = lane.admit("GET", "/x", headers)
                if number % 10 == 9:
                    lane.drop(ticket, "prod_failed")
                elif number % 10 == 8:
                    del ticket
                else:
                    done += lane.offer(ticket, "/x", headers, body, 200, headers, answers[number % 3], 1000, 0)
                if number % 2000 == 0:
                    empty(drainer)
            return done

        taken = offers(100_000)
        gc.collect()
        print(json.dumps({"resident": resident(), "taken": taken}))
        taken = offers(1_250_000)
        gc.collect()
        print(json.dumps({"resident": resident(), "taken": taken}))
        """,
    )
    assert last["taken"] > 100_000, "too few were taken to show anything"
    # A leak of one pointer for each offer would be 8 MB.
    assert last["resident"] - first["resident"] < 2_000_000, (first, last)


def test_nothing_is_held_after_a_thousand_lanes(world: World) -> None:
    world.configure("http://127.0.0.1:9", lane={"worker": "external", "ring_bytes": 1 << 16, "max_body_bytes": 16384})
    first, last = measure(
        world,
        """
        config, directory = sys.argv[1:]
        drainer = _core.Drainer(directory, allow_headers=())

        def lanes(count):
            for number in range(count):
                with Lane.open(config) as lane:
                    ticket = lane.admit("GET", "/x", [])
                    assert lane.offer(ticket, "/x", [], b"", 200, [], b"answer", 1000, 0)
                del lane, ticket
                if number % 50 == 49:
                    empty(drainer)
            empty(drainer)
            gc.collect()

        lanes(100)
        print(json.dumps({"resident": resident(), "rings": len(_core.lane_status(directory)["rings"]), **held()}))
        lanes(1000)
        print(json.dumps({"resident": resident(), "rings": len(_core.lane_status(directory)["rings"]), **held()}))
        """,
    )
    assert {key: last[key] for key in ("descriptors", "threads", "mappings", "rings")} == {
        key: first[key] for key in ("descriptors", "threads", "mappings", "rings")
    }
    assert last["rings"] == 0
    assert last["resident"] - first["resident"] < 3_000_000, (first, last)
    status = world.lane_status()
    assert (status["seen"], status["mirrored"]) == (1100, 1100)


def test_nothing_is_held_after_lanes_that_supervise_a_worker(world: World) -> None:
    world.configure(world.shadow(), lane={"idle_exit_s": 5.0, "ring_bytes": 1 << 16, "max_body_bytes": 16384})
    first, last = measure(
        world,
        """
        config, directory = sys.argv[1:]

        def lanes(count):
            for _ in range(count):
                Lane.open(config).close()
            gc.collect()

        lanes(5)
        print(json.dumps(held()))
        lanes(100)
        print(json.dumps(held()))
        """,
    )
    assert last == first
