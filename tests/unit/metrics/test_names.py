"""The table of metrics against what ``status --json`` shows, and against the rules of good names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.metrics.names import METRICS, NO_METRIC
from shadowlane.status.collect import collect_status
from shadowlane.status.lane import LeaseStatus
from shadowlane.status.limits import budgets_of, fleet_of, leaders_of
from tests.support.lanedata import LaneData, lane_config, numbers_in

KNOWN = [tuple(path.split(".")) for one in METRICS.values() for path in one.status]
LEFT_OUT = [tuple(path.split(".")) for path in NO_METRIC]


def matches(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Each part as named, or any where ``*`` stands."""
    return len(path) == len(pattern) and all(q in ("*", p) for p, q in zip(path, pattern, strict=True))


def without_metric(status: dict[str, Any]) -> list[str]:
    """Numbers of the status that no metric gives and that no reason leaves out."""
    return [
        ".".join(path)
        for path in numbers_in(status)
        if not any(matches(path, pattern) for pattern in (*KNOWN, *LEFT_OUT))
    ]


@pytest.fixture
def status(tmp_path: Path) -> dict[str, Any]:
    data = LaneData(lane_config(tmp_path))
    try:
        data.take(60)
        data.take(20, "/other")
        data.work(8)
        data.work(4, reason="deadline")
        data.work(2, status=404)
        data.write_limits()
        data.receive()
        return collect_status(data.config)
    finally:
        data.close()


def test_every_number_of_the_status_has_a_metric(status: dict[str, Any]) -> None:
    assert status["limits"]["shadows"]["candidate"]["budget"]
    assert status["shadows"]["candidate"]["lately"]["cost"]
    assert status["shadows"]["candidate"]["refusals"]
    assert without_metric(status) == []


def test_a_number_without_one_is_found(status: dict[str, Any]) -> None:
    status["shadows"]["candidate"]["lately"]["novel"] = {"n": 3}
    status["rings"][0]["twist"] = 1.5
    status["late"] = 7
    assert without_metric(status) == ["rings.*.twist", "shadows.candidate.lately.novel.n", "late"]


def test_no_path_leads_nowhere(status: dict[str, Any]) -> None:
    """A path that the status has no more is a metric of nothing."""
    found = list(numbers_in(status))
    optional = {"worker.heartbeat_age_s", "limits.prod_paused_until", "limits.shadows.*.paused_until"}  # while they are
    optional |= {"cap.weights.*", "shadows.*.lately.novel"}
    optional |= {f"lease.{name}" for name in ("rate", "burst", "left_s", "wanted", "off")}  # of a fleet's host
    optional |= {f"fleet.{name}" for name in ("hosts", "rate", "burst", "opens_in_s", "joined")}
    optional |= {f"fleet_budgets.{name}" for name in ("processes", "opens_in_s")}
    optional |= {f"hosts.*.{name}" for name in ("seen", "mirrored", "prod_failed", "age_s")}
    optional |= {"fleet_pins.*.*.*", "store.folds.*.*"}
    optional |= {f"leaders.*.{name}" for name in ("token", "here", "left_s")}
    optional |= {f"limits.shadows.*.budget.slice.{name}" for name in ("tokens", "money", "left_s")}
    # Bounds of the trial are known after a few hundred requests.
    # What a forwarding host or a judge shows: tests/unit/status/test_offload.py.
    stale = [
        ".".join(pattern)
        for pattern in (*KNOWN, *LEFT_OUT)
        if not any(matches(path, pattern) for path in found) and pattern[0] not in ("overhead", "offload")
    ]
    assert set(stale) <= optional


def test_every_number_of_a_fleets_host_has_a_metric(status: dict[str, Any]) -> None:
    status["lease"] = msgspec.to_builtins(LeaseStatus(off=False, rate=12.5, burst=4, left_s=2.5, wanted=70))
    said = {"engine": "redis", "error": "", "hosts": 3, "rate": 50.0, "burst": 50, "opens_in_s": 0, "joined": True}
    status["fleet"] = fleet_of({"fleet": said}, alive=True)
    assert status["fleet"] == said
    shared = {"error": "", "processes": 3, "opens_in_s": 0}
    status["fleet_budgets"] = budgets_of({"fleet": {"budgets": shared}}, alive=True)
    assert status["fleet_budgets"] == shared
    led = {"retention": {"token": 7, "host": "a", "here": True, "left_s": 12.5}}
    status["leaders"] = leaders_of({"fleet": {"leaders": led}}, alive=True)
    assert status["leaders"] == led
    status["limits"]["shadows"]["candidate"]["budget"]["slice"] = {"tokens": 90, "money": 0.5, "left_s": 2.5}
    assert without_metric(status) == []


@pytest.mark.parametrize("name", METRICS)
def test_names_say_kind_and_unit(name: str) -> None:
    one = METRICS[name]
    assert name.startswith("shadowlane_")
    assert name.endswith("_total") is (one.kind == "counter")
    assert name.endswith("_info") is (one.kind == "info")
    assert one.text.endswith(".")
    assert "lane" not in one.labels
