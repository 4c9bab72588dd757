"""Real shadows that refuse, fail and cost: what admission, the worker, the store and ``status`` make of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from shadowlane.config import load_config
from shadowlane.status.collect import collect_status

from .conftest import Process, World, until


def send(client: httpx.Client, url: str, count: int, path: str = "/x", start: int = 0) -> None:
    for number in range(start, start + count):
        assert client.get(f"{url}{path}?n={number}").status_code == 200


def requests_at(log: Path) -> int:
    return log.read_text().count("\n") if log.exists() else 0


def reasons(world: World) -> Counter[str]:
    if not world.database.exists():
        return Counter()
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'pairs'").fetchone()[0]:
            return Counter()  # the worker is about to make it
        return Counter(row[0] for row in db.execute("SELECT reason FROM pairs"))


def limits_of(world: World) -> dict[str, Any]:
    """What the worker last said about the shadow: it says so twice a second."""
    said: dict[str, Any] = world.status()["limits"]["shadows"]["candidate"]
    return said


def all_stored(world: World, requests: int) -> dict[str, Any]:
    """The status when everything is stored, with the equations checked; requests may be refused at admission."""
    status = world.settle(requests)
    stored = reasons(world)
    candidate = status["shadows"]["candidate"]
    assert stored.pop("", 0) == candidate["answered"]
    assert dict(stored) == candidate["failed"]
    return status


@pytest.mark.parametrize("mode", ["status_429", "status_503"])
def test_a_provider_that_asks_for_a_pause_gets_it_at_admission(
    world: World, client: httpx.Client, tmp_path: Path, mode: str
) -> None:
    """Retry-After in seconds and as an HTTP-date."""
    log = tmp_path / "requests"
    world.configure(world.shadow(mode, log, wait="600"), shadows__candidate={"concurrency": 2})
    url = world.gateway()
    send(client, url, 1)
    until(lambda: world.lane_status()["cap"]["paused_reason"] == "provider_limit", "admission pauses")
    send(client, url, 40)
    status = all_stored(world, 41)
    assert status["dropped"]["provider_limit"] >= 30  # the pause may have been said between two of them
    assert status["cap"]["rate"] < status["cap"]["qps"]
    assert requests_at(log) <= 2
    assert "PAUSED" in world.cli("status").stdout
    # Neither a second gateway nor another worker undoes it.
    pid = world.worker_pid()
    os.kill(pid, signal.SIGKILL)
    second = world.gateway()
    until(lambda: world.worker_pid() not in (0, pid), "another worker")
    send(client, second, 3)
    assert world.lane_status()["cap"]["paused_reason"] == "provider_limit"
    assert requests_at(log) <= 2
    all_stored(world, 44)


def test_refusals_without_a_word_slow_admission_and_successes_make_it_whole(
    world: World, client: httpx.Client, tmp_path: Path
) -> None:
    switch = tmp_path / "crowded"
    switch.touch()
    world.configure(
        world.shadow("crowded", switch=str(switch)),
        limits={"qps": 50.0, "burst": 50},
        shadows__candidate={"min_qps": 47.0},
    )
    url = world.gateway()
    send(client, url, 1)
    until(lambda: world.lane_status()["cap"]["rate"] < 50, "admission slows down")
    cap = world.lane_status()["cap"]
    assert (cap["qps"], cap["rate"] >= 47) == (50.0, True)
    switch.unlink()
    requests = 1

    def whole() -> bool:
        nonlocal requests
        send(client, url, 1, start=requests)
        requests += 1
        return bool(world.lane_status()["cap"]["rate"] == 50)

    until(whole, "the rate is whole again")
    all_stored(world, requests)


def test_a_retry_after_on_a_success_slows_nothing(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow("ok", header="retry-after: 3600"))
    url = world.gateway()
    send(client, url, 20)
    status = all_stored(world, 20)
    assert status["shadows"]["candidate"]["answered"] == 20
    assert (status["cap"]["rate"], status["cap"]["paused_s"]) == (status["cap"]["qps"], 0.0)


def test_prods_low_quota_pauses_mirroring(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    url = world.gateway()
    send(client, url, 5)
    all_stored(world, 5)
    send(client, url, 1, "/low")
    until(lambda: world.lane_status()["cap"]["paused_reason"] == "provider_limit", "admission pauses")
    send(client, url, 10)
    status = all_stored(world, 16)
    assert status["dropped"] == {"provider_limit": 10}
    # The copy that brought the word shares the provider too, and is not sent.
    candidate = status["shadows"]["candidate"]
    assert sum(route["copies"] for route in candidate.pop("routes")) == 6
    assert candidate.pop("lately")["sent"] == 5
    assert candidate == {
        "refusals": [],
        "stood_in": 0,
        "told": 0,
        "untimed": 0,
        "mirrored": 6,
        "answered": 5,
        "failed": {"provider_limit": 1},
        "in_flight": 0,
        "holds": True,
    }


def test_a_shadow_that_is_down_is_left_alone(world: World, client: httpx.Client) -> None:
    breaker = {"minimum": 5, "window": 10, "open_s": 600.0, "max_open_s": 600.0}
    world.configure(world.nobody(), shadows__candidate__breaker=breaker)
    url = world.gateway()
    send(client, url, 60)
    until(lambda: reasons(world)["connect_error"] >= 5, "some failures")
    send(client, url, 20)
    status = all_stored(world, 80)
    failed = status["shadows"]["candidate"]["failed"]
    assert set(failed) == {"connect_error", "breaker_open"}
    assert 5 <= failed["connect_error"] <= 60
    assert failed["breaker_open"] >= 20
    until(lambda: limits_of(world)["breaker"]["state"] == "open", "the worker says that its breaker is open")
    assert "circuit breaker open" in world.cli("status").stdout


def test_a_budget_stops_the_copies_and_outlives_the_worker(world: World, client: httpx.Client, tmp_path: Path) -> None:
    log = tmp_path / "requests"
    world.configure(
        world.shadow("ok", log),
        shadows__candidate={"concurrency": 1},
        shadows__candidate__budget={"tokens_per_hour": 30.0, "money_per_day": 1.0},
        prices__faulty={"input": 1.0, "output": 2.0},
    )
    url = world.gateway()
    send(client, url, 40)
    status = all_stored(world, 40)
    # Seven tokens an answer: the fifth reaches the limit.
    assert status["shadows"]["candidate"]["answered"] == requests_at(log) == 5
    assert status["shadows"]["candidate"]["failed"] == {"budget": 35}
    until(lambda: limits_of(world)["budget"]["reached"] == "tokens_per_hour", "the worker says that it is reached")
    budget = limits_of(world)["budget"]
    assert budget["limits"]["tokens_per_hour"] == {"spent": 35.0, "limit": 30.0}
    assert budget["limits"]["money_per_day"]["spent"] == pytest.approx(5 * (3 * 1.0 + 4 * 2.0) / 1e6)
    assert "BUDGET REACHED (tokens_per_hour)" in world.cli("status").stdout
    said = "budget tokens_per_hour is reached"
    assert (world.lane / "worker.log").read_text().count(said) == 1
    pid = world.worker_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: world.worker_pid() not in (0, pid), "another worker")
    send(client, url, 5, start=40)
    status = all_stored(world, 45)
    assert status["shadows"]["candidate"]["failed"] == {"budget": 40}
    assert requests_at(log) == 5


def test_a_broken_first_try_is_tried_again_when_asked(world: World, client: httpx.Client, tmp_path: Path) -> None:
    log = tmp_path / "requests"
    retry = {"attempts": 3, "base_s": 0.01, "max_s": 0.02}
    world.configure(
        world.shadow("flaky", log), shadows__candidate__retry=retry, shadows__candidate__breaker={"enabled": False}
    )
    url = world.gateway()
    # Not GET: aiohttp itself asks once more when a kept connection breaks before an idempotent request's answer.
    for number in range(10):
        assert client.post(url + "/ask", json={"q": number}).status_code == 200
    status = all_stored(world, 10)
    assert status["shadows"]["candidate"]["answered"] == 10
    assert requests_at(log) == 20
    until(lambda: limits_of(world)["retries"] == 10, "the worker says its retries")


def test_the_reservoir_keeps_the_cap_and_gives_each_route_its_share(
    world: World, client: httpx.Client, tmp_path: Path
) -> None:
    log = tmp_path / "requests"
    limits = {"qps": 0.001, "burst": 12, "cap_mode": "reservoir", "window_s": 2.0}
    world.configure(world.shadow("ok", log), lane={"worker": "external"}, limits=limits)
    url = world.gateway()
    # First come, first served would take the busy route's head and nothing else.
    send(client, url, 60, "/busy")
    send(client, url, 4, "/rare")
    # All are there before anybody takes them, so that they are of one window however long they took to come.
    until(lambda: world.lane_status()["mirrored"] == 64, "all are in the ring")
    arguments = [sys.executable, "-m", "shadowlane", "worker", "--config", str(world.config)]
    world.processes.append(Process(arguments, world.folder / "worker.log"))
    status = all_stored(world, 64)
    assert status["mirrored"] == 64
    candidate = status["shadows"]["candidate"]
    assert candidate.pop("lately")["sent"] == 12
    assert candidate == {
        "routes": [
            {"route": "GET /busy", "copies": 60, "failed": 52, "share": 60 / 64},
            {"route": "GET /rare", "copies": 4, "failed": 0, "share": 4 / 64},
        ],
        "refusals": [],
        "stood_in": 0,
        "told": 0,
        "untimed": 0,
        "mirrored": 64,
        "answered": 12,
        "failed": {"reservoir": 52},
        "in_flight": 0,
        "holds": True,
    }
    targets = Counter(json.loads(line)["target"].partition("?")[0] for line in log.read_text().splitlines())
    assert targets == {"/busy": 8, "/rare": 4}


def test_a_worker_killed_within_a_window_loses_nothing(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow(), limits={"qps": 1.0, "burst": 8, "cap_mode": "reservoir", "window_s": 20.0})
    url = world.gateway()
    send(client, url, 30)
    until(lambda: world.lane_status()["mirrored"] == 30, "all are in the ring")
    pid = until(world.worker_pid, "a worker")
    status = world.status()
    assert status["accounting"]["holds"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: world.worker_pid() not in (0, pid), "another worker")
    # It is asked to leave: its window closes at once, and what it chose is sent. What it had not taken yet is its
    # successor's, which sends when the window is over.
    os.kill(world.worker_pid(), signal.SIGTERM)
    status = world.settle(30)
    candidate = status["shadows"]["candidate"]
    assert candidate["answered"] + candidate["failed"].get("reservoir", 0) == 30
    assert candidate["answered"] >= 8


@pytest.mark.parametrize("keep", ["reservoir", "none"])
def test_reports_work_without_bodies(world: World, client: httpx.Client, tmp_path: Path, keep: str) -> None:
    world.configure(world.shadow(), store={"keep_bodies": keep, "exemplars": 3})
    url = world.gateway()
    send(client, url, 30)
    all_stored(world, 30)
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        assert db.execute("SELECT count(*) FROM pairs").fetchone() == (30,)
        (bodies,) = db.execute("SELECT count(*) FROM bodies").fetchone()
    assert bodies == 0 if keep == "none" else 1 <= bodies <= 3 * 5
    page = tmp_path / "report.html"
    done = world.cli("report", "--html", str(page))
    assert done.returncode == 0, done.stderr
    assert ("not kept" in page.read_text()) is (keep == "none")
    assert ("not kept" in done.stdout) is (keep == "none")


def test_the_equations_hold_at_every_look_whatever_fails(world: World, client: httpx.Client, tmp_path: Path) -> None:
    """A shadow that breaks, one that costs, one that hangs; a worker that is killed; and somebody who always looks."""
    world.configure(
        world.shadow("flaky"),
        shadows__candidate__retry={"attempts": 2, "base_s": 0.01, "max_s": 0.05},
        shadows__costly={"url": world.shadow("ok"), "ratio": 0.8},
        shadows__costly__budget={"tokens_per_hour": 200.0},
        shadows__hanging={"url": world.shadow("hang"), "timeout_s": 0.5, "deadline_s": 1.0, "concurrency": 2},
        shadows__hanging__breaker={"minimum": 3, "window": 6, "open_s": 1.0},
    )
    url = world.gateway()
    config = load_config(world.config)
    looks, broken = 0, []
    done = threading.Event()

    def look() -> None:
        nonlocal looks
        while not done.is_set():
            status = collect_status(config)
            looks += 1
            if not status["accounting"]["holds"]:
                broken.append(status["accounting"]["lines"])

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for start in range(0, 150, 50):
            send(client, url, 50, start=start)
            os.kill(until(world.worker_pid, "a worker"), signal.SIGKILL)
        status = world.settle(150)
    finally:
        done.set()
        looker.join()
    assert looks > 5
    assert broken == []
    shadows = status["shadows"]
    assert set(shadows["hanging"]["failed"]) <= {"deadline", "breaker_open"}
    assert sum(shadows["hanging"]["failed"].values()) == 150
    assert {"sampled_out", "budget"} <= set(shadows["costly"]["failed"])
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        (rows, keys) = db.execute("SELECT count(*), count(DISTINCT shadow_id || shadow) FROM pairs").fetchone()
    assert rows == keys == 450
