"""What keeps a worker running: how it goes on where none can be started, and what it says then."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

import pytest

from shadowlane.capture.supervisor import Supervisor
from shadowlane.config.worker_file import ERROR_FILE, START_LOCK


class Watched:
    """A lane in its directory, with a worker that last reported itself ``age`` seconds ago."""

    def __init__(self) -> None:
        self.in_place = True
        self.age: float | None = None
        self.ended: int | None = None

    def is_in_place(self) -> bool:
        return self.in_place

    def take_along(self) -> None:
        """Nothing is left in an older ring."""

    def worker_heartbeat_age_s(self) -> float | None:
        return self.age

    def end_hung_worker(self) -> int | None:
        return self.ended


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_start_lock_that_nobody_gives_back_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    core, clock = Watched(), Clock()
    supervisor = Supervisor(core, tmp_path, tmp_path / "config.json", lambda: (tmp_path, None), clock)
    holder = os.open(tmp_path / START_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(holder, fcntl.LOCK_EX)
    said = tmp_path / ERROR_FILE

    def pass_seconds(count: int) -> None:
        for _ in range(count):
            supervisor._step()
            clock.now += 1

    try:
        with caplog.at_level(logging.WARNING, "shadowlane"):
            pass_seconds(60)
            assert caplog.records == []
            assert not said.exists()
            pass_seconds(120)
            [record] = caplog.records
            assert str(tmp_path / START_LOCK) in record.getMessage()
            assert said.read_text().startswith("no worker can be started: another process has held")
            # A worker that came up, and went: what was is over, and the next time is another one.
            core.age = 0.1
            pass_seconds(1)
            core.age = None
            pass_seconds(60)
            assert len(caplog.records) == 1
            pass_seconds(10)
            assert len(caplog.records) == 2
    finally:
        os.close(holder)
