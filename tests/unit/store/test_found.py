"""A search gives what a plain look at every row gives, in its order, and ends in time; marks are kept and counted."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.bands import ACCEPTED
from shadowlane.store import MarkCounts, PairFilter, SqliteStore, Store, found, open_store
from shadowlane.types import Mark, Pair, Scores

from .engines import Engine
from .pairs import make_pair

ROUTES = (("POST", "/v1/chat/completions"), ("GET", "/users/17"), ("GET", "/users/18?page=2"))
WORDS = ("Kaution", "deposit", "DÉPÔT", "100%", "a_b", "'; DROP TABLE pairs --")


def some_pairs(n: int) -> list[Pair]:
    """Pairs of two shadows whose members differ in every way that is asked for."""
    draw = random.Random(7)
    found = []
    for number in range(n):
        method, target = draw.choice(ROUTES)
        failed = draw.random() < 0.2
        delta = None if failed or draw.random() < 0.1 else round(draw.random(), 2)
        scores = Scores(delta_s=delta, fact_flip=delta is not None and draw.random() < 0.1, embedder="e")
        pair = make_pair(
            number,
            shadow=draw.choice(("candidate", "other")),
            reason="deadline" if failed else "",
            scores=scores,
            method=method,
            target=target,
            tenant=draw.choice(("", "a", "b")),
            req_hash=f"{number % 40:032x}",
            body=json.dumps({"question": draw.choice(WORDS)}, ensure_ascii=False).encode(),
        )
        texts = {"prod_text": draw.choice(WORDS), "shadow_text": draw.choice(WORDS), "model": draw.choice(("m", "n"))}
        found.append(msgspec.structs.replace(pair, **texts))
    return found


@pytest.fixture(scope="module")
def stored(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, list[Pair]]]:
    path = tmp_path_factory.mktemp("found") / "s.db"
    store = open_store(engine.config(path))
    pairs = some_pairs(600)
    store.save(pairs)
    for pair in pairs[::9]:
        mark: Mark = "wrong" if pair.scores.fact_flip or pair.copy.started_ns % 2 else "fine"
        assert store.save_mark(pair.copy.shadow_id, pair.outcome.shadow, mark)
    yield store, [row.pair for row in store.iter_pairs(with_bodies=True)]
    store.close()


def wanted(pair: Pair, asked: PairFilter) -> bool:
    """Said once more, row by row."""
    text = " ".join((pair.copy.body.decode(), pair.prod_text, pair.shadow_text)).casefold()
    marks = {"": True, "any": pair.mark != "", "none": pair.mark == ""}
    return (
        pair.outcome.shadow == asked.shadow
        and pair.copy.started_ns >= asked.since_ns
        and asked.route in ("", pair.copy.route)
        and asked.tenant in ("", pair.copy.tenant)
        and asked.model in ("", pair.model, pair.prod_model)
        and asked.band in ("", pair.scores.band)
        and asked.reason in ("", pair.outcome.reason or "answered")
        and marks.get(asked.mark, pair.mark == asked.mark)
        and asked.text.casefold() in text
    )


ASKED: list[dict[str, Any]] = [
    {},
    {"shadow": "other"},
    {"since_ns": 1_300},
    {"route": "GET /users/*"},
    {"route": "GET /users/17"},
    {"tenant": "a", "band": "critical"},
    {"model": "n", "reason": "answered"},
    {"reason": "deadline"},
    *({"band": band} for band in ("fact_flip", "stable", "transitional", "critical", "unscored")),
    *({"mark": mark} for mark in ("fine", "wrong", "any", "none")),
    *({"text": text} for text in ("kaution", "dépôt", "100%", "%", "a_b", "'; drop", "nowhere")),
    {"tenant": "' OR 1=1 --"},
]


@pytest.mark.parametrize("order", ["worst", "newest"])
@pytest.mark.parametrize("members", ASKED, ids=str)
def test_a_search_gives_what_a_look_at_every_row_gives(
    stored: tuple[Store, list[Pair]], members: dict[str, Any], order: Any
) -> None:
    store, pairs = stored
    asked = PairFilter(**{"shadow": "candidate", "order": order, **members})
    expected = [pair for pair in pairs if wanted(pair, asked)]
    if order == "newest":
        expected.sort(key=lambda pair: -pair.copy.started_ns)
    else:
        expected.sort(
            key=lambda pair: (
                -pair.scores.fact_flip,
                -1.0 if pair.scores.delta_s is None else -pair.scores.delta_s - 2.0,
                -pair.copy.started_ns,
            )
        )
        seen: set[str] = set()
        expected = [pair for pair in expected if not (pair.copy.req_hash in seen or seen.add(pair.copy.req_hash))]  # type: ignore[func-returns-value]
    for limit, skip in ((15, 0), (15, 15), (1000, 0)):
        found = store.find_pairs(asked, limit=limit, skip=skip, seconds=30.0)
        assert [row.pair for row, _ in found.rows] == expected[skip : skip + limit]
        assert (found.more, found.whole) == (len(expected) > skip + limit, True)


def test_a_search_without_time_says_that_it_did_not_see_all(engine: Engine, tmp_path: Path) -> None:
    with open_store(engine.config(tmp_path / "s.db")) as store:
        store.save(some_pairs(3000))
        for members in ({"text": "nowhere"}, {"tenant": "nobody"}):
            found = store.find_pairs(PairFilter(shadow="candidate", **members), limit=10, seconds=0.0)
            assert (found.rows, found.whole) == ([], False)
        assert store.find_pairs(PairFilter(shadow="candidate"), limit=10, seconds=30.0).whole, (
            "the next one is free again"
        )


def test_no_body_is_read_when_the_time_is_over(
    stored: tuple[Store, list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stored
    read: list[bytes] = []
    monkeypatch.setattr(found, "_text", lambda blob: read.append(blob) or "")  # type: ignore[func-returns-value]
    for seconds, least in ((30.0, 600), (-1.0, 0)):
        read.clear()
        asked = PairFilter(shadow="candidate", text="nowhere")
        assert store.find_pairs(asked, limit=10, seconds=seconds).whole is (seconds > 0)
        assert (len(read) > least) is (seconds > 0)


def test_the_order_is_read_from_an_index(stored: tuple[Store, list[Pair]]) -> None:
    store, _ = stored
    if not isinstance(store, SqliteStore):
        pytest.skip("which index PostgreSQL takes follows its statistics")
    for order, index in (("worst", "pairs_by_distance"), ("newest", "pairs_by_shadow")):
        queries: list[str] = []
        store._db.set_trace_callback(queries.append)
        store.find_pairs(PairFilter(shadow="candidate", order=order), limit=5, seconds=30.0)  # type: ignore[arg-type]
        store._db.set_trace_callback(None)
        plan = " ".join(row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {queries[0]}"))
        assert index in plan
        assert "TEMP B-TREE" not in plan, "nothing is sorted"


def test_marks_are_counted_beside_what_the_scores_say(stored: tuple[Store, list[Pair]]) -> None:
    store, pairs = stored
    counts = dict.fromkeys(MarkCounts._fields, 0)
    for pair in pairs:
        if not pair.mark or pair.outcome.shadow != "candidate":
            continue
        scores = pair.scores
        if scores.delta_s is None and not scores.fact_flip:
            counts["unscored"] += 1
            continue
        accepted = not scores.fact_flip and (scores.delta_s or 0.0) <= ACCEPTED
        counts[f"{'accepted' if accepted else 'objected'}_{pair.mark}"] += 1
    assert store.mark_counts("candidate")._asdict() == counts
    assert all(counts.values()), "every count is looked at"


def test_a_mark_is_of_one_arm_and_can_be_taken_back(engine: Engine, tmp_path: Path) -> None:
    with open_store(engine.config(tmp_path / "s.db")) as store:
        store.save([make_pair(1), make_pair(1, shadow="other")])
        key = make_pair(1).copy.shadow_id
        assert store.save_mark(key, "candidate", "wrong")
        assert not store.save_mark(key, "nobody", "wrong")
        assert {row.pair.outcome.shadow: row.pair.mark for row in store.exchange(key)} == {
            "candidate": "wrong",
            "other": "",
        }
        assert store.save([make_pair(1)]) == 0, "delivered once more"
        assert store.exchange(key)[0].pair.mark == "wrong"
        assert store.save_mark(key, "candidate", "")
        assert store.mark_counts("candidate") == MarkCounts(0, 0, 0, 0, 0)
        assert store.exchange("nowhere") == []
