"""Two answers by themselves: the public call gives what a lane would have stored, with its evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadowlane.config import ScoreConfig
from shadowlane.errors import ConfigError, DataError
from shadowlane.score import compare_answers, load_embedder
from shadowlane.score.answers import Response
from shadowlane.score.scorer import Scorer
from shadowlane.types import Copy, Outcome, Pair

PROD = "The deposit is 500 euros. It is returned within 14 days. [terms#deposit]"
SHADOW = "The deposit is 300 euros. It is returned within 14 days. [terms#deposit]"


def chat(text: str) -> dict[str, Any]:
    return {"object": "chat.completion", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}


@pytest.fixture(scope="module")
def embedder() -> Any:
    return load_embedder("wordllama")


def test_a_contradiction_comes_with_its_two_spans(embedder: Any) -> None:
    found = compare_answers(PROD, SHADOW, embedder=embedder)
    assert found.fact_flip
    assert found.anchored is not None
    assert found.anchored >= 0.6
    assert found.embedder == embedder.name
    assert [(one.text_a, one.text_b) for one in found.evidence] == [("500 euros", "300 euros")]


@pytest.mark.parametrize("given", [PROD, {"text": PROD}, {"body": chat(PROD)}, {"body": json.dumps(chat(PROD))}])
def test_all_forms_of_one_answer_are_one_answer(given: Any, embedder: Any) -> None:
    found = compare_answers(PROD, given, embedder=embedder)
    assert (found.delta_s, found.state, found.note) == (pytest.approx(0, abs=1e-6), "convergent", "")
    assert found.prod_text == found.shadow_text == PROD


def test_it_is_what_the_scorer_of_a_lane_stores(embedder: Any) -> None:
    prod, shadow = ({"body": {"answer": text, "sources": [text[:3]], "n": len(text)}} for text in (PROD, SHADOW + "!"))
    found = compare_answers(prod, shadow, embedder=embedder)
    bodies = [json.dumps(side["body"]).encode() for side in (prod, shadow)]
    headers = ((b"content-type", b"application/json"),)
    copy = Copy(
        shadow_id="x",
        req_hash="",
        started_ns=0,
        method="GET",
        target="/",
        headers=(),
        body=b"",
        status=200,
        response_headers=headers,
        response_body=bodies[0],
        ttfb_ns=0,
        duration_ns=0,
    )
    pair = Pair(copy=copy, outcome=Outcome(shadow="s", status=200, headers=headers, body=bodies[1]))
    [scored] = Scorer(ScoreConfig(groups=False), embedder=embedder).score([pair])
    assert scored.scores.differences
    for name in scored.scores.__struct_fields__:
        assert getattr(found, name) == getattr(scored.scores, name)


def test_a_text_may_say_how_it_ended(embedder: Any) -> None:
    cut = {"text": PROD[:40], "finish_reason": "length"}
    assert compare_answers(PROD, cut, embedder=embedder).state == "divergent"
    assert "too short to compare" in compare_answers(cut, SHADOW, embedder=embedder).note
    long = f"{PROD} Damage is taken from it first, and what is left comes back. A bill comes by post. " * 2
    part = compare_answers({"text": long[:200], "finish_reason": "max_tokens"}, long, embedder=embedder)
    assert (part.state, part.prod_text) == ("convergent", part.shadow_text)


def test_an_error_page_is_no_answer(embedder: Any) -> None:
    found = compare_answers(PROD, {"status": 503, "text": PROD}, embedder=embedder)
    assert (found.delta_s, found.state) == (None, "divergent")
    assert "HTTP 503" in found.note


def test_a_whole_response_may_be_given_as_it_is(embedder: Any) -> None:
    prod = Response(body=json.dumps({"answer": PROD}).encode(), headers=((b"x-index-hash", b"a"),))
    shadow = {"text": PROD, "headers": {"X-Index-Hash": "b"}}
    assert compare_answers(prod, shadow, embedder=embedder).index_agrees is False


@pytest.mark.parametrize(
    "wrong",
    [None, 3, [], {}, {"text": "a", "finish_reason": 1}, {"text": 1}, {"body": object()}, {"body": float("nan")}],
)
def test_what_is_no_answer_is_said_with_its_side(wrong: Any, embedder: Any) -> None:
    with pytest.raises(DataError, match=r"^shadow"):
        compare_answers(PROD, wrong, embedder=embedder)
    with pytest.raises(DataError, match=r"^prod"):
        compare_answers(wrong, PROD, embedder=embedder)


def test_the_embedder_of_the_configuration_is_used() -> None:
    assert compare_answers("a b", "a c", config=ScoreConfig(embedder="lexical")).embedder.startswith("lexical")
    with pytest.raises(ConfigError, match="word2vec"):
        compare_answers("a", "b", config=ScoreConfig(embedder="word2vec"))
