"""Hosts with stores of their own and one fleet, on Redis and on PostgreSQL: a version that one host's shadow answers
with begins the window of all, at the same moment; also of one that was cut off, one whose worker was killed, and when
two hosts see other versions at once."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from shadowlane import Lane, load_config
from shadowlane.gate.window import Change, fleet_pins, last_change, with_fleet
from shadowlane.status.limits import fleet_pins_of
from shadowlane.worker.state import read_state
from tests.support.rawserver import RawServer
from tests.support.redisserver import RedisServer
from tests.support.relay import Relay
from tests.support.servers import postgres_server

from .conftest import ROOT, Process, World, until

HEADERS = [(b"content-type", b"text/plain")]
PATIENCE_S = 120.0


class Host:
    """A host: its shadow and what version that is, its lane, its worker, and its way to the engine."""

    def __init__(self, folder: Path, name: str, url: str, port: int, stack: ExitStack) -> None:
        self.name = name
        self.version = "1"
        shadow = stack.enter_context(RawServer(lambda _: self._answer()))
        self.relay = Relay(port)
        stack.callback(self.relay.close)
        (folder / name).mkdir()
        self.world = World(folder / name)
        stack.callback(self.world.close)
        self.world.configure(
            shadow.url,
            lane={"name": name, "worker": "external"},
            limits={"qps": 1000.0, "burst": 300},
            fleet={"url": url.format(port=self.relay.port), "name": "test", "lease_s": 2.0},
            gate={"warmup_pairs": 0},
        )
        self.world.lane.mkdir(mode=0o700)
        self.start()
        self.lane = stack.enter_context(Lane.open(load_config(self.world.config)))
        self.sent = 0

    def _answer(self) -> bytes:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-model-rev: {self.version}\r\n"
        return f"{head}content-length: 3\r\n\r\nyes".encode()

    def start(self) -> None:
        arguments = [sys.executable, "-m", "shadowlane", "worker", "--config", str(self.world.config)]
        env = {"PYTHONPATH": str(ROOT / "python"), "XDG_STATE_HOME": str(self.world.folder / "state")}
        self.worker = Process(arguments, self.world.folder / "worker.log", env)
        self.world.processes.append(self.worker)

    def send(self, version: str, *, stored: bool = True) -> None:
        """One request, whose copy the shadow answers with a version."""
        self.version = version

        def admitted() -> bool:
            ticket = self.lane.admit("GET", "/x", HEADERS)
            if ticket is not None:
                self.lane.offer(ticket, f"/x?n={self.sent}", HEADERS, b"", 200, HEADERS, b"yes", 1000, 0)
            return ticket is not None

        until(admitted, f"{self.name} has a share", PATIENCE_S)
        self.sent += 1
        if stored:
            until(
                lambda: all(not ring["used"] for ring in self.world.lane_status()["rings"]), "it is a row", PATIENCE_S
            )

    def begins(self) -> Change | None:
        """What begins the window, as its worker knows of the fleet."""
        seen = {"fleet_pins": fleet_pins_of(read_state(self.world.lane))}
        return last_change(with_fleet([], fleet_pins(seen, "candidate"), 0))

    def window(self) -> tuple[int, str]:
        """What begins it, as the gate says."""
        done = self.world.cli("gate", "--json")
        assert done.returncode in (0, 1), done.stderr
        window = json.loads(done.stdout)["shadows"][0]["window"]
        return window["since_ns"], window["why"]


@contextmanager
def fleet(tmp_path: Path, engine: str, names: str = "abc") -> Iterator[list[Host]]:
    with ExitStack() as stack:
        if engine == "redis":
            redis = RedisServer(tmp_path / "redis")
            stack.callback(redis.close)
            port, url = redis.port, "redis://127.0.0.1:{port}/0"
        else:
            port = stack.enter_context(postgres_server())
            url = "postgresql://postgres@127.0.0.1:{port}/postgres"
        yield [Host(tmp_path, name, url, port, stack) for name in names]


def all_begin(hosts: list[Host], version: str) -> Change:
    """Wait until all hosts know the same beginning, by this version."""

    def same() -> bool:
        found = [host.begins() for host in hosts]
        return found[0] is not None and found[0].after == version and all(one == found[0] for one in found)

    until(same, f"all begin with version {version}: {[str(host.begins()) for host in hosts]}", PATIENCE_S)
    found = hosts[0].begins()
    assert found is not None
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["redis", "postgres"])
def test_a_changed_pin_begins_the_window_of_all_hosts(engine: str, tmp_path: Path) -> None:
    with fleet(tmp_path, engine) as hosts:
        one, other, cut = hosts
        for host in hosts:
            host.send("1")
        before = {host.window() for host in hosts}
        assert {why for _, why in before} == {""}

        moment = time.time_ns()
        one.send("2")
        change = all_begin(hosts, "2")
        assert moment <= change.at_ns <= time.time_ns()
        expected = (change.at_ns, "pin model_rev changed from 1 to 2")
        assert [host.window() for host in hosts] == [expected] * 3

        # One is cut off, another one's worker is killed before it has heard.
        cut.relay.cut()
        os.kill(other.worker.popen.pid, signal.SIGKILL)
        other.worker.popen.wait(60)
        one.send("3")
        change = all_begin([one], "3")
        assert cut.window() == expected
        other.start()
        all_begin([one, other], "3")
        cut.relay.heal()
        assert all_begin(hosts, "3") == change
        assert {host.window() for host in hosts} == {(change.at_ns, "pin model_rev changed from 2 to 3")}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["redis", "postgres"])
def test_two_hosts_that_change_at_once_come_to_one_window(engine: str, tmp_path: Path) -> None:
    with fleet(tmp_path, engine, "ab") as hosts:
        one, other = hosts
        for host in hosts:
            host.send("1")
        for relay in (one.relay, other.relay):
            relay.cut()
        one.send("2", stored=False)
        other.send("3", stored=False)
        until(lambda: str(one.begins()).endswith("to 2"), "one knows of its own", PATIENCE_S)
        until(lambda: str(other.begins()).endswith("to 3"), "the other one, too", PATIENCE_S)
        for relay in (one.relay, other.relay):
            relay.heal()
        change = all_begin(hosts, "3")
        assert {host.window() for host in hosts} == {(change.at_ns, "pin model_rev changed from 2 to 3")}
        # Versions that take turns are no exchange, whoever sees them: what is left is that the first one was left.
        one.send("2")
        assert all_begin(hosts, "2").before == "1"
        other.send("1")
        until(lambda: one.begins() is None and other.begins() is None, "both know that all take turns", PATIENCE_S)
