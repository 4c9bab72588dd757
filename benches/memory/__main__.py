"""How much memory a worker needs: idle, at usual sizes, with the bodies and with the answers that it may hold.

``python -m benches.memory`` runs one real worker for each line, against a real shadow on the loopback, and prints its
peak of anonymous memory (``RssAnon`` of /proc, the part that no file backs; rings are counted where they are made).
Linux alone. Nothing here asserts: it measures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shadowlane import Config, _core
from shadowlane.capture.lane import Lane

_MIB = 1 << 20
_BODY = 256 * 1024
_PATIENCE_S = 120.0
_STEADY_S = 8.0
_JSON = [(b"content-type", b"application/json")]


class Shadow:
    """Answers each request with ``body``; with none it answers nobody."""

    def __init__(self, body: bytes | None) -> None:
        self._body = body
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.asked = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._quietly, args=(connection,), daemon=True).start()

    def _quietly(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the worker is killed when all is measured
            self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        with connection, connection.makefile("rb") as stream:
            while stream.readline():
                length = 0
                while (line := stream.readline().strip().lower()) != b"":
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                stream.read(length)
                self.asked += 1
                if self._body is None:
                    stream.read(1)
                    return
                connection.sendall(head % len(self._body) + self._body)


def anonymous(pid: int) -> float:
    """A process's anonymous resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no RssAnon in /proc/PID/status")


def measured(
    shadow: Shadow, embedder: str, copies: int, body: int, done: Callable[[Shadow], bool]
) -> tuple[float, float]:
    """The worker's memory before the first copy, and its peak until ``done`` and steady; in MiB. ``body``: the bytes of
    a copy's request, and of prod's answer."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory, tempfile.TemporaryDirectory() as disk:
        config = Config.from_dict(
            {
                "lane": {"directory": f"{memory}/lane", "ring_bytes": 256 * _MIB, "worker": "external"},
                "sampling": {"ratio": 1.0},
                "limits": {"qps": 1e6, "burst": 1_000_000},
                "routes": {"read": ["POST /ask"]},
                "score": {"embedder": embedder},
                "store": {"url": f"sqlite:///{disk}/pairs.db"},
                "shadows": {"candidate": {"url": shadow.url, "timeout_s": 60.0}},
            }
        )
        file = Path(disk) / "shadowlane.json"
        file.write_text(json.dumps(config.to_dict()))
        with Lane.open(config) as lane:
            command = [sys.executable, "-m", "shadowlane", "worker", "--config", str(file), "--log-level", "error"]
            worker = subprocess.Popen(command, env=os.environ)
            try:
                wait(lambda: bool(_core.lane_status(config.lane.directory)["worker"]["alive"]), "a worker")
                settle = time.monotonic() + 3.0
                wait(lambda: time.monotonic() > settle, "the worker to have begun")
                idle = peak = anonymous(worker.pid)
                text = json.dumps({"question": "how? " * (body // 5)}).encode()
                for number in range(copies):
                    ticket = lane.admit("POST", "/ask", _JSON)
                    if ticket is not None:
                        lane.offer(ticket, f"/ask?n={number}", _JSON, text, 200, _JSON, text, 1000, 0)
                began = risen = time.monotonic()
                while not done(shadow) or time.monotonic() < risen + _STEADY_S:
                    if time.monotonic() > began + _PATIENCE_S:
                        raise SystemExit(
                            f"the shadow was asked {shadow.asked} times in {_PATIENCE_S:.0f} s; a slow machine?"
                        )
                    now = anonymous(worker.pid)
                    if now > peak:
                        peak, risen = now, time.monotonic()
                    select.select([], [], [], 0.01)
            finally:
                worker.kill()
                worker.wait()
        return idle, peak


def wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {_PATIENCE_S:.0f} s for {what}")
        select.select([], [], [], 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", default="lexical", help="as score.embedder (default: lexical)")
    embedder = parser.parse_args().embedder
    large = json.dumps({"answer": "so. " * (_MIB - 16)}).encode()  # nearly max_response_bytes, 4 MiB
    small = json.dumps({"answer": "so."}).encode()

    def answered(count: int) -> Callable[[Shadow], bool]:
        return lambda shadow: shadow.asked >= count

    middling = json.dumps({"answer": "so. " * (64 * 1024 - 16)}).encode()
    usual = json.dumps({"answer": "so. " * (1024 - 16)}).encode()
    lines = [
        ("idle", Shadow(small), 0, _BODY, answered(0)),
        ("2,000 copies of 2 × 4 KiB, answers of 4 KiB", Shadow(usual), 2000, 4096, answered(2000)),
        ("400 copies of 2 × 256 KiB, a shadow that hangs", Shadow(None), 400, _BODY, answered(16)),
        ("400 copies of 2 × 256 KiB, answers of 256 KiB", Shadow(middling), 400, _BODY, answered(400)),
        ("200 copies of 2 × 256 KiB, answers of 4 MiB", Shadow(large), 200, _BODY, answered(200)),
    ]
    print(f"embedder {embedder}, Python {sys.version.split()[0]}; anonymous memory of the worker in MiB: idle, peak")
    for name, shadow, copies, body, done in lines:
        idle, peak = measured(shadow, embedder, copies, body, done)
        print(f"{name:48} {idle:6.0f} {peak:6.0f}", flush=True)


if __name__ == "__main__":
    main()
