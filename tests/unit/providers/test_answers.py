"""Answers of every shape: the right text, calls, citations and counts; or a note that says why there are none."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import numpy as np
import pytest

from shadowlane.providers import MAX_INFLATED, extract_answer, extract_vectors
from shadowlane.types import Answer
from tests.support.answers import ERRORS, WHOLE
from tests.support.bodies import JSON, SSE, js, openai_chat
from tests.support.exchanges import data_folder, exchanges, recorded_body


@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_whole_bodies(body: Any, expected: dict[str, Any]) -> None:
    answer = extract_answer(JSON, js(body))
    assert {name: getattr(answer, name) for name in expected} == expected
    assert bool(answer.text.strip() or answer.tool_calls or answer.note)


@pytest.mark.parametrize("content_type", ["", "text/plain", SSE, "application/x-ndjson", "text/html"])
@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in WHOLE[:3]], ids=[row[0] for row in WHOLE[:3]])
def test_the_content_type_is_only_a_hint(content_type: str, body: Any, expected: dict[str, Any]) -> None:
    answer = extract_answer(content_type, js(body))
    assert {name: getattr(answer, name) for name in expected} == expected


@pytest.mark.parametrize(("body", "message"), ERRORS)
def test_errors_are_explained(body: Any, message: str) -> None:
    answer = extract_answer(JSON, js(body))
    assert (answer.kind, answer.text, answer.note) == ("error", "", message)


def test_a_prompt_that_azure_filters_is_a_refusal() -> None:
    answer = extract_answer(JSON, js({"error": {"message": "filtered", "code": "content_filter"}}))
    assert answer.refusal
    assert answer.note == "filtered"


def test_json_that_is_not_quite() -> None:
    assert extract_answer(JSON, b'{"answer":"a","answer":"b"}').text == "b"
    assert extract_answer(JSON, b'{"answer":"a\\ud800b","score":NaN}').text == "a\ufffdb"
    assert extract_answer(JSON, '\ufeff{"answer":"a"}'.encode()).text == "a"
    assert extract_answer(JSON, '{"answer":"é"}'.encode("utf-16")).text == "é"
    assert extract_answer(JSON, b"[" * 100_000).note == "JSON nested too deep"


def test_json_cut_in_the_middle_says_where() -> None:
    answer = extract_answer(JSON, js(openai_chat({"content": "Oslo"}))[:-30])
    assert answer.text == ""
    assert answer.note.startswith("not JSON: ")


@pytest.mark.parametrize(
    ("pointer", "text"),
    [
        ("/data/0/say", "Cold."),
        ("/data/0/lines", "a\nb"),
        ("/data/0/n", "3"),
        ("/a~1b/c~0d", "x"),
        ("/data/0", '{"lines":["a","b"],"n":3,"say":"Cold."}'),
    ],
)
def test_text_pointer(pointer: str, text: str) -> None:
    body = js({"data": [{"say": "Cold.", "lines": ["a", "b"], "n": 3}], "a/b": {"c~d": "x"}, "answer": "other"})
    assert extract_answer(JSON, body, text_pointer=pointer).text == text


def test_a_pointer_that_finds_nothing_says_so() -> None:
    answer = extract_answer(JSON, js({"answer": "Cold."}), text_pointer="/reply")
    assert answer.text == ""
    assert answer.note == "text_pointer '/reply' finds nothing in this answer"


def test_html_becomes_text() -> None:
    page = """<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
    <script>var x = "<p>no</p>";</script><h1>Oslo&nbsp;today</h1><p>It is
    <b>cold</b> &amp; dark.</p><ul><li>one</li><li>two</li></ul></body></html>"""
    answer = extract_answer("text/html; charset=utf-8", page.encode())
    assert (answer.kind, answer.text) == ("html", "Oslo today\nIt is cold & dark.\none\ntwo")


def test_text_by_its_charset() -> None:
    answer = extract_answer("text/plain; charset=iso-8859-1", "Blåbær".encode("latin-1"))
    assert (answer.kind, answer.text) == ("text", "Blåbær")


def test_what_holds_no_text_says_so() -> None:
    assert extract_answer("", b"").note == "the body is empty"
    assert extract_answer("image/png", b"\x89PNG\r\n\x1a\n" + bytes(40)).note == "48 bytes of image/png hold no text"


SQUEEZED = {  # as the brotli package and the zstd command write them
    "br": "0b18807b2263686f69636573223a205b7b226d657373616765223a207b22636f6e74656e74223a202268c3a96c6c6f227d7d5d7d03",
    "zstd": "28b52ffd24318901007b2263686f69636573223a205b7b226d657373616765223a207b22636f6e74656e74223a2022"
    "68c3a96c6c6f227d7d5d7d54dbc574",
}


def test_compressed_bodies_are_undone() -> None:
    body = js(openai_chat({"content": "Cold."}))
    assert extract_answer(JSON, gzip.compress(body)).text == "Cold."
    assert extract_answer(JSON, zlib.compress(body)).text == "Cold."
    for coding, data in SQUEEZED.items():
        answer = extract_answer(JSON, bytes.fromhex(data))
        assert (answer.text, answer.note) == ("héllo", ""), coding


def test_what_is_inflated_stays_within_bounds() -> None:
    assert "gzip body is damaged" in extract_answer(JSON, b"\x1f\x8b" + bytes(20)).note
    assert "zstd body is damaged" in extract_answer(JSON, b"\x28\xb5\x2f\xfd" + bytes(9)).note
    bomb = gzip.compress(b" " * (MAX_INFLATED + 1_000))
    assert f"longer than {MAX_INFLATED} bytes" in extract_answer("text/plain", bomb).note
    cut = gzip.compress(bytes(range(97, 123)) * 40)[:-9]
    assert "gzip body is cut" in extract_answer("text/plain", cut).note


ROWS = [[1.0, -2.5], [0.0, 3.0]]
PACKED = [base64.b64encode(np.array(row, "<f4").repeat(4).tobytes()).decode() for row in ROWS]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("openai.embeddings", {"object": "list", "data": [{"embedding": row} for row in ROWS], "model": "e"}),
        ("ollama.embeddings", {"embeddings": ROWS}),
        ("cohere.embeddings", {"id": "1", "embeddings": {"float": ROWS}, "meta": {}}),
        ("gemini.embeddings", {"embeddings": [{"values": row} for row in ROWS]}),
        ("vertex.embeddings", {"predictions": [{"embeddings": {"values": row}} for row in ROWS]}),
        ("huggingface.embeddings", ROWS),
    ],
)
def test_embeddings(kind: str, body: Any) -> None:
    answer = extract_answer(JSON, js(body))
    assert (answer.kind, answer.text) == (kind, "")
    assert answer.note == "embeddings hold no text: they are compared as vectors"
    vectors = extract_vectors(js(body))
    assert vectors is not None
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array(ROWS, np.float32))


def test_embeddings_in_base64_and_those_that_are_none() -> None:
    packed = js({"object": "list", "data": [{"embedding": text} for text in PACKED]})
    vectors = extract_vectors(packed)
    assert vectors is not None
    np.testing.assert_array_equal(vectors, np.array(ROWS, np.float32).repeat(4, axis=1))
    assert extract_vectors(js({"data": [{"embedding": [1.0]}, {"embedding": [1.0, 2.0]}]})) is None
    assert extract_vectors(js(openai_chat({"content": "x"}))) is None
    assert extract_answer(JSON, js({"embedding": "ada-002", "dim": 3})).kind == "json"


def _extract(exchange: dict[str, Any]) -> Answer:
    headers = exchange["response"]["headers"]
    return extract_answer(str(headers.get("content-type") or ""), recorded_body(exchange))


def test_every_recorded_exchange_is_answered_or_explained() -> None:
    silent, unknown = [], []
    for exchange in exchanges():
        answer = _extract(exchange)
        if not (answer.text.strip() or answer.tool_calls or answer.note):
            silent.append(exchange["id"])
        path = exchange["request"]["uri"].split("?")[0]
        speaks = path.endswith(("/chat/completions", "/v1/messages", "/v1/responses", "/chat", "/invoke", "/converse"))
        if speaks and exchange["response"]["status"] == 200 and answer.kind in ("json", "text", "unreadable"):
            unknown.append((exchange["id"], answer.kind))
    assert silent == []
    assert unknown == []


def test_recorded_answers_have_the_recorded_texts() -> None:
    path = data_folder() / "same_question_answers.jsonl.gz"
    known_exchanges = {exchange["id"]: exchange for exchange in exchanges()}
    if not path.exists():
        pytest.skip(f"no recorded answers at {path}: set SHADOWLANE_DATA to the folder that holds them")
    checked = 0
    with gzip.open(path) as lines:
        for line in lines:
            for known in json.loads(line)["answers"]:
                if known["id"] in known_exchanges:
                    assert " ".join(known["answer"].split()) in " ".join(
                        _extract(known_exchanges[known["id"]]).text.split()
                    )
                    checked += 1
    assert checked >= 20
