"""Whether two answers ask for the same tool calls."""

from __future__ import annotations

import json

import pytest

from shadowlane.config import ScoreConfig
from shadowlane.score.scorer import Scorer
from shadowlane.score.tools import tool_agreement
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
