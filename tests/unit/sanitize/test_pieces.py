"""Values cut over events, elements and parts: what redaction and reader make of them together, up to every column."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import shadowlane
from shadowlane import _core
from shadowlane.config import PinConfig, ScoreConfig
from shadowlane.providers.cleaning import cleaned, read_answer, use_rules
from shadowlane.providers.compiled import compiled_answer
from shadowlane.providers.question import find_question, shown_question
from shadowlane.providers.refusals import refused_words
from shadowlane.score import Scorer, extract_answer
from shadowlane.store.columns import BODY_TABLE, PAIR_TABLE
from shadowlane.types import Answer, Citation, Copy, Headers, Outcome, Pair, ToolCall

MAIL = "carol.jones88@mail.example"
VALUES = {
    MAIL: "[EMAIL]",
    "4012 8888 8888 1881": "[PAYMENT_CARD]",
    "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8": "[GITHUB_TOKEN]",
}
FIELDS = ("answer", "chunk", "data", "message", "output", "piece", "reply", "result", "summary", "translation", "delta")
TYPES = ("application/json", "text/event-stream", "application/x-ndjson", "text/plain", "text/html", "")
Frame = Callable[[str, Sequence[str]], str]
FRAMES: dict[str, Frame] = {
    "events": lambda field, pieces: "".join(f"data: {json.dumps({field: piece})}\n\n" for piece in pieces),
    "lines": lambda field, pieces: "".join(f"{json.dumps({field: piece})}\n" for piece in pieces),
    "joined": lambda field, pieces: "".join(json.dumps({field: piece}) for piece in pieces),
    "records": lambda field, pieces: "".join(f"\x1e{json.dumps({field: piece})}\n" for piece in pieces),
    "bare events": lambda _, pieces: "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces),
    "bare lines": lambda _, pieces: "".join(f"{json.dumps(piece)}\n" for piece in pieces),
    "plain events": lambda _, pieces: "".join(f"data: {piece}\n\n" for piece in pieces),
    "coded lines": lambda _, pieces: "".join(f"0:{json.dumps(piece)}\n" for piece in pieces),
    "gemini": lambda _, pieces: json.dumps(
        [{"candidates": [{"content": {"parts": [{"text": piece}]}, "index": 0}]} for piece in pieces], indent=1
    ),
    "chat": lambda _, pieces: "".join(
        f"data: {json.dumps({'choices': [{'delta': {'content': piece}, 'index': 0}]})}\n\n" for piece in pieces
    ),
    "parts": lambda _, pieces: json.dumps({"content": [{"type": "text", "text": piece} for piece in pieces]}),
}


def response(body: str, kind: str, rules: dict[str, Any] | None = None) -> tuple[Headers, bytes]:
    declared: Headers = ((b"content-type", kind.encode()),) if kind else ()
    kept, clean, _, note = _core.Sanitizer(rules).response(declared, body.encode(), False)
    assert not note
    return tuple(kept), clean


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("kind", TYPES)
def test_what_is_read_holds_no_value_however_it_came(frame: str, kind: str) -> None:
    number = 0
    for value, label in VALUES.items():
        text = f"It is {value} she said"
        for cut in range(7, 6 + len(value)):
            number += 1
            field = FIELDS[number % len(FIELDS)]
            body = ("\ufeff" if number % 3 == 0 else "") + FRAMES[frame](field, [text[:cut], text[cut:]])
            _, clean = response(body, kind)
            answer = extract_answer(kind, clean)
            assert squeezed(value) not in squeezed(clean.decode())
            assert squeezed(answer.text) == squeezed(text.replace(value, label)), (body, clean)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.sampled_from(sorted(FRAMES)), st.sampled_from(TYPES))
def test_reader_and_redaction_cut_a_body_at_the_same_bytes(sizes: list[int], frame: str, kind: str) -> None:
    text, pieces = f"It is {MAIL} she said", []
    while text:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[:size])
        text = text[size:]
    _, clean = response(FRAMES[frame]("answer", pieces), kind)
    answer = extract_answer(kind, clean)
    assert squeezed(answer.text) == "Itis[EMAIL]shesaid"
    # A stream of plain text may begin with a blank, which is the standard's and not the text's.
    assert response(clean.decode(), kind)[1] == clean


class Recorder:
    """An embedder that keeps what it is asked, and tells texts apart by their length."""

    name, dim = "recorder@1", 8

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += texts
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        rows[np.arange(len(texts)), [len(text) % self.dim for text in texts]] = 1
        return rows

    def close(self) -> None:
        """Nothing is open."""


def planted(text: str = f"I am {MAIL}, and who are you there today?") -> bytes:
    """A chat answer that says a value wherever an answer can say something."""
    source = {"id": MAIL, "url": f"https://docs.example/{MAIL}", "title": MAIL, "text": text, "snippet_id": MAIL}
    return json.dumps(
        {
            "object": "chat.completion",
            "model": f"m {MAIL}",
            "system_fingerprint": f"fp {MAIL}",
            "index_hash": f"i {MAIL}",
            "build": f"b {MAIL}",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": f"stop {MAIL}",
                    "message": {
                        "content": text,
                        "tool_calls": [
                            {"id": MAIL, "type": "function", "function": {"name": f"n {MAIL}", "arguments": text}}
                        ],
                        "annotations": [{"type": "url_citation", "url_citation": source}],
                    },
                }
            ],
            "citations": [source],
            "sources": [source],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
        }
    ).encode()


ASKED = json.dumps(
    {"messages": [{"role": "user", "content": f"My mail is {MAIL}"}, {"role": "user", "content": f"So {MAIL}?"}]}
)
JSON: Headers = ((b"content-type", b"application/json"),)
# What the core sanitized as it is, and what is no text of an exchange; everything else is read out of bodies.
AS_SANITIZED = frozenset(
    {"request_headers", "request_body", "prod_headers", "prod_body", "shadow_headers", "shadow_body"}
)


def pair(prod: bytes, shadow: bytes, status: int = 200) -> Pair:
    copy = Copy(
        shadow_id="0190a8f0-0000-7000-8000-000000000001",
        req_hash="0" * 32,
        started_ns=1,
        method="POST",
        target="/v1/chat/completions",
        headers=JSON,
        body=ASKED.encode(),
        status=200,
        response_headers=JSON,
        response_body=prod,
        preset="openai",
    )
    detail = refused_words(status, JSON, shadow)
    return Pair(copy=copy, outcome=Outcome(shadow="candidate", status=status, headers=JSON, body=shadow, detail=detail))


def columns(pair: Pair) -> Iterator[tuple[str, str]]:
    """Every column of a pair's rows as text, but for :data:`AS_SANITIZED`."""
    for column in (*PAIR_TABLE, *BODY_TABLE):
        if column.name in AS_SANITIZED:
            continue
        value = column.write(pair)
        if isinstance(value, bytes):
            value = value.decode()
        yield column.name, str(value)


PAIRS = {
    "chat": (planted(), planted("I was " + MAIL + ", and you are nobody here at all."), 200),
    "error": (
        planted(),
        json.dumps({"error": {"message": f"no {MAIL} here", "type": MAIL, "code": MAIL}}).encode(),
        404,
    ),
    "json": (
        json.dumps({"rows": [{"a": f"x {MAIL}"}], "answer": f"it is {MAIL}"}).encode(),
        json.dumps({"rows": [{"a": f"y {MAIL}", "b": MAIL}], "answer": f"it was {MAIL}"}).encode(),
        200,
    ),
    "stream": (
        "".join(
            f"data: {json.dumps({'answer': part})}\n\n" for part in ("I am carol.jo", "nes88@mail.exam", "ple")
        ).encode(),
        "".join(
            f"data: {json.dumps({'token': part})}\n\n" for part in ("You are carol", ".jones88@", "mail.example")
        ).encode(),
        200,
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_no_column_and_no_embedder_gets_what_was_not_looked_at_again(kind: str) -> None:
    """Bodies as no drain would give them, with the value in every text: whatever a column reads of them is clean."""
    prod, shadow, status = PAIRS[kind]
    embedder = Recorder()
    pins = {name: PinConfig(read="body:/build", of=name) for name in ("prod", "shadow")}  # type: ignore[arg-type]
    scorer = Scorer(ScoreConfig(), embedder=embedder, pins=pins)
    scored = scorer.score([pair(prod, shadow, status)])[0]
    assert "[EMAIL]" in scored.prod_text
    for name, value in columns(scored):
        assert MAIL not in value, f"column {name} holds what was read out of a body and not cleaned: {value}"
    assert not any(MAIL in text for text in embedder.texts)
    assert status >= 400 or embedder.texts


def test_questions_and_refusals_are_looked_at_again() -> None:
    copy = pair(b"{}", b"{}").copy
    found = find_question(copy)
    assert shown_question(copy) == "So [EMAIL]?"
    assert found is not None
    assert found.text == "My mail is [EMAIL]\nSo [EMAIL]?"
    assert refused_words(500, (), f"broken by {MAIL}".encode()) == "broken by [EMAIL]"


def test_every_text_of_a_record_is_cleaned_and_nothing_else_changes() -> None:
    answer = Answer(
        text=f"a {MAIL}",
        citations=(Citation(snippet_id=MAIL, source_url=f"https://x.example/{MAIL}", score=0.5, offsets=(1, 2)),),
        tool_calls=(ToolCall(name="mail", arguments=json.dumps({"to": MAIL, "n": 3}), id="t1"),),
        usage={"input_tokens": 3},
        kind="openai.chat",
    )
    clean = cleaned(answer)
    assert clean.text == "a [EMAIL]"
    assert (clean.citations[0].snippet_id, clean.citations[0].score, clean.citations[0].offsets) == (
        "[EMAIL]",
        0.5,
        (1, 2),
    )
    assert json.loads(clean.tool_calls[0].arguments) == {"to": "[EMAIL]", "n": 3}
    assert (clean.usage, clean.kind, clean.tool_calls[0].id) == ({"input_tokens": 3}, "openai.chat", "t1")
    harmless = Answer(text="plain words", citations=(Citation(snippet_id="doc-1"),))
    assert cleaned(harmless) is harmless


def test_the_rules_of_the_lane_are_those_that_texts_are_read_by() -> None:
    body = json.dumps({"answer": f"{MAIL} has E-123456"}).encode()
    rules = {"rules": [{"kind": "employee", "pattern": r"\bE-\d{6}\b"}], "allow_values": [MAIL]}
    use_rules(_core.Sanitizer(rules).again)
    try:
        assert read_answer((), body).text == f"{MAIL} has [EMPLOYEE]"
    finally:
        use_rules(None)
    assert read_answer((), body).text == "[EMAIL] has E-123456"


SPLIT = ["jane.doe", "@example.org"]


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"Ask {MAIL} or jane.doe@example.org."},
        {"content": [{"type": "text", "text": part} for part in SPLIT]},
        {
            "content": "See [1].",
            "annotations": [{"type": "url_citation", "url_citation": {"url": f"https://a.b/{MAIL}"}}],
        },
        {
            "content": None,
            "tool_calls": [{"id": MAIL, "function": {"name": MAIL, "arguments": json.dumps({"to": MAIL})}}],
        },
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_cleaned_where_it_is_read_is_what_is_cleaned_behind_it(
    message: dict[str, object], stream: bool
) -> None:
    choice = {"index": 0, "delta" if stream else "message": message, "finish_reason": f"by {MAIL}"}
    value = {"model": MAIL, "system_fingerprint": f"fp {MAIL}", "choices": [choice]}
    body = json.dumps(value).encode()
    if stream:
        body = b"data: " + body + b"\n\ndata: [DONE]\n\n"
    sanitizer = _core.Sanitizer()
    assert compiled_answer("", body) is not None
    use_rules(sanitizer.again)
    try:
        behind = read_answer((), body)
        use_rules(sanitizer.again, core=sanitizer)
        assert read_answer((), body) == behind
    finally:
        use_rules(None)
    assert read_answer((), body) == behind
    assert MAIL not in repr(behind)
    assert "[EMAIL]" in behind.model


# Who may read a body without cleaning: the public function, and the worker's transport and meter, which need the calls
# as they were made and the counts; what they give is not kept. A probe asks questions of the operator's own.
UNCLEANED = frozenset({"providers", "probe", "embedders", "score/__init__.py", "worker/arms.py"})


def test_only_the_cleaning_reader_reads_for_those_who_store_and_show() -> None:
    root = Path(shadowlane.__file__).parent
    readers = []
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root).as_posix()
        if name.split("/")[0] in UNCLEANED or name in UNCLEANED:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "extract_answer" for alias in node.names):
                readers.append(name)
    assert readers == []


@pytest.mark.parametrize("step", [1, 3, 7])
def test_an_answer_that_grows_is_read_as_its_last_text(step: int) -> None:
    text = f"It is {MAIL} she said"
    ends = [*range(2, len(text), step), len(text)]
    _, clean = response("".join(f"data: {json.dumps({'answer': text[:end]})}\n\n" for end in ends), "text/event-stream")
    assert extract_answer("", clean).text == "It is [EMAIL] she said"
