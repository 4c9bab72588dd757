"""The processor time of processes, threads included, and the start and end of the servers that are compared.

Invariant: every process that is started is ended by its own id, whatever fails.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["Server", "cpu_seconds", "free_port", "tree", "wait_for_port"]

_UP_S = 90.0


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time so far of these processes and all their threads, in seconds (``/proc/PID/task/*/schedstat``)."""
    total = 0
    for pid in pids:
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
        except OSError:
            continue
        for task in tasks:
            with contextlib.suppress(OSError, ValueError, IndexError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def tree(pid: int) -> list[int]:
    """A process and everything that it started."""
    found = [pid]
    for known in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{known}/task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once the port accepts connections. Raises RuntimeError with the end of the log when it does not."""
    deadline = time.monotonic() + _UP_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-1500:]
    raise RuntimeError(f"port {port}: nobody accepts connections (exit code {process.poll()}): {tail}")


class Server:
    """A server that was started here."""

    def __init__(self, command: Sequence[str], port: int, log: Path, *, env: dict[str, str] | None = None) -> None:
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                list(command),
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.port = port
        try:
            wait_for_port(port, self._process, log)
        except BaseException:
            self.stop()
            raise

    @property
    def pids(self) -> list[int]:
        """The server and what it started."""
        return tree(self._process.pid)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after a while."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
