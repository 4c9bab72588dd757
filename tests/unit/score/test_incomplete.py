"""Prod's own answer is not always whole, and not every answer has a text: then nothing is scored as if it were."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.config import ScoreConfig
from shadowlane.score.incomplete import common_length
from shadowlane.score.scorer import Scorer
from shadowlane.types import FLAG_CLIENT_DISCONNECTED, FLAG_RESPONSE_CUT, Copy, Headers, Outcome, Pair, Scores

SENTENCES = [
    "The deposit for a bicycle is 50 euros and is taken from the card when the ride begins.",
    "It comes back within three working days after the bicycle was locked at a station.",
    "Damage that is reported during the ride is not charged to the rider.",
    "A lost key costs 20 euros, which the support team takes from the deposit.",
]
TEXT = " ".join(SENTENCES)
HALF = " ".join(SENTENCES[:2]) + " Damage that is rep"


def sse(text: str, *, finish: str = "stop", done: bool = True, error: str = "") -> bytes:
    pieces = [{"choices": [{"index": 0, "delta": {"content": text[at : at + 9]}}]} for at in range(0, len(text), 9)]
    if error:
        pieces.append({"error": {"message": error}})
    elif finish:
        pieces.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    body = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces)
    return (body + ("data: [DONE]\n\n" if done else "")).encode()


def anthropic(text: str, *, whole: bool = True) -> bytes:
    events: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    ]
    events += [{"type": "message_stop"}] if whole else [{"type": "error", "error": {"message": "Overloaded"}}]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def make(
    prod: bytes,
    shadow: bytes,
    *,
    flags: int = 0,
    method: str = "POST",
    statuses: tuple[int, int] = (200, 200),
    headers: tuple[Headers, Headers] = ((), ()),
) -> Pair:
    copy = Copy(
        shadow_id="x",
        req_hash="",
        started_ns=1,
        method=method,
        target="/",
        headers=(),
        body=b'{"question": "What is the deposit?"}',
        status=statuses[0],
        response_headers=headers[0],
        response_body=prod,
        ttfb_ns=1,
        duration_ns=2,
        flags=flags,
    )
    return Pair(copy=copy, outcome=Outcome(shadow="s", status=statuses[1], headers=headers[1], body=shadow))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(ScoreConfig())


def scored(scorer: Scorer, pair: Pair) -> Pair:
    [found] = scorer.score([pair])
    return found


INCOMPLETE = {
    "the client left": (HALF.encode(), FLAG_CLIENT_DISCONNECTED),
    "the client left a stream": (sse(HALF, finish="", done=False), FLAG_CLIENT_DISCONNECTED),
    "cut at the bound": (HALF.encode(), FLAG_RESPONSE_CUT),
    "died in mid-stream": (sse(HALF, finish="", done=False), 0),
    "the length limit": (sse(HALF, finish="length"), 0),
    "the length limit of a whole answer": (
        json.dumps(
            {"type": "message", "content": [{"type": "text", "text": HALF}], "stop_reason": "max_tokens"}
        ).encode(),
        0,
    ),
}


@pytest.mark.parametrize("kind", INCOMPLETE)
@pytest.mark.parametrize("shadow", [TEXT.encode(), sse(TEXT), anthropic(TEXT)], ids=["text", "openai", "anthropic"])
def test_a_shadow_that_says_the_same_and_goes_on_is_no_worse(scorer: Scorer, kind: str, shadow: bytes) -> None:
    body, flags = INCOMPLETE[kind]
    found = scored(scorer, make(body, shadow, flags=flags))
    assert found.prod_text == found.shadow_text == " ".join(SENTENCES[:2])
    assert found.scores.delta_s == pytest.approx(0, abs=1e-6)
    assert (found.scores.state, found.scores.fact_flip, found.scores.unread) == ("convergent", False, "cut")
    assert (found.scores.missing, found.scores.extra, found.scores.citation_match) == (None, None, None)
    assert "not whole" in found.scores.note
    assert f"up to {len(found.prod_text)} characters" in found.scores.note
    assert found.scores.group is None, "what was cut says nothing of prod's usual answer"


@pytest.mark.parametrize(
    "body",
    [
        {"candidates": [{"content": {"parts": [{"text": HALF}]}, "finishReason": "MAX_TOKENS"}]},
        {"results": [{"outputText": HALF, "completionReason": "LENGTH"}], "inputTextTokenCount": 3},
        {"model": "m", "message": {"content": HALF}, "done": True, "done_reason": "length"},
        {"results": [{"generated_text": HALF, "stop_reason": "token_limit"}]},
        {"finish_reason": "MAX_TOKENS", "message": {"content": [{"type": "text", "text": HALF}]}},
        {
            "object": "response",
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [{"type": "message", "content": [{"type": "output_text", "text": HALF}]}],
        },
        {"output": {"message": {"content": [{"text": HALF}]}}, "stopReason": "max_tokens"},
    ],
    ids=["gemini", "titan", "ollama", "watsonx", "cohere", "responses", "converse"],
)
def test_every_providers_word_for_its_limit_is_known(scorer: Scorer, body: Any) -> None:
    found = scored(scorer, make(json.dumps(body).encode(), TEXT.encode()))
    assert found.prod_text == found.shadow_text
    assert (found.scores.state, found.scores.unread) == ("convergent", "cut")


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_what_contradicts_within_the_part_is_still_seen(scorer: Scorer, kind: str) -> None:
    body, flags = INCOMPLETE[kind]
    found = scored(scorer, make(body, TEXT.replace("50 euros", "70 euros").encode(), flags=flags))
    assert found.scores.fact_flip


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_what_contradicts_beyond_the_part_is_not_compared(scorer: Scorer, kind: str) -> None:
    body, flags = INCOMPLETE[kind]
    found = scored(scorer, make(body, TEXT.replace("20 euros", "90 euros").encode(), flags=flags))
    assert not found.scores.fact_flip


@pytest.mark.parametrize(
    ("prod", "flags", "why"),
    [
        (sse(HALF, error="overloaded"), 0, "overloaded"),
        (anthropic(HALF, whole=False), 0, "Overloaded"),
        (b"The deposit for a bic", FLAG_CLIENT_DISCONNECTED, "too short"),
        (sse("The deposit is 50", finish="length"), 0, "too short"),
        (b"", FLAG_CLIENT_DISCONNECTED, "empty"),
        (json.dumps({"answer": TEXT})[:-30].encode(), FLAG_RESPONSE_CUT, "not JSON"),
    ],
)
def test_what_cannot_be_compared_is_left_out_with_its_reason(scorer: Scorer, prod: bytes, flags: int, why: str) -> None:
    headers = (((b"content-type", b"application/json"),), ()) if prod.startswith(b'{"') else ((), ())
    scores = scored(scorer, make(prod, TEXT.encode(), flags=flags, headers=headers)).scores
    assert (scores.delta_s, scores.anchored, scores.state, scores.fact_flip) == (None, None, "", False)
    assert why in scores.note


def test_a_tool_call_in_pieces_is_left_out(scorer: Scorer) -> None:
    delta = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city": "Os'}}]}
    body = f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()
    scores = scored(scorer, make(body, TEXT.encode())).scores
    assert (scores.delta_s, scores.state) == (None, "")
    assert "left out" in scores.note


@pytest.mark.parametrize(
    "shadow", [b"", sse("", finish="stop"), anthropic(HALF, whole=False)], ids=["empty", "no text", "error"]
)
def test_a_shadow_that_fails_beside_a_cut_answer_has_fallen(scorer: Scorer, shadow: bytes) -> None:
    assert scored(scorer, make(sse(HALF, finish="length"), shadow)).scores.state == "divergent"


def test_a_shadow_cut_where_prod_is_whole_has_fallen(scorer: Scorer) -> None:
    assert scored(scorer, make(TEXT.encode(), sse(HALF, finish="length"))).scores.state == "divergent"


def test_two_answers_at_their_limits_are_compared_up_to_the_shorter(scorer: Scorer) -> None:
    found = scored(scorer, make(sse(HALF, finish="length"), sse(TEXT[:-20], finish="length")))
    assert (found.scores.state, found.scores.delta_s) == ("convergent", pytest.approx(0, abs=1e-6))


# (method, prod's status, the shadow's) to (whether the shadow's answer has fallen, a part of the note)
STATUSES = [
    ("HEAD", 200, 200, "", "HEAD"),
    ("HEAD", 200, 302, "", "the shadow with HTTP 302"),
    ("HEAD", 200, 500, "divergent", "HTTP 500"),
    ("GET", 204, 204, "", "HTTP 204"),
    ("GET", 304, 304, "", "HTTP 304"),
    ("GET", 304, 200, "", "HTTP 304, the shadow with HTTP 200"),
    ("GET", 204, 200, "", "HTTP 204, the shadow with HTTP 200"),
    ("GET", 200, 204, "divergent", "HTTP 200, the shadow with HTTP 204"),
    ("GET", 200, 304, "divergent", "the shadow with HTTP 304"),
    ("GET", 200, 302, "divergent", "the shadow with HTTP 302"),
    ("POST", 200, 307, "divergent", "the shadow with HTTP 307"),
    ("GET", 302, 302, "", "HTTP 302"),
    ("GET", 302, 200, "", "HTTP 302, the shadow with HTTP 200"),
    ("GET", 301, 308, "", "HTTP 301, the shadow with HTTP 308"),
    ("GET", 206, 200, "", "HTTP 206, the shadow with HTTP 200"),
    ("GET", 200, 206, "divergent", "HTTP 200, the shadow with HTTP 206"),
]


@pytest.mark.parametrize(("method", "prod", "shadow", "state", "said"), STATUSES)
def test_statuses_without_two_texts(scorer: Scorer, method: str, prod: int, shadow: int, state: str, said: str) -> None:
    # Whatever a server sends there, it is no answer to compare.
    found = scored(scorer, make(TEXT.encode(), TEXT.encode(), method=method, statuses=(prod, shadow)))
    assert (found.scores.delta_s, found.scores.state) == (None, state)
    assert said in found.scores.note


@pytest.mark.parametrize("statuses", [(200, 201), (201, 200), (200, 203)])
def test_answers_of_two_good_statuses_are_compared_and_the_difference_is_said(
    scorer: Scorer, statuses: tuple[int, int]
) -> None:
    scores = scored(scorer, make(TEXT.encode(), TEXT.encode(), statuses=statuses)).scores
    assert scores.state == "convergent"
    assert f"prod answered with HTTP {statuses[0]}, the shadow with HTTP {statuses[1]}" in scores.note


def test_parts_of_a_document_are_compared_with_the_same_part_only(scorer: Scorer) -> None:
    def parts(a: bytes, b: bytes) -> Scores:
        headers = (((b"content-range", a),), ((b"Content-Range", b),))
        return scored(scorer, make(TEXT.encode(), TEXT.encode(), statuses=(206, 206), headers=headers)).scores

    assert parts(b"bytes 0-99/500", b"bytes 0-99/500").state == "convergent"
    assert parts(b"bytes 0-99/500", b"bytes 100-199/500").delta_s is None


texts = st.text(alphabet=st.sampled_from("ab .!?\n日。3"), max_size=600)


@given(texts, texts)
def test_parts_are_beginnings_of_the_same_length(prod: str, shadow: str) -> None:
    found = common_length(prod, shadow)
    if found is None:
        return
    a, b = found
    assert prod.startswith(a)
    assert shadow.startswith(b)
    assert len(a) >= 1
    assert b == shadow if len(shadow) <= len(a) else len(b) <= 1.3 * len(a) + 1
    assert common_length(prod, prod) in (None, (a, a))
