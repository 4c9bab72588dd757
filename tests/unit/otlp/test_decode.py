"""The two encodings of one record tell the same, whatever its attributes are."""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.otlp.decode import BadBody, Signal, check_number, decoded, unpacked
from shadowlane.sources.genai import Telling
from tests.support.telling import EVENT, as_protobuf, event, export, span

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
attribute_values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from(["gen_ai.operation.name", "gen_ai.input.messages", "event.name", "error.type", "other"]) | texts


def both(signal: Signal, record: dict[str, Any]) -> list[Any]:
    document = export([record])
    found = [
        list(decoded(signal, json.dumps(document).encode(), as_json=True)),
        list(decoded(signal, as_protobuf(document), as_json=False)),
    ]
    return [one for [one] in found]


@settings(deadline=None)
@given(attributes=st.dictionaries(names, attribute_values, max_size=5), named=st.booleans())
def test_both_encodings_of_a_log_tell_the_same(attributes: dict[str, Any], named: bool) -> None:
    """The law; a log without the event's name, in either place, is none of ours."""
    one, other = both("logs", event(0, attributes, **({} if named else {"eventName": ""})))
    assert one == other
    assert (one is not None) == (named or attributes.get("event.name") == EVENT)
    if one is not None:
        assert one.attributes == attributes


@settings(deadline=None)
@given(attributes=st.dictionaries(names, attribute_values, max_size=5), took_ms=st.integers(0, 10**6))
def test_both_encodings_of_a_span_tell_the_same(attributes: dict[str, Any], took_ms: int) -> None:
    one, other = both("traces", span(0, attributes, took_ms, traceState="a=1"))
    assert one == other
    assert (one is not None) == any(name.startswith("gen_ai.") for name in attributes)
    if one is not None:
        assert (one.took_ns, one.trace_state, one.attributes) == (took_ms * 1_000_000, "a=1", attributes)


@pytest.mark.parametrize("zeros", ["0" * 32, ""])
def test_ids_of_zeros_are_none_and_times_may_run_backwards(zeros: str) -> None:
    attributes = {"gen_ai.operation.name": "chat"}
    backwards = span(0, attributes, traceId=zeros, spanId="0" * 16, endTimeUnixNano="5")
    for one in both("traces", backwards):
        assert isinstance(one, Telling)
        assert (one.trace_id, one.span_id, one.took_ns) == ("", "", 0)


def test_numbers_may_be_text_or_numbers() -> None:
    """As the JSON mapping of protobuf has them."""
    record = event(0, {})
    record["attributes"] = [
        {"key": "a", "value": {"intValue": 7}},
        {"key": "b", "value": {"intValue": "7"}},
        {"key": "c", "value": {"doubleValue": "1.5"}},
        {"key": "d", "value": {"bytesValue": "AAE="}},
        {"key": "e", "value": {"unknownValue": 1}},
    ]
    record["timeUnixNano"] = 5
    [one] = decoded("logs", json.dumps(export([record])).encode(), as_json=True)
    assert isinstance(one, Telling)
    assert one.at_ns == 5
    assert one.attributes == {"a": 7, "b": 7, "c": 1.5, "d": "AAE=", "e": None}


@given(body=st.binary(max_size=60))
def test_counting_ends_whatever_the_bytes_are(body: bytes) -> None:
    with contextlib.suppress(BadBody):
        check_number(body)


@given(body=st.binary(max_size=60), coding=st.sampled_from(["", "identity", "gzip", "x-gzip", "br"]))
def test_unpacking_gives_bytes_or_refuses(body: bytes, coding: str) -> None:
    with contextlib.suppress(BadBody):
        found = unpacked(body, coding)
        assert found == body if coding in ("", "identity") else found is not None


def test_a_gzip_of_many_parts_is_read_and_one_of_very_many_refused() -> None:
    """Each part costs a copy of all that is behind it: the time of a body must not grow with its square."""
    parts = [gzip.compress(b"%d" % number) for number in range(100)]
    assert unpacked(b"".join(parts), "gzip") == b"".join(b"%d" % number for number in range(100))
    with pytest.raises(BadBody, match="gzips in one body"):
        unpacked(gzip.compress(b"") * 101, "gzip")
    assert unpacked(b"", "gzip") == b""
