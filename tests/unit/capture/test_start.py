"""The right to start a worker: one holder, which a worker inherits and a forked gateway does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
