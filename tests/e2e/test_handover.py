"""An edited configuration is what runs, from the first request after the restart: shadow, store and redaction."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from shadowlane.errors import StoreError
from shadowlane.store import SqliteStore
from tests.e2e.conftest import World, until


def pairs(database: Path) -> list[Any]:
    try:
        with SqliteStore(database, max_age_ns=1, max_bytes=1, read_only=True) as store:
            return list(store.iter_pairs(with_bodies=True))
    except StoreError:
        return []


def ask(client: httpx.Client, gateway: str, text: str) -> None:
    answer = client.post(f"{gateway}/ask", json={"question": text})
    assert answer.status_code == 200


def test_an_edited_file_runs_from_the_first_request_on(world: World, client: httpx.Client, tmp_path: Path) -> None:
    """The old worker still lives when the gateway comes back: it has a long time to leave."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    lane = {"idle_exit_s": 3600.0}
    world.configure(world.shadow(), lane=lane, store={"url": f"sqlite:///{old}"})
    first = world.gateway()
    ask(client, first, "the order of employee 4711-X")
    until(lambda: len(pairs(old)) == 1, "the first copy is stored")
    before = world.status()
    world.processes[-1].stop()
    rule = '[[sanitize.rules]]\nkind = "employee"\npattern = "[0-9]{4}-X"\n'
    second_shadow = tmp_path / "second.log"
    world.configure(world.shadow(log=second_shadow), lane=lane, store={"url": f"sqlite:///{new}"})
    world.config.write_text(world.config.read_text() + rule)
    second = world.gateway()
    for number in range(20):
        ask(client, second, f"the order of employee 4711-X, line {number}")
    stored = until(lambda: found if len(found := pairs(new)) == 20 else None, "all copies are in the new store")
    for row in stored:
        assert b"4711-X" not in row.pair.copy.body
        assert b"[EMPLOYEE]" in row.pair.copy.body
    assert second_shadow.read_text().count("[EMPLOYEE]") == 20
    assert "4711-X" not in second_shadow.read_text()
    assert len(pairs(old)) == 1
    after = world.status()
    assert after["revisions"]["worker"] == after["revisions"]["gateway"] == after["revisions"]["given"]
    assert after["revisions"]["worker"] != before["revisions"]["worker"]
    assert after["alerts"] == []


def test_a_file_that_was_edited_and_does_not_run_is_said(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    gateway = world.gateway()
    ask(client, gateway, "how?")
    until(lambda: pairs(world.database), "the copy is stored")
    world.config.write_text(world.config.read_text().replace("ratio = 1.0", "ratio = 0.5"))
    (alert,) = world.status()["alerts"]
    assert "is not what runs" in alert
    assert "restart the gateways" in alert


def test_a_second_service_that_takes_the_lane_is_named(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    ask(client, world.gateway(), "how?")
    world.configure(world.shadow(), sampling={"ratio": 0.5})
    world.gateway()
    until(lambda: "is in force now, in place of" in (world.folder / "gateway.log").read_text(), "it is said")
    assert "lane.name" in (world.folder / "gateway.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_what_killed_the_worker_is_said_until_it_is_over(
    world: World, client: httpx.Client, number: signal.Signals
) -> None:
    world.configure(world.shadow())
    ask(client, world.gateway(), "how?")
    first = until(lambda: (status := world.status())["worker"]["alive"] and status["worker"]["pid"], "a worker runs")
    os.kill(first, number)
    until(lambda: f"signal {int(number)} ({number.name}), 1 time" in world.status()["worker_error"], "status says why")
    until(lambda: world.status()["worker_error"] == "", "it ends when a worker has lived for a while")
    assert world.status()["worker"]["pid"] != first


def test_the_kernel_takes_the_worker_before_the_gateway(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    ask(client, world.gateway(), "how?")
    pid = until(lambda: (status := world.status())["worker"]["alive"] and status["worker"]["pid"], "a worker runs")
    assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"
