"""``status --check``: whether a worker is at work, by its lock and its heartbeat alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.cli import main
from shadowlane.status import alive


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    file = tmp_path / "lane.toml"
    file.write_text(f'[lane]\ndirectory = "{tmp_path / "lane"}"\n[shadows.candidate]\nurl = "http://127.0.0.1:9"\n')
    return file


def test_without_a_lane_there_is_no_worker(lane: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--check", "--config", str(lane)]) == 1
    assert "the lane never started" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("worker", "code", "says"),
    [
        ({"alive": False}, 1, "no worker is running"),
        ({"alive": True, "heartbeat_age_s": None}, 0, "process 7 is at work"),
        ({"alive": True, "heartbeat_age_s": 0.2}, 0, "process 7 is at work"),
        ({"alive": True, "heartbeat_age_s": alive.STALE_S}, 0, "process 7 is at work"),
        ({"alive": True, "heartbeat_age_s": alive.STALE_S + 1}, 1, "process 7 has not reported itself for 31 s"),
        (
            {"alive": True, "heartbeat_age_s": 90.0, "same_namespace": False},
            1,
            "process 7 of another pid namespace has not reported itself for 90 s",
        ),
    ],
)
def test_a_worker_is_at_work_while_it_reports_itself(
    lane: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    worker: dict[str, Any],
    code: int,
    says: str,
) -> None:
    _core.Lane(str(lane.parent / "lane"), ring_bytes=1 << 20).close()
    monkeypatch.setattr(alive, "read_lane", lambda _: {"worker": {"pid": 7, "same_namespace": True, **worker}})
    monkeypatch.setattr(alive, "as_json", lambda read: read)
    assert main(["status", "--check", "--json", "--config", str(lane)]) == code
    assert json.loads(capsys.readouterr().out) == {"lane": "default", "ok": code == 0, "worker": says}
