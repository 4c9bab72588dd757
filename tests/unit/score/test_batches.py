"""A batch is scored as its pairs are one by one, bit for bit."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.config import ScoreConfig
from shadowlane.embedders import Embedder, load_embedder
from shadowlane.errors import ScoreError
from shadowlane.score import Scorer
from shadowlane.score.anchored import anchor, anchor_all
from shadowlane.types import Copy, Outcome, Pair

SENTENCES = (
    "A ride may last 45 minutes.",
    "A ride may last 30 minutes.",
    "You must not park on the pavement.",
    "You may park on the pavement.",
    "The deposit is $500 and is paid back on 3 May 2026.",
    "The deposit is $300 and is paid back on 3 June 2026.",
    "Die Fahrt kostet höchstens 3 Euro.",
    "Die Fahrt kostet mindestens 3 Euro.",
    "押金为500元。",
    "押金为300元。",
    "Cyfarfod bore yfory yn y neuadd.",
    "`if x < 3: stop()`",
    '{"a": 1, "b": [true]}',
    "I'm sorry, but I can't help with that.",
    "half a pair \ud800 of surrogates",
    "",
    "   \n",
)
TEXTS = st.lists(st.sampled_from(SENTENCES), max_size=6).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.floats(0, 2)), max_size=8))
def test_verdicts_of_many_are_those_of_each(pairs: list[tuple[str, str, float]]) -> None:
    texts_a, texts_b, plain = ([pair[side] for pair in pairs] for side in range(3))
    verdicts = anchor_all(texts_a, texts_b, plain)
    for (a, b, delta), got in zip(pairs, verdicts, strict=True):
        one = anchor(a, b, delta)
        known = one.unread != "language"
        shares = (one.missing.share, one.extra.share) if known else (None, None)
        assert got == (one.anchored, one.fact_flip, *shares, one.unread, one.note)


def test_texts_that_are_read_in_part_say_so_in_a_batch_too() -> None:
    long = "The fee is $20 here. " * 4000
    verdicts = anchor_all([long, "It is $20."], [long + "More.", "It is $30."], [0.1, 0.1])
    assert [(verdict.unread, verdict.fact_flip) for verdict in verdicts] == [("too long", False), ("", True)]
    assert "only the first 64 KiB" in verdicts[0].note


def test_as_many_are_needed_on_both_sides() -> None:
    with pytest.raises(ScoreError, match="1 texts, 2 others and 1 ΔS"):
        anchor_all(["a"], ["b", "c"], [0.0])
    assert anchor_all([], [], []) == []


@pytest.fixture(scope="module", params=["lexical", "wordllama"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return load_embedder(request.param)


def drawn(seed: int, count: int) -> list[Pair]:
    """Pairs of every kind that is scored, and some that are not."""
    draw = random.Random(seed)
    kinds = ((b"application/json", "answer"), (b"text/plain", ""), (b"application/json", "choices"))

    def body(kind: str) -> bytes:
        text = " ".join(draw.choices(SENTENCES[:-3], k=draw.randrange(4)))
        if kind == "choices":
            return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()
        return (json.dumps({kind: text, "sources": [draw.randrange(3)]}) if kind else text).encode()

    pairs = []
    for number in range(count):
        mime, kind = draw.choice(kinds)
        headers = ((b"content-type", mime),)
        copy = Copy(
            shadow_id=f"id-{seed}-{number}",
            req_hash=f"{number:032x}",
            started_ns=number,
            method="POST",
            target="/ask",
            body=json.dumps({"question": draw.choice(SENTENCES)}).encode(),
            status=draw.choice((200, 200, 200, 500)),
            response_headers=headers,
            response_body=body(kind),
        )
        reason = draw.choice(("", "", "", "deadline"))
        status = 0 if reason else draw.choice((200, 200, 200, 503))
        outcome = Outcome(shadow="candidate", reason=reason, status=status, headers=headers, body=body(kind))
        pairs.append(Pair(copy=copy, outcome=outcome))
    return pairs


@pytest.mark.parametrize("seed", [1, 4, 7])
def test_a_batch_is_scored_as_its_pairs_are_one_by_one(embedder: Embedder, seed: int) -> None:
    pairs = drawn(seed, 60)
    batch = Scorer(ScoreConfig(), embedder=embedder).score(pairs)
    single = Scorer(ScoreConfig(), embedder=embedder)
    alone = [scored for pair in pairs for scored in single.score([pair])]
    assert [msgspec.to_builtins(one) for one in batch] == [msgspec.to_builtins(one) for one in alone]
    assert sum(one.scores.fact_flip for one in batch) >= 3
    assert sum(one.scores.delta_s is not None for one in batch) > 15
