"""What a host counted, from a real lane's counters into the store, and what of it the gate on another host sees."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane import Lane, __version__, _core
from shadowlane.columns import HostCounts
from shadowlane.config import Config
from shadowlane.errors import StoreError
from shadowlane.offload.figures import counts_of
from shadowlane.store import Store, open_store
from shadowlane.types import ShadowCounts
from shadowlane.worker.counted import HostRecorder, copies_of, forwarded_counts
from shadowlane.worker.roles import _save_counts

from .test_overhead import config_of, traffic


class Refusing:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.refuses = True

    def save_host(self, counts: HostCounts) -> None:
        if self.refuses:
            raise StoreError("the disk is full")
        self._store.save_host(counts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def recorder(config: Config, store: Any, **more: Any) -> HostRecorder:
    return HostRecorder(config, Path(config.lane.directory), store, host="a", **more)


def test_a_host_writes_what_its_lane_counts(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    taken, _ = traffic(config, 400)
    with open_store(config.store) as store:
        recorder(config, store).record()
        (seen,) = store.hosts()
        counts = seen.counts
        assert (counts.host, counts.lane, counts.release, counts.alike) == ("a", "default", __version__, config.alike())
        assert (counts.seen, counts.mirrored, counts.dropped) == (400, taken, {"sampled_out": 400 - taken})
        assert [(one.ratio, one.eligible, one.taken) for one in counts.settings] == [(0.5, 400, taken)]
        assert counts.adds_up is True
        copies = counts.shadows["candidate"]
        assert (copies.mirrored, copies.answered, copies.in_flight, copies.holds) == (taken, 0, taken, True)


def test_a_worker_that_ends_while_gateways_live_has_not_ended_its_host(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    with open_store(config.store) as store:
        with Lane.open(config):
            recorder(config, store).record(ended=True)
            assert store.hosts()[0].counts.ended is False
        recorder(config, store).record(ended=True)
        assert store.hosts()[0].counts.ended is True
        recorder(config, store).record()
        assert store.hosts()[0].counts.ended is False


def test_a_store_that_refuses_is_said_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_of(tmp_path)
    traffic(config, 10)
    with open_store(config.store) as store, caplog.at_level(logging.WARNING):
        refusing = Refusing(store)
        one = recorder(config, refusing)
        one.record()
        one.record()
        assert [record.getMessage() for record in caplog.records] == [
            "what this host counts cannot be kept for the gate: the disk is full"
        ]
        refusing.refuses = False
        one.record()
        assert len(store.hosts()) == 1


def test_rows_of_hosts_that_are_gone_are_dropped_once_an_hour(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    traffic(config, 10)
    now = [0.0]
    forgot = []
    with open_store(config.store) as store:
        one = recorder(config, store, clock=lambda: now[0])
        store.forget_hosts = lambda: forgot.append(now[0]) or 0  # type: ignore[method-assign,func-returns-value]
        for at in (0.0, 5.0, 3599.0, 3600.0, 3605.0):
            now[0] = at
            one.record()
    assert forgot == [0.0, 3600.0]


def test_copies_that_are_stored_between_two_looks_never_look_wrong() -> None:
    stored = {"candidate": ShadowCounts(answered=7, failed={"deadline": 1})}
    for acked, mirrored, holds in ((10, 20, True), (13, 13, True), (14, 20, False), (10, 12, False)):
        copies = copies_of(["candidate"], stored, {"candidate": 5}, acked, mirrored)["candidate"]
        assert copies.holds is holds
        assert copies.mirrored == copies.answered + sum(copies.failed.values()) + copies.in_flight


def test_what_hosts_should_have_alike_is_what_says_what_is_mirrored_and_judged(tmp_path: Path) -> None:
    config = config_of(tmp_path)

    def changed(**tables: Any) -> Config:
        return Config.from_dict({**config.to_dict(), **tables})

    for same in (
        {"lane": {"name": "other"}},
        {"store": {"url": "sqlite:///x.db"}},
        {"serve": {"listen": "127.0.0.1:9797"}},
    ):
        assert changed(**same).alike() == config.alike()
    for other in ({"sampling": {"ratio": 0.4}}, {"gate": {"min_pairs": 7}}, {"routes": {"read": ["POST /x"]}}):
        assert changed(**other).alike() != config.alike()


@pytest.mark.parametrize("said", [{}, {"seen": 1}, {"seen": "x"}])
def test_what_a_forwarding_host_of_another_release_said_is_left_out(said: dict[str, Any]) -> None:
    assert forwarded_counts("a/lane/0123", said) is None


def test_judges_keep_what_forwarding_hosts_count_as_long_as_they_say_something(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    taken, _ = traffic(config, 100)
    status = _core.lane_status(str(config.lane.directory))
    saved: list[HostCounts] = []

    class Keeping:
        def save_host(self, counts: HostCounts) -> None:
            saved.append(counts)

    told: dict[str, Any] = {}
    source = f"host-1/default/{status['lane_id'][:12]}"
    for told_ns in (1, 1, 2):
        said = msgspec.json.decode(counts_of(status, told_ns, "x"))
        _save_counts(Keeping(), {source: said, "odd": {}}, told)  # type: ignore[arg-type]
    assert len(saved) == 2
    one = saved[-1]
    assert (one.host, one.lane, one.lane_id, one.alike) == ("host-1", "default", status["lane_id"][:12], "x")
    assert (one.seen, one.mirrored, one.settings[0].taken, one.adds_up) == (100, taken, taken, None)
