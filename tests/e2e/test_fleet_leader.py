"""Two hosts with stores of their own and a budget that their fleet shares, on Redis: that it is reached is told once,
and by another host when the one that leads stands still past its lease."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from shadowlane import Lane, load_config
from shadowlane.fleet.engine import Stored
from shadowlane.fleet.opening import open_engine
from shadowlane.status.limits import alerting_of, limits_of
from shadowlane.worker.state import read_state
from tests.support.rawserver import RawServer
from tests.support.receiver import Receiver, receiver
from tests.support.redisserver import RedisServer

from .conftest import ROOT, Process, World, until
from .test_fleet_budgets import ANSWER

HEADERS = [(b"content-type", b"text/plain")]
PATIENCE_S = 150.0


class Host:
    def __init__(self, folder: Path, name: str, shadow: str, engine: str, alerts: str, stack: ExitStack) -> None:
        (folder / name).mkdir()
        self.world = World(folder / name)
        stack.callback(self.world.close)
        self.world.configure(
            shadow,
            lane={"name": name, "worker": "external"},
            fleet={"url": engine, "name": "test", "lease_s": 2.0},
            shadows__candidate__budget={"tokens_per_hour": 500},
        )
        alert = {"kind": "json", "url": alerts, "for": "1 of 1", "rules": ["budget"], "repeat_h": 0}
        entry = "\n".join(f"{key} = {json.dumps(value)}" for key, value in alert.items())
        self.world.config.write_text(f"{self.world.config.read_text()}\n[[alerts]]\n{entry}\n")
        self.world.lane.mkdir(mode=0o700)
        arguments = [sys.executable, "-m", "tests.support.quick_worker", "worker", "--config", str(self.world.config)]
        env = {"PYTHONPATH": f"{ROOT / 'python'}:{ROOT}", "XDG_STATE_HOME": str(self.world.folder / "state")}
        self.worker = Process(arguments, self.world.folder / "worker.log", env)
        self.world.processes.append(self.worker)
        self.lane = stack.enter_context(Lane.open(load_config(self.world.config)))
        self.sent = 0

    def spend(self) -> str:
        """One more request, where there is a share; which budget is reached."""
        ticket = self.lane.admit("GET", "/x", HEADERS)
        if ticket is not None:
            self.sent += 1
            self.lane.offer(ticket, f"/x?n={self.sent}", HEADERS, b"", 200, HEADERS, b"yes", 1000, 0)
        limits, _ = limits_of(read_state(self.world.lane), self.world.lane_status()["lane_id"])
        return str(limits["shadows"]["candidate"]["budget"]["reached"]) if limits else ""

    def firing(self) -> int:
        return int(alerting_of(read_state(self.world.lane), alive=True).get("json", {}).get("firing", 0))

    def leads(self) -> bool:
        return "tells json of the fleet's budgets, for all" in (self.world.folder / "worker.log").read_text()


@contextmanager
def hosts(tmp_path: Path) -> Iterator[tuple[list[Host], Receiver, RedisServer]]:
    with ExitStack() as stack:
        redis = RedisServer(tmp_path / "redis")
        stack.callback(redis.close)
        shadow = stack.enter_context(RawServer(lambda _: ANSWER))
        told = stack.enter_context(receiver())
        made = [Host(tmp_path, name, shadow.url, f"{redis.url}/0", told.url, stack) for name in ("a", "b")]
        yield made, told, redis


@pytest.mark.timeout(900)
def test_a_shared_budget_is_told_once_whoever_leads(tmp_path: Path) -> None:
    with hosts(tmp_path) as (both, server, redis):
        engine = open_engine(f"{redis.url}/0", "test:leader:alerts json")

        def token() -> int:
            stored: Stored = engine.read()
            return json.loads(stored.data)["token"] if stored.data is not None else 0

        for host in both:
            until(host.spend, "the budget is reached on every host", PATIENCE_S)
        until(lambda: server.got, "one tells that it is reached", PATIENCE_S)
        first = until(lambda: next((host for host in both if host.leads()), None), "it leads", PATIENCE_S)
        (second,) = (host for host in both if host is not first)
        assert (token(), second.firing()) == (1, 0)
        said = second.world.cli("doctor").stdout
        assert "store, verdict and its alerts are this host's own" in said
        os.kill(first.worker.popen.pid, signal.SIGSTOP)
        try:
            until(lambda: token() == 2 and second.firing() == 1, "the other one leads, and knows it", PATIENCE_S)
        finally:
            os.kill(first.worker.popen.pid, signal.SIGCONT)
        until(lambda: first.firing() == 0, "who stood still knows that it was deposed", PATIENCE_S)
        second.worker.stop()
        until(lambda: token() == 3, "the first one leads again", PATIENCE_S)
        until(lambda: first.firing() == 1, "it knows what was told", PATIENCE_S)
        engine.close()
        told = [got.data for got in server.got]
        assert [(one["event"], one["rule"], one["shadow"]) for one in told] == [("firing", "budget", "candidate")]
