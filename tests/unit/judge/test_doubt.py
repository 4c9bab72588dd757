"""The judge looks first where the rules and ΔS know least, and says how far they are to be trusted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from shadowlane.judge.doubt import DOUBTS, Tally, doubt_of, rank_of
from shadowlane.judge.language_model import JudgeState
from shadowlane.report.readings import judge_agreement
from shadowlane.report.terminal import agreement_lines
from shadowlane.types import Pair, Scores
from tests.support.chatserver import chat, serving
from tests.unit.judge.test_language_model import Bench, doubtful, says

A, B = "Rides may last long.", "One may ride for long."


def pair(number: int = 0, a: str = A, b: str = B, **scores: Any) -> Pair:
    return msgspec.structs.replace(doubtful(number, scores=Scores(**scores)), prod_text=a, shadow_text=b)


@pytest.mark.parametrize(
    ("given", "doubt"),
    [
        (pair(delta_s=0.2), "reworded"),
        (pair(delta_s=0.2, unread="language"), "language"),
        (pair(delta_s=0.2, unread="cut"), "unread"),
        (pair(delta_s=0.2, missing=0.3), "missing"),
        (pair(delta_s=0.2, extra=0.5), "missing"),
        (pair(delta_s=0.2, b="One may ride for 30 minutes."), "values"),
        (pair(delta_s=0.2, a="It takes 1,000 steps.", b="It takes 1,000 paces."), "reworded"),
        (pair(delta_s=0.45), "transitional"),
        (pair(delta_s=0.7), "sure"),
        (pair(delta_s=0.05), "sure"),
        (pair(delta_s=0.05, unread="language"), "language"),
        (pair(delta_s=0.05, fact_flip=True), "contradiction"),
        (pair(fact_flip=True), "contradiction"),
        (pair(), ""),
        (pair(b="", delta_s=1.0), ""),
        (pair(b=A, delta_s=0.0), ""),
    ],
)
def test_every_pair_has_one_class(given: Pair, doubt: str) -> None:
    assert doubt_of(given) == doubt


def asked_first(number: int) -> list[Pair]:
    """Pairs of three ranks, offered in the wrong order."""
    return [
        *[pair(number + at, a=f"sure {at}", delta_s=0.9) for at in range(3)],
        *[pair(number + 10 + at, a=f"flip {at}", delta_s=0.1, fact_flip=True) for at in range(3)],
        *[pair(number + 20 + at, a=f"least {at}", delta_s=0.2, unread="language") for at in range(3)],
    ]


def test_those_of_which_least_is_known_are_judged_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadowlane.judge.doubt._SURE_RATE", 1.0)
    with serving(lambda got: chat(says(True))) as server:
        Bench(server, orders="random").run(*asked_first(0))
    kinds = [
        next(kind for kind in ("least", "flip", "sure") if kind in json.dumps(got.body)) for got in server.requests
    ]
    assert kinds == ["least"] * 3 + ["flip"] * 3 + ["sure"] * 3


def test_in_a_full_queue_the_others_give_way_to_them() -> None:
    with serving(lambda got: chat(says(True))) as server:
        bench = Bench(server, orders="random")

        async def fill() -> None:
            bench.judge.offer(pair(number, delta_s=0.1, fact_flip=True) for number in range(256))
            bench.judge.offer(pair(1000 + number, delta_s=0.2) for number in range(40))
            bench.judge.offer(pair(2000 + number, delta_s=0.1, fact_flip=True) for number in range(10))
            bench.judge.start(bench._save)
            await bench.judge.close(bench._save, 60.0)

        asyncio.run(fill())
    assert bench.judge.state.skipped == {"queue_full": 50}
    assert bench.judge.state.tallies["candidate"]["reworded"].judged == 40
    assert bench.judge.state.tallies["candidate"]["contradiction"].judged == 216


def test_what_seems_sure_is_looked_at_now_and_then() -> None:
    with serving(lambda got: chat(says(True))) as server:
        state = Bench(server, orders="random").run(*[pair(number, delta_s=0.05) for number in range(300)])
    tally = state.tallies["candidate"]["sure"]
    assert tally.seen == 300
    assert 10 <= tally.judged <= 70


def test_agreement_is_counted_by_class_and_outlives_the_process() -> None:
    pairs = [
        *[pair(number, delta_s=0.2) for number in range(4)],
        *[pair(100 + number, delta_s=0.1, fact_flip=True) for number in range(3)],
        *[pair(200 + number, delta_s=0.5) for number in range(2)],
    ]
    with serving(lambda got: chat(says(True))) as server:
        bench = Bench(server, orders="random")
        bench.run(*pairs)
        again = Bench(server, orders="random", saved=bench.saved)
        state = again.run(pair(300, delta_s=0.2))
    assert state.tallies["candidate"] == {
        "reworded": Tally(seen=5, accepted_same=5),
        "contradiction": Tally(seen=3, objected_same=3),
        "transitional": Tally(seen=2, objected_same=2),
    }
    found = judge_agreement(again.saved, "candidate")
    assert found is not None
    assert found["judged"] == 10
    assert found["share"] == pytest.approx(0.5)
    assert (found["accepted"]["agreed"], found["accepted"]["judged"]) == (5, 5)
    assert (found["objected"]["agreed"], found["objected"]["judged"]) == (0, 5)
    low, high = found["interval"]
    assert 0 <= low < 0.5 < high <= 1
    assert judge_agreement(again.saved, "other") is None
    assert judge_agreement("", "candidate") is None
    lines = agreement_lines(found)
    assert "agrees with the rules and ΔS in 50.0 % of all pairs" in lines[0]
    assert any(line.startswith(f"{DOUBTS['reworded']}: 5 of 5") for line in lines)


def test_two_orders_that_disagree_say_nothing() -> None:
    with serving(lambda got: chat(says(False, "A"))) as server:
        state = Bench(server).run(pair(delta_s=0.2))
    assert state.tallies["candidate"]["reworded"] == Tally(seen=1, inconsistent=1)
    assert judge_agreement(msgspec.json.encode(state).decode(), "candidate") is None


def saved(**tallies: Tally) -> str:
    return msgspec.json.encode(JudgeState(tallies={"candidate": dict(tallies)})).decode()


def test_classes_are_weighted_by_their_sizes() -> None:
    found = judge_agreement(
        saved(
            reworded=Tally(seen=900, accepted_same=90, accepted_not=10),
            contradiction=Tally(seen=100, objected_same=50, objected_not=50),
        ),
        "candidate",
    )
    assert found is not None
    assert found["share"] == pytest.approx(0.9 * 0.9 + 0.1 * 0.5)
    low, high = found["interval"]
    assert low < found["share"] < high


def test_a_class_that_nobody_judged_keeps_the_interval_open() -> None:
    sure = judge_agreement(saved(reworded=Tally(seen=500, accepted_same=500)), "candidate")
    half = judge_agreement(saved(reworded=Tally(seen=500, accepted_same=500), language=Tally(seen=500)), "candidate")
    assert sure is not None
    assert half is not None
    assert sure["interval"][0] > 0.95
    assert 0.47 < half["interval"][0] < 0.5
    assert half["share"] == 1.0


def test_what_is_least_known_ranks_first() -> None:
    assert [rank_of(doubt) for doubt in DOUBTS] == [0, 1, 0, 0, 0, 0, 1, 2]
