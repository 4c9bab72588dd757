"""Both HTTP transports against a real server in every mode of failure."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowlane.config import ShadowConfig
from shadowlane.errors import ConfigError, MissingExtraError
from shadowlane.transport import HttpTransport, Transport, open_transport
from shadowlane.transport.rounds import Rounds
from shadowlane.types import REASONS, Copy, Headers, Outcome
from tests.support.faulty import ANSWER, FaultyServer

pytestmark = pytest.mark.usefixtures("transport")

T = TypeVar("T")
CREDENTIAL = (b"authorization", b"Bearer shadow-own-key")


def make_copy(method: str = "POST", target: str = "/v1/chat/completions?a=1", **fields: Any) -> Copy:
    values: dict[str, Any] = {
        "shadow_id": "0190a8f0-0000-7000-8000-000000000001",
        "req_hash": "00112233445566778899aabbccddeeff",
        "started_ns": 1,
        "method": method,
        "target": target,
        "headers": ((b"content-type", b"application/json"),),
        "body": b'{"model":"prod-1","messages":[]}' if method == "POST" else b"",
        "status": 200,
        "response_headers": (),
        "response_body": b"",
        "ttfb_ns": 1,
        "duration_ns": 1,
    }
    return Copy(**{**values, **fields})


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def loop_factory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker runs on uvloop, whose errors differ in places; a user's own program may not."""
    monkeypatch.setattr(sys.modules[__name__], "_run", uvloop.run if request.param == "uvloop" else asyncio.run)


_run: Callable[..., Any] = asyncio.run


def run(work: Coroutine[Any, Any, T]) -> T:
    result: T = _run(work)
    return result


async def ask(server: FaultyServer, copy: Copy | None = None, **fields: Any) -> Outcome:
    """One send over a transport of its own."""
    transport = open_transport("candidate", ShadowConfig(url=server.url, **{"timeout_s": 60.0, **fields}), CREDENTIAL)
    try:
        return await transport.send(copy or make_copy())
    finally:
        await transport.close()


def one(mode: str, copy: Copy | None = None, **fields: Any) -> tuple[Outcome, FaultyServer]:
    async def go() -> tuple[Outcome, FaultyServer]:
        async with FaultyServer(mode) as server:
            return await ask(server, copy, **fields), server

    return run(go())


Came = Callable[[Outcome, FaultyServer], bool]


def late(mode: str, came: Came, **fields: Any) -> tuple[Outcome, FaultyServer, float]:
    """One send whose time is over when so much of it came, and that time. A machine that stands still may take all of
    it before anything is sent: then it has twice as much."""
    timeout_s = 0.2
    while not came(*(found := one(mode, timeout_s=timeout_s, **fields))):
        assert found[0].reason == "deadline"
        timeout_s *= 2
        assert timeout_s < 60
    return *found, timeout_s


def test_an_answer_with_its_times_headers_and_body() -> None:
    began = time.monotonic_ns()
    outcome, server = one("ok")
    took = time.monotonic_ns() - began
    assert (outcome.shadow, outcome.reason, outcome.detail, outcome.status) == ("candidate", "", "", 200)
    assert outcome.body == ANSWER
    assert (b"content-type", b"application/json") in outcome.headers
    assert 0 < outcome.ttfb_ns <= outcome.duration_ns < took
    assert outcome.started_ns > 1_700_000_000 * 10**9
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/v1/chat/completions?a=1")
    assert request.body == b'{"model":"prod-1","messages":[]}'
    assert request.header("content-length") == str(len(request.body))


def test_exactly_these_headers_are_sent() -> None:
    sent = (
        (b"Content-Type", b"application/json"),
        (b"x-tenant", "Zoë".encode()),
        (b"x-list", b"1"),
        (b"x-list", b"2"),
        (b"authorization", b"Bearer users-own"),
        (b"host", b"prod.example"),
        (b"connection", b"upgrade, x-list"),
        (b"upgrade", b"websocket"),
        (b"content-length", b"99"),
        (b"transfer-encoding", b"chunked"),
        (b"expect", b"100-continue"),
        (b"x-shadow-id", b"forged"),
        (b"x-evil", b"a\r\nx-smuggled: 1"),
        (b"x-null", b"a\0b"),
        (b"bad name", b"1"),
        (b"accept-encoding", b"br;q=1.0, gzip;q=0.8, zstd"),
    )
    outcome, server = one("ok", make_copy(headers=sent))
    assert outcome.reason == ""
    (request,) = server.requests
    assert sorted((name.lower(), value) for name, value in request.headers) == sorted(
        [
            ("host", f"127.0.0.1:{server.port}"),
            ("content-type", "application/json"),
            ("content-length", "32"),
            ("x-tenant", "Zoë"),
            ("x-list", "1"),
            ("x-list", "2"),
            ("accept-encoding", "gzip;q=0.8"),
            ("user-agent", "shadowlane/0.1.0"),
            ("authorization", "Bearer shadow-own-key"),
            ("x-shadow", "1"),
            ("x-shadow-id", "0190a8f0-0000-7000-8000-000000000001"),
            ("x-shadow-req-hash", "00112233445566778899aabbccddeeff"),
        ]
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_without_a_body_send_none(method: str) -> None:
    outcome, server = one("ok", make_copy(method, headers=((b"user-agent", b"curl/8"),)))
    assert (outcome.reason, outcome.status) == ("", 200)
    assert outcome.body == (b"" if method == "HEAD" else ANSWER)
    (request,) = server.requests
    assert request.body == b""
    assert request.header("content-type") is None
    assert request.header("content-length") is None
    assert request.header("user-agent") == "curl/8"


@pytest.mark.parametrize(
    ("mode", "reason", "status", "words"),
    [
        ("status_500", "", 500, ""),
        ("status_429", "", 429, ""),
        ("redirect", "", 307, ""),
        ("hang", "deadline", 0, ""),
        ("slow", "deadline", 0, ""),
        ("garbage", "transport_error", 0, "not an HTTP answer"),
        ("close_mid_body", "transport_error", 200, "ended early"),
        ("close_at_once", "transport_error", 0, "closed the connection"),
        ("refuse_tls", "connect_error", 0, "SSL"),
    ],
)
def test_every_failure_has_its_reason(mode: str, reason: str, status: int, words: str) -> None:
    if reason == "deadline":
        outcome, server, timeout_s = late(mode, lambda _, server: bool(server.requests))
        words = f"timeout_s = {timeout_s}"
    else:
        outcome, server = one(mode)
    assert (outcome.reason, outcome.status) == (reason, status)
    assert words in outcome.detail
    assert outcome.reason in ("", *REASONS)
    assert "garbage-that" not in outcome.detail
    assert "\n" not in outcome.detail
    assert outcome.duration_ns > 0
    assert len(server.requests) == (mode != "refuse_tls")


def test_an_endless_body_is_cut_at_the_bound() -> None:
    async def go() -> None:
        async with FaultyServer("endless") as server:
            transport = open_transport("c", ShadowConfig(url=server.url, max_response_bytes=2048), None)
            outcome = await transport.send(make_copy())
            assert outcome.reason == "response_too_large"
            assert "max_response_bytes = 2048" in outcome.detail
            assert len(outcome.body) == 2048
            assert outcome.body.startswith(b"data: ")
            assert (outcome.status, outcome.ttfb_ns > 0) == (200, True)
            await transport.close()

    run(go())


def test_an_endless_body_within_the_bound_meets_the_deadline() -> None:
    outcome, _, _ = late("endless", lambda outcome, _: outcome.status != 0, max_response_bytes=1 << 30)
    assert (outcome.reason, outcome.status, outcome.body) == ("deadline", 200, b"")


def test_a_compressed_bomb_is_bounded_after_decompression() -> None:
    async def go() -> tuple[Outcome, int]:
        async with FaultyServer("gzip_bomb") as server:
            transport = open_transport("c", ShadowConfig(url=server.url, max_response_bytes=1 << 20), None)
            tracemalloc.start()
            outcome = await transport.send(make_copy())
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            await transport.close()
            return outcome, peak

    outcome, peak = run(go())
    assert outcome.reason == "response_too_large"
    assert outcome.body == bytes(1 << 20)
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(ANSWER, mtime=0)),
        ("x-gzip", gzip.compress(ANSWER[:50], mtime=0) + gzip.compress(ANSWER[50:], mtime=0)),
        ("deflate", zlib.compress(ANSWER)),
        ("deflate", zlib.compressobj(9, zlib.DEFLATED, -15).compress(b"") + zlib.compress(ANSWER)[2:-4]),
        ("identity", ANSWER),
        ("gzip, gzip", gzip.compress(gzip.compress(ANSWER, mtime=0), mtime=0)),
    ],
)
def test_compressed_answers_are_read(coding: str, packed: bytes) -> None:
    async def go() -> Outcome:
        async with FaultyServer("ok", answer=packed, headers=(f"content-encoding: {coding}",)) as server:
            return await ask(server)

    outcome = run(go())
    assert (outcome.reason, outcome.body) == ("", ANSWER)
    # The headers describe the body as it is kept.
    assert b"content-encoding" not in {name.lower() for name, _ in outcome.headers}
    assert b"content-length" not in {name.lower() for name, _ in outcome.headers}


@pytest.mark.parametrize(
    ("coding", "packed", "words"),
    [
        ("gzip", gzip.compress(ANSWER, mtime=0)[:-12], "ended early"),
        ("gzip", b"no gzip at all", "damaged"),
        ("br", b"\x0b\x02\x80", "damaged"),
        ("compress", ANSWER, "not read"),
    ],
)
def test_bodies_that_cannot_be_decoded(coding: str, packed: bytes, words: str) -> None:
    async def go() -> Outcome:
        async with FaultyServer("ok", answer=packed, headers=(f"content-encoding: {coding}",)) as server:
            return await ask(server)

    outcome = run(go())
    assert (outcome.reason, outcome.status) == ("transport_error", 200)
    assert words in outcome.detail


def test_redirects_are_not_followed() -> None:
    _, server = one("redirect")
    assert len(server.requests) == 1


def test_cookies_are_not_kept() -> None:
    async def go() -> None:
        async with FaultyServer("set_cookie") as server:
            transport = open_transport("c", ShadowConfig(url=server.url), None)
            for _ in range(2):
                assert (await transport.send(make_copy())).reason == ""
            await transport.close()
            assert [request.header("cookie") for request in server.requests] == [None, None]
            assert server.connections == 1  # kept alive: one pool

    run(go())


def test_a_refused_connection_and_an_unknown_name() -> None:
    with socket.socket() as bound:  # bound and not listening: refused for sure
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"

        async def go(where: str) -> Outcome:
            transport = open_transport("c", ShadowConfig(url=where, timeout_s=60), None)
            try:
                return await transport.send(make_copy())
            finally:
                await transport.close()

        refused = run(go(url))
        assert refused.reason == "connect_error"
        assert refused.detail
        unknown = run(go("http://no-such-host.invalid"))  # RFC 6761 §6.4
        assert unknown.reason == "connect_error"
        assert "no-such-host.invalid" in unknown.detail


def test_certificates_are_verified(tmp_path: Path) -> None:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    wrong_name_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(wrong_name_tls)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    async def go() -> None:
        async with FaultyServer("ok", tls=server_tls) as server:
            unknown = await ask(server)
            assert unknown.reason == "connect_error"
            assert "certificate refused" in unknown.detail
            assert server.requests == []
            known = await ask(server, ca_file=str(bundle))
            assert (known.reason, known.body) == ("", ANSWER)
        async with FaultyServer("ok", tls=wrong_name_tls) as server:
            wrong = await ask(server, ca_file=str(bundle))
            assert wrong.reason == "connect_error"
            assert server.requests == []

    run(go())


def test_a_bad_ca_file_is_an_error_at_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name in ("empty.pem", "missing.pem"):
        shadow = ShadowConfig(url="https://x.example", ca_file=str(tmp_path / name))
        with pytest.raises(ConfigError, match=rf"shadows\.candidate\.ca_file = .*{name}.*PEM bundle"):
            open_transport("candidate", shadow, None)


def test_a_missing_aiohttp_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'shadowlane\[worker\]'"):
        HttpTransport(Rounds("candidate", ShadowConfig(url="http://x.example"), None))


@pytest.mark.parametrize("trusted", [False, True])
def test_proxies_of_the_environment_only_when_asked(trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as proxy, FaultyServer("status_500") as shadow:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("http_proxy", proxy.url)
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
            outcome = await ask(shadow, trust_env=trusted)
            assert outcome.status == (200 if trusted else 500)
            assert (len(proxy.requests), len(shadow.requests)) == ((1, 0) if trusted else (0, 1))

    run(go())


def test_cancelling_gives_the_connection_back() -> None:
    async def go() -> None:
        async with FaultyServer("hang") as server:
            transport = open_transport("c", ShadowConfig(url=server.url, concurrency=1), None)
            task = asyncio.create_task(transport.send(make_copy()))
            await server.until(lambda: bool(server.requests))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.mode = "ok"
            # The pool has one place: this would meet the deadline if the first call still held it.
            assert (await transport.send(make_copy())).reason == ""
            await transport.close()

    run(go())


def test_many_at_once_and_nothing_left_open() -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            transport = open_transport("c", ShadowConfig(url=server.url, concurrency=8), None)
            outcomes = await asyncio.gather(*(transport.send(make_copy()) for _ in range(200)))
            assert {outcome.reason for outcome in outcomes} == {""}
            assert 1 <= server.connections <= 8
            await transport.close()
            await server.until(lambda: server.open_connections == 0)

    run(go())


def test_the_path_prefix_is_joined_and_the_model_rewritten() -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            shadow = ShadowConfig(url=server.url + "/api/", model="candidate-7")
            transport = open_transport("c", shadow, None)
            await transport.send(make_copy(target="/v1/x?q=a%2Fb&&=+%20"))
            await transport.close()
            (request,) = server.requests
            assert request.target == "/api/v1/x?q=a%2Fb&&=+%20"
            assert json.loads(request.body) == {"model": "candidate-7", "messages": []}
            assert request.header("content-length") == str(len(request.body))
            assert request.header("authorization") is None

    run(go())


async def _send_all(transport: Transport, copies: list[Copy]) -> list[Outcome]:
    return [await transport.send(copy) for copy in copies]


_odd_headers: st.SearchStrategy[Headers] = st.lists(
    st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=12)), max_size=4
).map(tuple)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(max_size=30), _odd_headers), min_size=1, max_size=5))
def test_no_target_or_header_reaches_another_host_or_adds_a_request(odd: list[tuple[str, Headers]]) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            transport = open_transport("c", ShadowConfig(url=server.url), None)
            copies = [make_copy("GET", target, headers=headers) for target, headers in odd]
            outcomes = await _send_all(transport, copies)
            await transport.close()
            answered = sum(outcome.reason == "" for outcome in outcomes)
            assert {outcome.reason for outcome in outcomes} <= {"", "transport_error"}
            assert len(server.requests) == answered
            assert all(request.all("host") == [f"127.0.0.1:{server.port}"] for request in server.requests)
            assert all(request.header("x-shadow") == "1" for request in server.requests)

    run(go())
