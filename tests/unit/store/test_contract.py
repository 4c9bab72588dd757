"""The store's laws: whole batches, no row twice, counters that outlive rows, order, columns."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.columns import Texts
from shadowlane.errors import StoreError
from shadowlane.store import Store, open_store
from shadowlane.types import STRANGE_CALLS, Pair, Scores

from .engines import Engine
from .pairs import make_pair, pairs


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> Iterator[Store]:
    with open_store(engine.config(tmp_path / "s.db")) as opened:
        yield opened


@settings(max_examples=60, deadline=None)
@given(st.lists(pairs(), max_size=8))
def test_what_comes_back_is_what_went_in(engine: Engine, batch: list[Pair]) -> None:
    expected: dict[tuple[str, str], Pair] = {}
    for pair in batch:
        expected.setdefault((engine.text(pair.copy.shadow_id), engine.text(pair.outcome.shadow)), pair)
    with engine.empty() as store:
        assert store.save(batch) == len(expected)
        stored = list(store.iter_pairs(with_bodies=True))
        same = engine.same
        assert {(row.pair.copy.shadow_id, row.pair.outcome.shadow): same(row.pair) for row in stored} == {
            key: same(pair) for key, pair in expected.items()
        }
        assert all(row.bodies for row in stored)
        assert [row.pair.copy.started_ns for row in stored] == sorted(p.copy.started_ns for p in expected.values())
        assert store.stored_keys(list(expected)) == set(expected)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab"), st.sampled_from(["", "deadline", "budget"]))),
        max_size=6,
    )
)
def test_counts_are_the_rows_however_often_a_copy_is_redelivered(
    engine: Engine, batches: list[list[tuple[int, str, str]]]
) -> None:
    first: dict[tuple[int, str], str] = {}
    with engine.empty() as store:
        store.set_epoch("lane-1", {"a": 0, "b": 3})
        for batch in batches:
            new = 0
            for number, shadow, reason in batch:
                new += (number, shadow) not in first
                first.setdefault((number, shadow), reason)
            assert store.save([make_pair(n, shadow=s, reason=r) for n, s, r in batch]) == new
        counts = store.counts()
        for shadow in "ab":
            reasons = Counter(reason for (_, name), reason in first.items() if name == shadow)
            assert counts[shadow].answered == reasons.pop("", 0)
            assert counts[shadow].failed == reasons
        assert store.bases() == {"a": 0, "b": 3}


def test_a_shadow_and_an_exchange_make_the_key(store: Store) -> None:
    assert store.save([make_pair(1), make_pair(1), make_pair(1, shadow="other"), make_pair(2)]) == 3
    one, two = make_pair(1).copy.shadow_id, make_pair(2).copy.shadow_id
    keys = [(one, "candidate"), (one, "other"), (two, "candidate"), (two, "other"), ("", "candidate")]
    assert store.stored_keys(keys) == set(keys[:3])
    assert store.stored_keys([]) == set()


def test_known_takes_more_keys_than_sqlite_takes_variables(store: Store) -> None:
    store.save([make_pair(n) for n in range(0, 3000, 3)])
    keys = [(make_pair(n).copy.shadow_id, "candidate") for n in range(3000)]
    assert store.stored_keys(keys) == set(keys[::3])


def test_the_first_row_of_a_key_stays(store: Store) -> None:
    store.save([make_pair(1, reason="deadline")])
    store.save([make_pair(1)])
    assert [row.pair.outcome.reason for row in store.iter_pairs()] == ["deadline"]


def test_an_epoch_counts_from_zero_and_the_former_stays(engine: Engine, tmp_path: Path) -> None:
    with open_store(engine.config(tmp_path / "s.db")) as store:
        store.set_epoch("first", {"candidate": 0})
        store.save([make_pair(1), make_pair(2, reason="deadline")])
        store.set_epoch("second", {"candidate": 7})
        store.set_epoch("second", {"candidate": 99, "late": 4})
        store.save([make_pair(1), make_pair(3)])
        assert store.counts()["candidate"].answered == 1
        assert store.counts()["late"].answered == 0
        assert store.bases() == {"candidate": 7, "late": 4}
        assert store.counts("first")["candidate"].failed == {"deadline": 1}
    with open_store(engine.config(tmp_path / "s.db"), read_only=True) as reader:
        assert reader.counts()["candidate"].answered == 1


def test_worst_first(store: Store) -> None:
    scores = {
        1: Scores(delta_s=0.2),
        2: Scores(delta_s=0.9),
        3: Scores(note="no text"),
        4: Scores(delta_s=0.1, fact_flip=True),
    }
    store.save([make_pair(n, scores=s) for n, s in scores.items()])
    order = [int(row.pair.copy.req_hash, 16) for row in store.iter_pairs(order="worst")]
    assert order == [4, 2, 1, 3]
    assert [int(row.pair.copy.req_hash, 16) for row in store.iter_pairs(order="worst", limit=2)] == [4, 2]
    assert [int(row.pair.copy.req_hash, 16) for row in store.iter_pairs(order="newest", since_ns=1003)] == [4, 3]
    with pytest.raises(ValueError, match="order = 'best'"):
        list(store.iter_pairs(order="best"))  # type: ignore[arg-type]


def test_bodies_are_read_only_when_asked_for(store: Store) -> None:
    store.save([make_pair(1, outcome_body=b"answer")])
    (thin,) = store.iter_pairs()
    assert (thin.bodies, thin.pair.outcome.body, thin.pair.copy.headers) == (False, b"", ())
    (thick,) = store.iter_pairs(with_bodies=True)
    assert (thick.bodies, thick.pair.outcome.body) == (True, b"answer")


def test_scores_as_columns(store: Store) -> None:
    store.save(
        [
            make_pair(2, scores=Scores(delta_s=0.5, state="recursive", embedder="e@1", index_agrees=True)),
            make_pair(1, reason="deadline"),
            make_pair(3, shadow="other"),
        ]
    )
    table = store.scores("candidate")
    assert len(table) == 2
    np.testing.assert_array_equal(table.started_ns, [1001, 1002])
    np.testing.assert_array_equal(table.delta_s, [np.nan, 0.5])
    np.testing.assert_array_equal(table.index_agrees, [np.nan, 1.0])
    assert table.delta_s.dtype == np.float64
    assert list(table.reason) == ["deadline", ""]
    assert list(table.state) == ["", "recursive"]
    assert list(table.status) == [0, 200]
    assert table.fact_flip.dtype == np.bool_
    np.testing.assert_array_equal(table.shadow_ns, [30, 30])
    assert len(store.scores()) == 3
    assert len(store.scores("candidate", since_ns=1002)) == 1
    empty = store.scores("nobody")
    assert (len(empty), empty.delta_s.dtype, list(empty.state)) == (0, np.float64, [])
    assert store.shadows() == ["candidate", "other"]


def test_text_that_is_not_unicode_does_not_cost_the_row(store: Store) -> None:
    store.save([make_pair(1, target="/a\udcff", findings={"\ud800": 1})])
    (row,) = store.iter_pairs()
    assert row.pair.copy.target == "/a?"
    assert row.pair.copy.findings == {"?": 1}


def test_reading_works_while_a_writer_is_in_the_middle(engine: Engine, tmp_path: Path) -> None:
    with open_store(engine.config(tmp_path / "s.db")) as writer:
        writer.save([make_pair(1)])
        with open_store(engine.config(tmp_path / "s.db"), read_only=True) as reader:
            rows = reader.iter_pairs()
            assert int(next(rows).pair.copy.req_hash, 16) == 1
            with writer._transaction("write"):
                assert len(reader.scores()) == 1
            assert writer.save([make_pair(2)]) == 1
            assert list(rows) == []  # one iteration sees one state
            assert len(reader.scores()) == 2


def test_the_store_may_be_closed_by_another_thread(engine: Engine, tmp_path: Path) -> None:
    store = open_store(engine.config(tmp_path / "s.db"))
    thread = threading.Thread(target=store.save, args=([make_pair(1)],))
    thread.start()
    thread.join()
    assert len(store.scores()) == 1
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.save([make_pair(2)])


def test_the_policys_counts_are_by_reason_in_words(store: Store) -> None:
    blocked = [
        make_pair(number, reason="write_intent", blocked="write_intent", why=why, started_ns=1000 * number)
        for number, why in enumerate(["GraphQL mutation", "method PUT", "GraphQL mutation"])
    ]
    strange = make_pair(10, why="inference", started_ns=10)
    outcome = msgspec.structs.replace(strange.outcome, findings={STRANGE_CALLS: 2}, rounds=2)
    store.save([*blocked, make_pair(9, why="inference"), msgspec.structs.replace(strange, outcome=outcome)])
    assert store.policy_counts("candidate") == ({"GraphQL mutation": 2, "method PUT": 1}, 2, 1)
    assert store.policy_counts("candidate", 2000) == ({"GraphQL mutation": 1}, 0, 0)
    assert store.policy_counts("another") == ({}, 0, 0)
    assert store.scores("candidate").rounds.tolist().count(2) == 1


def test_rows_of_another_shadow_lie_beside_those_of_the_same_request(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shadowlane.store.scores._ROWS_AT_ONCE", 10)
    monkeypatch.setattr("shadowlane.store.scores._KEYS_A_QUERY", 3)
    store.save([make_pair(number) for number in range(25)])
    store.save([make_pair(number, shadow="control") for number in range(0, 25, 2)])
    pieces = list(store.pieces_beside("candidate", "control"))
    assert [len(mine) for mine, _ in pieces] == [10, 10, 5]
    for mine, beside in pieces:
        assert set(beside.exchange.tolist()) < set(mine.exchange.tolist())
    assert sum(len(beside) for _, beside in pieces) == 13


def test_the_last_embedder_is_that_of_the_newest_scored_row(store: Store) -> None:
    assert store.last_embedder("candidate") == ""
    store.save([make_pair(n, scores=Scores(delta_s=0.1, embedder=f"embedder {n}")) for n in range(3)])
    store.save([make_pair(9)])
    assert store.last_embedder("candidate") == "embedder 2"
    assert store.last_embedder("candidate", since_ns=10**18) == ""
    assert store.last_embedder("other") == ""


def test_scores_of_many_rows_come_in_pieces_and_as_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save([make_pair(number) for number in range(25)])
    whole = store.scores()
    for size in (1, 7, 24, 25):
        monkeypatch.setattr("shadowlane.store.scores._ROWS_AT_ONCE", size)
        pieces = store.scores()
        for name in whole.__struct_fields__:
            ours, theirs = getattr(pieces, name), getattr(whole, name)
            if isinstance(theirs, Texts):
                assert list(ours) == list(theirs)
                continue
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
