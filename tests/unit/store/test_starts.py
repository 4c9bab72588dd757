"""Windows that begin anew: by hand, and by a release whose checksum changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shadowlane.errors import StoreError
from shadowlane.gate.window import start_of
from shadowlane.store import open_store
from tests.support.lanes import HOUR_NS, NOW_NS, config_at


def test_a_changed_checksum_restarts_the_window_once(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    with open_store(config.store) as store:
        assert not store.note_release("candidate", "prod/rag", "a1", NOW_NS - 9), "the first one changes nothing"
        assert not store.note_release("candidate", "prod/rag", "a1", NOW_NS - 8)
        assert store.window_restarted("candidate") is None
        assert store.note_release("candidate", "prod/rag", "b2", NOW_NS - 2 * HOUR_NS)
        assert not store.note_release("candidate", "prod/rag", "b2", NOW_NS - 1), "told again"
        assert store.window_restarted("candidate") == NOW_NS - 2 * HOUR_NS
        assert store.window_restarted("other") is None
    with open_store(config.store, read_only=True) as store:
        start = start_of(config, "candidate", store, NOW_NS)
    assert (start.since_ns, start.why) == (NOW_NS - 2 * HOUR_NS, "checksum of prod/rag changed from a1 to b2")


def test_two_canaries_of_one_shadow_do_not_take_turns(tmp_path: Path) -> None:
    with open_store(config_at(tmp_path).store) as store:
        for at in range(6):
            assert not store.note_release("candidate", f"prod/{'ab'[at % 2]}", f"c{at % 2}", at)
        assert store.note_release("candidate", "prod/a", "c9", 7)


def test_a_restart_by_hand_after_a_release_says_so(tmp_path: Path) -> None:
    with open_store(config_at(tmp_path).store) as store:
        store.note_release("candidate", "prod/a", "1", 1)
        store.note_release("candidate", "prod/a", "2", 2)
        store.restart_window("candidate", 3)
        assert (store.window_restarted("candidate"), store.restart_reason("candidate")) == (3, "restarted by hand")


def test_what_is_kept_of_releases_is_bounded(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    with open_store(config.store) as store:
        for number in range(100):
            store.note_release("candidate", f"prod/{number}", "1", 1)
            store.note_release("candidate", "prod/always", "1", 1)
        assert store.note_release("candidate", "prod/always", "2", 2), "who is told of stays known"
        assert not store.note_release("candidate", "prod/0", "2", 3), "who was not told of for long is new"
    with sqlite3.connect(config.store.path) as db:
        [(kept,)] = db.execute("SELECT value FROM meta WHERE key = 'release:candidate'")
    db.close()
    assert kept.count("prod/") == 16


def test_a_probe_leaves_nothing_and_finds_what_cannot_be_written(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    with open_store(config.store) as store:
        store.probe()
        assert "probe" not in dict(store._db.execute("SELECT key, value FROM meta"))
    with open_store(config.store, read_only=True) as store, pytest.raises(StoreError, match="cannot write"):
        store.probe()
