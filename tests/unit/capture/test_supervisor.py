"""What keeps a worker running: how it goes on where none can be started, and what it says then."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadowlane.capture import supervisor as module
from shadowlane.capture.lane import Lane
from shadowlane.capture.supervisor import Supervisor
from shadowlane.config import Config
from shadowlane.config.worker_file import CONFIG_FILE, ERROR_FILE, START_LOCK, running_revision, worker_config
from shadowlane.errors import LaneError
from tests.e2e.conftest import until

CONFIG = Config.from_dict({"shadows": {"a": {"url": "http://127.0.0.1:9"}}})


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
    supervisor = Supervisor(core, tmp_path, CONFIG, lambda: tmp_path, clock)
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


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The revision that each worker would have run. In its stead a process that only waits is started."""
    revisions: list[str] = []
    processes: list[subprocess.Popen[bytes]] = []

    def spawn(directory: Path, file: Path, lock: object) -> subprocess.Popen[bytes]:
        assert file == directory / CONFIG_FILE
        revisions.append(running_revision(directory))
        processes.append(
            subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
        )
        return processes[-1]

    monkeypatch.setattr(module, "spawn_worker", spawn)
    yield revisions
    for process in processes:
        process.returncode = None
        process.communicate()


TOLD = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD}
FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}


def blocked(status: str) -> set[int]:
    [line] = [line for line in status.splitlines() if line.startswith("SigBlk:")]
    mask = int(line.split()[1], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def test_no_signal_of_its_host_goes_to_its_thread_and_a_worker_begins_with_none_blocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    spawned, core = threading.Event(), Watched()

    def spawn(*_: object) -> subprocess.Popen[bytes]:
        said.append(subprocess.check_output(["cat", "/proc/self/status"], text=True))
        spawned.set()
        return subprocess.Popen(["true"])

    monkeypatch.setattr(module, "spawn_worker", spawn)
    monkeypatch.setattr(module, "_SUPERVISE_EVERY_S", 0.01)
    core.age = 0.1
    supervisor = Supervisor(core, tmp_path, CONFIG, lambda: tmp_path)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    supervisor.start()
    try:
        of_thread = Path(f"/proc/self/task/{supervisor._thread.native_id}/status")
        masked = lambda: (mask := blocked(of_thread.read_text())) >= TOLD and not mask & FAULTS  # noqa: E731
        until(masked, "its thread has them blocked")
        assert not said, "a worker is there"
        core.age = None
        assert spawned.wait(60)
        until(masked, "and again behind the worker's start")
    finally:
        supervisor.stop()
    assert blocked(said[0]) == before == signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_where_threads_are_none_the_hosts_signals_stay_as_they_are(tmp_path: Path, started: list[str]) -> None:
    """As under gevent: what should run on a thread of its own runs on the process's first."""
    supervisor = Supervisor(Watched(), tmp_path, CONFIG, lambda: tmp_path)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        supervisor._thread = threading.current_thread()
        supervisor._stop.set()
        supervisor._run()
        supervisor._step()
        assert len(started) == 1
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before | {signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def lane_config(folder: Path, ratio: float) -> Config:
    lane = {"directory": str(folder / "lane"), "ring_bytes": 65536, "max_body_bytes": 4096}
    store = {"url": f"sqlite:///{folder / 'pairs.db'}"}
    shadows = {"candidate": {"url": "http://127.0.0.1:9"}}
    return Config.from_dict({"lane": lane, "store": store, "sampling": {"ratio": ratio}, "shadows": shadows})


@pytest.mark.parametrize("first", ["old", "new"])
def test_whoever_notices_first_the_configuration_in_force_stays(
    tmp_path: Path, started: list[str], monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(module, "_SUPERVISE_EVERY_S", 3600.0)  # only the steps below
    old, new = lane_config(tmp_path, 0.5), lane_config(tmp_path, 0.25)
    in_force = worker_config(new, tmp_path / "lane").revision()
    with Lane.open(old) as one, Lane.open(new) as other:
        assert started == [worker_config(old, tmp_path / "lane").revision(), in_force]
        supervisors = [lane._supervisor for lane in ((one, other) if first == "old" else (other, one))]
        for supervisor in supervisors:
            assert supervisor is not None
            supervisor._step()
        shutil.rmtree(tmp_path / "lane")
        for supervisor in supervisors:
            assert supervisor is not None
            assert supervisor._process is not None
            supervisor._process.kill()
            supervisor._process.wait()
            supervisor._next_try = 0.0
            supervisor._step()
        assert started[2:] == [in_force, in_force]
        assert running_revision(tmp_path / "lane") == in_force


def test_a_configuration_that_could_not_be_written_is_written_before_a_worker_starts(
    tmp_path: Path, started: list[str]
) -> None:
    core, clock = Watched(), Clock()
    lane, moved = tmp_path / "lane", tmp_path / "moved"
    lane.mkdir(0o700)
    moved.mkdir(0o700)

    def remake() -> Path:
        core.in_place = True
        return moved

    supervisor = Supervisor(core, lane, CONFIG, remake, clock)
    core.in_place = False
    (moved / CONFIG_FILE).mkdir()  # nothing can be written over it
    with pytest.raises(LaneError, match=r"config\.json: cannot be written"):
        supervisor._step()
    assert started == []
    (moved / CONFIG_FILE).rmdir()
    supervisor._step()
    assert started == [], "it is tried again after a second"
    clock.now += 1
    supervisor._step()
    assert started == [worker_config(CONFIG, moved).revision()]
    supervisor.stop()


def test_a_child_of_its_own_that_hangs_is_ended_where_the_core_cannot(
    tmp_path: Path, started: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    core, clock = Watched(), Clock()
    supervisor = Supervisor(core, tmp_path, CONFIG, lambda: tmp_path, clock)
    supervisor._step()
    child = supervisor._process
    assert child is not None
    said = tmp_path / ERROR_FILE
    core.age = 119.0  # the core may give it time until then
    supervisor._step()
    assert child.poll() is None
    assert not said.exists()
    core.age = 121.0
    with caplog.at_level(logging.WARNING, "shadowlane"):
        supervisor._step()
    assert child.wait(30) == -signal.SIGKILL
    assert f"process {child.pid} had not reported itself for 121 s" in caplog.text
    core.age = None
    clock.now += 1
    supervisor._step()
    assert said.read_text().startswith(f"hung: process {child.pid} "), "no other reason is put in its stead"
    assert len(started) == 2
    supervisor.stop()


def test_a_hung_worker_of_another_gateway_is_left_to_the_core(tmp_path: Path, started: list[str]) -> None:
    core = Watched()
    supervisor = Supervisor(core, tmp_path, CONFIG, lambda: tmp_path, Clock())
    core.age = 1000.0
    supervisor._step()
    assert started == []
    assert not (tmp_path / ERROR_FILE).exists()


def test_what_keeps_a_lane_from_being_made_anew_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    core, tries = Watched(), 0
    why: Exception | None = OSError("no room")

    def remake() -> Path:
        nonlocal tries
        tries += 1
        if why is not None:
            raise why
        core.in_place = True
        return tmp_path

    supervisor = Supervisor(core, tmp_path, None, remake, Clock())
    core.in_place = False

    def said(count: int) -> list[str]:
        caplog.clear()
        for _ in range(count):
            supervisor._step()
        return [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]

    with caplog.at_level(logging.DEBUG, "shadowlane"):
        [first] = said(20)
        assert first.endswith("cannot be made anew: no room")
        why = LaneError("not safe")
        [second] = said(20)
        assert second.endswith("cannot be made anew: not safe")
        assert tries == 40
        why = None
        [third] = said(20)
        assert "made anew in" in third
        assert tries == 41
