"""Real servers for the guard's tests: PostgreSQL and Redis on free loopback ports, in folders of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import until
from tests.support.ports import Ports, is_open, reserved_port

__all__ = ["PostgresServer", "postgres_server", "redis_server", "running_postgres"]


@contextmanager
def redis_server() -> Iterator[int]:
    """A Redis server's port. Skips when the binary is missing."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed (Debian: redis-server)")
    with reserved_port() as port, tempfile.TemporaryDirectory() as folder:
        arguments = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        try:
            until(lambda: is_open(port), "redis-server listens")
            yield port
        finally:
            process.terminate()
            process.wait(60)


class PostgresServer:
    """A running server; user ``postgres``, no password."""

    def __init__(self, folder: Path, base: Path, port: int, user: str | None) -> None:
        self.port = port
        self.data = base / "data"
        self.user = user
        self._folder, self._base = folder, base
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options |= {"max_prepared_transactions": "4", "logging_collector": "off"}
        arguments = [str(self._folder / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        arguments += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self._base / "log").open("ab") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log, user=self.user, cwd=self._base)
        until(lambda: _ready(self.port, self._folder), "PostgreSQL answers")

    def stop(self, number: int = signal.SIGINT) -> None:
        """``SIGINT``: open sessions are cut; ``SIGQUIT``: as in a crash, what is in memory is lost."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """All of its processes are stopped: connections stay, and nothing answers."""
        assert self._process is not None
        pids = [self._process.pid]
        os.kill(pids[0], signal.SIGSTOP)  # it makes no new ones
        children = Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text().split()
        for child in map(int, children):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)
                pids.append(child)
        try:
            yield
        finally:
            for pid in reversed(pids):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


@contextmanager
def postgres_server() -> Iterator[int]:
    """The port of :func:`running_postgres`."""
    with running_postgres() as server:
        yield server.port


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server. Skips when it cannot be run here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    binary = shutil.which("postgres") or (str(found[-1]) if found else None)
    folder = Path(binary).resolve().parent if binary else None
    if folder is None or not (folder / "initdb").exists():
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    user = None
    if os.getuid() == 0:  # the server refuses to run as root
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    base = Path(tempfile.mkdtemp(prefix="shadowlane-pg-"))
    ports = Ports()
    try:
        if user:
            shutil.chown(base, user)
        server = PostgresServer(folder, base, ports.reserve(), user)
        init = [str(folder / "initdb"), "-D", str(server.data), "-U", "postgres", "-A", "trust", "--no-sync"]
        init += ["-E", "UTF8", "--locale=C"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, user=user, cwd=base)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        ports.close()
        shutil.rmtree(base, ignore_errors=True)


def _ready(port: int, folder: Path) -> bool:
    arguments = [str(folder / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    return subprocess.run(arguments, check=False).returncode == 0
