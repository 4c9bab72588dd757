"""The run's own rules: what options and folders it takes, when the lane is drained, what it says when it is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx")

from shadowlane.demo.lanewatch import is_drained, wait_until_drained
from shadowlane.demo.processes import DemoError
from shadowlane.demo.run import DemoOptions, command, run_demo
from shadowlane.errors import ConfigError


@pytest.mark.parametrize(
    ("seconds", "qps", "field"),
    [(0.0, 5.0, "--seconds"), (float("nan"), 5.0, "--seconds"), (5.0, 0.0, "--qps"), (5.0, 1e6, "--qps")],
)
def test_senseless_options_are_refused(tmp_path: Path, seconds: float, qps: float, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        run_demo(DemoOptions(seconds=seconds, qps=qps, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "shadowlane.db"
    theirs.write_bytes(b"production data")
    with pytest.raises(ConfigError, match="not of a demonstration"):
        run_demo(DemoOptions(seconds=5, qps=5, out=tmp_path))
    assert theirs.read_bytes() == b"production data"
    assert list(tmp_path.iterdir()) == [theirs]


def test_a_file_in_place_of_the_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ConfigError, match="--out"):
        run_demo(DemoOptions(seconds=5, qps=5, out=tmp_path / "out"))


def _status(open_: int, *used: int, alive: bool = True) -> dict[str, Any]:
    return {"open": open_, "rings": [{"used": one} for one in used], "worker": {"alive": alive, "pid": 7}}


def test_drained_means_no_open_request_and_nothing_unacknowledged() -> None:
    assert is_drained(_status(0))
    assert is_drained(_status(0, 0, 0))
    assert not is_drained(_status(1, 0))
    assert not is_drained(_status(0, 0, 64))


class _Lane:
    """Readings of a lane, one after another, the last for ever; sleeping moves the clock."""

    def __init__(self, *readings: dict[str, Any]) -> None:
        self._readings = list(readings)
        self.now = 0.0

    def read(self, _: str) -> dict[str, Any]:
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, folder: Path, check: Any = lambda: None) -> dict[str, Any]:
        return wait_until_drained(folder, check, stall_s=2.0, read=self.read, clock=lambda: self.now, sleep=self.sleep)


def test_waits_as_long_as_something_moves(tmp_path: Path) -> None:
    lane = _Lane(*[_status(0, used) for used in range(1000, 0, -1)], _status(0, 0))
    assert is_drained(lane.wait(tmp_path))
    assert lane.now > 50


def test_gives_up_when_nothing_moves_and_says_so(tmp_path: Path) -> None:
    lane = _Lane(_status(1, 512, alive=False))
    with pytest.raises(DemoError, match=r"512 bytes in the rings and 1 open requests.*does not live.*worker\.log"):
        lane.wait(tmp_path)
    assert 2 < lane.now < 3


def test_a_part_that_fails_meanwhile_ends_the_wait(tmp_path: Path) -> None:
    def check() -> None:
        raise DemoError("shadow: ended with code 1")

    with pytest.raises(DemoError, match="shadow: ended"):
        _Lane(_status(0, 512)).wait(tmp_path, check)


@pytest.mark.parametrize(("path", "said"), [(".venv/bin", "shadowlane"), ("", ".venv/bin/shadowlane")])
def test_the_commands_to_try_run_where_the_demo_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "shadowlane").write_text("#!/bin/sh\n")
    (folder / "shadowlane").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", path and str(tmp_path / path))
    assert command() == said
