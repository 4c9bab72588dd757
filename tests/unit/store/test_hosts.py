"""What hosts counted, in either engine: the last word of each life of a lane, its age, and when it is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.columns import CopyCounts, HostCounts, Setting
from shadowlane.store import Store, open_store
from shadowlane.store.base import SET_META

from .engines import Engine


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> Iterator[Store]:
    with open_store(engine.config(tmp_path / "s.db", max_age_days=1.0)) as opened:
        yield opened


def counts(lane_id: str = "0" * 32, host: str = "a", **more: Any) -> HostCounts:
    usual: dict[str, Any] = {"seen": 40, "open": 1, "mirrored": 10, "dropped": {"sampled_out": 30}}
    setting = Setting(since_ns=1, choice="ratio", ratio=0.25, qps=20.0, burst=20, eligible=40, taken=10)
    copies = CopyCounts(mirrored=10, answered=9, failed={"deadline": 1}, in_flight=0, holds=True)
    return HostCounts(
        **{
            "host": host,
            "lane": "default",
            "lane_id": lane_id,
            "settings": (setting,),
            "adds_up": True,
            "shadows": {"candidate": copies},
            **usual,
            **more,
        }
    )


def age(store: Store, lane_id: str, seconds: float) -> None:
    """Let a row be older."""
    (value,) = store._db.execute("SELECT value FROM meta WHERE key = ?", (f"host:{lane_id}",)).fetchone()
    at, _, text = value.partition(" ")
    store._db.execute(SET_META, (f"host:{lane_id}", f"{float(at) - seconds:.6f} {text}"))


def test_the_last_word_of_each_life_is_kept_as_it_was_said(store: Store) -> None:
    assert store.hosts() == []
    first = counts("1" * 32, "host “ä”")
    store.save_host(counts("2" * 32, "b"))
    store.save_host(first)
    later = msgspec.structs.replace(first, seen=80, ended=True)
    store.save_host(later)
    found = store.hosts()
    assert [one.counts for one in found] == [later, counts("2" * 32, "b")]
    assert all(0 <= one.age_s < 60 for one in found)
    assert found[0].at_ns >= found[1].at_ns > 10**18


def test_ages_are_by_the_clock_of_the_database(store: Store) -> None:
    store.save_host(counts("1" * 32))
    age(store, "1" * 32, 95.0)
    (one,) = store.hosts()
    assert 94.9 <= one.age_s < 155
    store.save_host(counts("1" * 32))
    assert store.hosts()[0].age_s < 60


def test_a_host_is_forgotten_when_its_pairs_are(store: Store) -> None:
    for digit, old in (("1", 0.0), ("2", 86_000.0), ("3", 87_000.0)):
        store.save_host(counts(digit * 32))
        age(store, digit * 32, old)
    assert store.forget_hosts() == 1
    assert [one.counts.lane_id[0] for one in store.hosts()] == ["1", "2"]
    assert store.forget_hosts() == 0


def test_what_cannot_be_read_is_there_without_counts_and_goes_with_its_age(store: Store) -> None:
    store.save_host(counts("1" * 32))
    store._db.execute(SET_META, ("host:x", '1760000000.5 {"host": "later"}'))
    store._db.execute(SET_META, ("host:y", "no time"))
    store._db.execute(SET_META, ("hosts", "of another key"))
    found = store.hosts()
    assert [(one.counts.lane_id, one.readable) for one in found] == [("1" * 32, True), ("x", False), ("y", False)]
    assert [one.at_ns for one in found[1:]] == [1_760_000_000_500_000_000, 0]
    assert sum(one.counts.seen for one in found[1:]) == 0
    assert store.forget_hosts() == 2
    assert [one.readable for one in store.hosts()] == [True]
