"""Real processes for the end-to-end tests: gateways under uvicorn, shadows, the worker, and what looks at them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.ports import Ports, is_open

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait for a condition of another process; what it gives is returned. Fails the test when patience ends."""
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:.0f} s for: {what}")
        select_nothing(0.02)


def select_nothing(seconds: float) -> None:
    """Yield the processor between two looks at another process."""
    import select

    select.select([], [], [], seconds)


class Process:
    """A child in a session of its own, ended with its whole group."""

    def __init__(self, arguments: list[str], log: Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=out,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def first_line(self) -> str:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline().decode().strip()
        assert line, self.log.read_text()
        return line

    def listening(self, port: int) -> None:
        """Wait until the child listens there; fails with its log when it ends instead."""

        def ready() -> bool:
            assert self.popen.poll() is None, self.log.read_text()
            return is_open(port)

        until(ready, f"{self.log.stem} listens")

    def stop(self, number: int = signal.SIGTERM) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)
        try:
            code = self.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            code = self.popen.wait(PATIENCE_S)
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        return code


class World:
    """One lane with its gateways and shadows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lane = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
        self.config = folder / "shadowlane.toml"
        self.database = folder / "pairs.db"
        self.processes: list[Process] = []
        self.ports = Ports()

    def shadow(self, mode: str = "ok", log: Path | None = None, **options: str) -> str:
        """Start a shadow; its URL. ``options`` go to its command line."""
        arguments = [sys.executable, "-m", "tests.support.faulty", "--mode", mode]
        if log is not None:
            arguments += ["--log", str(log)]
        for name, value in options.items():
            arguments += [f"--{name}", value]
        process = Process(arguments, self.folder / f"shadow-{mode}.log")
        self.processes.append(process)
        port = process.first_line().split()[-1]
        return f"{'https' if mode == 'refuse_tls' else 'http'}://127.0.0.1:{port}"

    def configure(self, url: str, **sections: dict[str, Any]) -> None:
        """Write the configuration: everything is mirrored to one shadow unless a section says otherwise."""
        plain: dict[str, dict[str, Any]] = {
            "lane": {"directory": str(self.lane), "ring_bytes": 4 * 1024 * 1024, "idle_exit_s": 0.5},
            "sampling": {"ratio": 1.0},
            "limits": {"qps": 100000.0, "burst": 100000},
            "routes": {"read": ["POST /ask", "POST /sse", "POST /v1/*"]},
            "score": {"embedder": "lexical"},
            "store": {"url": f"sqlite:///{self.database}"},
            "shadows.candidate": {"url": url, "timeout_s": 5.0},
        }
        for name, values in sections.items():
            plain.setdefault(name.replace("__", "."), {}).update(values)
        lines: list[str] = []
        for name, values in plain.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def gateway(self, workers: int = 1, app: str = "mirrored") -> str:
        """Start the gateway; its URL."""
        port = self.ports.reserve()
        arguments = [sys.executable, "-m", "uvicorn", f"tests.support.gateway:{app}", "--port", str(port)]
        arguments += ["--workers", str(workers), "--log-level", "warning"]
        env = {"SHADOWLANE_CONFIG": str(self.config)} if app == "mirrored" else {}
        process = Process(arguments, self.folder / "gateway.log", env)
        self.processes.append(process)
        process.listening(port)
        return f"http://127.0.0.1:{port}"

    def nobody(self) -> str:
        """A URL at which every connection is refused, as long as this world lasts."""
        return f"http://127.0.0.1:{self.ports.reserve()}"

    def cli(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "shadowlane", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=180,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "python"), **(env or {})},
            check=False,
        )

    def status(self) -> dict[str, Any]:
        done = self.cli("status", "--json")
        assert done.returncode == 0, done.stderr
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def lane_status(self) -> dict[str, Any]:
        from shadowlane import _core

        return _core.lane_status(str(self.lane))

    def settle(self, requests: int) -> dict[str, Any]:
        """Wait until all requests are seen and all copies are stored; the status then, with its equations checked."""

        def drained() -> bool:
            status = self.lane_status()
            return (
                status["seen"] >= requests
                and status["open"] == 0
                and all(ring["used"] == 0 for ring in status["rings"])
            )

        until(drained, f"{requests} requests to be seen and stored")
        status = self.status()
        assert status["seen"] == requests
        assert status["seen"] == status["mirrored"] + sum(status["dropped"].values())
        assert status["accounting"]["holds"]
        for shadow in status["shadows"].values():
            assert shadow["mirrored"] == shadow["answered"] + sum(shadow["failed"].values()) + shadow["in_flight"]
            assert shadow["in_flight"] == 0
        return status

    def worker_pid(self) -> int:
        worker = self.lane_status()["worker"]
        return int(worker["pid"]) if worker["alive"] else 0

    def close(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        if (self.lane / "control.shm").exists():
            pid = self.worker_pid()
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                until(lambda: not self.worker_pid(), "the worker leaves")
        shutil.rmtree(self.lane, ignore_errors=True)
        self.ports.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as made:
        yield made
