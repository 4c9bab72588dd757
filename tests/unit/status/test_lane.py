"""The records of a lane hold exactly what the core says, started or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.config import Config, lane_directory
from shadowlane.status.collect import collect_status
from shadowlane.status.lane import LaneStatus, as_json, read_lane, unstarted
from tests.support.lanes import config_at

LANE = {"worker": "external", "ring_bytes": 1 << 18, "max_body_bytes": 4096}


def keys(value: Any, path: str = "") -> set[str]:
    """Every key of nested tables; of counts by reason only the table."""
    if not isinstance(value, dict) or path == ".dropped":
        return {path}
    return {path} | {key for name, item in value.items() for key in keys(item, f"{path}.{name}")}


@pytest.mark.parametrize(
    "sampling",
    [
        {"ratio": 0.5},
        {"mode": "sticky", "key": "api_key", "ratio": 0.25},
        {"mode": "sticky", "key": "json:/user", "ratio": 0.25},
    ],
)
def test_a_lane_reads_as_before_its_start_but_for_its_life(tmp_path: Path, sampling: dict[str, Any]) -> None:
    config = config_at(tmp_path, lane={**LANE, "directory": str(tmp_path / "lane")}, sampling=sampling)
    before = unstarted(config)
    with Lane.open(config):
        now = read_lane(tmp_path / "lane")
        assert as_json(now) == _core.lane_status(str(tmp_path / "lane"))
        alone = msgspec.structs.replace(now, lane_id="", rings=[])
        # A cap that is full says how much of it is there as a count of units.
        assert [(one.number, one.eligible, one.dropped) for one in now.sampler.revisions] == [(1, 0, {})]
        alone = msgspec.structs.replace(alone, sampler=msgspec.structs.replace(now.sampler, revisions=[]))
        assert alone == msgspec.structs.replace(before, cap=now.cap)
        assert (now.cap.qps, now.cap.burst, now.cap.rate) == (before.cap.qps, before.cap.burst, before.cap.rate)
        assert now.cap.available == pytest.approx(before.cap.available, abs=0.01)


def test_the_status_of_a_lane_has_the_same_keys_before_and_after_its_start(tmp_path: Path) -> None:
    config = config_at(tmp_path, lane={**LANE, "directory": str(tmp_path / "lane")})
    before = keys(collect_status(config))
    with Lane.open(config):
        assert keys(collect_status(config)) == before
    assert ".refused" in before


def test_what_a_record_does_not_know_is_an_error() -> None:
    config = Config.from_dict({"shadows": {"s": {"url": "http://127.0.0.1:9"}}})
    plain = as_json(unstarted(config))
    assert plain["directory"] == str(lane_directory(config))
    assert msgspec.convert(plain, LaneStatus) == unstarted(config)
    for changed in ({**plain, "more": 1}, {key: value for key, value in plain.items() if key != "cap"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(changed, LaneStatus)
