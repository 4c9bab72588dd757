"""Header fields as libraries have them, of bytes or of text: the lane decides and keeps the same of either."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests
import urllib3
from hypothesis import example, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from shadowlane import Lane
from shadowlane.requests import ShadowAdapter
from tests.support.captured import Captured, captured

NAMES = st.one_of(
    st.sampled_from(["Content-Type", "X-Request-Id", "set-cookie", "ACCEPT", "x-\xc4-\xe4"]),
    st.text(st.characters(codec="ascii", categories=("L", "N", "Pd")), min_size=1, max_size=20),
)
VALUES = st.one_of(st.text(st.characters(codec="latin-1"), max_size=40), st.text(st.characters(codec="ascii")))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
NUMBERS = count()


@pytest.fixture(scope="module")
def lane() -> Iterator[Captured]:
    with captured() as made:
        yield made


def kept(into: Captured, headers: Any, response_headers: Any, size: int) -> bytes:
    """``size`` bytes of the frame, which are behind its target: header fields, body, the answer's fields and body."""
    target = b"/ask/%032d" % next(NUMBERS)
    ticket = into.lane.admit("POST", target.decode(), headers)
    assert ticket is not None
    assert into.lane.offer(ticket, target, headers, b"asked", 200, response_headers, [b"said"], 1, 0)
    [ring] = into.directory.glob("ring-*.shm")
    memory = ring.read_bytes()
    assert len(into.rows()) == 1
    start = memory.index(target) + len(target)
    return memory[start : start + size]


def section(fields: list[tuple[str, str]]) -> bytes:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    return b"".join(struct.pack("<II", len(n), len(v)) + n.lower() + v for n, v in encoded)


def forms(fields: list[tuple[str, str]]) -> list[Any]:
    """The same fields in each form in which a library may have them."""
    coded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    mixed = [(name, value) if at % 2 else coded[at] for at, (name, value) in enumerate(fields)]
    halves = [(name, coded[at][1]) for at, (name, _) in enumerate(fields)]
    return [fields, tuple(fields), coded, tuple(coded), mixed, halves, [list(one) for one in fields], Iterated(coded)]


class Iterated:
    """Neither a list nor a tuple."""

    def __init__(self, fields: list[Any]) -> None:
        self._fields = fields

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fields)


@settings(deadline=None, max_examples=60)
@given(fields=FIELDS, answered=FIELDS)
@example(fields=[("Twice", "one"), ("tWICE", ""), ("twice", "\xe9t\xe9"), ("\xc9", "said")], answered=[])
def test_every_form_gives_the_same_frame(
    lane: Captured, fields: list[tuple[str, str]], answered: list[tuple[str, str]]
) -> None:
    wanted = section(fields) + b"asked" + section(answered) + b"said"
    for ours, theirs in zip(forms(fields), reversed(forms(answered)), strict=True):
        assert kept(lane, ours, theirs, len(wanted)) == wanted


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (("X-Shadow", "1"), "loop"),
        (("x-sHADOW", "\xe9"), "loop"),
        (("X_HTTP_Method", "DELETE"), "method"),
        (("Upgrade", "websocket"), "method"),
        (("Content-Length", "999999"), "request_too_large"),
    ],
)
def test_admission_reads_every_form(into: Captured, field: tuple[str, str], reason: str) -> None:
    some = forms([("Accept", "*/*"), field, ("x-other", "\xff")])
    for fields in some:
        assert into.lane.admit("POST", "/ask", fields) is None
    assert into.dropped() == {reason: len(some)}


def test_a_sticky_key_is_the_same_of_every_form() -> None:
    with captured(sampling={"ratio": 0.5, "mode": "sticky", "key": "header:X-User"}) as sticky:
        taken = [
            {sticky.lane.admit("POST", "/ask", one) is not None for one in forms([("x-user", f"{number} \xe9")])}
            for number in range(40)
        ]
    assert all(len(one) == 1 for one in taken)
    assert {True, False} == set.union(*taken)


class Still(requests.adapters.BaseAdapter):
    """Sends nothing; changes the request's header fields, and answers with ``headers``."""

    def __init__(self, headers: Any) -> None:
        super().__init__()
        self._headers = headers

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        request.headers["content-type"] = "text/changed"
        request.headers["x-added"] = "below"
        response = requests.Response()
        response.status_code, response.headers = 200, self._headers
        response.raw = urllib3.HTTPResponse(io.BytesIO(b"so"), preload_content=False)
        return response

    def close(self) -> None: ...


def asked(lane: Lane, sent: dict[Any, Any], answered: Any) -> requests.Response:
    prepared = requests.Request("POST", "http://api.example/ask", data=b"what").prepare()
    prepared.headers.update(sent)
    return ShadowAdapter(Still(answered), lane).send(prepared)


def test_what_requests_sends_is_kept_as_it_was(into: Captured) -> None:
    answered = CaseInsensitiveDict({"Content-Type": b"text/plain", "X-Request-ID": "\xe9"})
    response = asked(into.lane, {"Content-Type": b"text/asked", "Accept": "\xe9"}, answered)
    answered["content-type"] = "text/changed"
    assert response.content == b"so"
    [row] = into.rows()
    assert (b"content-type", b"text/asked") in row["headers"]
    assert (b"accept", b"\xe9") in row["headers"]
    assert row["response_headers"] == ((b"content-type", b"text/plain"),)
    assert into.accounted()


NAMED: dict[Any, Any] = {"x-\udc80": "odd"}
ODD = [{"x-odd": "\ud800"}, {"x-odd": "\u4e2d"}, {"x-odd": 5}, {"x-odd": None}, NAMED]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("side", ["asked", "answered"])
def test_what_no_field_can_be_costs_the_copy(into: Captured, odd: dict[Any, Any], side: str) -> None:
    none: dict[Any, Any] = {}
    assert asked(into.lane, *((odd, CaseInsensitiveDict(none)) if side == "asked" else (none, odd))).content == b"so"
    assert into.rows() == []
    seen = not (side == "asked" and odd is NAMED)  # admission reads all names
    assert into.dropped() == ({"unreadable": 1} if seen else {})
    assert (into.status()["faults"], into.status()["open"]) == (1, 0)


def test_header_fields_of_another_kind_are_kept(into: Captured) -> None:
    assert asked(into.lane, {}, {"Content-Type": "text/plain"}).content == b"so"
    [row] = into.rows()
    assert row["response_headers"] == ((b"content-type", b"text/plain"),)
