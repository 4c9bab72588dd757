"""The right to start a worker: one holder, which a worker inherits and a forked gateway does not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from shadowlane.capture import start
from shadowlane.capture.start import take_start_lock
from shadowlane.worker.process import _give_back_start_lock


def test_one_holds_it_and_gives_it_back(tmp_path: Path) -> None:
    lock = take_start_lock(tmp_path)
    assert lock is not None
    assert take_start_lock(tmp_path) is None
    lock.release()
    again = take_start_lock(tmp_path)
    assert again is not None
    again.release()


def test_a_started_process_holds_it_until_it_ends(tmp_path: Path) -> None:
    lock = take_start_lock(tmp_path)
    assert lock is not None
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(lock.fileno(),)
    )
    lock.release()
    assert take_start_lock(tmp_path) is None
    child.kill()
    child.communicate()
    after = take_start_lock(tmp_path)
    assert after is not None
    after.release()


def test_a_worker_that_has_the_lane_gives_it_back(tmp_path: Path) -> None:
    lock = take_start_lock(tmp_path)
    assert lock is not None
    inherited = os.dup(lock.fileno())  # as a started worker has it
    [(name, _)] = lock.environment().items()
    lock.release()
    os.environ[name] = str(inherited)
    assert take_start_lock(tmp_path) is None
    _give_back_start_lock()
    assert name not in os.environ
    after = take_start_lock(tmp_path)
    assert after is not None
    after.release()


def test_a_gateway_that_is_forked_meanwhile_does_not_hold_it(tmp_path: Path) -> None:
    lock = take_start_lock(tmp_path)
    assert lock is not None
    reading, writing = os.pipe()
    lives, forked = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.write(forked, b"x")  # what a fork does in the child is done
        os.read(reading, 1)  # lives until its parent is done
        os._exit(0)
    try:
        os.close(reading)
        os.close(forked)
        assert os.read(lives, 1) == b"x"
        lock.release()
        after = take_start_lock(tmp_path)
        assert after is not None
        after.release()
    finally:
        os.close(writing)
        os.close(lives)
        os.waitpid(child, 0)


class Gate:
    """A lock that says when another thread than its maker's asks for it."""

    def __init__(self, asked: threading.Event) -> None:
        self._lock = threading.RLock()
        self._maker = threading.get_ident()
        self._asked = asked

    def acquire(self) -> bool:
        if threading.get_ident() != self._maker:
            self._asked.set()
        return self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("after", ["open", "taken", "discard"])
def test_no_fork_falls_where_the_descriptor_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """Another thread forks right after the file was opened, when the lock was taken, and right before it is closed."""
    moved = threading.Event()
    monkeypatch.setattr(start, "_FORKS", Gate(moved), raising=False)
    reading, writing = os.pipe()
    lives, forked = os.pipe()
    children: list[int] = []

    def fork() -> None:
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.write(forked, b"x")  # what a fork does in the child is done
            os.read(reading, 1)  # lives until its parent is done
            os._exit(0)
        children.append(child)
        moved.set()

    forking = threading.Thread(target=fork)

    def begin() -> None:
        forking.start()
        assert moved.wait(30)  # until the child is made, or waits for the descriptor to be known

    real_open, real_close = os.open, os.close

    def closed(handle: int) -> None:
        if lock is not None and handle == lock.fileno():
            begin()
        real_close(handle)

    def opened(path: Any, *arguments: Any, **options: Any) -> int:
        handle = real_open(path, *arguments, **options)
        if after == "open":
            begin()
        return handle

    lock: start.StartLock | None = None
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", opened)
            lock = take_start_lock(tmp_path)
        assert lock is not None
        if after == "taken":
            begin()
        with monkeypatch.context() as patched:
            if after == "discard":
                patched.setattr(os, "close", closed)
            lock.release()
        forking.join(30)
        [child] = children
        assert os.read(lives, 1) == b"x"
        held = [str(entry.readlink()) for entry in Path(f"/proc/{child}/fd").iterdir()]
        assert str(tmp_path / start.START_LOCK) not in held
        again = take_start_lock(tmp_path)
        assert again is not None
        again.release()
    finally:
        for pipe in (reading, writing, lives, forked):
            os.close(pipe)
        for child in children:
            os.waitpid(child, 0)
