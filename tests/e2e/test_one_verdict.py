"""Three hosts with lanes and workers of their own, and one PostgreSQL store: what one of them does wrong is in the
verdict of all, wherever it is asked for, also when that host is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shadowlane import Lane, load_config
from tests.support.rawserver import RawServer
from tests.support.servers import postgres_server

from .conftest import ROOT, Process, World, until

HEADERS = [(b"content-type", b"text/plain")]
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nyes"
PATIENCE_S = 120.0
REQUESTS = 400


class Hosts:
    """The hosts a, b and c, and their store."""

    def __init__(self, worlds: dict[str, World], workers: dict[str, Process], url: str) -> None:
        self.worlds = worlds
        self.workers = workers
        self.url = url

    def serve(self, name: str, requests: int, failing: int = 0) -> None:
        """Requests at a host; prod fails the last ``failing`` of them."""
        with Lane.open(load_config(self.worlds[name].config)) as lane:
            for number in range(requests):
                ticket = lane.admit("GET", "/x", HEADERS)
                if ticket is not None and number >= requests - failing:
                    lane.drop(ticket, "prod_failed")
                elif ticket is not None:
                    lane.offer(ticket, f"/x?n={number}", HEADERS, b"", 200, HEADERS, b"yes", 1000, 0)

    def asked(self, query: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute("SET search_path TO fleet")
            return db.execute(query.encode()).fetchall()

    def told(self) -> dict[str, dict[str, Any]]:
        """What each host said last that it counts, by lane."""
        try:
            rows = self.asked("SELECT value FROM meta WHERE key LIKE 'host:%'")
        except psycopg.errors.UndefinedTable:  # no worker has made it yet
            return {}
        said = [json.loads(value.partition(" ")[2]) for (value,) in rows]
        return {one["lane"]: one for one in said}

    def counted(self, seen: int) -> None:
        """Wait until the hosts have said that they saw so many requests, and that all their copies are stored."""

        def all_said() -> bool:
            said = self.told().values()
            waits = sum(one["shadows"]["candidate"]["in_flight"] for one in said)
            return sum(one["seen"] for one in said) == seen and not waits

        until(all_said, f"the hosts say that they saw {seen} requests", PATIENCE_S)

    def rules(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By host the rules of the verdict that it gives, by key."""
        found = {}
        for name, world in self.worlds.items():
            done = world.cli("gate", "--json")
            assert done.returncode in (0, 1), done.stderr
            found[name] = {rule["key"]: rule for rule in json.loads(done.stdout)["rules"]}
        return found

    def one(self, key: str) -> dict[str, Any]:
        """A rule that goes by counters, and that it is the same on all hosts."""
        said = [rules[key] for rules in self.rules().values()]
        assert said[0] == said[1] == said[2]
        return said[0]


@contextmanager
def hosts(tmp_path: Path, **of_c: dict[str, Any]) -> Iterator[Hosts]:
    with ExitStack() as stack:
        shadow = stack.enter_context(RawServer(lambda _: ANSWER))
        port = stack.enter_context(postgres_server())
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        worlds, workers = {}, {}
        for name in "abc":
            (tmp_path / name).mkdir()
            worlds[name] = world = World(tmp_path / name)
            stack.callback(world.close)
            world.configure(
                shadow.url,
                lane={"name": name, "worker": "external"},
                sampling={"ratio": 0.5},
                store={"url": url, "schema": "fleet"},
                gate={"warmup_pairs": 0},
            )
            if name == "c" and of_c:
                text = world.config.read_text()
                for values in of_c.values():
                    for field, value in values.items():
                        old = next(line for line in text.splitlines() if line.startswith(f"{field} = "))
                        text = text.replace(old, f"{field} = {value}")
                world.config.write_text(text)
            world.lane.mkdir(mode=0o700)
            arguments = [sys.executable, "-m", "shadowlane", "worker", "--config", str(world.config)]
            env = {"PYTHONPATH": str(ROOT / "python"), "XDG_STATE_HOME": str(world.folder / "state")}
            workers[name] = Process(arguments, world.folder / "worker.log", env)
            world.processes.append(workers[name])
        yield Hosts(worlds, workers, url)


@pytest.mark.timeout(600)
def test_prods_errors_on_one_host_are_in_the_verdict_that_any_host_gives(tmp_path: Path) -> None:
    with hosts(tmp_path) as fleet:
        for name, failing in (("a", 0), ("b", 0), ("c", 120)):
            fleet.serve(name, REQUESTS, failing)
        fleet.counted(3 * REQUESTS)
        called = f"{socket.gethostname()}/c"
        failed = fleet.told()["c"]["dropped"]["prod_failed"]
        assert failed == 60
        errors = fleet.one("prod_errors")
        assert errors["status"] == "not met"
        assert errors["evidence"].startswith(f"prod failed {failed} of ")
        assert errors["evidence"].endswith(f"; over 3 hosts, {failed} of them at {called}")
        sampling = fleet.one("sampling")
        assert sampling["status"] == "met"
        assert sampling["evidence"].startswith("600 of 1200 eligible requests taken: 50.00 %")
        assert fleet.one("accounting")["status"] == "met"
        assert "seen 1200 = mirrored 540 + dropped 660; open 0" in fleet.one("accounting")["evidence"]
        assert {host["state"] for host in fleet.worlds["a"].status()["hosts"]} == {"heard"}

        os.kill(fleet.workers["c"].popen.pid, signal.SIGKILL)
        fleet.workers["c"].popen.wait(60)
        (lane_id,) = (one["lane_id"] for one in fleet.told().values() if one["lane"] == "c")
        fleet.asked(
            "WITH old AS (UPDATE meta SET value = (split_part(value, ' ', 1)::numeric - 95) || substr(value, "
            f"strpos(value, ' ')) WHERE key = 'host:{lane_id}' RETURNING 1) SELECT count(*) FROM old"
        )
        for name in "ab":
            rule = json.loads(fleet.worlds[name].cli("gate", "--json").stdout)
            (errors,) = (one for one in rule["rules"] if one["key"] == "prod_errors")
            assert errors["status"] == "not met"
            assert f"; over 3 hosts; {called} not heard for " in errors["evidence"]
            assert errors["evidence"].endswith(f", {failed} of them at {called}")
            assert f"{called}: seen {REQUESTS}, mirrored 140, prod failed 60; NOT HEARD since" in (
                fleet.worlds[name].cli("status").stdout
            )
            assert "1 of 3 that write to the store were not heard lately" in fleet.worlds[name].cli("doctor").stdout


@pytest.mark.timeout(600)
def test_a_host_that_keeps_copies_back_is_in_the_verdict_that_any_host_gives(tmp_path: Path) -> None:
    with hosts(tmp_path, limits={"qps": 0.001, "burst": 40}) as fleet:
        for name in "abc":
            fleet.serve(name, REQUESTS)
        fleet.counted(3 * REQUESTS)
        called = f"{socket.gethostname()}/c"
        rule = fleet.one("sampling")
        assert rule["status"] == "not met"
        assert rule["evidence"].startswith("400 of 800 eligible requests taken: 50.00 %")
        assert f"; now on {called}, at 50.00 % and 0.001 a second: 200 of 400 eligible" in rule["evidence"]
        assert "40 of the 200 wanted had room" in rule["evidence"]
        assert rule["evidence"].endswith(f"; over 3 hosts; another configuration on {called}")
        assert {rules["sampling"]["figure"] for rules in fleet.rules().values()} == {0.8}
