"""A worker that is told to end, whenever that is, ends by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.capture.start import take_start_lock
from shadowlane.capture.supervisor import spawn_worker, write_worker_config
from shadowlane.config import Config
from shadowlane.worker.state import ERROR_FILE

_LIFE = """
import asyncio, os, signal
import uvloop
from shadowlane.worker.told import Told

ENDS = []

async def life(told):
    end = asyncio.Event()
    with told.telling(asyncio.get_running_loop(), lambda: (ENDS.append(1), end.set())):
        {within}
        await end.wait()

def send(): os.kill(os.getpid(), signal.{name})

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.{name}])
{blocked}
told = Told()
told.listen()
{listening}
uvloop.run(life(told))
send()
assert told.heard and len(ENDS) == 1, ENDS
print("by itself")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("when", ["blocked", "listening", "within"])
def test_a_signal_is_heard_whenever_it_comes(name: str, when: str) -> None:
    moments = {"blocked": "", "listening": "", "within": ""} | {when: "send()"}
    script = _LIFE.format(name=name, **moments)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "by itself\n"), done.stderr


@pytest.mark.e2e  # a real worker runs at idle priority: beside tests on every core it would starve
def test_a_worker_that_is_told_before_it_runs_ends_by_itself(tmp_path: Path) -> None:
    lane = {"directory": str(tmp_path / "lane"), "ring_bytes": 65536, "max_body_bytes": 4096}
    store = {"url": f"sqlite:///{tmp_path / 'pairs.db'}"}
    score = {"embedder": "lexical", "groups": False}
    shadows = {"candidate": {"url": "http://127.0.0.1:9"}}
    config = Config.from_dict({"lane": lane, "store": store, "score": score, "shadows": shadows})
    directory = tmp_path / "lane"
    directory.mkdir(mode=0o700)
    lock = take_start_lock(directory)
    assert lock is not None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        worker = spawn_worker(directory, write_worker_config(config, directory), lock)
    finally:
        lock.release()
    worker.terminate()
    try:
        assert worker.wait(timeout=120) == 0, (directory / "worker.log").read_text()
    finally:
        worker.kill()
        worker.wait()
    assert not (directory / ERROR_FILE).exists()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
