"""``status --watch`` on a real terminal: drawn, drawn anew in another size, and left as it was found."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.lanes import config_at, make_pairs, save

ENTER, LEAVE, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
PACKAGES = str(Path(__file__).parents[2] / "python")


class Terminal:
    """A command whose terminal the test holds the other end of."""

    def __init__(self, arguments: list[str], rows: int = 40, columns: int = 100) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": PACKAGES}
            for name in ("COLUMNS", "LINES"):
                environment.pop(name, None)
            os.execve(sys.executable, [sys.executable, "-m", "shadowlane", *arguments], environment)
        self.said = b""
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, found: Callable[[bytes], bool], seconds: float = 60.0) -> bytes:
        """What it writes from now on, until that is ``found`` in it; an end before is a failure."""
        new, deadline = b"", time.monotonic() + seconds
        while not found(new):
            left = deadline - time.monotonic()
            assert left > 0, new[-2000:]
            if select.select([self.fd], [], [], left)[0]:
                try:
                    some = os.read(self.fd, 1 << 16)
                except OSError:
                    some = b""
                assert some, f"it ended early: {(self.said + new)[-2000:]!r}"
                new += some
        self.said += new
        return new

    def end(self) -> int:
        """What is left to read, and the exit code."""
        try:
            while some := os.read(self.fd, 1 << 16):
                self.said += some
        except OSError:
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    save(config_at(tmp_path), make_pairs(40))
    file = tmp_path / "shadowlane.toml"
    file.write_text(
        f'[lane]\ndirectory = "{tmp_path / "lane"}"\n[store]\nurl = "sqlite:///{tmp_path / "shadowlane.db"}"\n'
        '[shadows.candidate]\nurl = "http://127.0.0.1:9001"\n'
    )
    return file


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, "ctrl-c"])
def test_it_draws_and_leaves_the_terminal_as_it_was(lane: Path, stop: signal.Signals | str) -> None:
    terminal = Terminal(["status", "--watch", "0.2", "--config", str(lane)])
    drawn = terminal.read_until(lambda said: b"HOLD: " in said and b"of the last 40" in said)
    assert ENTER in drawn
    assert b"never started" in drawn
    if isinstance(stop, str):
        os.write(terminal.fd, b"\x03")
    else:
        os.kill(terminal.pid, stop)
    assert terminal.end() == 0
    assert LEAVE in terminal.said
    assert terminal.said.rindex(SHOW_CURSOR) > terminal.said.rindex(b"\x1b[?25l")
    assert b"Traceback" not in terminal.said


def test_another_size_is_drawn_at_once(lane: Path) -> None:
    terminal = Terminal(["status", "--watch", "3600", "--config", str(lane)])
    terminal.read_until(lambda said: b"HOLD: " in said)
    terminal.resize(5, 40)
    terminal.read_until(lambda said: b"more lines" in said)
    terminal.resize(50, 120)
    terminal.read_until(lambda said: b"Ctrl-C ends" in said)
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.end() == 0


def command(lane: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shadowlane", "status", *arguments, "--config", str(lane)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": PACKAGES},
    )  # fmt: skip


def test_without_a_terminal_it_prints_once_and_says_so(lane: Path) -> None:
    done = command(lane, "--watch", "0.2")
    assert done.returncode == 0
    assert "printed once: --watch draws on a terminal" in done.stdout
    assert "this lane never started" in done.stdout
    assert "\x1b" not in done.stdout
    once = command(lane).stdout
    assert done.stdout.startswith(once.split("store ")[0])


@pytest.mark.parametrize("seconds", ["0", "nan", "-1", "0.1", "3601", "soon"])
def test_seconds_that_are_none_are_refused(lane: Path, seconds: str) -> None:
    done = command(lane, f"--watch={seconds}")
    assert done.returncode == 2
    assert "use 0.2 to 3600 seconds" in done.stderr


def test_json_is_for_programs(lane: Path) -> None:
    done = command(lane, "--json", "--watch")
    assert done.returncode == 2
    assert "leave --json out" in done.stderr
    assert json.loads(command(lane, "--json").stdout)["lane"] == "default"
