"""Anything at all: no bytes and no JSON raise, and no answer is empty without a reason."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.providers import extract_answer, extract_vectors
from tests.support.answers import ERRORS, STREAMS, WHOLE
from tests.support.bodies import JSON, SSE, js, sse

SEEDS = [js(row[1]) for row in WHOLE] + [row[1] for row in STREAMS] + [js(body) for body, _ in ERRORS]


@settings(max_examples=300)
@given(
    st.sampled_from(["", JSON, SSE, "text/html", "text/plain; charset=nope", "image/png", "application/x-ndjson"]),
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda seed, at, put: seed[: at % (len(seed) + 1)] + put + seed[at % (len(seed) + 1) :],
            st.sampled_from(SEEDS),
            st.integers(0, 10_000),
            st.binary(max_size=8),
        ),
        st.builds(lambda head, tail: head + tail, st.sampled_from([b"\x1f\x8b\x08", b"data: ", b"<p>"]), st.binary()),
    ),
)
def test_nothing_raises_and_nothing_is_silent(content_type: str, body: bytes) -> None:
    answer = extract_answer(content_type, body, text_pointer="", citations_pointer="/citations")
    assert answer.text.strip() or answer.tool_calls or answer.note
    assert answer.kind != "unreadable"
    json.dumps([answer.text, answer.note]).encode()
    (answer.text + answer.note + answer.model).encode()  # no lone surrogates
    extract_vectors(body)


NAMES = sorted(
    {"choices", "message", "delta", "content", "text", "type", "index", "output", "candidates", "parts", "usage"}
    | {"results", "data", "embedding", "error", "citations", "finish_reason", "tool_calls", "function", "token"}
    | {"generations", "predictions", "status", "input", "urls", "done", "response", "completion", "stop_reason"}
    | {"object", "metadata", "groundingMetadata", "item", "event_type", "jsonrpc", "result", "embeddings", "event"}
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=500)
@given(ANY_JSON)
def test_no_json_raises(value: Any) -> None:
    body = js(value)
    for data in (body, sse(value, done=False), b"data: " + body + b"\n\n", body + b"\n" + body):
        answer = extract_answer(JSON, data)
        assert answer.kind != "unreadable", answer.note
        assert answer.text.strip() or answer.tool_calls or answer.note
