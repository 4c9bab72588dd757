"""The servers, started for the run, and what they take of the processor."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shadowlane.demo.postgres import USER
from shadowlane.demo.processes import start

__all__ = ["PATIENCE_S", "cpu_s", "family_cpu_s", "postgres", "redis", "until"]

PATIENCE_S = 600.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[str, int]]:
    """A PostgreSQL with fsync; its URL, and the process id of its postmaster."""
    server = start("postgresql", "shadowlane.demo.postgres", ["--durable"], folder / "postgresql.log")
    try:
        server.wait_until_up(PATIENCE_S)
        [postmaster] = _children(server.pid)
        yield f"postgresql://{USER}@127.0.0.1:{server.port}/{USER}", postmaster
    finally:
        server.stop(grace_s=PATIENCE_S)


@contextmanager
def redis(folder: Path) -> Iterator[tuple[str, int]]:
    """A Redis with an append-only file that is synced every second; its URL and process id."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise SystemExit("redis-server is not installed (Debian: apt-get install redis-server)")
    with socket.socket() as held:  # bound and never listening: nobody else gets the port
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        server = subprocess.Popen([*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
        try:
            until(lambda: _listens(port), "redis-server")
            yield f"redis://127.0.0.1:{port}/0", server.pid
        finally:
            server.terminate()
            server.wait(60)


def cpu_s(pid: int, *, dead_children: bool = False) -> float:
    """Processor time of a process in seconds (proc(5): fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if dead_children else 13])) * _TICK_S


def family_cpu_s(pid: int) -> float:
    """The same with its children, living and dead: a PostgreSQL with all its sessions."""
    total = cpu_s(pid, dead_children=True)
    for child in _children(pid):
        try:
            total += cpu_s(child)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], bool], what: str, every_s: float = 0.02) -> None:
    """Wait for it. Raises RuntimeError when patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {PATIENCE_S:.0f} s for {what}")
        time.sleep(every_s)
