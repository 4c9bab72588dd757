"""What a lane timed, kept in the store: with real rings, over its processes and lives, and when the store refuses."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from shadowlane import Lane
from shadowlane._core import Timer
from shadowlane.columns import DIRECT
from shadowlane.config import Config
from shadowlane.errors import StoreError
from shadowlane.gate import Direct
from shadowlane.gate.evidence import direct_of, trial_of
from shadowlane.store import open_store
from shadowlane.worker.overhead import OverheadRecorder

NOW_NS = 480_000 * 3600 * 10**9


def config_of(folder: Path) -> Config:
    return Config.from_dict(
        {
            "lane": {"directory": str(folder / "lane"), "worker": "external", "ring_bytes": 1 << 18,
                     "max_body_bytes": 4096},
            "sampling": {"ratio": 0.5},
            "limits": {"qps": 1e6, "burst": 100_000},
            "store": {"url": f"sqlite:///{folder / 's.db'}"},
            "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
        }
    )  # fmt: skip


def traffic(config: Config, n: int) -> tuple[int, int]:
    """Requests through a lane: how many were taken, and how many of the others were timed."""
    taken = timed = 0
    with Lane.open(config) as lane:
        for _ in range(n):
            entry = lane.begin("GET", "/x", [])
            if isinstance(entry, Timer):
                entry.stop()
                timed += 1
            elif entry is not None:
                lane.offer(entry, "/x", [], b"", 200, [], b"a", 1, 0)
                taken += 1
    return taken, timed


def kept(config: Config) -> list[tuple[int, int]]:
    with open_store(config.store, read_only=True) as store:
        return [(int(one.taken.sum()), int(one.not_taken.sum())) for one in store.latency(0) if one.choice != DIRECT]


def kept_of_its_own_calls(config: Config) -> Direct | None:
    with open_store(config.store, read_only=True) as store:
        return direct_of(store.latency(0))


def test_the_lanes_own_calls_are_kept_over_lives(tmp_path: Path) -> None:
    config, lane = config_of(tmp_path), tmp_path / "lane"
    with open_store(config.store) as store:
        recorder = OverheadRecorder(lane, store, clock_ns=lambda: NOW_NS)
        first, _ = traffic(config, 200)
        recorder.record()
        recorder.record()
        shutil.rmtree(lane)  # the machine was started again
        second, _ = traffic(config, 100)
        recorder.record()
    direct = kept_of_its_own_calls(config)
    assert direct is not None
    assert direct.n == first + second
    with open_store(config.store, read_only=True) as store:
        trial = trial_of(store.latency(0))
    assert trial is not None
    assert trial.n[0] == first + second


def test_it_is_kept_over_processes_and_lives(tmp_path: Path) -> None:
    config, lane = config_of(tmp_path), tmp_path / "lane"
    with open_store(config.store) as store:
        keeper = OverheadRecorder(lane, store, clock_ns=lambda: NOW_NS)
        first = traffic(config, 200)
        keeper.record()
        second = traffic(config, 100)
        keeper.record()
        keeper.record()  # again changes nothing
        one = first[0] + second[0], first[1] + second[1]
        assert kept(config) == [one]
        assert min(one) > 0
        shutil.rmtree(lane)  # the machine was started again
        third = traffic(config, 100)
        keeper.record()
        assert sorted(kept(config)) == sorted([one, third])


def test_a_lane_that_timed_nothing_has_no_row(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    Lane.open(config).close()
    with open_store(config.store) as store:
        OverheadRecorder(tmp_path / "lane", store).record()
    assert kept(config) == []


def test_a_store_that_refuses_is_said_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_of(tmp_path)
    sizes = traffic(config, 100)
    with open_store(config.store) as store:

        class Refusing:
            left = 3

            def save_latency(self, *row: Any) -> None:
                if self.left:
                    self.left -= 1
                    raise StoreError("disk full")
                store.save_latency(*row)

        keeper = OverheadRecorder(tmp_path / "lane", Refusing())
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                keeper.record()
        assert caplog.text.count("disk full") == 1
    assert kept(config) == [sizes]
