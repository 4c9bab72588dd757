"""Whether two answers ask for the same tool calls."""

from __future__ import annotations

import json

import pytest

from shadowlane.config import ScoreConfig
from shadowlane.score.scorer import Scorer
from shadowlane.score.tools import calls_never_made, tool_agreement
from shadowlane.types import Answer, Copy, Outcome, Pair, StubbedCall, ToolCall


def asks(*calls: tuple[str, str]) -> Answer:
    return Answer(tool_calls=tuple(ToolCall(name=name, arguments=arguments) for name, arguments in calls))


FIND = ("find", '{"q": "a", "n": 1}')


@pytest.mark.parametrize(
    ("prod", "shadow", "agreement"),
    [
        ((), (), ""),
        ((FIND,), (("find", '{ "n":1,"q":"a" }'),), "same"),
        ((FIND, ("now", "{}")), (("now", " {} "), FIND), "same"),
        ((FIND,), (("find", '{"q": "a", "n": 2}'),), "arguments"),
        ((FIND,), (("find", '{"q": "a", "n": 1'),), "arguments"),
        ((FIND,), (FIND, FIND), "others"),
        ((FIND,), (("now", "{}"),), "others"),
        ((FIND,), (), "missing"),
        ((), (FIND,), "extra"),
        ((("say", "\ud800"),), (("say", "\ud800"),), "same"),
    ],
)
def test_calls_are_compared_as_values(
    prod: tuple[tuple[str, str], ...], shadow: tuple[tuple[str, str], ...], agreement: str
) -> None:
    assert tool_agreement(asks(*prod), asks(*shadow)) == agreement


def test_what_repeats_an_earlier_turn_is_no_part_of_the_answer() -> None:
    again = StubbedCall(name="find", arguments="{}", answered="recorded", by_prod=True)
    new = StubbedCall(name="find", arguments='{"q":"a","n":1}', round=2, answered="unavailable")
    assert tool_agreement(asks(), asks(), (again,)) == ""
    assert tool_agreement(asks(FIND), asks(), (again, new)) == "same"
    assert tool_agreement(asks(), asks(), (new,)) == "extra"


def test_the_scorer_says_it_with_models_and_ends() -> None:
    def chat(model: str, finish: str, *calls: tuple[str, str]) -> bytes:
        made = [{"id": "1", "type": "function", "function": {"name": n, "arguments": a}} for n, a in calls]
        message = {"role": "assistant", "content": "Let me look.", "tool_calls": made}
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        return json.dumps({"object": "chat.completion", "model": model, "choices": choices}).encode()

    headers = ((b"content-type", b"application/json"),)
    copy = Copy(
        shadow_id="1", req_hash="2", started_ns=1, method="POST", target="/v1/chat/completions", status=200,
        response_headers=headers, response_body=chat("large", "tool_calls", FIND),
    )  # fmt: skip
    outcome = Outcome(shadow="a", status=200, headers=headers, body=chat("small", "x" * 999, ("find", "{}")))
    [scored] = Scorer(ScoreConfig(embedder="lexical", groups=False)).score([Pair(copy=copy, outcome=outcome)])
    assert (scored.prod_model, scored.model, scored.prod_finish) == ("large", "small", "tool_calls")
    assert scored.finish == "x" * 60
    assert scored.scores.tools == "arguments"


CHAT = {"method": "POST", "target": "/v1/chat/completions", "status": 200, "preset": "openai"}


def pair_of(body: bytes = b"{}", stubbed: tuple[StubbedCall, ...] = (), **more: str) -> Pair:
    copy = Copy(shadow_id="1", req_hash="2", started_ns=1, body=body, **{**CHAT, **more})  # type: ignore[arg-type]
    return Pair(copy=copy, outcome=Outcome(shadow="candidate", status=200, calls=stubbed))


@pytest.mark.parametrize(
    ("prod", "shadow", "n"),
    [
        ((), (FIND,), 0),
        ((FIND,), (("find", '{ "n":1,"q":"a" }'),), 0),
        ((("now", ""),), (("now", "{}"),), 0),
        ((FIND, ("now", "{}")), (("find", "{}"),), 2),
        ((FIND, FIND), (), 2),
        ((FIND, ("drop", "{}")), (FIND,), 1),
    ],
)
def test_calls_of_prods_that_the_shadow_never_makes(
    prod: tuple[tuple[str, str], ...], shadow: tuple[tuple[str, str], ...], n: int
) -> None:
    assert calls_never_made(pair_of(), asks(*prod), asks(*shadow)) == n


def test_a_call_of_any_of_the_shadows_rounds_counts() -> None:
    first = StubbedCall(name="find", arguments='{"n":1,"q":"a"}', round=1, answered="unavailable")
    assert calls_never_made(pair_of(stubbed=(first,)), asks(FIND), asks()) == 0


def test_what_the_conversation_holds_already_is_no_new_call() -> None:
    made = {"id": "c", "type": "function", "function": {"name": "find", "arguments": FIND[1]}}
    turns = [
        {"role": "user", "content": "Look for a."},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    body = json.dumps({"model": "m", "messages": turns}).encode()
    assert calls_never_made(pair_of(body), asks(FIND, ("drop", "{}")), asks()) == 1
    assert calls_never_made(pair_of(body, preset=""), asks(FIND), asks()) == 1


def test_what_an_answer_that_broke_off_would_have_called_is_not_known() -> None:
    cut = Answer(tool_calls=(ToolCall(name="find", arguments=FIND[1]),), note="cut")
    assert calls_never_made(pair_of(), asks(FIND), cut) == 0
    assert calls_never_made(pair_of(), asks(FIND, ("drop", "{}")), cut) is None
