"""Real servers for the guard's tests: PostgreSQL and Redis on free loopback ports, in folders of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import until
from tests.support.ports import Ports, is_open, reserved_port

__all__ = ["postgres_server", "redis_server"]


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
            process.wait(20)


@contextmanager
def postgres_server() -> Iterator[int]:
    """A PostgreSQL server's port; user ``postgres``, no password. Skips when it cannot be run here."""
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
        port = ports.reserve()
        if user:
            shutil.chown(base, user)
        data = base / "data"
        init = [str(folder / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*init, "--locale=C"], check=True, stdout=subprocess.DEVNULL, user=user, cwd=base)
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options |= {"max_prepared_transactions": "4", "logging_collector": "off"}
        arguments = [str(folder / "postgres"), "-D", str(data), "-p", str(port)]
        arguments += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (base / "log").open("wb") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log, user=user, cwd=base)
        try:
            until(lambda: _ready(port, folder), "PostgreSQL answers")
            yield port
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown: open sessions are cut
            process.wait(60)
    finally:
        ports.close()
        shutil.rmtree(base, ignore_errors=True)


def _ready(port: int, folder: Path) -> bool:
    arguments = [str(folder / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    return subprocess.run(arguments, check=False).returncode == 0
