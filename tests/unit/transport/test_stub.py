"""Stubbed tool calls: whose result answers which call, in each API's own shape, within one deadline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from shadowlane.config import ShadowConfig
from shadowlane.score import extract_answer
from shadowlane.transport import open_transport, rounds
from shadowlane.transport.rounds import Round
from shadowlane.transport.stub import UNAVAILABLE, Conversation
from shadowlane.types import STRANGE_CALLS, Copy, Outcome, StubbedCall
from tests.support.faulty import FaultyServer

from .test_http import make_copy

T = TypeVar("T")
Json = dict[str, Any]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def chat_answer(*calls: tuple[str, str, str], text: str | None = None) -> Json:
    message: Json = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}
            for key, name, arguments in calls
        ]
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def chat_request(*turns: Json) -> Json:
    return {
        "model": "m",
        "messages": [{"role": "user", "content": "weather?"}, *turns],
        "tools": [{"type": "function"}],
    }


MADE = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "p1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern", "day": 1.0}'}}
    ],
}
GOT = {"role": "tool", "tool_call_id": "p1", "content": "rain, 7 °C"}


def copy_of(request: Json, answer: Json | None = None, **fields: Any) -> Copy:
    values: dict[str, Any] = {
        "body": json.dumps(request).encode(),
        "preset": "openai",
        "target": "/v1/chat/completions",
        "response_headers": ((b"content-type", b"application/json"),),
        "response_body": json.dumps(answer or chat_answer(text="It rains.")).encode(),
    }
    return make_copy(**{**values, **fields})


def talk(copy: Copy, rounds: int = 3) -> Conversation:
    return Conversation(copy, copy.body, extract_answer, rounds)


def follow(conversation: Conversation, answer: Json | bytes, kind: str = "application/json") -> Json | None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    following = conversation.next(kind, body)
    return None if following is None else json.loads(following)


def test_the_same_call_gets_the_result_that_prod_got() -> None:
    conversation = talk(copy_of(chat_request(MADE, GOT)))
    # Other order, other number, other space: one canonical form.
    following = follow(conversation, chat_answer(("s1", "weather", '{"day":1,"city":"Bern"}'), text="I look."))
    assert following is not None
    said, result = following["messages"][-2:]
    assert following["messages"][:-2] == chat_request(MADE, GOT)["messages"]
    assert said["content"] == "I look."
    assert said["tool_calls"][0]["id"] == result["tool_call_id"] == "s1"
    assert (result["role"], result["content"]) == ("tool", "rain, 7 °C")
    assert follow(conversation, chat_answer(text="It rains in Bern.")) is None
    call = StubbedCall(name="weather", arguments='{"city":"Bern","day":1}', round=1, answered="recorded", by_prod=True)
    assert conversation.calls == [call]
    assert conversation.findings == {}
    assert conversation.usage["total_tokens"] == 30


def test_a_call_that_prod_never_made_is_unavailable_and_a_finding() -> None:
    conversation = talk(copy_of(chat_request(MADE, GOT)))
    asked = chat_answer(("s1", "delete_all", "{}"), ("s2", "weather", '{"city":"Rome"}'))
    following = follow(conversation, asked)
    assert following is not None
    assert [turn["content"] for turn in following["messages"][-2:]] == [UNAVAILABLE, UNAVAILABLE]
    assert [(call.answered, call.by_prod) for call in conversation.calls] == [("unavailable", False)] * 2
    assert conversation.findings == {STRANGE_CALLS: 2}


def test_a_call_of_prods_own_answer_ends_the_turn_as_prods_ended() -> None:
    asked = chat_answer(("p2", "weather", '{"city":"Rome"}'))
    conversation = talk(copy_of(chat_request(), asked))
    assert follow(conversation, chat_answer(("s1", "weather", '{ "city": "Rome" }'))) is None
    assert [(call.answered, call.by_prod) for call in conversation.calls] == [("left", True)]
    assert conversation.findings == {}
    # Beside another call it has no result to give, and is no finding either.
    conversation = talk(copy_of(chat_request(), asked))
    mixed = chat_answer(("s1", "weather", '{"city":"Rome"}'), ("s2", "other", ""))
    following = follow(conversation, mixed)
    assert following is not None
    assert [turn["content"] for turn in following["messages"][-2:]] == [UNAVAILABLE] * 2
    assert [call.by_prod for call in conversation.calls] == [True, False]
    assert conversation.findings == {STRANGE_CALLS: 1}


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_rounds_are_bounded_and_what_is_left_is_recorded(rounds: int) -> None:
    conversation = talk(copy_of(chat_request()), rounds)
    asked = 0
    while follow(conversation, chat_answer(("s", "again", json.dumps({"n": asked})))) is not None:
        asked += 1
    assert asked == rounds
    answered = [call.answered for call in conversation.calls]
    assert answered == ["unavailable"] * rounds + ["left"]
    assert [call.round for call in conversation.calls] == list(range(1, rounds + 2))


def test_a_later_result_of_the_same_call_counts() -> None:
    again = json.loads(json.dumps(MADE).replace("p1", "p2"))
    conversation = talk(copy_of(chat_request(MADE, GOT, again, {**GOT, "tool_call_id": "p2", "content": "sun"})))
    following = follow(conversation, chat_answer(("s", "weather", '{"day":1,"city":"Bern"}')))
    assert following is not None
    assert following["messages"][-1]["content"] == "sun"


RESULT = "rain"
ARGUMENTS = {"city": "Bern"}
TEXT_ARGUMENTS = json.dumps(ARGUMENTS)


def sse(*events: Json, named: bool = True) -> bytes:
    lines = [(f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join(lines).encode()


ANTHROPIC_REQUEST = {
    "model": "m",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "p", "name": "weather", "input": ARGUMENTS}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "p", "content": RESULT}]},
    ],
}
ANTHROPIC_ANSWER = {
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "s", "name": "weather", "input": ARGUMENTS},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
ANTHROPIC_STREAM = sse(
    {"type": "message_start", "message": {"type": "message", "role": "assistant", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "I "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "look."}},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "s", "name": "weather", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"city":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '"Bern"}'}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)
ANTHROPIC_NEXT = [
    {"role": "assistant", "content": ANTHROPIC_ANSWER["content"]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "s", "content": RESULT}]},
]
RESPONSES_REQUEST = {
    "model": "m",
    "input": [
        {"role": "user", "content": "weather?"},
        {"type": "function_call", "call_id": "p", "name": "weather", "arguments": TEXT_ARGUMENTS},
        {"type": "function_call_output", "call_id": "p", "output": RESULT},
    ],
}
RESPONSES_ANSWER = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "function_call", "id": "fc_1", "call_id": "s", "name": "weather", "arguments": TEXT_ARGUMENTS},
    ],
}
RESPONSES_NEXT = [
    {"type": "reasoning", "summary": [], "encrypted_content": "x"},
    {"type": "function_call", "call_id": "s", "name": "weather", "arguments": TEXT_ARGUMENTS},
    {"type": "function_call_output", "call_id": "s", "output": RESULT},
]
OLLAMA_REQUEST = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"function": {"name": "other", "arguments": {}}},
                {"function": {"name": "weather", "arguments": ARGUMENTS}},
            ],
        },
        {"role": "tool", "tool_name": "weather", "content": RESULT},
    ],
}
OLLAMA_CALL = {"function": {"name": "weather", "arguments": ARGUMENTS}}
OLLAMA_ANSWER = {
    "model": "m",
    "message": {"role": "assistant", "content": "", "tool_calls": [OLLAMA_CALL]},
    "done": True,
    "done_reason": "stop",
}
OLLAMA_NEXT = [
    {"role": "assistant", "content": "", "tool_calls": [OLLAMA_CALL]},
    {"role": "tool", "tool_name": "weather", "content": RESULT},
]
COHERE_REQUEST = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "p", "type": "function", "function": {"name": "weather", "arguments": TEXT_ARGUMENTS}}
            ],
        },
        {"role": "tool", "tool_call_id": "p", "content": [{"type": "document", "document": {"data": RESULT}}]},
    ],
}
COHERE_CALLS = [{"id": "s", "type": "function", "function": {"name": "weather", "arguments": TEXT_ARGUMENTS}}]
COHERE_ANSWER = {
    "id": "x",
    "message": {"role": "assistant", "tool_plan": "I look.", "tool_calls": COHERE_CALLS},
    "finish_reason": "TOOL_CALL",
}
COHERE_NEXT = [
    {"role": "assistant", "tool_plan": "I look.", "tool_calls": COHERE_CALLS},
    {"role": "tool", "tool_call_id": "s", "content": [{"type": "document", "document": {"data": RESULT}}]},
]
CONVERSE_REQUEST = {
    "messages": [
        {"role": "user", "content": [{"text": "weather?"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "p", "name": "weather", "input": ARGUMENTS}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "p", "content": [{"text": RESULT}]}}]},
    ]
}
CONVERSE_SAID = {
    "role": "assistant",
    "content": [{"toolUse": {"toolUseId": "s", "name": "weather", "input": ARGUMENTS}}],
}
CONVERSE_ANSWER = {"output": {"message": CONVERSE_SAID}, "stopReason": "tool_use", "usage": {"inputTokens": 1}}
CONVERSE_NEXT = [
    CONVERSE_SAID,
    {"role": "user", "content": [{"toolResult": {"toolUseId": "s", "content": [{"text": RESULT}]}}]},
]
CHAT_NEXT = [
    {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [{"id": "s", "type": "function", "function": {"name": "weather", "arguments": TEXT_ARGUMENTS}}],
    },
    {"role": "tool", "tool_call_id": "s", "content": RESULT},
]
CHAT_HISTORY = chat_request(
    {"role": "assistant", "tool_calls": [{"id": "p", "function": {"name": "weather", "arguments": TEXT_ARGUMENTS}}]},
    {"role": "tool", "tool_call_id": "p", "content": RESULT},
)


def chat_chunk(delta: Json, finish: str | None = None) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice]}


CHAT_STREAM = sse(
    chat_chunk({"role": "assistant", "content": "I look."}),
    chat_chunk(
        {"tool_calls": [{"index": 0, "id": "s", "type": "function", "function": {"name": "weather", "arguments": ""}}]}
    ),
    chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": TEXT_ARGUMENTS[:5]}}]}),
    chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": TEXT_ARGUMENTS[5:]}}]}),
    chat_chunk({}, "tool_calls"),
    named=False,
)


@pytest.mark.parametrize(
    ("preset", "target", "request_body", "answer", "field", "added"),
    [
        ("openai", "/v1/chat/completions", CHAT_HISTORY, CHAT_STREAM + b"data: [DONE]\n\n", "messages", CHAT_NEXT),
        ("mistral", "/v1/chat/completions", CHAT_HISTORY, CHAT_STREAM, "messages", CHAT_NEXT),
        ("openai", "/v1/responses", RESPONSES_REQUEST, RESPONSES_ANSWER, "input", RESPONSES_NEXT),
        (
            "openai",
            "/v1/responses",
            RESPONSES_REQUEST,
            sse({"type": "response.completed", "response": RESPONSES_ANSWER}),
            "input",
            RESPONSES_NEXT,
        ),
        ("anthropic", "/v1/messages", ANTHROPIC_REQUEST, ANTHROPIC_ANSWER, "messages", ANTHROPIC_NEXT),
        ("anthropic", "/v1/messages", ANTHROPIC_REQUEST, ANTHROPIC_STREAM, "messages", ANTHROPIC_NEXT),
        (
            "bedrock",
            "/model/claude/invoke",
            {**ANTHROPIC_REQUEST, "anthropic_version": "bedrock-2023-05-31"},
            ANTHROPIC_ANSWER,
            "messages",
            ANTHROPIC_NEXT,
        ),
        ("bedrock", "/model/m/converse", CONVERSE_REQUEST, CONVERSE_ANSWER, "messages", CONVERSE_NEXT),
        ("ollama", "/api/chat", OLLAMA_REQUEST, OLLAMA_ANSWER, "messages", OLLAMA_NEXT),
        ("cohere", "/v2/chat", COHERE_REQUEST, COHERE_ANSWER, "messages", COHERE_NEXT),
    ],
)
def test_each_api_goes_on_in_its_own_shape(
    preset: str, target: str, request_body: Json, answer: Json | bytes, field: str, added: list[Json]
) -> None:
    conversation = talk(copy_of(request_body, preset=preset, target=target))
    kind = "text/event-stream" if isinstance(answer, bytes) else "application/json"
    following = follow(conversation, answer, kind)
    assert following is not None, conversation.calls
    assert following[field] == request_body[field] + added
    assert {name: value for name, value in following.items() if name != field} == {
        name: value for name, value in request_body.items() if name != field
    }
    assert [(call.name, call.answered, call.by_prod) for call in conversation.calls] == [("weather", "recorded", True)]


@pytest.mark.parametrize(
    ("preset", "target"), [("openai", "/v1/completions"), ("cohere", "/v1/chat"), ("", "/v1/chat/completions")]
)
def test_where_no_next_turn_is_known_there_is_none(preset: str, target: str) -> None:
    request = {"model": "m", "message": "x", "prompt": "x"}
    conversation = talk(copy_of(request, preset=preset, target=target))
    assert follow(conversation, chat_answer(("s", "weather", "{}"))) is None
    assert [call.answered for call in conversation.calls] == (["left"] if preset else [])


@pytest.mark.parametrize(
    "answer",
    [b"", b"tool", b"{", b'{"choices":[{"message":{"tool_calls":[7]}}]}', b'{"tool_calls":{"a":1}}', b"\xff tool"],
)
def test_an_answer_of_any_shape_ends_the_talk_without_an_error(answer: bytes) -> None:
    conversation = talk(copy_of(chat_request()))
    assert conversation.next("application/json", answer) is None


# ---- over a real connection


def ask(script: list[bytes], copy: Copy, **fields: Any) -> tuple[Outcome, FaultyServer]:
    async def go() -> tuple[Outcome, FaultyServer]:
        async with FaultyServer("script", script=script) as server:
            shadow = ShadowConfig(url=server.url, **{"timeout_s": 60.0, **fields})
            transport = open_transport("candidate", shadow, None, read=extract_answer, stub_rounds=3)
            try:
                return await transport.send(copy), server
            finally:
                await transport.close()

    return run(go())


@pytest.mark.usefixtures("transport")
def test_the_last_answer_is_the_outcome_and_all_rounds_are_told() -> None:
    first = json.dumps(chat_answer(("s1", "weather", '{"city":"Bern","day":1}'))).encode()
    last = json.dumps(chat_answer(text="It rains.")).encode()
    outcome, server = ask([first, last], copy_of(chat_request(MADE, GOT)), model="candidate-2")
    assert (outcome.reason, outcome.status, outcome.body) == ("", 200, last)
    assert outcome.rounds == 2
    assert len(outcome.round_ns) == 2
    assert sum(outcome.round_ns) <= outcome.duration_ns
    assert outcome.round_ns[0] < outcome.ttfb_ns <= outcome.duration_ns
    assert outcome.usage == {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30}
    assert [call.answered for call in outcome.calls] == ["recorded"]
    assert outcome.normalised == ("model: rewritten",)
    bodies = [json.loads(request.body) for request in server.requests]
    assert [body["model"] for body in bodies] == ["candidate-2"] * 2
    assert [request.target for request in server.requests] == ["/v1/chat/completions"] * 2
    assert {request.header("x-shadow") for request in server.requests} == {"1"}


@pytest.mark.usefixtures("transport")
def test_one_deadline_bounds_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[float] = []

    def asked(*fields: Any) -> Round:
        made = Round._make(fields)
        left.append(made.left_s)
        return made

    monkeypatch.setattr(rounds, "Round", asked)
    first = json.dumps(chat_answer(("s1", "weather", "{}"))).encode()
    timeout_s = 0.5
    while len((found := ask([first, b""], copy_of(chat_request()), timeout_s=timeout_s))[1].requests) < 2:
        assert found[0].reason == "deadline"
        timeout_s *= 2  # a machine that stands still may take all of it before the second is sent
        assert timeout_s < 60
        left.clear()
    outcome, server = found
    assert (outcome.reason, outcome.status, outcome.body) == ("deadline", 0, b"")
    assert (outcome.rounds, len(server.requests)) == (2, 2)
    assert timeout_s >= left[0] > left[1], "the second round has only what the first left"
    assert outcome.findings == {STRANGE_CALLS: 1}


def test_a_single_answer_is_one_round_without_extras() -> None:
    outcome, server = ask([json.dumps(chat_answer(text="Hi.")).encode()], copy_of(chat_request()))
    assert (outcome.rounds, outcome.round_ns, outcome.usage, outcome.calls, outcome.findings) == (1, (), {}, (), {})
    assert len(server.requests) == 1
