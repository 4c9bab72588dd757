"""What holds for SQLite alone: a full disk, and a writer that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.config import StoreConfig
from shadowlane.errors import StoreError
from shadowlane.store import open_store

from .pairs import make_pair


def config(path: Path) -> StoreConfig:
    return StoreConfig(url=f"sqlite:///{path}")


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = open_store(config(tmp_path / "s.db"))
    store.set_epoch("lane", {"candidate": 0})
    store.save([make_pair(1)])
    # SQLite's own limit on pages takes the same way as ENOSPC: SQLITE_FULL in the middle of the batch.
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages + 8}")
    large = [make_pair(n, body=os.urandom(4096)) for n in range(2, 40)]
    with pytest.raises(StoreError, match=r"s\.db: cannot write: .*free space"):
        store.save(large)
    assert store.stored_keys([(p.copy.shadow_id, "candidate") for p in large]) == set()
    assert store.counts()["candidate"].answered == 1
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert store.save(large) == 38
    assert store.counts()["candidate"].answered == 39


_ENDLESS_WRITER = """
import sys
from shadowlane.config import StoreConfig
from shadowlane.store import open_store
from tests.unit.store.pairs import make_pair
store = open_store(StoreConfig(url="sqlite:///" + sys.argv[1]))
store.set_epoch("lane", {"candidate": 0})
start = len(store.scores())
for batch in range(10**9):
    numbers = range(start + 10 * batch, start + 10 * batch + 10)
    store.save([make_pair(n, reason="deadline" if n % 3 else "") for n in numbers])
    print(numbers[-1] + 1, flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    saved = 0
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", _ENDLESS_WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        assert writer.stdout is not None
        for _ in range(5):
            saved = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        with open_store(config(path), read_only=True) as store:
            rows = len(store.scores())
            counts = store.counts()["candidate"]
            assert rows >= saved
            assert rows % 10 == 0
            assert counts.answered + sum(counts.failed.values()) == rows
