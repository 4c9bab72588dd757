"""An older database: brought up to date by a writer, whole or not at all, with what is in it kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from shadowlane.config import StoreConfig
from shadowlane.errors import StoreError
from shadowlane.store import SqliteStore, open_store, schema

from .pairs import make_pair

_OLD = "shadow_id, shadow, req_hash, started_ns, stored_ns, method, target, prod_status, prod_ttfb_ns, prod_ns, flags, "
_OLD += "blocked, findings, reason, detail, status, shadow_started_ns, shadow_ttfb_ns, shadow_ns, delta_s, anchored, "
_OLD += (
    "fact_flip, embedder, citation_match, index_agrees, state, note, model_rev, index_hash, prod_index_hash, rate_limit"
)


def first_release(path: Path) -> None:
    """A file as the first version made it, with one pair."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in schema.STEPS[0]:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {schema._APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    values = ("id-1", "candidate", "h", 5, 6, "GET", "/x", 200, 1, 2, 0, "", "{}", "", "", 200, 3, 4, 5, 0.25, 0.3)
    values += (0, "e@1", None, None, "convergent", "", "", "", "", "{}")  # type: ignore[assignment]
    db.execute(f"INSERT INTO pairs ({_OLD}) VALUES ({', '.join('?' * len(values))})", values)
    db.execute("INSERT INTO counts VALUES ('lane', 'candidate', 'answered', 1)")
    db.execute("INSERT INTO meta VALUES ('lane_epoch', 'lane')")
    db.close()


def open_at(path: Path, *, read_only: bool = False) -> SqliteStore:
    return open_store(StoreConfig(url=f"sqlite:///{path}"), read_only=read_only)


def test_a_writer_brings_an_old_file_up_to_date_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    first_release(path)
    with open_at(path) as store:
        [row] = store.iter_pairs()
        assert (row.pair.copy.shadow_id, row.pair.scores.delta_s, row.pair.scores.embedder) == ("id-1", 0.25, "e@1")
        assert (row.pair.scores.group, row.pair.scores.differences, row.pair.scores.judge) == (None, None, None)
        assert store.counts()["candidate"].answered == 1
        assert store.save([make_pair(2)]) == 1
        columns = store.scores("candidate")
        assert columns.group.tolist() == [-1, -1]
        # What an earlier release did not look at is not known, and no 0.
        assert columns.prod_strange_calls.tolist()[0] == -1
        assert np.isnan([columns.prod_citation_match[0], columns.prod_coverage[0]]).all()
        assert sum(store.mark_counts("candidate")) == 0
    with open_at(path, read_only=True) as store:
        assert len(list(store.iter_pairs())) == 2


def test_a_new_file_and_an_old_one_brought_up_to_date_are_alike(tmp_path: Path) -> None:
    first_release(tmp_path / "old.db")
    shapes = []
    for name in ("old.db", "new.db"):
        open_at(tmp_path / name).close()
        db = sqlite3.connect(tmp_path / name)
        shapes.append(db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall())
        shapes.append([db.execute("PRAGMA user_version").fetchone()])
        db.close()
    assert shapes[:2] == shapes[2:]


def test_a_reader_says_how_to_bring_it_up_to_date_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    first_release(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"schema version 1, .* start its worker once"):
        open_at(path, read_only=True)
    assert path.read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.db"
    first_release(path)
    steps = (schema.STEPS[0], (*schema.STEPS[1], "ALTER TABLE pairs ADD COLUMN nonsense NONSENSE NOT NULL"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", steps)
        with pytest.raises(StoreError):
            open_at(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert "group_id" not in {row[1] for row in db.execute("PRAGMA table_info(pairs)")}
    db.close()
    open_at(path).close()
