"""Three hosts with workers of their own spend of one budget, kept in a real engine: through kills, stops, partitions
and a restart of the engine the shadow is never asked for more than the budget, and every copy is accounted for."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shadowlane.status.limits import budgets_of, limits_of
from shadowlane.worker.state import read_state
from tests.support.servers import postgres_server

from .conftest import until
from .test_fleet import Host, RedisServer, fleet

TOKENS, LIMIT = 100, 30_000
BODY = json.dumps(
    {
        "model": "m",
        "choices": [{"message": {"role": "assistant", "content": "yes"}}],
        "usage": {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": TOKENS},
    }
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


@contextmanager
def engine(kind: str, folder: Path) -> Iterator[tuple[int, Any]]:
    """Its port, and the server where it can be killed."""
    if kind == "redis":
        server = RedisServer(folder)
        try:
            yield server.port, server
        finally:
            server.close()
    else:
        with postgres_server() as port:
            yield port, None


def shares(host: Host) -> int:
    """How many workers have slices, as a host's worker last read; 0: it does not know."""
    budgets = budgets_of(read_state(host.world.lane), alive=True)
    return int(budgets["processes"]) if budgets and not budgets["error"] else 0


def budget(host: Host) -> dict[str, Any]:
    limits, _ = limits_of(read_state(host.world.lane), host.world.lane_status()["lane_id"])
    none = {"reached": "", "slice": {"left_s": 1.0}}
    found: dict[str, Any] = limits["shadows"]["candidate"]["budget"] if limits else none
    return found


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_no_trouble_lets_the_fleet_spend_more_than_its_budget(kind: str, tmp_path: Path) -> None:
    addresses = {"redis": "redis://127.0.0.1:{}/0", "postgresql": "postgresql://postgres@127.0.0.1:{}/postgres"}
    limits = {"shadows__candidate__budget": {"tokens_per_hour": LIMIT}}
    with (
        engine(kind, tmp_path) as (port, server),
        fleet(tmp_path, addresses[kind].format, port, 3, 0.05, (ANSWER,), **limits) as (hosts, shadow),
    ):
        received = lambda: sum(len(paths) for paths in shadow.paths)  # noqa: E731
        cut, killed, stopped = hosts
        until(lambda: shares(cut) == 3, "all workers have slices")
        os.kill(until(killed.world.worker_pid, "its worker"), signal.SIGKILL)
        pid = until(stopped.world.worker_pid, "its worker")
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: 0 < shares(cut) < 3 or budget(cut)["reached"], "slices of who is gone are over")
        finally:
            os.kill(pid, signal.SIGCONT)
        cut.relay.cut()
        until(lambda: not budget(cut)["slice"]["left_s"], "without the engine a slice ends")
        cut.relay.heal()
        for host in hosts:
            until(lambda host=host: budget(host)["reached"] == "tokens_per_hour", "the budget is reached", 120)
        assert "BUDGET REACHED" in cut.world.cli("status").stdout
        if server is not None:
            server.kill()
            until(lambda: not shares(cut), "the engine is seen to be away")
            server.start()
            until(lambda: shares(cut), "the ledger goes on with an empty engine")
            until(lambda: budget(cut)["reached"] == "tokens_per_hour", "what was spent is known")
        for host in hosts:
            until(
                lambda host=host: host.world.status()["shadows"]["candidate"]["failed"].get("budget"), "copies refused"
            )
        statuses = [host.finish() for host in hosts]
        assert received() * TOKENS <= LIMIT
        assert sum(status["shadows"]["candidate"]["answered"] for status in statuses) <= received()
