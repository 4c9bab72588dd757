"""Several hosts on one machine: gateways with lanes of their own that forward, a Redis server, and judges.

Each host is a :class:`tests.e2e.conftest.World`; judges are processes that a test starts and kills.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

from shadowlane.config import OffloadConfig
from shadowlane.offload import StreamState, open_stream
from shadowlane.offload.stream import Stream
from tests.e2e.conftest import ROOT, Process, World, until
from tests.support.redisserver import RedisServer

__all__ = ["Fleet", "Judge"]


class Judge(World):
    """A judge's own lane and configuration; its database is the fleet's."""

    def __init__(self, folder: Path, database: Path) -> None:
        folder.mkdir()
        super().__init__(folder)
        self.database = database

    def start(self) -> Process:
        arguments = [sys.executable, "-m", "shadowlane", "worker", "--config", str(self.config)]
        process = Process(arguments, self.folder / "judge.log", {"PYTHONPATH": str(ROOT / "python")})
        self.processes.append(process)
        return process


class Fleet:
    """``hosts`` forward to the ``server``; judges share one database."""

    def __init__(self, folder: Path, **offload: Any) -> None:
        self.folder = folder
        self.server = RedisServer(folder / "redis")
        self.offload = {"url": self.server.url, "stream": f"fleet-{secrets.token_hex(4)}", **offload}
        self.database = folder / "pairs.db"
        self.worlds: list[World] = []
        self.stream: Stream = open_stream(OffloadConfig(**{**self.offload, "timeout_s": 60.0}), consumer="test")

    def host(self, name: str, url: str = "http://127.0.0.1:9", **sections: dict[str, Any]) -> World:
        """A forwarding host, configured."""
        folder = self.folder / name
        folder.mkdir()
        world = World(folder)
        self.worlds.append(world)
        offload = {**self.offload, "host": name}
        world.configure(url, worker={"role": "forward"}, offload=offload, **sections)
        return world

    def judge(self, name: str, url: str, **sections: dict[str, Any]) -> Judge:
        """A judge, configured."""
        judge = Judge(self.folder / name, self.database)
        self.worlds.append(judge)
        offload = {**self.offload, "host": name}
        lane = {"worker": "external", **sections.pop("lane", {})}
        judge.configure(url, worker={"role": "judge"}, offload=offload, lane=lane, **sections)
        return judge

    def state(self) -> StreamState:
        return self.stream.state()

    def settle(self, copies: int) -> StreamState:
        """Wait until so many copies were forwarded and each is judged or set aside; checks that nothing is missing."""

        def settled() -> bool:
            state = self.state()
            assert state.missing == 0, state
            assert state.total.forwarded <= copies, state
            return state.total.forwarded == copies and state.length == 0

        until(settled, f"{copies} copies are judged: {self.state()}", 120)
        return self.state()

    def rows(self) -> list[tuple[str, str, str]]:
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            return db.execute("SELECT shadow_id, shadow, reason FROM pairs").fetchall()

    def close(self) -> None:
        for world in reversed(self.worlds):
            world.close()
        self.stream.close()
        self.server.close()
        for world in self.worlds:
            shutil.rmtree(world.lane, ignore_errors=True)
