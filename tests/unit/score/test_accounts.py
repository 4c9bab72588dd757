"""What is stored beside the scores: tokens and costs like for like, pins, and the passages that an answer carries."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from shadowlane.config import PinConfig, ScoreConfig
from shadowlane.limits import Price, Prices
from shadowlane.providers.question import shown_question
from shadowlane.score import retrieval, scorer
from shadowlane.score.pins import read_pins
from shadowlane.score.scorer import Scorer
from shadowlane.types import Copy, Outcome, Pair, Scores

replace = msgspec.structs.replace
JSON = ((b"content-type", b"application/json"),)
PRICES = Prices({"big": Price(input=10.0, output=30.0), "small": Price(input=1.0, output=3.0, cached_input=0.1)})
PASSAGE = "A single ride may last forty five minutes before further quarters are charged"
OTHER = "The deposit for new accounts is fifty euros and is paid back when the account ends"


def chat(model: str, tokens: tuple[int, int] = (0, 0), **usage: object) -> bytes:
    message = {"role": "assistant", "content": "Yes."}
    answer: dict[str, object] = {"object": "chat.completion", "model": model, "choices": [{"message": message}]}
    if any(tokens):
        answer["usage"] = {
            "prompt_tokens": tokens[0],
            "completion_tokens": tokens[1],
            "total_tokens": sum(tokens),
            **usage,
        }
    return json.dumps(answer).encode()


def pair(prod: bytes, shadow: bytes, **outcome: object) -> Pair:
    copy = Copy(
        shadow_id="x",
        req_hash="0",
        started_ns=1,
        method="POST",
        target="/ask",
        headers=((b"x-prompt-version", b"p7"),),
        body=json.dumps({"model": "big", "question": "How long may a ride last?"}).encode(),
        status=200,
        response_headers=(*JSON, (b"x-build", b"41")),
        response_body=prod,
    )
    values = {"shadow": "s", "status": 200, "headers": (*JSON, (b"x-build", b"42")), "body": shadow, **outcome}
    return Pair(copy=copy, outcome=Outcome(**values))  # type: ignore[arg-type]


def scored(one: Pair, **more: object) -> Scores:
    return Scorer(ScoreConfig(embedder="lexical"), prices=PRICES, **more).score([one])[0].scores  # type: ignore[arg-type]


def test_both_sides_cost_what_their_models_prices_say() -> None:
    found = scored(pair(chat("big-2025", (1000, 100)), chat("small", (1200, 100))))
    assert (found.prod_tokens, found.tokens, found.cache_served) == (1100, 1300, False)
    assert found.prod_cost == pytest.approx(0.013)
    assert found.cost == pytest.approx(0.0015)


@pytest.mark.parametrize(
    ("prod", "shadow", "outcome"),
    [
        (chat("big", (1000, 100)), chat("small"), {}),
        (chat("big"), chat("small", (10, 10)), {}),
        (chat("big", (1000, 100)), chat("small", (10, 10)), {"rounds": 2}),
    ],
    ids=["the shadow does not say", "prod does not say", "tools were stubbed"],
)
def test_one_side_alone_is_nothing_to_compare(prod: bytes, shadow: bytes, outcome: dict[str, object]) -> None:
    found = scored(pair(prod, shadow, **outcome))
    assert (found.tokens, found.prod_tokens, found.cost, found.prod_cost) == (None, None, None, None)


def test_a_model_without_a_price_has_tokens_and_no_cost() -> None:
    found = scored(pair(chat("big", (100, 10)), chat("unheard-of", (100, 10))))
    assert (found.tokens, found.cost, found.prod_cost) == (110, None, None)


def test_prods_model_is_what_was_asked_for_where_its_answer_names_none() -> None:
    found = scored(pair(chat("", (1000, 0)), chat("small", (1000, 0))))
    assert found.prod_cost == pytest.approx(0.01)


def test_a_turn_that_a_cache_served_is_marked() -> None:
    cached = chat("big", (1000, 100), prompt_tokens_details={"cached_tokens": 800})
    assert scored(pair(cached, chat("small", (10, 10)))).cache_served
    hit = pair(chat("big", (9, 9)), chat("small", (9, 9)), headers=(*JSON, (b"X-Cache", b"HIT from edge")))
    assert scored(hit).cache_served


def test_pins_are_read_from_headers_bodies_and_streams_of_each_side() -> None:
    pins = {
        "build": PinConfig(read="header:X-Build"),
        "prod_build": PinConfig(read="header:x-build", of="prod"),
        "prompt": PinConfig(read="header:x-prompt-version", of="request"),
        "embedder": PinConfig(read="body:/meta/embedder"),
        "dimensions": PinConfig(read="body:/meta/dimensions"),
        "chunks": PinConfig(read="body:/chunk_schema"),
    }
    stream = b'data: {"delta": "a"}\n\ndata: {"meta": {"embedder": "e5", "dimensions": 384}}\n\ndata: [DONE]\n\n'
    one = pair(chat("m"), stream)
    found = Scorer(ScoreConfig(embedder="lexical"), pins=pins).score([one])[0]
    assert found.pins == {"build": "42", "prod_build": "41", "prompt": "p7", "embedder": "e5", "dimensions": "384"}


def test_a_long_pin_is_told_by_its_hash_and_a_copy_without_an_answer_has_prods_alone() -> None:
    pins = {"prompt": PinConfig(read="body:/system"), "prod_build": PinConfig(read="header:x-build", of="prod")}
    long = [pair(b"{}", json.dumps({"system": "Be brief. " * n}).encode()) for n in (40, 41)]
    first, second = (read_pins(pins, one.copy, one.outcome)["prompt"] for one in long)
    assert first.startswith("xxh3:")
    assert first != second
    failed = pair(b"{}", b"", reason="deadline", status=0)
    assert read_pins(pins, failed.copy, failed.outcome) == {"prod_build": "41"}


def passages(*parts: dict[str, object]) -> bytes:
    return json.dumps({"answer": "Forty five minutes.", "citations": list(parts)}).encode()


def part(section: str, text: str, **more: object) -> dict[str, object]:
    return {"section_id": section, "source_url": "https://h.example/a", "text": text, **more}


def test_coverage_is_the_share_of_prods_passages_by_tokens() -> None:
    prod = passages(part("rides", PASSAGE, tokens=30), part("deposits", OTHER, tokens=10))
    assert scored(pair(prod, passages(part("rides", PASSAGE, tokens=30)))).coverage == pytest.approx(0.75)
    assert scored(pair(prod, passages(part("rides", PASSAGE, tokens=15)))).coverage == pytest.approx(0.375)
    assert scored(pair(prod, prod)).coverage == 1.0
    assert scored(pair(prod, passages(part("other", OTHER)))).coverage == 0.0


def test_the_question_is_nearer_to_what_speaks_of_it() -> None:
    found = scored(pair(passages(part("rides", PASSAGE)), passages(part("deposits", OTHER))))
    assert found.prod_retrieved is not None
    assert found.retrieved is not None
    assert found.prod_retrieved < found.retrieved


def test_answers_that_only_cite_carry_no_passages() -> None:
    cites = json.dumps({"answer": "Yes.", "citations": [{"source_url": "https://h.example/a"}]}).encode()
    found = scored(pair(cites, cites))
    assert (found.coverage, found.retrieved, found.prod_retrieved) == (None, None, None)


def test_a_request_is_read_where_an_answer_carries_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def question(copy: Copy) -> str:
        read.append(copy.shadow_id)
        return shown_question(copy)

    monkeypatch.setattr(retrieval, "shown_question", question)
    carrying, plain = passages(part("rides", PASSAGE)), json.dumps({"answer": "Yes."}).encode()
    pairs = [pair(plain, plain), pair(carrying, plain), pair(plain, carrying), pair(b"{", plain)]
    pairs = [replace(one, copy=replace(one.copy, shadow_id=str(i))) for i, one in enumerate(pairs)]
    found = [one.scores for one in Scorer(ScoreConfig(embedder="lexical")).score(pairs)]
    assert read == ["1", "2"]
    assert [(some.prod_retrieved is None, some.retrieved is None) for some in found[:3]] == [
        (True, True),
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("step", ["coverage", "usage_scores"])
def test_an_answer_whose_usage_cannot_be_read_costs_nobody_a_score(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = getattr(scorer, step)

    def broken(*given: Any) -> Any:
        if any(getattr(one, "text", "") == "Odd." or getattr(one, "shadow_text", "") == "Odd." for one in given):
            raise OverflowError
        return whole(*given)

    monkeypatch.setattr(scorer, step, broken)
    odd = chat("small", (9, 9)).replace(b"Yes.", b"Odd.")
    pairs = [pair(chat("big", (9, 9)), shadow) for shadow in (chat("small", (9, 9)), odd, chat("small", (9, 9)))]
    found = [one.scores for one in Scorer(ScoreConfig(embedder="lexical"), prices=PRICES).score(pairs)]
    assert all(some.delta_s is not None for some in found)
    assert [some.tokens for some in found] == [18, None, 18]
