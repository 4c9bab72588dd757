"""A lane's own store as a source: every exchange once, by time, and nothing of the lane's is held up meanwhile."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from shadowlane.config import StoreConfig
from shadowlane.sources import Recorded, Source, Unusable
from shadowlane.store import SqliteStore, open_store
from shadowlane.types import FLAG_NO_PROD, Outcome, Pair
from tests.unit.worker.world import copy_of


def filled(path: Path, times: list[int], keep: str = "all") -> SqliteStore:
    store = open_store(StoreConfig(url=f"sqlite:///{path}", keep_bodies=keep))  # type: ignore[arg-type]
    store.set_epoch("e" * 32, {"a": 0, "b": 0})
    for number, at_ns in enumerate(times):
        copy = msgspec.structs.replace(copy_of(number), started_ns=at_ns)
        store.save([Pair(copy=copy, outcome=Outcome(shadow=name, status=200, body=b"x")) for name in ("a", "b")])
    return store


def test_every_exchange_comes_once_however_many_have_one_time(tmp_path: Path) -> None:
    times = [5] * 150 + list(range(10, 100)) + [7] * 3
    filled(tmp_path / "s.db", times).close()
    records = list(Source.of(str(tmp_path / "s.db")).records())
    assert all(isinstance(record, Recorded) and record.stored for record in records)
    assert len({record.where for record in records}) == len(records) == len(times)
    assert [record.started_ns for record in records if isinstance(record, Recorded)] == sorted(times)


def test_a_slow_reader_does_not_keep_the_log_from_shrinking(tmp_path: Path) -> None:
    store = filled(tmp_path / "s.db", list(range(1, 200)))
    records = Source.of(str(tmp_path / "s.db")).records()
    next(records)
    filled_later = msgspec.structs.replace(copy_of(500), started_ns=10**6)
    store.save([Pair(copy=filled_later, outcome=Outcome(shadow="a", status=200))])
    with sqlite3.connect(tmp_path / "s.db") as db:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert sum(1 for _ in records) == 199  # the one that came meanwhile, too
    store.close()


def test_the_second_answers_are_those_of_the_shadow_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = open_store(StoreConfig(url=f"sqlite:///{path}"))
    store.set_epoch("e" * 32, {"control": 0, "a": 0, "b": 0})
    for number in range(3):
        copy = msgspec.structs.replace(copy_of(number), started_ns=number + 1)
        arms = ("control", "a", "b")
        store.save([Pair(copy=copy, outcome=Outcome(shadow=one, status=200, body=one.encode())) for one in arms])
    store.close()
    for asked, answered in (("b", b"b"), ("a", b"a"), ("unknown", b"a")):
        records = list(Source.of(str(path), shadow=asked).records())
        assert [one.shadow.body for one in records if isinstance(one, Recorded) and one.shadow] == [answered] * 3


def test_what_cannot_be_sent_again_says_so(tmp_path: Path) -> None:
    filled(tmp_path / "none.db", [1, 2], keep="none").close()
    gone = list(Source.of(str(tmp_path / "none.db")).records())
    assert [(type(one), one.reason) for one in gone if isinstance(one, Unusable)] == [(Unusable, "bodies_gone")] * 2


def test_an_exchange_that_prod_never_answered_has_no_answer(tmp_path: Path) -> None:
    store = filled(tmp_path / "s.db", [])
    unanswered = msgspec.structs.replace(copy_of(1), status=0, response_body=b"", flags=FLAG_NO_PROD)
    store.save([Pair(copy=unanswered, outcome=Outcome(shadow="a", reason="prod_failed"))])
    store.close()
    [record] = Source.of(str(tmp_path / "s.db")).records()
    assert isinstance(record, Recorded)
    assert (record.prod, record.shadow) == (None, None)
