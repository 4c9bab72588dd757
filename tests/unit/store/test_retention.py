"""Retention by age and by size: what goes, what stays, and that space comes back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadowlane.store import SqliteStore, Store, open_store

from .engines import Engine
from .pairs import DAY_NS, HOUR_NS, make_pair

NOW = 1_800_000_000 * 10**9


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(engine: Engine, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """A store on each engine, of seven days."""
    with open_store(engine.config(tmp_path / "s.db", max_age_days=7.0)) as opened:
        opened._clock_ns = clock
        opened.set_epoch("lane", {"candidate": 0})
        yield opened


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "s.db", max_age_ns=7 * DAY_NS, max_bytes=2 << 20, clock_ns=clock) as opened:
        opened.set_epoch("lane", {"candidate": 0})
        yield opened


def numbers(store: Store) -> list[int]:
    return [int(row.pair.copy.req_hash, 16) for row in store.iter_pairs()]


def test_old_rows_go_and_their_counts_stay(kept: Store, clock: Clock) -> None:
    kept.save([make_pair(n, started_ns=NOW + n * DAY_NS) for n in range(10)])
    assert kept.prune(NOW + 7 * DAY_NS) == 0
    assert kept.prune(NOW + 9 * DAY_NS) == 2
    assert numbers(kept) == list(range(2, 10))
    assert kept.counts()["candidate"].answered == 10
    (left,) = kept._db.execute("SELECT count(*) FROM bodies").fetchone()
    assert left == 8


def test_a_row_stored_within_the_hour_stays_however_old_its_exchange(kept: Store, clock: Clock) -> None:
    kept.save([make_pair(1, started_ns=NOW - 30 * DAY_NS)])
    assert kept.prune(NOW + HOUR_NS // 2) == 0
    assert kept.stored_keys([(make_pair(1).copy.shadow_id, "candidate")])
    assert kept.prune(NOW + 2 * HOUR_NS) == 1


def test_a_large_file_loses_its_oldest_rows_and_shrinks(store: SqliteStore, clock: Clock) -> None:
    for start in range(0, 3000, 500):
        store.save([make_pair(n, started_ns=NOW + n, body=os.urandom(1500)) for n in range(start, start + 500)])
    assert store.bytes_used() > 4 << 20
    deleted = store.prune(NOW + 2 * HOUR_NS)
    assert 1500 < deleted < 2900
    assert numbers(store) == list(range(deleted, 3000))
    assert 1.7 * (1 << 20) < store.bytes_used() <= 2 << 20
    assert store.path.stat().st_size <= 2 << 20
    assert store.counts()["candidate"].answered == 3000
    assert store.prune(NOW + 2 * HOUR_NS) == 0


def test_rows_of_the_last_hour_lose_only_their_bodies(store: SqliteStore, clock: Clock) -> None:
    store.save([make_pair(n, started_ns=NOW + n, body=os.urandom(1500)) for n in range(2000)])
    assert store.prune(NOW + HOUR_NS // 2) == 0
    assert store.path.stat().st_size <= 2 << 20
    rows = list(store.iter_pairs(with_bodies=True))
    assert len(rows) == 2000
    kept = [row.bodies for row in rows]
    assert kept == sorted(kept)
    assert 0 < sum(kept) < 2000
    assert rows[0].pair.copy.body == b""
    assert len(rows[-1].pair.copy.body) == 1500
    assert store.save([make_pair(n, started_ns=NOW + n) for n in range(2000)]) == 0


def test_what_persons_said_outlives_the_rows(kept: Store) -> None:
    pairs = [make_pair(n, started_ns=NOW + n * DAY_NS) for n in range(6)]
    kept.save(pairs)
    for n, mark in ((0, "fine"), (1, "wrong"), (4, "wrong")):
        assert kept.save_mark(pairs[n].copy.shadow_id, "candidate", mark)  # type: ignore[arg-type]
    before = kept.mark_counts("candidate")
    assert sum(before) == 3
    assert kept.prune(NOW + 9 * DAY_NS) == 2
    assert kept.mark_counts("candidate") == before
    assert sum(kept.mark_counts("candidate", NOW + DAY_NS)) == 2
    assert sum(kept.mark_counts("another")) == 0
    assert kept.prune(NOW + 30 * DAY_NS) == 4
    assert kept.mark_counts("candidate") == before
