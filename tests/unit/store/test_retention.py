"""Retention by age and by size: what goes, what stays, and that space comes back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadowlane.store import SqliteStore

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
def store(tmp_path: Path, clock: Clock) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "s.db", max_age_ns=7 * DAY_NS, max_bytes=2 << 20, clock_ns=clock) as opened:
        opened.set_epoch("lane", {"candidate": 0})
        yield opened


def numbers(store: SqliteStore) -> list[int]:
    return [int(row.pair.copy.req_hash, 16) for row in store.iter_pairs()]


def test_old_rows_go_and_their_counts_stay(store: SqliteStore, clock: Clock) -> None:
    store.save([make_pair(n, started_ns=NOW + n * DAY_NS) for n in range(10)])
    assert store.prune(NOW + 7 * DAY_NS) == 0
    assert store.prune(NOW + 9 * DAY_NS) == 2
    assert numbers(store) == list(range(2, 10))
    assert store.counts()["candidate"].answered == 10
    (left,) = store._db.execute("SELECT count(*) FROM bodies").fetchone()
    assert left == 8


def test_a_row_stored_within_the_hour_stays_however_old_its_exchange(store: SqliteStore, clock: Clock) -> None:
    store.save([make_pair(1, started_ns=NOW - 30 * DAY_NS)])
    assert store.prune(NOW + HOUR_NS // 2) == 0
    assert store.stored_keys([(make_pair(1).copy.shadow_id, "candidate")])
    assert store.prune(NOW + 2 * HOUR_NS) == 1


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


def test_what_persons_said_outlives_the_rows(store: SqliteStore) -> None:
    pairs = [make_pair(n, started_ns=NOW + n * DAY_NS) for n in range(6)]
    store.save(pairs)
    for n, mark in ((0, "fine"), (1, "wrong"), (4, "wrong")):
        assert store.save_mark(pairs[n].copy.shadow_id, "candidate", mark)  # type: ignore[arg-type]
    before = store.mark_counts("candidate")
    assert sum(before) == 3
    assert store.prune(NOW + 9 * DAY_NS) == 2
    assert store.mark_counts("candidate") == before
    assert sum(store.mark_counts("candidate", NOW + DAY_NS)) == 2
    assert sum(store.mark_counts("another")) == 0
    assert store.prune(NOW + 30 * DAY_NS) == 4
    assert store.mark_counts("candidate") == before
