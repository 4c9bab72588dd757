"""What the records define for everybody: a route, a header, a band, the core's reasons and flags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.types import (
    FLAG_CLIENT_DISCONNECTED,
    FLAG_RESPONSE_CUT,
    FLAG_STREAMED,
    REASONS,
    Headers,
    Scores,
    header,
    route_of,
)


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/", "GET /"),
        ("/v1/chat/completions?stream=1", "GET /v1/chat/completions"),
        ("/users/17/orders/42", "GET /users/*/orders/*"),
        ("/items/0190a8f0-0000-7000-8000-00000000000a", "GET /items/*"),
        ("/blobs/deadbeefdeadbeef", "GET /blobs/*"),
        ("/threads/thread_abc123DEF456ghi789", "GET /threads/*"),
        ("/mail/[EMAIL]/inbox", "GET /mail/*/inbox"),
        ("/mail/%5BEMAIL%5D/inbox", "GET /mail/*/inbox"),
        ("/v2/search", "GET /v2/search"),
        ("/a-long-name-without-any-digit/x", "GET /a-long-name-without-any-digit/x"),
        ("/" + "x" * 100, "GET /*"),
        ("/" + "/".join("abcdefghijklmnop"), "GET /a/b/c/d/e/f/g/h/i/j/k/*"),
    ],
)
def test_routes(target: str, route: str) -> None:
    assert route_of("GET", target) == route


@given(st.text(max_size=2000))
def test_any_target_gives_a_short_route(target: str) -> None:
    assert len(route_of("GET", target)) < 1000


def test_the_reasons_and_flags_are_the_cores() -> None:
    assert len(set(REASONS)) == len(REASONS)
    assert {"disabled", "deadline", "unreadable"} <= set(REASONS)
    flags = {FLAG_RESPONSE_CUT, FLAG_CLIENT_DISCONNECTED, FLAG_STREAMED}
    assert flags == {1, 2, 4}, "what is written in rings and stores that exist"


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ((), ""),
        (((b"Content-Type", b" text/plain\t"),), "text/plain"),
        (((b"x-content-type", b"no"), (b"CONTENT-TYPE", b"first"), (b"content-type", b"second")), "first"),
        (((b"content-type", b"caf\xe9"),), "café"),
    ],
)
def test_a_header_is_found_by_its_name(headers: Headers, value: str) -> None:
    assert header(headers, b"content-type") == value


@pytest.mark.parametrize(
    ("scores", "name"),
    [
        (Scores(), "unscored"),
        (Scores(delta_s=float("nan")), "unscored"),
        (Scores(delta_s=0.3999), "stable"),
        (Scores(delta_s=0.4), "transitional"),
        (Scores(delta_s=0.6), "critical"),
        (Scores(delta_s=0.1, fact_flip=True), "fact_flip"),
    ],
)
def test_every_score_has_a_band(scores: Scores, name: str) -> None:
    assert scores.band == name
