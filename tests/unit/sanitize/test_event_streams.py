"""Bedrock's answers after redaction: what they say, what was found, and what was wrong with them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane import _core
from shadowlane.score import extract_answer
from shadowlane.types import ToolCall
from tests.support.bodies import chunk, event, eventstream

AMAZON = "application/vnd.amazon.eventstream"
TEXT = "Ich schreibe an jane.doe@example.org und rufe +44 20 7946 0958 an 🌧."
CLEAN = "Ich schreibe an [EMAIL] und rufe [PHONE] an 🌧."
ERROR = ({":message-type": "exception", ":exception-type": "throttlingException"}, {"message": "slow down"})


def sanitized(body: bytes, *, cut: bool = False) -> tuple[bytes, dict[str, int]]:
    headers, clean, counts, _ = _core.Sanitizer().response([(b"content-type", AMAZON.encode())], body, cut)
    assert headers == [(b"content-type", AMAZON.encode())]
    return clean, counts


def converse(pieces: list[str], arguments: list[str]) -> bytes:
    said = [event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in pieces]
    use = {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t1", "name": "mail"}}}
    asked = [
        event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}})
        for piece in arguments
    ]
    usage = {"usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}}
    return eventstream(
        event("messageStart", {"role": "assistant"}),
        *said,
        event("contentBlockStart", use),
        *asked,
        event("messageStop", {"stopReason": "tool_use"}),
        event("metadata", usage),
    )


def cut_up(text: str, places: list[int]) -> list[str]:
    borders = [0, *sorted({place % len(text) for place in places}), len(text)]
    return [text[start:end] for start, end in pairwise(borders)]


@given(st.lists(st.integers(0, 99), max_size=6), st.lists(st.integers(0, 99), max_size=6))
def test_values_are_found_however_the_stream_is_cut(text: list[int], arguments: list[int]) -> None:
    body = converse(cut_up(TEXT, text), cut_up('{"to": "jane.doe@example.org"}', arguments))
    clean, counts = sanitized(body)
    answer = extract_answer(AMAZON, clean)
    assert (answer.text, answer.note, answer.finish_reason) == (CLEAN, "", "tool_use")
    assert answer.tool_calls == (ToolCall(name="mail", arguments='{"to": "[EMAIL]"}', id="t1"),)
    assert answer.usage == {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    assert counts == {"email": 2, "phone": 1}
    assert sanitized(clean) == (clean, {})


def test_a_models_own_events_in_base_64_are_cleaned() -> None:
    body = eventstream(chunk({"outputText": TEXT[:30], "index": 0}), chunk({"outputText": TEXT[30:], "index": 0}))
    clean, counts = sanitized(body)
    assert extract_answer(AMAZON, clean).text == extract_answer(AMAZON, body).text.replace(TEXT, CLEAN)
    assert counts == {"email": 1, "phone": 1}


@pytest.mark.parametrize("fault", ["cut in a frame", "cut between frames", "checksum", "prelude", "exception"])
def test_what_is_wrong_with_a_stream_is_told_after_redaction_too(fault: str) -> None:
    first = eventstream(chunk({"outputText": "one ", "index": 0}))
    second = eventstream(chunk({"outputText": "jane.doe@example.org", "index": 0}))
    flipped = {"checksum": len(second) - 1, "prelude": 9}
    damaged = bytearray(second)
    if fault in flipped:
        damaged[flipped[fault]] ^= 1
    body = {
        "cut in a frame": first + second[:-3],
        "cut between frames": first,
        "exception": first + eventstream(ERROR),
    }.get(fault, first + bytes(damaged))
    clean, counts = sanitized(body, cut=fault.startswith("cut"))
    told, kept = extract_answer(AMAZON, body), extract_answer(AMAZON, clean)
    assert told.note
    assert (kept.note, kept.text) == (told.note, told.text)
    assert counts == {}
    assert b"jane" not in clean
