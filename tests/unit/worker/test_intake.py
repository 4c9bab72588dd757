"""What is drained where, and how soon the rings are looked at again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.worker.intake import DRAINED_AT_ONCE, Intake


class Rings:
    """Rows without contents; remembers which threads drained."""

    def __init__(self, rows: int, suspects: int = 0) -> None:
        self.rows = rows
        self._suspects = suspects
        self.threads: set[int] = set()

    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]:
        self.threads.add(threading.get_ident())
        return [()] * min(self.rows, max_frames)

    def suspects(self) -> int:
        return self._suspects


def taken(rings: Rings, undrained: int | None) -> tuple[int, bool, float]:
    """How many rows one drain gives, whether on the event loop, and the pause after it."""

    async def main() -> tuple[int, bool, float]:
        intake = Intake(rings, None if undrained is None else lambda: undrained)
        try:
            rows = await intake.take()
            return len(rows), threading.get_ident() in rings.threads, intake.pause_s
        finally:
            intake.close()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("rows", "suspects", "undrained", "at_once", "pause_s"),
    [
        (4, 0, DRAINED_AT_ONCE, True, 0.1),
        (32, 0, DRAINED_AT_ONCE, True, 0.02),
        (128, 0, DRAINED_AT_ONCE, True, 0.0),
        (4, 0, DRAINED_AT_ONCE + 1, False, 0.02),
        (4, 0, None, False, 0.02),
        (500, 0, None, False, 0.0),
        (1, 1, 10, False, 0.02),
        (0, 0, 0, True, 0.02),
    ],
)
def test_little_is_drained_at_once_and_much_is_looked_for_again_soon(
    rows: int, suspects: int, undrained: int | None, at_once: bool, pause_s: float
) -> None:
    assert taken(Rings(rows, suspects), undrained) == (min(rows, 128), at_once, pause_s)


def test_empty_rings_are_looked_at_less_and_less_often() -> None:
    async def main() -> None:
        intake = Intake(Rings(0), lambda: 0)
        pauses = []
        for _ in range(5):
            await intake.take()
            pauses.append(intake.pause_s)
        intake.close()
        assert pauses == [0.02, 0.04, 0.08, 0.1, 0.1]

    asyncio.run(main())


def test_who_takes_again_and_again_leaves_the_loop_its_turns() -> None:
    async def main() -> None:
        intake = Intake(Rings(128), lambda: 1)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        for _ in range(10):
            await intake.take()
        beside.cancel()
        intake.close()
        assert turns >= 10

    asyncio.run(main())


def test_a_drainer_says_how_much_it_has_not_drained(tmp_path: Path) -> None:
    config = {
        "lane": {
            "directory": str(tmp_path / "lane"),
            "worker": "external",
            "ring_bytes": 1 << 18,
            "max_body_bytes": 4096,
        },
        "sampling": {"ratio": 1.0},
        "store": {"url": f"sqlite:///{tmp_path / 'pairs.db'}"},
        "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
    }
    drainer = _core.Drainer(str(tmp_path / "lane"))
    try:
        assert drainer.undrained() == 0
        with Lane.open(config) as lane:
            for _ in range(2):
                ticket = lane.admit("GET", "/x", [])
                assert ticket is not None
                assert lane.offer(ticket, "/x", [], b"", 200, [], b"a" * 1000, 1, 0)
            both = drainer.undrained()
            assert both > 2000
            assert len(drainer.drain(1, 1 << 20)) == 1
            assert 1000 < drainer.undrained() < both
            assert len(drainer.drain(9, 1 << 20)) == 1
            assert drainer.undrained() == 0  # though neither is acknowledged
    finally:
        drainer.close()


_KILLED = """
import os, sys
from shadowlane import _core
from shadowlane.capture.lane import Lane

drainer = _core.Drainer(sys.argv[1])
with Lane.open(sys.argv[2]) as lane:
    for _ in range(2):
        assert lane.offer(lane.admit("GET", "/x", []), "/x", [], b"", 200, [], b"a", 1, 0)
    assert len(drainer.drain(9, 1 << 20)) == 2
    os._exit(0)
"""


def test_no_frame_that_a_killed_worker_held_is_drained_on_the_event_loop(tmp_path: Path) -> None:
    directory, config = str(tmp_path / "lane"), tmp_path / "shadowlane.toml"
    config.write_text(
        f'[lane]\ndirectory = "{directory}"\nworker = "external"\nring_bytes = 262144\nmax_body_bytes = 4096\n'
        f'[sampling]\nratio = 1.0\n[store]\nurl = "sqlite:///{tmp_path}/pairs.db"\n'
        '[shadows.candidate]\nurl = "http://127.0.0.1:9"\n'
    )
    subprocess.run([sys.executable, "-c", _KILLED, directory, str(config)], check=True, timeout=120)
    drainer = _core.Drainer(directory)
    threads: list[int] = []

    class Remembering:
        suspects = drainer.suspects

        def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]:
            threads.append(threading.get_ident())
            return drainer.drain(max_frames, max_bytes)

    async def main() -> None:
        intake = Intake(Remembering(), drainer.undrained)
        try:
            for left in (2, 1):
                [row] = await intake.take()  # alone, and by the first look already
                assert drainer.suspects() == left
                drainer.ack(*row[15:17])
            assert threading.get_ident() not in threads
            assert await intake.take() == []
            assert drainer.suspects() == 0
            assert await intake.take() == []
            assert threads.pop() == threading.get_ident()
        finally:
            intake.close()

    try:
        asyncio.run(main())
    finally:
        drainer.close()
