"""Streams: the answer of the whole, wherever the bytes were cut; cut and broken streams say so."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.providers import extract_answer
from shadowlane.providers.reading.sse import SseDecoder, parse_sse
from shadowlane.types import Citation
from tests.support.answers import STREAMS
from tests.support.bodies import JSON, SSE, chunk, eventstream, js, openai_chat, openai_chunk, sse


@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
@pytest.mark.parametrize("content_type", [SSE, JSON, ""])
def test_streams_whatever_the_header_says(content_type: str, body: bytes, expected: dict[str, Any]) -> None:
    answer = extract_answer(content_type, body)
    assert {name: getattr(answer, name) for name in expected} == expected


TEXT_STREAM = STREAMS[0][1]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_comments_and_byte_order_mark(end: str) -> None:
    body = TEXT_STREAM.decode().replace("\n", end).encode()
    noisy = b"\xef\xbb\xbf: keep-alive" + end.encode() * 2 + b"retry: 10" + end.encode() + body
    assert extract_answer(SSE, noisy) == extract_answer(SSE, TEXT_STREAM)


def test_a_cut_stream_keeps_its_text_and_says_so() -> None:
    answer = extract_answer(SSE, TEXT_STREAM[: TEXT_STREAM.index(b"kald") + 2])
    assert answer.text == "Oslo er "
    assert answer.note == "the stream ended before its end mark: the text is what came"


KNOWN_STREAMS = [row[:2] for row in STREAMS if row[2].get("kind") != "stream"]


@pytest.mark.parametrize(("name", "body"), KNOWN_STREAMS, ids=[row[0] for row in KNOWN_STREAMS])
def test_every_known_stream_is_flagged_when_its_first_half_is_all(name: str, body: bytes) -> None:
    whole = extract_answer("", body)
    part = extract_answer("", body[: len(body) // 2])
    assert not whole.note, name
    assert part.note, name
    assert whole.text.startswith(part.text)


def test_an_error_in_mid_stream_is_noted_and_the_text_kept() -> None:
    body = sse(openai_chunk({"content": "Oslo"}), {"error": {"message": "overloaded"}}, done=False)
    answer = extract_answer(SSE, body)
    assert answer.text == "Oslo"
    assert "error in mid-stream: overloaded" in answer.note


def test_an_anthropic_error_event_is_noted() -> None:
    body = sse(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Os"}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        named=True,
        done=False,
    )
    answer = extract_answer(SSE, body)
    assert answer.text == "Os"
    assert "error in mid-stream: Overloaded" in answer.note


def test_a_bedrock_exception_is_noted() -> None:
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    body = eventstream(chunk({"outputText": "co", "index": 0}), (headers, {"message": "slow down"}))
    answer = extract_answer("", body)
    assert answer.text == "co"
    assert "error in mid-stream: throttlingException: slow down" in answer.note


def test_a_damaged_event_stream_keeps_what_came_before() -> None:
    whole = eventstream(chunk({"outputText": "co", "index": 0}), chunk({"outputText": "ld", "index": 0}))
    first = len(eventstream(chunk({"outputText": "co", "index": 0})))
    damaged = bytearray(whole)
    damaged[first] ^= 0xFF
    answer = extract_answer("", bytes(damaged))
    assert answer.text == "co"
    assert "message 2 of the event stream is damaged" in answer.note


@given(st.lists(st.integers(0, len(TEXT_STREAM)), max_size=8))
def test_chunk_borders_do_not_matter(cuts: list[int]) -> None:
    body = TEXT_STREAM.replace(b"\n", b"\r\n")
    borders = [0, *sorted(cuts), len(body)]
    decoder = SseDecoder()
    events = [event for start, end in pairwise(borders) for event in decoder.feed(body[start:end])]
    assert [*events, *decoder.close()] == parse_sse(body)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=6))
def test_any_pieces_make_the_text_of_the_whole(pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = extract_answer(JSON, js(openai_chat({"content": text})))
    chunks = [openai_chunk({"content": piece}) for piece in pieces]
    streamed = extract_answer(SSE, sse(*chunks, openai_chunk({}, "stop")))
    assert streamed.text == whole.text
    assert streamed.finish_reason == whole.finish_reason == "stop"


def test_pointers_in_a_stream() -> None:
    body = sse({"d": {"t": "Co"}}, {"d": {"t": "ld."}, "refs": [{"snippet_id": "s1"}]})
    answer = extract_answer(SSE, body, text_pointer="/d/t", citations_pointer="/refs")
    assert answer.text == "Cold."
    assert answer.citations == (Citation(snippet_id="s1"),)
