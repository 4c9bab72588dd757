"""The lines of a file of answers: a good one is read as it stands, a wrong one is named by line, field and value."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.compare.reader import MOST_BYTES, Source, parse_line
from shadowlane.errors import DataError
from shadowlane.score import extract_answer

GOOD: dict[str, Any] = {"id": "a", "time": 1_767_225_600, "prod": "yes", "shadow": {"text": "no"}}


def line(**more: Any) -> bytes:
    return json.dumps({**GOOD, **more}).encode()


def text_of(response: Any) -> str:
    content_type = dict(response.headers).get(b"content-type", b"").decode()
    return extract_answer(content_type, response.body).text


def test_a_line_is_read_whole() -> None:
    exchange = parse_line(
        line(
            route="GET /ask",
            question="Why?",
            control={"body": {"answer": "maybe"}, "headers": {"X-Index-Hash": "h"}, "status": 206, "latency_ms": 1.5},
        ),
        7,
    )
    assert (exchange.line, exchange.id, exchange.started_ns) == (7, "a", 1_767_225_600 * 10**9)
    assert (exchange.method, exchange.target, exchange.request) == ("GET", "/ask", b'{"question":"Why?"}')
    assert (text_of(exchange.prod), text_of(exchange.shadow)) == ("yes", "no")
    assert exchange.control is not None
    assert (exchange.control.status, exchange.control.latency_ns) == (206, 1_500_000)
    assert (b"x-index-hash", b"h") in exchange.control.headers
    assert json.loads(exchange.control.body) == {"answer": "maybe"}


@pytest.mark.parametrize(
    "text",
    ['{"answer": "x", "n": 1}', "data: hello\n\ndata: [DONE]\n\n", "<html><body>x</body></html>", "  ", "日本 \x07 é"],
)
def test_a_text_is_compared_as_it_stands_whatever_it_looks_like(text: str) -> None:
    assert text_of(parse_line(line(prod=text), 1).prod) == text
    assert text_of(parse_line(line(prod={"text": text}), 1).prod) == text


@pytest.mark.parametrize(
    ("time", "ns"),
    [
        (0, 0),
        (1.5, 1_500_000_000),
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000_000),
        ("1970-01-01 00:00:02", 2 * 10**9),
    ],
)
def test_times_are_unix_seconds_or_rfc_3339(time: Any, ns: int) -> None:
    assert parse_line(line(time=time), 1).started_ns == ns


@pytest.mark.parametrize(
    ("more", "field", "remedy"),
    [
        ({"id": None}, "id: missing", "give"),
        ({"id": ""}, "id = ''", "1 to 200"),
        ({"id": True}, "id = True", "whole number"),
        ({"time": None}, "time: missing", "Unix time"),
        ({"time": 1_767_225_600_000}, "time = 1767225600000", "divide by 1000"),
        ({"time": "yesterday"}, "time = 'yesterday'", "RFC 3339"),
        ({"time": "1066-10-14T00:00:00Z"}, "time = '1066", "1970"),
        ({"prod": None}, "prod: missing", "text"),
        ({"prod": 3}, "prod = 3", "object"),
        ({"shadow": {}}, "shadow: give text or body", "status"),
        ({"shadow": {"text": "a", "body": "b"}}, "shadow: has text and body", "one of them"),
        ({"shadow": {"text": ["a"]}}, "shadow.text = ['a']", "body"),
        ({"shadow": {"text": "a", "status": 99}}, "shadow.status = 99", "100 to 599"),
        ({"shadow": {"text": "a", "status": "200"}}, "shadow.status = '200'", "number"),
        ({"shadow": {"text": "a", "latency_ms": -1}}, "shadow.latency_ms = -1", "0 or more"),
        ({"control": {"text": "a", "latency_ms": True}}, "control.latency_ms = True", "milliseconds"),
        ({"prod": {"text": "a", "headers": {"x": 1}}}, "prod.headers", "names and texts"),
        ({"prod": {"text": "a", "headers": "x: y"}}, "prod.headers", "names and texts"),
        ({"question": 7}, "question = 7", "request"),
        ({"request": 7}, "request = 7", "JSON object"),
        ({"route": "  "}, "route = '  '", "POST"),
    ],
)
def test_what_is_wrong_names_the_field_the_value_and_the_remedy(more: dict[str, Any], field: str, remedy: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_line(line(**more), 1)
    assert field in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "garbage", [b"{", b"[]", b"1", b'"x"', b"\xff\xfe", b"null", b"[" * 100_000, b'{"id": NaN}', b"{} {}"]
)
def test_garbage_is_named_not_raised_as_something_else(garbage: bytes) -> None:
    with pytest.raises(DataError, match=r"not a JSON object|not JSON|id: missing"):
        parse_line(garbage, 1)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(["id", "time", "route", "question", "request", "prod", "shadow", "control", "text", "other"])
answers = st.dictionaries(st.sampled_from(["text", "body", "headers", "status", "latency_ms", "x"]), values)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_exchange_or_a_data_error(data: bytes) -> None:
    try:
        parse_line(data, 1)
    except DataError as error:
        assert str(error)  # noqa: PT017


@given(st.dictionaries(names, values | answers))
def test_any_object_is_an_exchange_or_a_data_error(value: dict[str, Any]) -> None:
    try:
        exchange = parse_line(json.dumps({**GOOD, **value}).encode(), 1)
    except DataError as error:
        assert ":" in str(error) or "=" in str(error)  # noqa: PT017
    else:
        assert exchange.started_ns >= 0


@given(st.lists(st.sampled_from(["good", "blank", "bad"]), max_size=30))
def test_each_bad_line_is_named_by_its_number(tmp_path_factory: pytest.TempPathFactory, kinds: list[str]) -> None:
    file = tmp_path_factory.mktemp("lines") / "answers.jsonl"
    content = {"good": line(), "blank": b"  ", "bad": b"{oh"}
    file.write_bytes(b"\n".join(content[kind] for kind in kinds))
    bad = [number for number, kind in enumerate(kinds, 1) if kind == "bad"]
    if not bad:
        assert Source(str(file)).check() == kinds.count("good")
        assert [one.line for one in Source(str(file)).exchanges()] == [
            number for number, kind in enumerate(kinds, 1) if kind == "good"
        ]
        return
    with pytest.raises(DataError) as caught:
        Source(str(file)).check()
    assert [text.partition(": ")[0] for text in str(caught.value).split("\n") if text.startswith(str(file))] == [
        f"{file}:{number}" for number in bad[:20]
    ]
    with pytest.raises(DataError, match=f":{bad[0]}: "):
        list(Source(str(file)).exchanges())


def test_a_byte_order_mark_and_other_line_ends_are_no_garbage(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + line() + b"\r\n" + line(id=2))
    assert [one.id for one in Source(str(file)).exchanges()] == ["a", "2"]


def test_gzip_is_known_by_its_suffix_and_a_cut_one_is_said(tmp_path: Path) -> None:
    data = b"\n".join(line(id=number) for number in range(2000))
    whole, cut, false = (tmp_path / name for name in ("whole.jsonl.gz", "cut.jsonl.gz", "false.jsonl.gz"))
    whole.write_bytes(gzip.compress(data))
    cut.write_bytes(gzip.compress(data)[:-200])
    false.write_bytes(data)
    assert Source(str(whole)).check() == 2000
    for file in (cut, false):
        with pytest.raises(DataError, match="is the file whole"):
            Source(str(file)).check()


def test_a_line_without_an_end_is_refused_before_it_is_held(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    with file.open("wb") as out:
        out.truncate(MOST_BYTES + 2)
    with pytest.raises(DataError, match="longer than"):
        Source(str(file)).check()


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        Source(str(tmp_path / "none.jsonl")).check()


def test_fields_that_nobody_reads_are_counted_by_name(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(b"\n".join([line(qestion="x"), line(shadow={"text": "a", "model": "m"}), line(qestion="y")]))
    source = Source(str(file))
    assert len(list(source.exchanges())) == 3
    assert dict(source.unread) == {"qestion": 2, "shadow.model": 1}
