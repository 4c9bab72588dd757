"""Status of real lanes: rings and control file by the core, rows by the store."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.capture.supervisor import write_worker_config
from shadowlane.columns import KeptFold
from shadowlane.config import Config
from shadowlane.errors import LaneError
from shadowlane.render.wrap import wrapped
from shadowlane.status.collect import collect_status
from shadowlane.status.render import render_status, size
from shadowlane.store import open_store
from shadowlane.types import Copy, Outcome, Pair
from tests.support.lanes import config_at

FIELDS = tuple(field.name for field in msgspec.structs.fields(Copy))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    lane = {"directory": str(tmp_path / "lane"), "worker": "external", "ring_bytes": 1 << 18, "max_body_bytes": 4096}
    limits = {"qps": 1000, "burst": 1000}
    return config_at(tmp_path, lane=lane, limits=limits, sampling={"ratio": 0.5, "seed": 3})


@pytest.fixture
def lane(config: Config) -> Iterator[Lane]:
    lane = Lane.open(config)
    yield lane
    lane.close()


def take(lane: Lane, n: int) -> None:
    """``n`` requests, of which half are mirrored."""
    for i in range(n):
        ticket = lane.admit("GET", f"/search?q={i}", [])
        if ticket is not None:
            assert lane.offer(ticket, f"/search?q={i}", [], b"", 200, [], b"answer", 1000, 0)


def work(config: Config, frames: int, *, reason: str = "", ack: bool = True) -> None:
    """What the worker does with the next ``frames`` frames, without sending them."""
    drainer = _core.Drainer(config.lane.directory, allow_headers=())
    try:
        with open_store(config.store) as store:
            store.set_epoch(drainer.lane_id(), dict.fromkeys(config.arms(), drainer.acked()))
            for row in drainer.drain(frames, 1 << 20):
                copy = Copy(**dict(zip(FIELDS, row, strict=True)))
                outcomes = [Outcome(shadow=name, reason=reason) for name in config.arms()]
                store.save([Pair(copy=copy, outcome=outcome) for outcome in outcomes])
                if ack:
                    drainer.ack(copy.ring, copy.seq)
    finally:
        drainer.close()


def balance(status: dict[str, Any]) -> None:
    """Both equations of the design, on the figures as printed."""
    assert status["seen"] == status["mirrored"] + sum(status["dropped"].values())
    for shadow in status["shadows"].values():
        assert shadow["mirrored"] == shadow["answered"] + sum(shadow["failed"].values()) + shadow["in_flight"]
        assert shadow["in_flight"] >= 0
    assert json.loads(json.dumps(status)) == status


def test_a_lane_that_never_started(config: Config) -> None:
    status = collect_status(config)
    balance(status)
    assert (status["started"], status["seen"], status["store"]["exists"]) == (False, 0, False)
    assert not status["accounting"]["known"]
    text = render_status(status)
    assert "this lane never started" in text
    assert "not made yet" in text
    assert not Path(config.lane.directory).exists()


def test_before_any_worker_all_is_in_flight(config: Config, lane: Lane) -> None:
    take(lane, 40)
    status = collect_status(config)
    balance(status)
    assert (status["seen"], status["mirrored"], status["dropped"]) == (40, 20, {"sampled_out": 20})
    assert status["shadows"]["candidate"]["in_flight"] == 20
    assert status["accounting"]["holds"]
    assert status["accounting"]["known"]
    (revision,) = status["sampler"].pop("revisions")
    assert status["sampler"] == {"choice": "ratio", "ratio": 0.5, "eligible": 40, "taken": 20}
    assert revision["since_ns"] > 0
    counted = {name: revision[name] for name in ("eligible", "taken", "dropped", "qps", "burst")}
    assert counted == {"eligible": 40, "taken": 20, "dropped": {"sampled_out": 20}, "qps": 1000.0, "burst": 1000}


def test_stored_rows_are_answered_or_failed(config: Config, lane: Lane) -> None:
    take(lane, 40)
    work(config, 12)
    work(config, 5, reason="deadline")
    status = collect_status(config)
    balance(status)
    shadow = status["shadows"]["candidate"]
    assert (shadow["answered"], shadow["failed"], shadow["in_flight"]) == (12, {"deadline": 5}, 3)
    assert status["store"]["rows"] == 17
    assert status["accounting"]["holds"]
    text = render_status(status)
    assert "mirrored 20 = answered 12 + failed 5 (deadline 5) + in flight 3" in text
    assert f"process {os.getpid()} (alive)" in text


def test_rows_whose_frames_are_drained_again_are_counted_once(config: Config, lane: Lane) -> None:
    take(lane, 20)
    work(config, 10, ack=False)
    assert collect_status(config)["accounting"]["holds"]
    work(config, 10)
    status = collect_status(config)
    balance(status)
    assert status["shadows"]["candidate"]["answered"] == 10
    assert status["accounting"]["holds"]


def test_a_shadow_that_joins_later_starts_at_what_was_acknowledged(config: Config, lane: Lane) -> None:
    take(lane, 20)
    work(config, 10)
    two = Config.from_dict(
        {**config.to_dict(), "shadows": {**config.to_dict()["shadows"], "late": {"url": "http://h"}}}
    )
    assert collect_status(two)["shadows"]["late"]["mirrored"] == 0
    take(lane, 20)
    work(two, 10)
    status = collect_status(two)
    balance(status)
    assert {name: shadow["mirrored"] for name, shadow in status["shadows"].items()} == {"candidate": 20, "late": 10}
    assert status["accounting"]["holds"]


def test_a_store_that_was_replaced_does_not_balance(config: Config, lane: Lane) -> None:
    take(lane, 40)
    work(config, 20)
    for file in Path(config.lane.directory).parent.glob("shadowlane.db*"):
        file.unlink()
    with open_store(config.store) as store:
        store.set_epoch(collect_status(config)["lane_id"], {"candidate": 0})
    status = collect_status(config)
    assert not status["accounting"]["holds"]
    assert "DOES NOT HOLD" in render_status(status)


def test_what_a_verdict_goes_on_from_is_said(config: Config, lane: Lane) -> None:
    take(lane, 20)
    work(config, 10)
    assert collect_status(config)["store"]["folds"] == {}
    with open_store(config.store) as store:
        for name, until, n in (("candidate", 2 << 32, 1200), ("candidate", 3 << 32, 1600), ("control", 4 << 32, 9)):
            store.keep_fold(KeptFold(name, "verdict", 1 << 32, until, "", (n, 5), (0, 0), b"s" * 2048))
    status = collect_status(config)
    assert status["store"]["folds"] == {"candidate": {"rows": 1600, "until_ns": 3 << 32, "bytes": 4096}}
    text = render_status(status)
    assert "a verdict on candidate goes on from 1,600 rows that the worker has folded, up to " in text
    assert "a verdict on control" not in text


def test_a_store_that_cannot_be_read_is_named(config: Config, lane: Lane, tmp_path: Path) -> None:
    take(lane, 10)
    (tmp_path / "shadowlane.db").write_bytes(b"this is no database" * 100)
    status = collect_status(config)
    assert str(tmp_path / "shadowlane.db") in status["store"]["error"]
    assert (status["accounting"]["known"], status["shadows"]["candidate"]["holds"]) == (False, None)
    assert "holds for what can be read" in render_status(status)


def test_the_last_workers_error_is_shown(config: Config, lane: Lane) -> None:
    (Path(config.lane.directory) / "worker.error").write_text("shadows.candidate.credential_env: not set\n")
    status = collect_status(config)
    assert status["worker_error"] == "shadows.candidate.credential_env: not set"
    assert "the last one failed: shadows.candidate.credential_env: not set" in render_status(status)


def test_the_switch_is_shown(config: Config, lane: Lane) -> None:
    _core.set_enabled(config.lane.directory, False)
    take(lane, 3)
    status = collect_status(config)
    assert (status["enabled"], status["dropped"]) == (False, {"disabled": 3})
    assert "OFF" in render_status(status)


def test_requests_that_prod_still_answers_are_open(config: Config, lane: Lane) -> None:
    tickets = [lane.admit("GET", "/", []) for _ in range(10)]
    status = collect_status(config)
    balance(status)
    assert status["open"] == sum(ticket is not None for ticket in tickets) == 5
    assert "open 5" in render_status(status)


def test_an_unsafe_directory_is_refused(config: Config, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    Path(config.lane.directory).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LaneError):
        collect_status(config)


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (16 << 20, "16.0 MiB"), (5 << 40, "5120.0 GiB")]
)
def test_sizes(n: int, text: str) -> None:
    assert size(n) == text


def test_the_limits_that_a_worker_says_are_shown(config: Config, lane: Lane) -> None:
    status = collect_status(config)
    assert status["limits"] is None
    shadow = {
        "rate": 12.5,
        "slowed": True,
        "paused_until": 4e9,
        "breaker": {"state": "half_open", "probe_at": None, "rest_s": 5.0},
        "budget": {
            "reached": "money_per_day",
            "limits": {"money_per_day": {"spent": 2.5, "limit": 2.0}},
            "unmetered": 3,
            "unpriced": ["new-model"],
            "slice": {"tokens": 0, "money": 0.25, "left_s": 2.5},
        },
    }
    state = {
        "lane_id": status["lane_id"],
        "limits": {"rate": 12.5, "prod_paused_until": None, "shadows": {"candidate": shadow}},
        "arms": {"candidate": {"out": 2, "waiting": 5, "retries": 1, "transport": "native", "way": "calls"}},
    }
    file = Path(config.lane.directory) / "worker.json"
    file.write_text(json.dumps(state))
    status = collect_status(config)
    calls = {"out": 2, "waiting": 5, "retries": 1, "transport": "native", "way": "calls"}
    assert status["limits"]["shadows"]["candidate"] == {**shadow, **calls}
    (line,) = [line for line in render_status(status).splitlines() if line.startswith("limits")]
    for text in (
        "candidate: paused by its provider until",
        "at most 12.5 copies a second",
        "circuit breaker half-open",
        "BUDGET REACHED (money_per_day), no more copies: 2.5 of 2 money per day",
        "on all hosts, of which this one may spend 0.25 money within 2.5 s",
        "3 answers did not say what they used",
        "no price for new-model",
        "2 calls out, 5 waiting",
        "1 retries",
        "sent by the native transport, in plain calls",
    ):
        assert text in line
    # Another life of the lane has nothing to do with it.
    file.write_text(json.dumps({**state, "lane_id": "0" * 32}))
    assert collect_status(config)["limits"] is None


def test_a_slowed_and_paused_cap_is_shown(config: Config, lane: Lane) -> None:
    drainer = _core.Drainer(config.lane.directory, allow_headers=())
    try:
        drainer.set_rate(12.0)
        drainer.pause(90.0, "provider_limit")
    finally:
        drainer.close()
    text = render_status(collect_status(config))
    assert "slowed to 12 a second" in text
    assert "PAUSED for 90 s (provider_limit)" in text


def test_what_is_wrong_stands_on_the_first_screen(config: Config, lane: Lane) -> None:
    """However many rings and routes there are."""
    take(lane, 40)
    work(config, 12, reason="connect_error")
    (Path(config.lane.directory) / "worker.error").write_text("killed by signal 9\n")
    status = collect_status(config)
    [ring] = status["rings"]
    refusals = status["shadows"]["candidate"]["refusals"]
    assert [one["reason"] for one in refusals] == ["connect_error"]
    text = render_status({**status, "rings": [ring] * 40, "alerts": ["look here"], "faults": 3})
    first = "\n".join([piece for line in text.splitlines() for piece in wrapped(line, 80)][:24])
    for part in ("ALERT", "look here", "faults", "killed by signal 9", "12 copies: connect_error", "accounting"):
        assert part in first


def test_another_configuration_is_what_runs_while_somebody_runs_it(config: Config, lane: Lane) -> None:
    edited = msgspec.structs.replace(config, sampling=msgspec.structs.replace(config.sampling, ratio=0.25))
    write_worker_config(config, Path(config.lane.directory))
    assert [line for line in collect_status(edited)["alerts"] if "is not what runs" in line]
    assert not collect_status(config)["alerts"]
    lane.close()
    assert not collect_status(edited)["alerts"]
