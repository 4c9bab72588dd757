"""Two hosts with one PostgreSQL store: the worker that leads stands still past its leases, another one goes on, and the
first one wakes up. What is done once for all is done once, and nothing of it is left out."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from shadowlane.status.limits import alerting_of, leaders_of
from shadowlane.worker.state import read_state
from tests.support.rawserver import RawServer
from tests.support.receiver import receiver
from tests.support.servers import postgres_server

from .conftest import ROOT, Process, World, until

TASK = "alerts json"
PATIENCE_S = 150.0
"""A lease of 20 s, what the server waits for in the middle of a transaction (30 s), and a slow machine."""


class Pair(msgspec.Struct):
    """The hosts, and what all that write to the store have left in it."""

    first: World
    second: World
    url: str

    def asked(self, query: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute("SET search_path TO fleet")
            return db.execute(query.encode()).fetchall()

    def told(self) -> dict[str, Any]:
        """What is kept for the receiver."""
        rows = self.asked(f"SELECT value FROM meta WHERE key = 'led:{TASK}'")
        kept: dict[str, Any] = json.loads(rows[0][0])["post"] if rows else {}
        return kept

    def outdate(self, count: int) -> None:
        """Let the first rows that are left be older than is allowed."""
        self.asked(
            "WITH old AS (UPDATE pairs SET started_ns = started_ns - 31536000000000000, stored_ns = stored_ns - "
            f"7200000000000 WHERE id IN (SELECT id FROM pairs ORDER BY id LIMIT {count}) RETURNING 1) "
            "SELECT count(*) FROM old"
        )

    def token(self, task: str) -> int:
        """How often it went to another worker, and once."""
        rows = self.asked(f"SELECT split_part(value, ' ', 1) FROM meta WHERE key = 'leader:{task}'")
        return int(rows[0][0]) if rows else 0

    def rows(self) -> int:
        return int(self.asked("SELECT count(*) FROM pairs")[0][0])

    def note_deletions(self) -> None:
        """Let the database note each row that goes, and whose session deleted it."""
        for query in (
            "CREATE TABLE gone (id bigint, session int)",
            "CREATE FUNCTION note_gone() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO fleet.gone VALUES (OLD.id, pg_backend_pid()); RETURN NULL; END $$",
            "CREATE TRIGGER note_gone AFTER DELETE ON pairs FOR EACH ROW EXECUTE FUNCTION note_gone()",
        ):
            with psycopg.connect(self.url, autocommit=True) as db:
                db.execute("SET search_path TO fleet")
                db.execute(query.encode())

    def deleting(self) -> list[int]:
        """The sessions that have deleted rows and are open."""
        open_ones = "SELECT pid FROM pg_stat_activity"
        return [int(pid) for (pid,) in self.asked(f"SELECT DISTINCT session FROM gone WHERE session IN ({open_ones})")]


def worker(world: World) -> Process:
    arguments = [sys.executable, "-m", "tests.support.quick_worker", "worker", "--config", str(world.config)]
    env = {"PYTHONPATH": f"{ROOT / 'python'}:{ROOT}", "XDG_STATE_HOME": str(world.folder / "state")}
    world.processes.append(Process(arguments, world.folder / "worker.log", env))
    return world.processes[-1]


def leads(world: World, task: str) -> bool:
    """Whether a host's worker says that it does."""
    leader = leaders_of(read_state(world.lane), alive=True).get(task)
    return bool(leader and leader["here"] and leader["left_s"])


@contextmanager
def hosts(tmp_path: Path, shadow: str, alerts: str) -> Iterator[Pair]:
    with ExitStack() as stack:
        port = stack.enter_context(postgres_server())
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        worlds = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            worlds.append(World(tmp_path / name))
            stack.callback(worlds[-1].close)
            worlds[-1].configure(
                shadow,
                lane={"worker": "external"},
                store={"url": url, "schema": "fleet"},
                gate={"warmup_pairs": 0},
                pins__build={"read": "header:x-build", "expected": "2"},
            )
            alert = {"kind": "json", "url": alerts, "for": "1 of 1", "rules": ["pins"], "repeat_h": 0}
            entry = "\n".join(f"{key} = {json.dumps(value)}" for key, value in alert.items())
            worlds[-1].config.write_text(f"{worlds[-1].config.read_text()}\n[[alerts]]\n{entry}\n")
            worlds[-1].lane.mkdir(mode=0o700)
        yield Pair(*worlds, url)


def ask(url: str, first: int) -> None:
    with httpx.Client(timeout=60, trust_env=False) as client:
        for number in range(first, first + 10):
            assert client.post(url + "/ask", json={"q": number}).status_code == 200


@pytest.mark.timeout(900)
def test_a_leader_that_stands_still_is_followed_and_does_nothing_twice(tmp_path: Path) -> None:
    build = ["1"]

    def answer(_: Any) -> bytes:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-build: {build[0]}\r\ncontent-length: 3\r\n\r\nyes"
        return head.encode()

    with (
        RawServer(answer) as shadow,
        receiver() as server,
        hosts(tmp_path, shadow.url, server.url) as pair,
    ):
        first, second = pair.first, pair.second
        stopped = worker(first)
        until(lambda: leads(first, "retention") and leads(first, TASK), "the first one leads", PATIENCE_S)
        worker(second)
        gateway = second.gateway()
        ask(gateway, 0)
        until(lambda: pair.rows() == 10, "rows are stored", PATIENCE_S)
        pair.note_deletions()
        until(lambda: pair.told().get("sent") == 1, "the leader tells that another version answers", PATIENCE_S)
        os.kill(stopped.popen.pid, signal.SIGSTOP)
        try:
            pair.outdate(3)
            until(lambda: pair.rows() == 7, "another one deletes", PATIENCE_S)
            build[0] = "2"
            ask(gateway, 10)
            until(lambda: pair.told().get("sent") == 2, "another one tells its end", PATIENCE_S)
            until(lambda: leads(second, "retention") and leads(second, TASK), "it says so", PATIENCE_S)
            until(
                lambda: "retention: this worker, for all" in second.cli("status").stdout, "status says so", PATIENCE_S
            )
            sessions = pair.deleting()
        finally:
            os.kill(stopped.popen.pid, signal.SIGCONT)
        looked = lambda: alerting_of(read_state(first.lane), alive=True)["json"]["firing"] == 0  # noqa: E731
        until(looked, "it has looked", PATIENCE_S)
        until(lambda: not leads(first, "retention"), "it knows that it was deposed", PATIENCE_S)
        pair.outdate(3)
        until(lambda: pair.rows() == 14, "who leads now deletes", PATIENCE_S)
        # On a machine so busy that a worker stands still by itself, a lease ends once more.
        once = pair.token("retention") == pair.token(TASK) == 2
        assert pair.asked("SELECT count(*), count(DISTINCT id) FROM gone") == [(6, 6)]
        if once and set(sessions) <= set(pair.deleting()):  # no connection was made again
            assert pair.deleting() == sessions, "who woke up deletes nothing"
        told = [got.data for got in server.got]
        assert list(dict.fromkeys(one["event"] for one in told)) == ["firing", "resolved"]
        assert len({one["id"] for one in told}) == 1
        if once:
            assert len(told) == 2
