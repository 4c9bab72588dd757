"""What travels: every field of a copy, and nothing that a judge could not take is taken."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.offload import VERSION, RecordError, decode, encode
from shadowlane.types import FLAG_NO_PROD, FLAG_REDELIVERED, Copy

from ..worker.world import copy_of

MOST = 1 << 20
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
FIELD = st.binary(max_size=20).map(lambda raw: raw.translate(None, b"\r\n\x00"))


def full() -> Copy:
    """A copy none of whose fields is its default."""
    plain = {
        "target": "/ask?q=1",
        "headers": ((b"content-type", b"text/plain"),),
        "body": b"\x00\xff",
        "response_headers": ((b"x", b"\xe4"),),
        "response_body": b"yes",
        "ttfb_ns": 1,
        "duration_ns": 2,
        "flags": FLAG_NO_PROD,
        "blocked": "write_intent",
        "findings": {"email": 2},
        "ring": 3,
        "seq": 4,
        "why": "read",
        "preset": "openai",
        "normalised": ("stream",),
        "tenant": "0123456789abcdef",
        "traceparent": "00-1-2-01",
        "status": 201,
        "method": "POST",
    }
    return msgspec.structs.replace(copy_of(7, at_ns=5), **plain)


def test_every_field_arrives() -> None:
    copy = full()
    defaults = {field.name: field.default for field in msgspec.structs.fields(Copy)}
    assert all(getattr(copy, name) != default for name, default in defaults.items()), "a new field: add it to full()"
    sent = encode(copy)
    assert sent.shadow_id == copy.shadow_id
    assert decode(VERSION, sent.record, MOST) == copy


@given(st.binary(max_size=50), st.lists(st.tuples(FIELD, FIELD), max_size=4), TEXT, st.integers(0, 2**63 - 1))
def test_whatever_a_copy_holds_arrives(body: bytes, headers: list[tuple[bytes, bytes]], why: str, at_ns: int) -> None:
    copy = msgspec.structs.replace(copy_of(1, at_ns=at_ns), body=body, headers=tuple(headers), why=why)
    assert decode(VERSION, encode(copy).record, MOST) == copy


def test_another_hosts_redelivery_is_not_this_ones() -> None:
    copy = msgspec.structs.replace(full(), flags=FLAG_NO_PROD | FLAG_REDELIVERED)
    assert decode(VERSION, encode(copy).record, MOST).flags == FLAG_NO_PROD


def test_a_field_that_is_not_known_is_left_out() -> None:
    """A newer host may say more, an older one less."""
    plain: dict[str, Any] = msgspec.msgpack.decode(encode(full()).record)
    assert decode(VERSION, msgspec.msgpack.encode({**plain, "novel": 1}), MOST) == full()
    del plain["tenant"]
    assert decode(VERSION, msgspec.msgpack.encode(plain), MOST).tenant == ""


@given(st.binary(max_size=200))
def test_garbage_is_refused_by_name(record: bytes) -> None:
    with pytest.raises(RecordError):
        decode(VERSION, record, MOST)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "DELETE"}, "method or target"),
        ({"method": "get"}, "method or target"),
        ({"method": "GET /admin HTTP/1.1\r\nx:"}, "method or target"),
        ({"target": "http://other.example/"}, "method or target"),
        ({"target": "/a\r\nx: y"}, "method or target"),
        ({"target": ""}, "method or target"),
        ({"headers": ((b"x", b"a\r\ny: z"),)}, "headers"),
        ({"headers": ((b"x\n", b"a"),)}, "headers"),
        ({"shadow_id": "secret-value"}, "UUID"),
        ({"status": "secret-value"}, "no record"),
        ({"started_ns": 1 << 63}, "number"),
        ({"duration_ns": -1}, "number"),
        ({"findings": {"email": 1 << 63}}, "number"),
        ({"headers": [["secret-value"]]}, "no record"),
    ],
)
def test_what_no_drain_makes_is_refused_and_not_quoted(changes: dict[str, Any], said: str) -> None:
    plain: dict[str, Any] = msgspec.msgpack.decode(encode(copy_of(1)).record)
    with pytest.raises(RecordError) as raised:
        decode(VERSION, msgspec.msgpack.encode({**plain, **changes}), MOST)
    assert said in str(raised.value)
    assert "secret-value" not in str(raised.value)


def test_another_version_and_a_size_are_named() -> None:
    record = encode(full()).record
    with pytest.raises(RecordError, match="update the judges"):
        decode("2", record, MOST)
    with pytest.raises(RecordError, match=r"lane\.max_body_bytes"):
        decode(VERSION, record, len(record) - 1)
