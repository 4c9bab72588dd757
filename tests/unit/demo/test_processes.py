"""Processes of the demonstration: they come up or say why, and none outlives its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.demo.processes import DemoError, end_by_force, start, wait_for_exit

_APP = """
import argparse, sys
from shadowlane.demo.serving import add_serving_options, serve

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})

parser = argparse.ArgumentParser()
add_serving_options(parser)
parser.add_argument("--fail", action="store_true")
options = parser.parse_args()
if options.fail:
    sys.exit("the index is missing")
sys.exit(serve(app, options))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny_app.py").write_text(_APP)
    return tmp_path


def test_comes_up_and_stops(folder: Path) -> None:
    child = start("tiny", "tiny_app", [], folder / "tiny.log", folder=folder)
    try:
        child.wait_until_up(60)
        assert child.port > 0
        assert child.running
        child.check()
    finally:
        child.stop()
    assert not child.running
    assert wait_for_exit(child.pid, 0)
    with pytest.raises(DemoError, match="tiny: ended with code"):
        child.check()


def test_says_why_it_did_not_come_up(folder: Path) -> None:
    child = start("tiny", "tiny_app", ["--fail"], folder / "tiny.log", folder=folder)
    try:
        with pytest.raises(DemoError, match=r"tiny: ended with code 1 before it was up(.|\n)*the index is missing"):
            child.wait_until_up(60)
    finally:
        child.stop()


def test_leaves_with_its_parent(folder: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib\n"
            "from shadowlane.demo.processes import start\n"
            "folder = pathlib.Path(sys.argv[1])\n"
            "child = start('tiny', 'tiny_app', [], folder / 'tiny.log', folder=folder)\n"
            "child.wait_until_up(60)\n"
            "print(child.pid, flush=True)\n"
            "sys.stdin.read()\n",
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert wait_for_exit(pid, 30), "the child outlived a killed parent"


def test_ends_what_does_not_leave() -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == b"up\n"
        assert not wait_for_exit(stubborn.pid, 0)
        end_by_force(stubborn.pid, grace_s=0.2)
        assert stubborn.wait(60) == -signal.SIGKILL
    assert wait_for_exit(stubborn.pid, 0)
    assert wait_for_exit(os.getpid(), 0) is False
