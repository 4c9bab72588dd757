"""Answers in pieces as services cut them: calls without a number, halves of characters, arrays without an end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.providers import extract_answer
from shadowlane.types import Answer
from tests.support.bodies import JSON, SSE


def stream(*events: Any, done: bool = True) -> Answer:
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + ("data: [DONE]\n\n" if done else "")
    return extract_answer(SSE, body.encode())


def delta(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"tool_calls": list(calls), **more}}]}


def call(name: str = "", arguments: str | None = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value}
    return {"type": "function", "function": function, **more}


def made(answer: Answer) -> list[tuple[str, str]]:
    return [(one.name, one.arguments) for one in answer.tool_calls]


TWO = [("weather", '{"city":"Oslo"}'), ("weather", '{"city":"Rome"}')]


@pytest.mark.parametrize(
    "events",
    [
        # every call is number 0, each with an identifier of its own
        [
            delta(call("weather", '{"city":', index=0, id="a")),
            delta(call("", '"Oslo"}', index=0)),
            delta(call("weather", '{"city":"Rome"}', index=0, id="b")),
        ],
        # number 0 and no identifier: a name where the arguments are whole
        [delta(call("weather", '{"city":"Oslo"}', index=0)), delta(call("weather", '{"city":"Rome"}', index=0))],
        # no number
        [
            delta(call("weather", id="a")),
            delta(call("", '{"city":"Oslo"}')),
            delta(call("weather", id="b")),
            delta(call("", '{"city":"Rome"}')),
        ],
        # no number, both in one event
        [delta(call("weather", '{"city":"Oslo"}', id="a"), call("weather", '{"city":"Rome"}', id="b"))],
        [delta(call("weather", '{"city":"Oslo"}'), call("weather", '{"city":"Rome"}'))],
        # as the API documents it, the pieces of both interleaved
        [
            delta(call("weather", index=0, id="a"), call("weather", index=1, id="b")),
            delta(call("", '{"city":"Oslo"}', index=0), call("", '{"city":"Rome"}', index=1)),
        ],
        # the identifier and the name again in every piece
        [
            delta(call("weather", '{"city":', index=0, id="a")),
            delta(call("weather", '"Oslo"}', index=0, id="a")),
            delta(call("weather", '{"city":"Rome"}', index=1, id="b")),
        ],
    ],
)
def test_parallel_calls_are_told_apart_whatever_their_numbers(events: list[Any]) -> None:
    assert made(stream(*events)) == TWO


@pytest.mark.parametrize("numbers", [(0, 0), (None, None), (0, 1), (7, 7)])
def test_calls_of_a_whole_answer(numbers: tuple[Any, Any]) -> None:
    calls = [
        call(name, arguments, id=f"c{place}", **({} if number is None else {"index": number}))
        for place, ((name, arguments), number) in enumerate(zip(TWO, numbers, strict=True))
    ]
    body = {"object": "chat.completion", "choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
    assert made(extract_answer(JSON, json.dumps(body).encode())) == TWO


def text_event(raw: str) -> bytes:
    """One event whose JSON is written by hand: halves of a character stand in it as escapes."""
    return f'data: {{"choices":[{{"index":0,"delta":{{"content":"{raw}"}}}}]}}\n\n'.encode()


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["Hi \\ud83d", "\\ude00!"], "Hi 😀!"),
        (["\\ud83d", "\\ude00\\ud83d", "\\ude00"], "😀😀"),
        (["a\\ud83d", "b"], "a\ufffdb"),
        (["\\ude00", "\\ud83d"], "\ufffd\ufffd"),
        (["𠮷 \\ud842", "\\udfb7"], "𠮷 𠮷"),
    ],
)
def test_halves_of_a_character_in_two_pieces_are_one(pieces: list[str], text: str) -> None:
    body = b"".join(map(text_event, pieces)) + b"data: [DONE]\n\n"
    assert extract_answer(SSE, body).text == text


def test_halves_in_the_arguments_of_a_call_and_in_other_services_streams() -> None:
    halves = ["\\ud83d", "\\ude00"]
    events = [
        f'{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{half}"}}}}' for half in halves
    ]
    body = "".join(f"data: {event}\n\n" for event in [*events, '{"type":"message_stop"}'])
    assert extract_answer(SSE, body.encode()).text == "😀"
    lines = [f'{{"message":{{"content":"{half}"}},"done":false}}' for half in halves]
    assert extract_answer("", "\n".join([*lines, '{"done":true,"response":""}']).encode()).text == "😀"
    events = [
        f'{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"name":"say","arguments":"{half}"}}}}]}}}}]}}'
        for half in halves
    ]
    body = "".join(f"data: {event}\n\n" for event in events)
    assert made(extract_answer(SSE, body.encode())) == [("say", "😀")]


@given(st.text(alphabet=st.characters(codec="utf-16"), max_size=12), st.integers(1, 4))
def test_any_text_cut_at_any_half_is_whole_again(text: str, size: int) -> None:
    units = [f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16-le")).cast("H")]
    pieces = ["".join(units[at : at + size]) for at in range(0, len(units), size)]
    body = b"".join(map(text_event, pieces)) + b"data: [DONE]\n\n"
    expected = extract_answer(SSE, text_event(json.dumps(text)[1:-1]) + b"data: [DONE]\n\n").text
    assert extract_answer(SSE, body).text == expected


@pytest.mark.parametrize("last", [{"choices": None}, {"choices": []}, {}])
def test_a_last_chunk_of_usage_alone_is_read(last: dict[str, Any]) -> None:
    answer = stream(
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Oslo"}}]},
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**last, "object": "chat.completion.chunk", "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    )
    assert (answer.text, answer.note) == ("Oslo", "")
    if last:
        assert answer.usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def test_an_answer_whose_choices_are_null_says_so() -> None:
    body = {"id": "x", "object": "chat.completion", "choices": None, "usage": {"prompt_tokens": 3}}
    answer = extract_answer(JSON, json.dumps(body).encode())
    assert (answer.kind, answer.text, answer.usage) == ("openai.chat", "", {"input_tokens": 3})
    assert answer.note


def gemini(text: str, finish: str = "") -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, **({"finishReason": finish} if finish else {})}]}


def test_an_array_of_chunks_that_ends_too_early_keeps_what_came() -> None:
    whole = json.dumps([gemini("The capital "), gemini("is Oslo. "), gemini("It lies in Norway.", "STOP")], indent=1)
    assert extract_answer(JSON, whole.encode()).text == "The capital is Oslo. It lies in Norway."
    starts = [whole.index('{\n  "candidates"', at) for at in (0, whole.index("capital"), whole.index("Oslo"))]
    for cut in range(starts[1], len(whole) - 1):
        answer = extract_answer(JSON, whole[:cut].encode())
        assert answer.kind == "gemini"
        assert answer.text.startswith("The capital ")
        assert answer.text in "The capital is Oslo. It lies in Norway."
        assert answer.note, "it must not count as whole"


@pytest.mark.parametrize("body", ['[{"a":1},{"b', "[1, 2, ", '["x", "y'])
def test_a_cut_array_of_anything_else_is_not_guessed_at(body: str) -> None:
    answer = extract_answer(JSON, body.encode())
    assert (answer.text, answer.note.startswith("not JSON")) == ("", True)
