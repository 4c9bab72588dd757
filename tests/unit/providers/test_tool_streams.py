"""Stubbed tool rounds over the streams of Bedrock, Ollama and Cohere, from a real server, cut where it hurts.

Formats: ConverseStreamOutput and the event stream encoding (Amazon Bedrock API reference; Smithy, "Amazon Event Stream
specification"), ``/api/chat`` (Ollama API, NDJSON), chat stream events of version 2 (Cohere, "Streaming for tool use").
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.config import ShadowConfig
from shadowlane.score import extract_answer
from shadowlane.transport import open_transport
from shadowlane.types import STRANGE_CALLS, Answer, Copy, Outcome
from tests.support.bodies import SSE, chunk, event, eventstream, js, ndjson, sse
from tests.support.faulty import FaultyServer, Streamed

from ..transport.test_http import make_copy

Json = dict[str, Any]
AMAZON = "application/vnd.amazon.eventstream"
NDJSON = "application/x-ndjson"
SAYS = "Ich schaue in Zürich nach 🌧."
THINKS = "Wetter? Also das Werkzeug."
ARGUMENTS = {"city": "Zürich 🌧"}
TEXT_ARGUMENTS = json.dumps(ARGUMENTS, ensure_ascii=False)
RESULT = "rain, 7 °C"
FINAL = "Es regnet in Zürich."


class Api(NamedTuple):
    """An API: how its request asks, the pieces of the stream that asks for a tool, and what its next turn adds."""

    preset: str
    target: str
    request: Json
    content_type: str
    asks: Sequence[bytes]
    """The stream's frames, events or lines, one each."""
    answers: bytes
    adds: list[Json]
    usage: dict[str, int]
    tail: int = 1
    """How many of the last pieces begin with the stream's end mark: without what comes behind it a stream is whole."""


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _converse() -> Api:
    def delta(index: int, value: Json) -> tuple[dict[str, str], Any]:
        return event("contentBlockDelta", {"contentBlockIndex": index, "delta": value, "p": "abcd"})

    usage = event("metadata", {"usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}, "metrics": {}})
    asks = [
        event("messageStart", {"role": "assistant", "p": "ab"}),
        *(delta(0, {"reasoningContent": {"text": half}}) for half in _halves(THINKS)),
        delta(0, {"reasoningContent": {"signature": "c2ln"}}),
        event("contentBlockStop", {"contentBlockIndex": 0}),
        *(delta(1, {"text": half}) for half in _halves(SAYS)),
        event("contentBlockStop", {"contentBlockIndex": 1}),
        event(
            "contentBlockStart",
            {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "s", "name": "weather"}}},
        ),
        *(delta(2, {"toolUse": {"input": half}}) for half in _halves(TEXT_ARGUMENTS)),
        event("contentBlockStop", {"contentBlockIndex": 2}),
        event("messageStop", {"stopReason": "tool_use"}),
        usage,
    ]
    answers = [delta(0, {"text": half}) for half in _halves(FINAL)]
    said = [
        {"reasoningContent": {"reasoningText": {"text": THINKS, "signature": "c2ln"}}},
        {"text": SAYS},
        {"toolUse": {"toolUseId": "s", "name": "weather", "input": ARGUMENTS}},
    ]
    result = {"toolResult": {"toolUseId": "s", "content": [{"text": RESULT}]}}
    made = {"toolUse": {"toolUseId": "p", "name": "weather", "input": ARGUMENTS}}
    got = {"toolResult": {"toolUseId": "p", "content": [{"text": RESULT}]}}
    return Api(
        preset="bedrock",
        target="/model/m/converse-stream",
        request={
            "messages": [
                {"role": "user", "content": [{"text": "weather?"}]},
                {"role": "assistant", "content": [made]},
                {"role": "user", "content": [got]},
            ]
        },
        content_type=AMAZON,
        asks=[eventstream(message) for message in asks],
        answers=eventstream(*answers, event("messageStop", {"stopReason": "end_turn"}), usage),
        adds=[{"role": "assistant", "content": said}, {"role": "user", "content": [result]}],
        usage={"input_tokens": 14, "output_tokens": 10, "total_tokens": 24},
        tail=2,
    )


def _invoke() -> Api:
    """Claude behind Bedrock's ``invoke-with-response-stream``: its own events, each in base 64."""

    def text(index: int, value: Json) -> Json:
        return {"type": "content_block_delta", "index": index, "delta": value}

    def start(index: int, value: Json) -> Json:
        return {"type": "content_block_start", "index": index, "content_block": value}

    begin = {
        "type": "message_start",
        "message": {"type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 7}},
    }
    asks = [
        begin,
        start(0, {"type": "text", "text": ""}),
        *(text(0, {"type": "text_delta", "text": half}) for half in _halves(SAYS)),
        start(1, {"type": "tool_use", "id": "s", "name": "weather", "input": {}}),
        *(text(1, {"type": "input_json_delta", "partial_json": half}) for half in _halves(TEXT_ARGUMENTS)),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    answers = [
        begin,
        start(0, {"type": "text", "text": ""}),
        text(0, {"type": "text_delta", "text": FINAL}),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    use = {"type": "tool_use", "name": "weather", "input": ARGUMENTS}
    return Api(
        preset="bedrock",
        target="/model/claude/invoke-with-response-stream",
        request={
            "anthropic_version": "bedrock-2023-05-31",
            "messages": [
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "content": [{**use, "id": "p"}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "p", "content": RESULT}]},
            ],
        },
        content_type=AMAZON,
        asks=[eventstream(chunk(value)) for value in asks],
        answers=eventstream(*map(chunk, answers)),
        adds=[
            {"role": "assistant", "content": [{"type": "text", "text": SAYS}, {**use, "id": "s"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "s", "content": RESULT}]},
        ],
        usage={"input_tokens": 14, "output_tokens": 10, "total_tokens": 24},
    )


def _ollama() -> Api:
    def line(done: bool = False, **message: Any) -> Json:
        end = {"done_reason": "stop", "prompt_eval_count": 7, "eval_count": 5} if done else {}
        return {"model": "m", "message": {"role": "assistant", "content": "", **message}, "done": done, **end}

    call = {"function": {"name": "weather", "arguments": ARGUMENTS}}
    asks = [
        *(line(thinking=half) for half in _halves(THINKS)),
        *(line(content=half) for half in _halves(SAYS)),
        line(tool_calls=[call]),
        line(done=True),
    ]
    answers = [*(line(content=half) for half in _halves(FINAL)), line(done=True)]
    return Api(
        preset="ollama",
        target="/api/chat",
        request={
            "model": "m",
            "messages": [
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "tool_name": "weather", "content": RESULT},
            ],
        },
        content_type=NDJSON,
        # Ollama writes UTF-8 as it is.
        asks=[json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in asks],
        answers=ndjson(*answers),
        adds=[
            {"role": "assistant", "content": SAYS, "tool_calls": [call], "thinking": THINKS},
            {"role": "tool", "tool_name": "weather", "content": RESULT},
        ],
        usage={"input_tokens": 14, "output_tokens": 10, "total_tokens": 24},
    )


def _cohere() -> Api:
    def of(kind: str, index: int | None = None, **message: Any) -> Json:
        index = {} if index is None else {"index": index}
        return {"type": kind, **index, **({"delta": {"message": message}} if message else {})}

    def end(reason: str) -> Json:
        usage = {"billed_units": {"input_tokens": 1}, "tokens": {"input_tokens": 7, "output_tokens": 5}}
        return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}

    start = {"id": "s", "type": "function", "function": {"name": "weather", "arguments": ""}}
    asks = [
        {**of("message-start", role="assistant", content=[], tool_plan="", tool_calls=[], citations=[]), "id": "x"},
        *(of("tool-plan-delta", tool_plan=half) for half in _halves(SAYS)),
        of("tool-call-start", 0, tool_calls=start),
        *(of("tool-call-delta", 0, tool_calls={"function": {"arguments": half}}) for half in _halves(TEXT_ARGUMENTS)),
        of("tool-call-end", 0),
        end("TOOL_CALL"),
    ]
    answers = [
        {**of("message-start", role="assistant", content=[]), "id": "y"},
        of("content-start", 0, content={"type": "text", "text": ""}),
        *(of("content-delta", 0, content={"text": half}) for half in _halves(FINAL)),
        of("content-end", 0),
        end("COMPLETE"),
    ]
    call = {"type": "function", "function": {"name": "weather", "arguments": TEXT_ARGUMENTS}}
    return Api(
        preset="cohere",
        target="/v2/chat",
        request={
            "model": "m",
            "messages": [
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "tool_calls": [{**call, "id": "p"}]},
                {"role": "tool", "tool_call_id": "p", "content": RESULT},
            ],
        },
        content_type=SSE,
        asks=[sse(value, done=False, named=True) for value in asks],
        answers=sse(*answers, done=False, named=True),
        adds=[
            {"role": "assistant", "tool_calls": [{**call, "id": "s"}], "tool_plan": SAYS},
            {"role": "tool", "tool_call_id": "s", "content": RESULT},
        ],
        usage={"input_tokens": 14, "output_tokens": 10, "total_tokens": 24},
    )


APIS = {"converse-stream": _converse(), "invoke stream": _invoke(), "ollama": _ollama(), "cohere v2": _cohere()}
EACH = pytest.mark.parametrize("api", APIS.values(), ids=APIS.keys())


def copy_of(api: Api, **fields: Any) -> Copy:
    values: dict[str, Any] = {"body": js(api.request), "preset": api.preset, "target": api.target}
    return make_copy(**{**values, **fields})


def ask(api: Api, streams: Sequence[Streamed], copy: Copy | None = None) -> tuple[Outcome, list[Json], Answer]:
    """The outcome, the bodies that were sent, and what the last answer says."""

    async def go() -> tuple[Outcome, FaultyServer]:
        async with FaultyServer("stream", streams=list(streams)) as server:
            shadow = ShadowConfig(url=server.url, timeout_s=30.0)
            transport = open_transport("candidate", shadow, None, read=extract_answer, stub_rounds=3)
            try:
                return await transport.send(copy or copy_of(api)), server
            finally:
                await transport.close()

    outcome, server = asyncio.run(go())
    kind = next((value.decode() for name, value in outcome.headers if name.lower() == b"content-type"), "")
    return outcome, [json.loads(request.body) for request in server.requests], extract_answer(kind, outcome.body)


def everywhere(body: bytes, _: Sequence[bytes]) -> Iterable[int]:
    return range(1, len(body))


def in_characters(body: bytes, _: Sequence[bytes]) -> Iterable[int]:
    return (index for index, byte in enumerate(body) if 0x80 <= byte < 0xC0)


def in_frames(_: bytes, frames: Sequence[bytes]) -> Iterable[int]:
    """In each frame's length, in its prelude's checksum, in its payload and in its own checksum."""
    starts = [0, *accumulate(map(len, frames))]
    for start, frame in zip(starts, frames, strict=False):
        yield from sorted({start + 2, start + 10, start + len(frame) // 2, start + len(frame) - 2})


def nowhere(_: bytes, __: Sequence[bytes]) -> Iterable[int]:
    return ()


@EACH
@pytest.mark.parametrize("cut", [nowhere, everywhere, in_characters, in_frames], ids=lambda cut: cut.__name__)
def test_a_streamed_call_is_answered_however_the_stream_is_cut(
    api: Api, cut: Callable[[bytes, Sequence[bytes]], Iterable[int]]
) -> None:
    body = b"".join(api.asks)
    asks = Streamed(api.content_type, body, tuple(cut(body, api.asks)))
    answers = Streamed(api.content_type, api.answers, tuple(cut(api.answers, [api.answers])))
    outcome, sent, answer = ask(api, [asks, answers])
    assert (outcome.reason, outcome.status, outcome.rounds) == ("", 200, 2), outcome.calls
    assert sent == [api.request, {**api.request, "messages": [*api.request["messages"], *api.adds]}]
    assert [(call.name, call.answered, call.by_prod) for call in outcome.calls] == [("weather", "recorded", True)]
    assert json.loads(outcome.calls[0].arguments) == ARGUMENTS
    assert (outcome.findings, outcome.usage) == ({}, api.usage)
    assert outcome.body == api.answers
    assert (answer.text, answer.note) == (FINAL, "")


@EACH
def test_a_streamed_call_that_prods_stream_makes_too_ends_the_turn(api: Api) -> None:
    body = b"".join(api.asks)
    request = {**api.request, "messages": api.request["messages"][:1]}
    headers = ((b"content-type", api.content_type.encode()),)
    copy = copy_of(api, body=js(request), response_headers=headers, response_body=body)
    outcome, sent, _ = ask(api, [Streamed(api.content_type, body)], copy)
    assert len(sent) == outcome.rounds == 1
    assert [(call.answered, call.by_prod) for call in outcome.calls] == [("left", True)]
    assert outcome.findings == {}


@EACH
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_stream_that_ends_anywhere_is_never_answered(api: Api, data: st.DataObject) -> None:
    body = b"".join(api.asks)
    # From the first event on (a byte or two are no stream yet) up to the end mark.
    kept = data.draw(st.integers(len(api.asks[0]), len(body) - sum(map(len, api.asks[-api.tail :]))))
    outcome, sent, answer = ask(api, [Streamed(api.content_type, body[:kept], end="close")])
    assert (outcome.reason, outcome.rounds, len(sent)) == ("", 1, 1)
    assert [call.answered for call in outcome.calls] in ([], ["left"])
    assert outcome.findings == {}, "half a call is not one that prod never made"
    assert answer.note


def _damaged(frames: Sequence[bytes], number: int, index: int) -> bytes:
    """All frames, with one bit of one of them turned."""
    frame = bytearray(frames[number])
    frame[index] ^= 1
    return b"".join((*frames[:number], bytes(frame), *frames[number + 1 :]))


CONVERSE, OLLAMA, COHERE = (list(APIS[name].asks) for name in ("converse-stream", "ollama", "cohere v2"))
EXCEPTION = eventstream(
    (
        {
            ":exception-type": "modelStreamErrorException",
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        {"message": "the model stopped", "originalStatusCode": 424},
    )
)
WHOLE_CALL = CONVERSE[:11]  # up to its last piece of the arguments
FAILS = "message 11 of the event stream fails its checksum"
CUT = "the stream ended before its end mark: the text is what came"


@pytest.mark.parametrize(
    ("api", "body", "note"),
    [
        ("converse-stream", _damaged(CONVERSE, 10, CONVERSE[10].index(b"rich")), FAILS),
        ("converse-stream", _damaged(CONVERSE, 10, -1), FAILS),
        ("converse-stream", _damaged(CONVERSE, 10, 9), f"message 11 of the event stream is damaged; {CUT}"),
        ("converse-stream", b"".join(CONVERSE)[:-len(CONVERSE[-1]) - len(CONVERSE[-2]) - 2],
         f"the event stream is cut in message {len(CONVERSE) - 2}; {CUT}"),
        ("converse-stream", b"".join(WHOLE_CALL), CUT),
        ("converse-stream", b"".join((*WHOLE_CALL, EXCEPTION)),
         f"error in mid-stream: modelStreamErrorException: the model stopped; {CUT}"),
        ("ollama", b"".join(OLLAMA[:-1]), CUT),
        ("ollama", b"".join(OLLAMA[:-1]) + OLLAMA[-1][:20], CUT),
        ("ollama", b"".join(OLLAMA[:-1]) + b'{"error":"model runner stopped"}\n',
         f"error in mid-stream: model runner stopped; {CUT}"),
        ("cohere v2", b"".join(COHERE[:-1]), CUT),
        ("cohere v2", b"".join(COHERE[:-1]) + COHERE[-1][:60], CUT),
        ("cohere v2", b"".join(COHERE[:-1]) + sse(
            {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "the model stopped"}},
            done=False, named=True), "error in mid-stream: the model stopped"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_stream_is_told_apart(api: str, body: bytes, note: str) -> None:
    asked = APIS[api]
    outcome, sent, answer = ask(asked, [Streamed(asked.content_type, body)])
    assert answer.note == note
    assert (outcome.reason, outcome.rounds, len(sent)) == ("", 1, 1)
    assert [(call.name, call.answered) for call in outcome.calls] == [("weather", "left")]
    assert outcome.findings == {}


@EACH
def test_a_connection_that_breaks_in_mid_stream_is_a_failure_of_the_transport(api: Api) -> None:
    body = b"".join(api.asks)
    outcome, sent, _ = ask(api, [Streamed(api.content_type, body, (7,), end="no last chunk")])
    assert (outcome.reason, outcome.detail) == (
        "transport_error",
        "the body ended early or is not what its headers say",
    )
    assert (outcome.rounds, len(sent), outcome.calls) == (1, 1, ())
    # The same in the second round: what was asked in the first one is told all the same.
    broken = Streamed(api.content_type, api.answers, end="no last chunk")
    outcome, sent, _ = ask(api, [Streamed(api.content_type, body), broken])
    assert (outcome.reason, outcome.rounds, len(sent)) == ("transport_error", 2, 2)
    assert [call.answered for call in outcome.calls] == ["recorded"]


@EACH
def test_a_whole_call_that_prod_never_made_is_a_finding_even_before_a_cut(api: Api) -> None:
    body = b"".join(api.asks)
    request = {**api.request, "messages": api.request["messages"][:1]}
    cut = Streamed(api.content_type, body[: len(body) - len(api.asks[-1]) - (api.preset == "bedrock")], end="close")
    outcome, sent, answer = ask(api, [cut], copy_of(api, body=js(request)))
    assert answer.note
    assert len(sent) == 1
    assert [(call.answered, call.by_prod) for call in outcome.calls] == [("left", False)]
    assert outcome.findings == {STRANGE_CALLS: 1}
