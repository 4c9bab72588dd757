"""Applications and protocols above the models: Dify, A2A, Vercel's AI SDK, Vertex AI Search, LangServe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadowlane.providers import extract_answer
from tests.support.applications import APPLICATIONS, STREAMS
from tests.support.bodies import JSON, SSE, USAGE, js


@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in APPLICATIONS], ids=[row[0] for row in APPLICATIONS])
def test_whole_bodies(body: Any, expected: dict[str, Any]) -> None:
    answer = extract_answer(JSON, js(body))
    assert {name: getattr(answer, name) for name in expected} == expected


@pytest.mark.parametrize(("events", "expected"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_streams(events: list[Any], expected: dict[str, Any]) -> None:
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    answer = extract_answer(SSE, body.encode())
    assert {name: getattr(answer, name) for name in expected} == expected


@pytest.mark.parametrize(("events", "expected"), [row[1:] for row in STREAMS[:3]], ids=[row[0] for row in STREAMS[:3]])
def test_a_stream_that_is_cut_says_so(events: list[Any], expected: dict[str, Any]) -> None:
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events[:-1])
    assert "before its end mark" in extract_answer(SSE, body.encode()).note


PARTS = [
    'f:{"messageId":"m"}',
    'g:"hm"',
    'b:{"toolCallId":"t1","toolName":"weather"}',
    'c:{"toolCallId":"t1","argsTextDelta":"{\\"city\\":"}',
    '9:{"toolCallId":"t1","toolName":"weather","args":{"city":"Oslo"}}',
    'a:{"toolCallId":"t1","result":{"degrees":-8}}',
    'e:{"finishReason":"tool-calls","usage":{"promptTokens":9,"completionTokens":9},"isContinued":false}',
    'h:{"sourceType":"url","id":"s","url":"https://h.example/oslo"}',
    '0:"Oslo is "',
    '0:"cold.\\ud83d"',
    '0:"\\ude00"',
    'd:{"finishReason":"stop","usage":{"promptTokens":7,"completionTokens":5}}',
]


@pytest.mark.parametrize("content_type", ["", "text/plain; charset=utf-8"])
def test_the_data_stream_of_older_releases(content_type: str) -> None:
    answer = extract_answer(content_type, ("\n".join(PARTS) + "\n").encode())
    assert (answer.kind, answer.text, answer.finish_reason, answer.note) == ("vercel.ai", "Oslo is cold.😀", "stop", "")
    assert [(call.name, call.arguments, call.id) for call in answer.tool_calls] == [
        ("weather", '{"city":"Oslo"}', "t1")
    ]
    assert [one.source_url for one in answer.citations] == ["https://h.example/oslo"]
    assert answer.usage == USAGE
    assert "before its end mark" in extract_answer(content_type, "\n".join(PARTS[:-1]).encode()).note
    failed = extract_answer(content_type, b'0:"Oslo"\n3:"overloaded"\nd:{"finishReason":"error"}\n')
    assert (failed.text, failed.note) == ("Oslo", "error in mid-stream: overloaded")


@pytest.mark.parametrize("text", ["3:2", "0: nothing", "a:b", "1:1\n2:2", 'e:"x"\nf', "12:30 is late", '{"0":"x"}'])
def test_text_with_colons_is_text(text: str) -> None:
    assert extract_answer("text/plain", text.encode()).kind in ("text", "json")


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "start"}, {"type": "token", "content": "Oslo"}, {"type": "finish"}],
        [{"event": "message", "data": "Oslo"}],
        [{"message": {"text": "Oslo"}}],
        [{"status": {"state": "working"}}, {"token": "Oslo"}],
    ],
)
def test_streams_that_use_the_same_words_are_not_taken_for_them(events: list[Any]) -> None:
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    answer = extract_answer(SSE, body.encode())
    assert (answer.kind, answer.text) == ("stream", "Oslo")
