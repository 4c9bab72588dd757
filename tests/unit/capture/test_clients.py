"""What httpx, httpx2, aiohttp and requests ask, mirrored: the real libraries against a real server."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from shadowlane import ConfigError
from shadowlane.types import FLAG_STREAMED
from tests.support.answering import PIECES, Upstream, upstream
from tests.support.captured import LIMIT, Captured
from tests.support.clients import CLIENTS, opened
from tests.support.ports import reserved_port

WORDS = b"word " * 100


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


@pytest.fixture(params=CLIENTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_exchange_is_offered_whole(into: Captured, server: Upstream, name: str) -> None:
    with opened(name, into.lane) as client:
        answer = client.ask("POST", f"{server.url}/ask/echo?a=%20b", b'{"q": 1}', authorization="Bearer of-nothing")
    assert answer == (200, b'{"q": 1}')
    [row] = into.rows()
    assert (row["method"], row["target"], row["body"]) == ("POST", "/ask/echo?a=%20b", b'{"q": 1}')
    assert (row["status"], row["response_body"], row["flags"]) == (200, b'{"q": 1}', 0)
    assert 0 < row["ttfb_ns"] <= row["duration_ns"]
    assert not any(b"of-nothing" in value for _, value in row["headers"])
    assert into.accounted()


def test_pieces_pass_when_they_come(into: Captured, server: Upstream, name: str, key: str) -> None:
    """The server sends the next piece only when the client has the one before: nothing is read ahead or held back."""
    with opened(name, into.lane) as client:
        got = b""
        for piece in client.pieces(f"{server.url}/ask/held?{key}"):
            got += piece
            server.let(key)
    assert got == b"".join(PIECES)
    [row] = into.rows()
    assert (row["response_body"], row["flags"]) == (got, FLAG_STREAMED)


def test_a_body_that_is_made_while_it_is_sent_is_kept(into: Captured, server: Upstream, name: str) -> None:
    with opened(name, into.lane) as client:
        answer = client.ask("POST", f"{server.url}/ask/echo", iter([b"made ", b"while ", b"sent"]))
    assert answer == (200, b"made while sent")
    [row] = into.rows()
    assert row["body"] == b"made while sent"


@pytest.mark.parametrize("pieces", [1, 2])
def test_an_answer_that_is_closed_early_is_incomplete(
    into: Captured, server: Upstream, name: str, key: str, pieces: int
) -> None:
    with opened(name, into.lane) as client:
        stream: Any = client.pieces(f"{server.url}/ask/held?{key}")
        got = next(stream)
        if pieces == 2:
            server.let(key)
            got += next(stream)
        stream.close()
        assert b"".join(PIECES).startswith(got)
        server.let(key)
        server.let(key)
    assert into.rows() == []
    assert into.dropped() == {"client_disconnected": 1}
    assert into.accounted()


def test_failures_are_the_librarys_own_and_counted(into: Captured, server: Upstream, name: str) -> None:
    with reserved_port() as closed:
        for url in (f"{server.url}/ask/cut", f"http://127.0.0.1:{closed}/ask/echo"):
            raised: list[type] = []
            for lane in (None, into.lane):
                with opened(name, lane) as client, pytest.raises(Exception) as caught:  # noqa: PT011 - compared below
                    client.ask("POST", url, b"{}")
                raised.append(caught.type)
            assert raised[0] is raised[1]
    assert into.rows() == []
    assert into.dropped() == {"prod_failed": 2}
    assert into.accounted()


def test_a_coded_answer_is_read_as_without_us(into: Captured, server: Upstream, name: str) -> None:
    with opened(name, into.lane) as client:
        assert client.ask("GET", f"{server.url}/ask/gzip") == (200, WORDS)
    [row] = into.rows()
    coded = dict(row["response_headers"]).get(b"content-encoding")
    assert (gzip.decompress(row["response_body"]) if coded else row["response_body"]) == WORDS


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "empty", 204), ("HEAD", "echo", 200), ("GET", "echo", 200)]
)
def test_answers_without_a_body_end_at_once(
    into: Captured, server: Upstream, name: str, method: str, path: str, status: int
) -> None:
    with opened(name, into.lane) as client:
        assert client.ask(method, f"{server.url}/ask/{path}") == (status, b"")
    [row] = into.rows()
    assert (row["method"], row["status"], row["body"], row["response_body"]) == (method, status, b"", b"")


def test_each_hop_of_a_redirect_is_an_exchange(into: Captured, server: Upstream, name: str) -> None:
    with opened(name, into.lane) as client:
        assert client.ask("POST", f"{server.url}/ask/moved", b"again") == (200, b"again")
    # aiohttp lets go of the first answer without reading it.
    assert [row["target"] for row in into.rows()][-1] == "/ask/echo"
    status = into.status()
    assert status["seen"] == 2
    assert status["mirrored"] + into.dropped().get("client_disconnected", 0) == 2


def test_what_is_too_large_is_not_mirrored_or_cut(into: Captured, server: Upstream, name: str) -> None:
    with opened(name, into.lane) as client:
        large = b"x" * (LIMIT + 1)
        assert client.ask("POST", f"{server.url}/ask/echo", iter([large[:9], large[9:]])) == (200, large)
        assert client.ask("POST", f"{server.url}/ask/echo", large) == (200, large)
    assert into.rows() == []
    assert into.dropped() == {"request_too_large": 2}


@pytest.mark.parametrize("more", [{"path": "/order"}, {"path": "/ask/echo", "headers": {"x-shadow": "1"}}])
def test_what_is_not_mirrored_passes_untouched(
    into: Captured, server: Upstream, name: str, more: dict[str, Any]
) -> None:
    with opened(name, into.lane) as client:
        assert client.ask("POST", server.url + more["path"], b"so", **more.get("headers", {})) == (200, b"so")
    assert into.rows() == []
    assert into.dropped() == {"loop" if "headers" in more else "route": 1}


def test_only_named_hosts_are_seen(into: Captured, server: Upstream, name: str) -> None:
    for hosts in (["elsewhere"], [f"127.0.0.1:{server.port + 1}"]):
        with opened(name, into.lane, hosts=hosts) as client:
            assert client.ask("POST", f"{server.url}/ask/echo", b"so") == (200, b"so")
    assert into.status()["seen"] == 0
    for hosts in (["127.0.0.1"], [f"127.0.0.1:{server.port}"]):
        with opened(name, into.lane, hosts=hosts) as client:
            assert client.ask("POST", f"{server.url}/ask/echo", b"so") == (200, b"so")
    assert into.status()["mirrored"] == 2


def test_both_groups_are_timed_at_the_same_end(half: Captured, server: Upstream, name: str) -> None:
    with opened(name, half.lane) as client:
        for _ in range(4):
            assert client.ask("POST", f"{server.url}/ask/echo", b"so") == (200, b"so")
        for _ in range(4):
            assert b"".join(client.pieces(f"{server.url}/ask/pieces")) == b"".join(PIECES)
    assert half.times() == {"POST /ask*": (2, 2), "": (2, 2)}
    assert half.accounted()


def test_a_lane_that_is_closed_or_off_costs_nothing(into: Captured, server: Upstream, name: str) -> None:
    into.lane.close()
    with opened(name, into.lane) as client:
        assert client.ask("POST", f"{server.url}/ask/echo", b"so") == (200, b"so")
        assert b"".join(client.pieces(f"{server.url}/ask/pieces")) == b"".join(PIECES)
    assert into.status()["mirrored"] == 0


def test_a_failure_of_our_own_is_swallowed_and_counted(
    into: Captured, server: Upstream, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise LookupError("ours")

    with opened(name, into.lane) as client:
        for part in ("begin", "offer"):
            monkeypatch.setattr(into.lane, part, failing)
            assert client.ask("POST", f"{server.url}/ask/echo", b"so") == (200, b"so")
            monkeypatch.undo()
    assert into.status()["faults"] == 2
    assert into.status()["open"] == 0


def test_a_bad_configuration_is_an_error_at_start(name: str) -> None:
    from shadowlane.aiohttp import ShadowMiddleware
    from shadowlane.requests import ShadowAdapter
    from tests.support.clients import AsyncShadowTransport, ShadowTransport, httpx, httpx2

    bad: dict[str, Any] = {"shadows": {}}
    made = {
        "httpx": lambda: ShadowTransport(httpx.HTTPTransport(), bad),
        "httpx2": lambda: ShadowTransport(httpx2.HTTPTransport(), bad),
        "httpx, async": lambda: AsyncShadowTransport(httpx.AsyncHTTPTransport(), bad),
        "httpx2, async": lambda: AsyncShadowTransport(httpx2.AsyncHTTPTransport(), bad),
        "aiohttp": lambda: ShadowMiddleware(bad),
        "requests": lambda: ShadowAdapter(config=bad),
    }
    with pytest.raises(ConfigError, match="shadows: empty"):
        made[name]()
