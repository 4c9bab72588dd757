"""keep_bodies: which rows keep their bodies, across workers, rollbacks and retention."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from shadowlane.errors import StoreError
from shadowlane.store import Store, open_store
from shadowlane.store.exemplars import MOST_ROUTES
from shadowlane.store.pruning import KEEP_NS
from shadowlane.types import Copy, Outcome, Pair, Scores

from .engines import Engine

NOW_NS = 1_700_000_000 * 10**9


def pair(number: int, *, target: str = "/ask", delta: float | None = 0.1, flip: bool = False) -> Pair:
    return Pair(
        copy=Copy(
            shadow_id=f"id-{number}",
            req_hash="h" * 32,
            started_ns=NOW_NS + number,
            method="GET",
            target=target,
            headers=(),
            body=b"question",
            status=200,
            response_headers=(),
            response_body=b"answer",
            ttfb_ns=1,
            duration_ns=2,
        ),
        outcome=Outcome(shadow="s", status=200, body=b"other answer", duration_ns=3),
        scores=Scores(delta_s=delta, fact_flip=flip, embedder="e"),
        prod_text="answer",
        shadow_text="other answer",
    )


class At(NamedTuple):
    """Where a test's stores are."""

    engine: Engine
    folder: Path


@pytest.fixture
def at(engine: Engine, tmp_path: Path) -> At:
    return At(engine, tmp_path)


def store_at(at: At, keep: str = "reservoir", exemplars: int = 5, now_ns: int = NOW_NS, days: float = 11_000) -> Store:
    config = at.engine.config(
        at.folder / "pairs.db", max_age_days=days, max_bytes=10**9, keep_bodies=keep, exemplars=exemplars
    )
    store = open_store(config)
    store._clock_ns = lambda: now_ns
    return store


def kept(store: Store) -> list[int]:
    rows = store.iter_pairs(with_bodies=True, only_kept=True)
    return [int(row.pair.copy.shadow_id[3:]) for row in rows]


def test_none_keeps_scores_and_no_bodies(at: At) -> None:
    with store_at(at, "none") as store:
        assert store.save([pair(number) for number in range(5)]) == 5
        assert kept(store) == []
        rows = list(store.iter_pairs(with_bodies=True))
        assert [row.bodies for row in rows] == [False] * 5
        assert {row.pair.scores.delta_s for row in rows} == {0.1}
        assert {(row.pair.copy.req_hash, row.pair.outcome.duration_ns) for row in rows} == {("h" * 32, 3)}


def test_each_route_and_band_keeps_its_own(at: At) -> None:
    pairs = [pair(number, delta=0.1) for number in range(100)]
    pairs += [pair(100 + number, delta=0.5) for number in range(3)]
    pairs += [pair(200 + number, delta=0.9) for number in range(50)]
    pairs += [pair(300 + number, delta=0.1, flip=True) for number in range(7)]
    pairs += [pair(400 + number, delta=None) for number in range(9)]
    pairs += [pair(500 + number, target=f"/users/{number}/orders") for number in range(40)]
    with store_at(at) as store:
        store.save(pairs)
        places = Counter(number // 100 for number in kept(store))
        assert places == {0: 5, 1: 3, 2: 5, 3: 5, 4: 5, 5: 5}
        assert sum(1 for _ in store.iter_pairs()) == len(pairs)
        kinds = [row.pair for row in store.iter_pairs(with_bodies=True, only_kept=True, order="worst", limit=3)]
        assert all(one.scores.fact_flip and one.prod_text for one in kinds)


@pytest.mark.statistics
def test_each_row_is_kept_equally_often_also_by_successors(at: At) -> None:
    routes, rows = 180, 30  # each route is a sample of its own
    for start in (0, 10, 20):
        with store_at(at) as store:  # a worker each
            store.save(
                [
                    pair(route * rows + number, target=f"/{'x' * (route % 60)}{'y' * (route // 60)}")
                    for route in range(routes)
                    for number in range(start, start + 10)
                ]
            )
    with store_at(at) as store:
        numbers = kept(store)
    assert Counter(number // rows for number in numbers) == dict.fromkeys(range(routes), 5)
    taken = Counter(number % rows for number in numbers)
    want = routes * 5 / rows
    chi = sum((taken[number] - want) ** 2 / want for number in range(rows))
    assert chi < 67, taken  # 29 degrees of freedom: above once in ten thousand


def test_a_batch_that_is_rolled_back_changes_no_choice(at: At) -> None:
    with store_at(at) as store:
        store.save([pair(number) for number in range(5)])
        odd = msgspec.structs.replace(pair(6), rate_limit={"x": 1 + 0j})  # cannot be encoded
        with pytest.raises(TypeError):
            store.save([odd])
        store._db.execute("ALTER TABLE counts RENAME TO away")  # what is written last fails
        with pytest.raises(StoreError):
            store.save([pair(number) for number in range(10, 60)])
        store._db.execute("ALTER TABLE away RENAME TO counts")
        assert kept(store) == [0, 1, 2, 3, 4]
        store.save([pair(number) for number in range(10, 60)])
        assert len(kept(store)) == 5


def test_redelivered_pairs_are_not_shown_twice(at: At) -> None:
    pairs = [pair(number) for number in range(3)]
    with store_at(at) as store:
        assert (store.save(pairs), store.save(pairs)) == (3, 0)
        assert store.save([pair(number) for number in range(3, 5)]) == 2
        assert kept(store) == [0, 1, 2, 3, 4]


def test_places_that_retention_took_are_the_next_rows(at: At) -> None:
    with store_at(at) as store:
        store.save([pair(number) for number in range(200)])
        assert len(kept(store)) == 5
    later_ns = NOW_NS + 2 * KEEP_NS
    with store_at(at, now_ns=later_ns, days=1 / 24) as store:
        assert store.prune(later_ns) == 200
        store.save([pair(number) for number in range(1000, 1005)])
        assert kept(store) == [1000, 1001, 1002, 1003, 1004]


def test_another_number_of_exemplars(at: At) -> None:
    with store_at(at, exemplars=5) as store:
        store.save([pair(number) for number in range(50)])
    with store_at(at, exemplars=2) as store:
        store.save([pair(50)])
        assert len(kept(store)) == 2
    with store_at(at, exemplars=4) as store:
        store.save([pair(51), pair(52)])
        assert len(kept(store)) == 4


def test_routes_without_end_share_one_stratum(at: At) -> None:
    with store_at(at, exemplars=1) as store:
        store.save([pair(number, target=f"/{'x' * (number % 60)}{'y' * (number // 60)}") for number in range(400)])
        assert len(kept(store)) == MOST_ROUTES + 1


def test_spending_is_stored_with_the_rows_and_by_the_minute(at: At) -> None:
    def spent(number: int, tokens: int, money: float) -> Pair:
        one = pair(number)
        return msgspec.structs.replace(one, outcome=msgspec.structs.replace(one.outcome, tokens=tokens, money=money))

    with store_at(at) as store:
        store.save([spent(1, 10, 0.5), spent(2, 20, 0.25)])
        store.save([spent(1, 10, 0.5)])  # redelivered
    with store_at(at, now_ns=NOW_NS + 60 * 10**9) as store:
        store.save([spent(3, 5, 0.0)])
        minute = NOW_NS // (60 * 10**9) * 60.0
        assert store.spent("s") == [(minute, 30, 0.75), (minute + 60, 5, 0.0)]
        assert store.spent("other") == []
        store.prune(NOW_NS + 3 * 86_400 * 10**9)
        assert store.spent("s") == []


def test_the_configuration_reaches_the_store(at: At) -> None:
    config = at.engine.config(at.folder / "pairs.db", keep_bodies="reservoir", exemplars=2)
    with open_store(config) as store:
        store.save([pair(number) for number in range(9)])
        assert len(kept(store)) == 2
