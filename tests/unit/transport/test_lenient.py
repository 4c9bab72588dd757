"""What prod's own clients take is an answer of a shadow too, and no connection is reused behind anything odd.

The clients themselves are the oracle: httpx, urllib3 (below requests) and aiohttp as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import aiohttp
import httpx
import pytest
import trustme
import urllib3
import uvloop

from shadowlane.config import ShadowConfig
from shadowlane.transport import open_transport
from shadowlane.types import Outcome
from tests.support.rawserver import RawServer
from tests.unit.transport.conftest import send_over
from tests.unit.transport.test_http import make_copy

BODY = b'{"answer": "All is well."}'
GZIP = gzip.compress(BODY, mtime=0)
LENGTH = b"content-length: %d" % len(BODY)
CHUNKED = b"transfer-encoding: chunked"


def answer(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK", body: bytes = BODY, end: bytes = b"\r\n") -> bytes:
    return end.join([first, *lines, b"", b""]) + body


def chunks(body: bytes = BODY, behind_size: bytes = b"", last: bytes = b"0\r\n\r\n") -> bytes:
    return b"%x%s\r\n%s\r\n%s" % (len(body), behind_size, body, last)


def coded(value: bytes, body: bytes) -> bytes:
    return answer(b"content-encoding: " + value, b"content-length: %d" % len(body), body=body)


TAKEN = {
    "a header of 9 KB": answer(LENGTH, b"x-long: " + b"a" * 9216),
    "a header of 60 KB": answer(LENGTH, b"x-long: " + b"a" * 60_000),
    "a name of 9 KB": answer(LENGTH, b"x" * 9000 + b": v"),
    "200 headers": answer(LENGTH, *(b"x-%d: v" % i for i in range(200))),
    "90 KB of headers": answer(LENGTH, *(b"x-%d: " % i + b"v" * 900 for i in range(99))),
    "a reason of 9 KB": answer(LENGTH, first=b"HTTP/1.1 200 " + b"k" * 9000),
    "identity": coded(b"identity", BODY),
    "IDENTITY": coded(b"IDENTITY", BODY),
    "identity twice": coded(b"identity, identity", BODY),
    "no coding": coded(b"", BODY),
    "a word that is no coding": coded(b"utf-8", BODY),
    "none": coded(b"none", BODY),
    "aws-chunked": coded(b"aws-chunked", BODY),
    "x-gzip": coded(b"x-gzip", GZIP),
    "GZIP": coded(b"GZIP", GZIP),
    "gzip, identity": coded(b"gzip, identity", GZIP),
    "identity,gzip": coded(b"identity,gzip", GZIP),
    "empty members": coded(b", gzip ,", GZIP),
    "gzip twice": coded(b"gzip, gzip", gzip.compress(GZIP, mtime=0)),
    "deflate, gzip": coded(b"deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
    "zeros behind gzip": coded(b"gzip", GZIP + bytes(5)),
    "text behind gzip": coded(b"gzip", GZIP + b"\x1f and more"),
    "equal lengths": answer(LENGTH, LENGTH),
    "equal lengths in one field": answer(b"content-length: %d, %d" % (len(BODY), len(BODY))),
    "a length with zeros": answer(b"content-length: 000%d" % len(BODY)),
    "a length with a sign": answer(b"content-length: +%d" % len(BODY)),
    "an empty length": answer(b"content-length:"),
    "a length that is none": answer(b"content-length: many"),
    "a negative length": answer(b"content-length: -1"),
    "chunks": answer(CHUNKED, body=chunks()),
    "an extension": answer(CHUNKED, body=chunks(behind_size=b";a=b")),
    "an extension with blanks": answer(CHUNKED, body=chunks(behind_size=b" ; a = b")),
    "blanks behind the size": answer(CHUNKED, body=chunks(behind_size=b"  ")),
    "a tab behind the size": answer(CHUNKED, body=chunks(behind_size=b"\t;x")),
    "a quoted extension": answer(CHUNKED, body=chunks(behind_size=b';a="b, \\"c"')),
    "an empty extension": answer(CHUNKED, body=chunks(behind_size=b";")),
    "odd bytes in an extension": answer(CHUNKED, body=chunks(behind_size=b";\xff=(,)")),
    "an extension of 9 KB": answer(CHUNKED, body=chunks(behind_size=b";" + b"a" * 9000)),
    "a size with zeros": answer(CHUNKED, body=b"0000" + chunks()),
    "a size with 0x": answer(CHUNKED, body=b"0x" + chunks()),
    "a blank before the size": answer(CHUNKED, body=b" " + chunks()),
    "trailers": answer(CHUNKED, body=chunks(last=b"0\r\nx-sum: 1\r\n\r\n")),
    "no empty line behind the last chunk": answer(CHUNKED, body=chunks(last=b"0\r\n")),
    "bytes behind the last chunk": answer(CHUNKED, body=chunks() + b"garbage"),
    "bytes behind the length": answer(LENGTH, body=BODY + b"garbage"),
    "Chunked": answer(b"Transfer-Encoding: Chunked", body=chunks()),
    "identity, chunked": answer(b"transfer-encoding: identity, chunked", body=chunks()),
    "chunked twice": answer(CHUNKED, CHUNKED, body=chunks()),
    "identity with a length": answer(b"transfer-encoding: identity", LENGTH),
    "identity without a length": answer(b"transfer-encoding: identity"),
    "an empty transfer-encoding": answer(b"transfer-encoding:", LENGTH),
    "chunks beside a length": answer(CHUNKED, LENGTH, body=chunks()),
    "chunks beside a wrong length": answer(b"content-length: 3", CHUNKED, body=chunks()),
    "chunks in HTTP/1.0": answer(CHUNKED, first=b"HTTP/1.0 200 OK", body=chunks()),
    "a folded header": answer(b"x-a: 1\r\n  2", LENGTH),
    "a folded header, by a tab": answer(b"x-a: 1\r\n\t2", LENGTH),
    "a fold with nothing before it": answer(b" x-a: 1", LENGTH),
    "LF only": answer(LENGTH, end=b"\n"),
    "LF and CRLF": b"HTTP/1.1 200 OK\nx-a: 1\r\n" + LENGTH + b"\n\r\n" + BODY,
    "no reason": answer(LENGTH, first=b"HTTP/1.1 200"),
    "an empty reason": answer(LENGTH, first=b"HTTP/1.1 200 "),
    "a reason in UTF-8": answer(LENGTH, first="HTTP/1.1 200 Öké ✓".encode()),
    "a reason in Latin-1": answer(LENGTH, first=b"HTTP/1.1 200 \xd6k"),
    "a tab before the reason": answer(LENGTH, first=b"HTTP/1.1 200\tOK"),
    "two blanks before the status": answer(LENGTH, first=b"HTTP/1.1  200 OK"),
    "HTTP/1.0": answer(LENGTH, first=b"HTTP/1.0 200 OK"),
    "HTTP/1.2": answer(LENGTH, first=b"HTTP/1.2 200 OK"),
    "HTTP/2.0": answer(LENGTH, first=b"HTTP/2.0 200 OK"),
    "an empty line before it": b"\r\n" + answer(LENGTH),
    "a name with a sign": answer(b"x(a): 1", LENGTH),
    "a name with a blank": answer(b"x a: 1", LENGTH),
    "a blank before the colon": answer(b"x-a : 1", LENGTH),
    "a name in UTF-8": answer("x-ä: 1".encode(), LENGTH),
    "a line without a colon": answer(b"junk line", LENGTH),
    "an empty name": answer(b": v", LENGTH),
    "NAMES in capitals": answer(b"X-A: 1", LENGTH.upper()),
    "a value in Latin-1": answer(b"x-a: Zo\xeb", LENGTH),
    "a control sign in a value": answer(b"x-a: a\x01b", LENGTH),
    "NUL in a value": answer(b"x-a: a\0b", LENGTH),
    "CR in a value": answer(b"x-a: a\rb", LENGTH),
    "CR CR LF": answer(b"x-a: a\r", LENGTH),
    "the end of the connection": answer(b"connection: close"),
    "the end of the connection, unsaid": answer(),
    "100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(LENGTH),
    "103 Early Hints": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + answer(LENGTH),
    "three interim answers": b"HTTP/1.1 102 Processing\r\ncontent-length: 0\r\n\r\n" * 3 + answer(LENGTH),
    "an upgrade offered": answer(b"upgrade: h2c", b"connection: Upgrade", LENGTH),
    "a content-type twice": answer(b"content-type: a/b", b"content-type: a/c", LENGTH),
    "an odd charset": answer(b"content-type: ;;;charset=nope", LENGTH),
    "a location that is none": answer(b"location: http://[bad", LENGTH),
    "a cookie that is none": answer(b"set-cookie: \xff;;=", LENGTH),
}
"""Answers with :data:`BODY` that a client takes."""

EMPTY = {
    "204 with a length": answer(b"content-length: 5", first=b"HTTP/1.1 204 No Content", body=b""),
    "204 with length 0": answer(b"content-length: 0", first=b"HTTP/1.1 204 No Content", body=b""),
    "204 with chunks": answer(CHUNKED, first=b"HTTP/1.1 204 No Content", body=b"0\r\n\r\n"),
    "204 with a body": answer(LENGTH, first=b"HTTP/1.1 204 No Content"),
    "304 with a length": answer(b"content-length: 5", first=b"HTTP/1.1 304 Not Modified", body=b""),
    "304 with a body": answer(LENGTH, first=b"HTTP/1.1 304 Not Modified"),
    "gzip of nothing": coded(b"gzip", b""),
}
"""Answers without a body that a client takes."""

REFUSED = {
    "lengths that differ": (answer(LENGTH, b"content-length: 3"), "several content-lengths that differ"),
    "lengths that differ in one field": (answer(b"content-length: 3, 4"), "several content-lengths that differ"),
    "a size that is none": (answer(CHUNKED, body=b"zz\r\n" + chunks()), "size is not a hexadecimal number"),
    "a negative size": (answer(CHUNKED, body=b"-5\r\n" + chunks()), "size is not a hexadecimal number"),
    "a chunk that is longer": (answer(CHUNKED, body=b"3\r\n" + BODY + b"\r\n0\r\n\r\n"), "longer than its size"),
    "no last chunk": (answer(CHUNKED, body=chunks(last=b"")), "ended early"),
    "a body that is short": (answer(b"content-length: 999"), "ended early"),
    "another protocol": (b"ICY 200 OK\r\n\r\n" + BODY, "does not begin with HTTP/"),
    "a TLS alert": (b"\x15\x03\x03\x00\x02\x02\x28", "does not begin with HTTP/"),
    "no status": (answer(LENGTH, first=b"HTTP/1.1 OK"), "a status of three digits"),
    "a status of two digits": (answer(LENGTH, first=b"HTTP/1.1 20 OK"), "a status of three digits"),
    "a status of four digits": (answer(LENGTH, first=b"HTTP/1.1 2000 OK"), "a status of three digits"),
    "status 000": (answer(LENGTH, first=b"HTTP/1.1 000 OK"), "its status is below 100"),
    "status 099": (answer(LENGTH, first=b"HTTP/1.1 099 OK"), "its status is below 100"),
    "the end within the head": (b"HTTP/1.1 200 OK\r\ncontent-le", "closed within the answer's head"),
    "a head without an end": (answer(*(b"x-%d: " % i + b"v" * 999 for i in range(300))), "longer than 262144 bytes"),
    "damaged gzip": (coded(b"gzip", b"\x1f\x8b\x08" + BODY), "damaged"),
    "no gzip at all": (coded(b"gzip", BODY), "damaged"),
}
"""Bytes that no client takes for an answer, and what the detail says."""


RUNS = {
    "native": ("native", uvloop.run),  # which loop waits changes nothing of how it reads
    "aiohttp, asyncio": ("aiohttp", asyncio.run),
    "aiohttp, uvloop": ("aiohttp", uvloop.run),
}


@pytest.fixture(params=RUNS.values(), ids=RUNS)
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Outcome]]:
    """Runs over each transport."""
    transport, runner = request.param
    send_over(transport, monkeypatch)
    chosen: Callable[..., list[Outcome]] = runner
    return chosen


async def ask(server: RawServer, *paths: str, method: str = "GET", timeout_s: float = 60.0) -> list[Outcome]:
    """One send after another over one pool."""
    transport = open_transport("c", ShadowConfig(url=server.url, timeout_s=timeout_s, concurrency=1), None)
    try:
        return [await transport.send(make_copy(method, path)) for path in paths]
    finally:
        await transport.close()


def by_httpx(url: str) -> tuple[int, bytes]:
    got = httpx.get(url, trust_env=False, timeout=60)
    return got.status_code, got.content


def by_urllib3(url: str) -> tuple[int, bytes]:
    """urllib3 over http.client, as requests has it."""
    with urllib3.PoolManager() as pool:
        got = pool.request("GET", url, timeout=60, retries=False, redirect=False)
        return got.status, got.data


def by_aiohttp(url: str) -> tuple[int, bytes]:
    async def go() -> tuple[int, bytes]:
        async with aiohttp.ClientSession() as session, session.get(url) as got:
            return got.status, await got.read()

    return asyncio.run(go())


def taken_by_a_client(url: str, *bodies: bytes) -> bool:
    for client in (by_httpx, by_urllib3, by_aiohttp):
        with contextlib.suppress(Exception):
            status, body = client(url)
            if status >= 100 and body in bodies:  # aiohttp alone takes a lower status
                return True
    return False


@pytest.mark.parametrize("sent", TAKEN.values(), ids=TAKEN)
def test_what_a_client_takes_is_an_answer(sent: bytes, run: Callable[..., list[Outcome]]) -> None:
    with RawServer(lambda _: sent, then_end=True) as server:
        assert taken_by_a_client(server.url, BODY)
        (outcome,) = run(ask(server, "/"))
    assert (outcome.reason, outcome.detail, outcome.status) == ("", "", 200)
    assert outcome.body == BODY


@pytest.mark.parametrize("sent", EMPTY.values(), ids=EMPTY)
def test_what_a_client_takes_without_a_body_is_an_answer(sent: bytes, run: Callable[..., list[Outcome]]) -> None:
    with RawServer(lambda _: sent, then_end=True) as server:
        assert taken_by_a_client(server.url, b"")
        (outcome,) = run(ask(server, "/"))
    assert (outcome.reason, outcome.status, outcome.body) == ("", int(sent[9:12]), b"")


@pytest.mark.parametrize(("sent", "words"), REFUSED.values(), ids=REFUSED)
def test_what_no_client_takes_says_what_is_wrong(sent: bytes, words: str, run: Callable[..., list[Outcome]]) -> None:
    with RawServer(lambda _: sent, then_end=True) as server:
        assert not taken_by_a_client(server.url, BODY)
        (outcome,) = run(ask(server, "/"))
    assert outcome.reason == "transport_error"
    assert words in outcome.detail
    assert "well" not in outcome.detail


def own(path: str, *lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """An answer that names its request."""
    return answer(*lines, b"content-length: %d" % len(path), first=first, body=path.encode())


FORGED = answer(b"content-length: 6", body=b"forged")
ODD: dict[str, Callable[[str], bytes]] = {
    "another answer behind it": lambda path: own(path) + FORGED,
    "another answer behind the last chunk": lambda path: answer(CHUNKED, body=chunks(path.encode())) + FORGED,
    "chunks beside a length": lambda path: own(path, CHUNKED)[: -len(path)] + chunks(path.encode()),
    "chunked behind a blank": lambda path: answer(b"transfer-encoding : chunked", body=chunks(path.encode())),
    "an extension with blanks": lambda path: answer(CHUNKED, body=chunks(path.encode(), b" ; a")),
    "a size with 0x": lambda path: answer(CHUNKED, body=b"0x" + chunks(path.encode())),
    "LF only": lambda path: own(path).replace(b"\r\n", b"\n"),
    "CR in a value": lambda path: own(path, b"x-a: b\rcontent-length: 9"),
    "a folded header": lambda path: own(path, b"x-a: b\r\n content-length: 9"),
    "a length with a sign": lambda path: own(path).replace(b"length: ", b"length: +"),
    "HTTP/1.0": lambda path: own(path, first=b"HTTP/1.0 200 OK"),
    "Connection: close": lambda path: own(path, b"connection: x, Close"),
}
PLAIN: dict[str, Callable[[str], bytes]] = {
    "a length": own,
    "chunks": lambda path: answer(CHUNKED, body=chunks(path.encode(), b";a=b")),
    "equal lengths": lambda path: own(path, b"content-length: %d" % len(path)),
    "200 headers": lambda path: own(path, *(b"x-%d: v" % i for i in range(200))),
    "100 Continue": lambda path: b"HTTP/1.1 100 Continue\r\n\r\n" + own(path),
    "HTTP/1.0, kept": lambda path: own(path, b"connection: keep-alive", first=b"HTTP/1.0 200 OK"),
}


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD)
def test_no_connection_is_used_again_behind_something_odd(
    sent: Callable[[str], bytes], run: Callable[..., list[Outcome]]
) -> None:
    with RawServer(sent) as server:
        outcomes = run(ask(server, "/first", "/second", "/third"))
        assert [(one.reason, one.body) for one in outcomes] == [("", b"/first"), ("", b"/second"), ("", b"/third")]
        assert server.paths == [["/first"], ["/second"], ["/third"]]


@pytest.mark.parametrize("sent", PLAIN.values(), ids=PLAIN)
def test_a_connection_without_anything_odd_is_kept(
    sent: Callable[[str], bytes], run: Callable[..., list[Outcome]]
) -> None:
    with RawServer(sent) as server:
        outcomes = run(ask(server, "/first", "/second", "/third"))
        assert [(one.reason, one.body) for one in outcomes] == [("", b"/first"), ("", b"/second"), ("", b"/third")]
        assert server.paths == [["/first", "/second", "/third"]]


@pytest.mark.parametrize(
    "sent",
    [EMPTY["204 with a length"], EMPTY["204 with a body"], EMPTY["304 with a length"]],
    ids=["204", "body", "304"],
)
def test_a_body_that_must_not_follow_meets_no_other_request(sent: bytes, run: Callable[..., list[Outcome]]) -> None:
    with RawServer(lambda path: sent if path == "/first" else own(path)) as server:
        first, second = run(ask(server, "/first", "/second"))
        assert (first.reason, first.body, second.reason, second.body) == ("", b"", "", b"/second")
        assert len(server.paths) == 2


def test_head_has_no_body_whatever_its_head_says(run: Callable[..., list[Outcome]]) -> None:
    with RawServer(lambda path: own(path)[: -len(path)]) as server:
        outcomes = run(ask(server, "/first", "/second", method="HEAD"))
        assert [(one.reason, one.status, one.body) for one in outcomes] == [("", 200, b"")] * 2
        assert len(server.paths) == 1


def test_an_answer_that_nobody_asked_for_closes_its_connection(run: Callable[..., list[Outcome]]) -> None:
    async def go() -> list[Outcome]:
        transport = open_transport("c", ShadowConfig(url=server.url, timeout_s=60, concurrency=1), None)
        first = await transport.send(make_copy("GET", "/first"))
        server.send(0, FORGED)
        assert await asyncio.to_thread(server.until_ended, 1)
        second = await transport.send(make_copy("GET", "/second"))
        await transport.close()
        return [first, second]

    with RawServer(own) as server:
        assert [one.body for one in run(go())] == [b"/first", b"/second"]
        assert server.paths == [["/first"], ["/second"]]


def test_headers_are_what_was_sent_without_the_connections_own(run: Callable[..., list[Outcome]]) -> None:
    sent = answer(b"X-A: 1", b"x-b:  2\r\n 3 ", b"x-c : 4", b"keep-alive: timeout=5", b"x(d): 5", LENGTH)
    with RawServer(lambda _: sent, then_end=True) as server:
        (outcome,) = run(ask(server, "/"))
    assert outcome.headers == ((b"X-A", b"1"), (b"x-b", b"2 3"), (b"x-c", b"4"))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (answer(first=b"HTTP/1.0 200 OK"), ""),
        (answer(b"content-length: 99"), "transport_error"),
        (b"", "transport_error"),
    ],
    ids=["up to the end", "a length", "nothing"],
)
def test_a_server_that_ends_tls_without_saying_so_ends_the_connection(
    sent: bytes, reason: str, run: Callable[..., list[Outcome]], tmp_path: Path
) -> None:
    """As Python's own http.server does over TLS. A body that has a length is still not cut unseen."""
    authority, bundle = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    def serve() -> None:
        connection, _ = listener.accept()
        with tls.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(sent)
            bare = socket.socket(fileno=secure.detach())
        bare.close()

    async def go() -> list[Outcome]:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        transport = open_transport("c", ShadowConfig(url=url, timeout_s=30, ca_file=str(bundle)), None)
        outcome = await transport.send(make_copy())
        await transport.close()
        return [outcome]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        shadow = threading.Thread(target=serve)
        shadow.start()
        (outcome,) = run(go())
        shadow.join()
    assert (outcome.reason, outcome.body) == (reason, BODY if not reason else b"")
