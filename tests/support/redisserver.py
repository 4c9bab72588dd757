"""A real Redis server of the test's own, that can be stopped in the middle and started again with its data."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import until
from tests.support.ports import Ports

__all__ = ["RedisServer"]


class RedisServer:
    """One server in ``folder``, with an append-only file that is written before each answer."""

    def __init__(self, folder: Path, *options: str, tls: bool = False) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed (Debian: redis-server)")
        self._ports = Ports()
        self.port = self._ports.reserve()
        folder.mkdir(parents=True, exist_ok=True)
        self._arguments = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._arguments += ["--appendonly", "yes", "--appendfsync", "always", *options]
        if tls:
            secure = self._ports.reserve()
            self._arguments += ["--tls-port", str(secure)]
            self.tls_url = f"rediss://127.0.0.1:{secure}"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._arguments, stdout=subprocess.DEVNULL)
        until(self.answers, "redis-server answers")

    def answers(self) -> bool:
        import redis

        assert self._process is not None
        assert self._process.poll() is None, "redis-server ended"
        try:
            with redis.Redis(port=self.port, socket_timeout=60) as client:
                client.ping()
                return True
        except (redis.AuthenticationError, redis.ResponseError):
            return True  # it asks for a password
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it; its port stays this one's."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        self.stop()
        self._ports.close()
