"""`shadowlane proxy` with HTTP/2 to the user, upstream, or both: what goes in comes out, as over HTTP/1.1."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.chatserver import ChatServer, chat, serving
from tests.support.http2wire import Fields, Got, Http2Upstream, Http2User
from tests.support.upstream import Upstream, Wire

from .conftest import World, until
from .test_proxy import ALONE, ASKED, CHAT, EVENTS, Prod, start
from .test_proxy_reload import Load, event

pytest.importorskip("websockets", reason="extra proxy")
BODY = json.dumps(ASKED).encode()
ODD = [
    (b"x-one", b"a"),
    (b"set-cookie", b"a=1"),
    (b"x-two", b"\xc3\xbc"),
    (b"set-cookie", b"b=2"),
    (b"content-encoding", b"br"),
    (b"content-length", b"3"),
]


class Answers(Prod):
    """Those of HTTP/1.1, and what only HTTP/2 makes of use."""

    def __call__(self, wire: Wire) -> None:
        kind = wire.path.partition("?")[0]
        back: Any = wire.connection
        if kind == "/early/no":
            wire.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        elif kind == "/early/echo":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n")
            sent = 0
            while not (back.whole and sent == len(wire.body)):
                until(lambda: back.whole or len(wire.body) > sent, "more of the request")  # noqa: B023
                if more := wire.body[sent:]:
                    sent += len(more)
                    wire.send(f"{len(more):x}\r\n".encode() + more + b"\r\n")
            wire.send(b"0\r\n\r\n")
        elif kind == "/refused":
            back.send_head_only([(b":status", b"200"), (b"grpc-status", b"7")])
        elif kind == "/lengths":
            back.send_head_only([(b":status", b"200"), (b"content-length", b"0"), (b"content-length", b"5")])
        elif kind.startswith("/whole"):
            body = b"whole" if kind == "/whole" else b""
            said = b"0" if kind == "/whole/none" else b"5"
            back.send_whole_but_its_end([(b":status", b"200"), (b"content-length", said)], body)
            assert self.go_on.wait(60)
            back.send_end()
        elif kind == "/much":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + b"m" * 3_000_000)
        else:
            super().__call__(wire)


class Served:
    def __init__(self, world: World, user: str, behind: str, upstream: Any, prod: Answers, shadow: ChatServer) -> None:
        self.world, self.user, self.upstream, self.prod, self.shadow = world, user, upstream, prod, shadow
        world.configure(
            shadow.url,
            routes={"presets": ["openai"], "read": ["GET /events", "GET /cut", "GET /whole*", "HEAD /whole*"]},
        )
        options = [*(["--http2"] if user == "2" else []), *(["--upstream-http2"] if behind == "2" else [])]
        self.address, self.process = start(world, upstream.url, *options)

    def ask(self, method: str, path: str, fields: Fields | None = None, body: bytes = b"") -> Got:
        if self.user == "2":
            with Http2User(self.address) as user:
                return user.ask(method, path.encode(), fields or [], body, host=b"user.example")
        host, _, port = self.address.rpartition(":")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in [(b"host", b"user.example"), *(fields or [])]:
                connection.putheader(name.decode(), value)
            if body and not any(name == b"content-length" for name, _ in fields or []):
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            got = Got(answer.status, [(name.encode(), value.encode("latin-1")) for name, value in answer.getheaders()])
            try:
                got.body, got.ended = answer.read(), True
            except (http.client.IncompleteRead, ConnectionError):
                got.reset = 0
            return got


@pytest.fixture(scope="module", params=["1-2", "2-1", "2-2"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The user's HTTP and the upstream's."""
    user, _, behind = request.param.partition("-")
    prod, world = Answers(), World(tmp_path_factory.mktemp("proxy"))
    upstream = Http2Upstream(prod) if behind == "2" else Upstream(prod)
    with upstream, serving(lambda got: chat("Shadow.")) as shadow:
        try:
            yield Served(world, user, behind, upstream, prod, shadow)
        finally:
            prod.go_on.set()
            world.close()


def test_an_answer_passes_byte_by_byte(served: Served) -> None:
    asked = [(b"x-a", b"1"), (b"x-b", b"3"), (b"x-a", b"2"), (b"cookie", b"a=1; b=2")]
    got = served.ask("GET", "/odd?x=%2f&y=", asked)
    assert (got.status, got.body, got.ended) == (299, b"\x00\xff\x01", True)
    assert got.fields == ODD
    wire = served.upstream.seen[-1]
    assert wire.path == "/odd?x=%2f&y="
    assert wire.fields == [
        (b"host", b"user.example"),
        *asked,
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"user.example"),
    ]


@pytest.mark.parametrize("size", [1, 70_000, 1_500_000])
def test_bodies_pass(served: Served, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    got = served.ask("PUT", "/x", [(b"content-length", str(size).encode())], data)
    assert (got.status, got.body) == (200, CHAT)
    wire = served.upstream.seen[-1]
    assert wire.body == data
    assert dict(wire.fields)[b"content-length"] == str(size).encode()


def test_a_body_whose_length_nobody_says_passes(served: Served) -> None:
    if served.user == "2":
        assert served.ask("POST", "/x", [], b"abcdef").body == CHAT
    else:
        host, _, port = served.address.rpartition(":")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
            connection.request("POST", "/x", iter([b"abc", b"def"]), encode_chunked=True)
            assert connection.getresponse().read() == CHAT
    wire = served.upstream.seen[-1]
    assert wire.body == b"abcdef"
    assert b"content-length" not in dict(wire.fields)


def test_a_long_answer_passes(served: Served) -> None:
    got = served.ask("GET", "/much")
    assert got.body == b"m" * 3_000_000
    assert got.ended


@pytest.mark.parametrize(("method", "path", "status"), [("HEAD", "/head", 200), ("GET", "/empty", 204)])
def test_an_answer_without_a_body_keeps_its_fields(served: Served, method: str, path: str, status: int) -> None:
    got = served.ask(method, path)
    assert (got.status, got.body, got.ended) == (status, b"", True)
    assert dict(got.fields).get(b"content-length", b"12345") == b"12345"


@pytest.mark.parametrize(("status", "seen"), [(418, 418), (599, 599), (600, 502), (999, 502)])
def test_a_status_that_is_none_of_http_is_a_bad_gateway(served: Served, status: int, seen: int) -> None:
    got = served.ask("GET", f"/status?{status}")
    assert got.status == seen
    assert got.ended


def test_a_stream_comes_as_it_is_sent(served: Served) -> None:
    served.prod.go_on.clear()
    if served.user == "2":
        with Http2User(served.address) as user:
            number = user.begin("GET", b"/events")
            assert user.until(number, lambda got: len(got.body) >= len(EVENTS[0])).body == EVENTS[0]
            served.prod.go_on.set()
            assert user.until(number).body == b"".join(EVENTS)
        return
    host, _, port = served.address.rpartition(":")
    with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.read1() == EVENTS[0]
        served.prod.go_on.set()
        assert answer.read() == b"".join(EVENTS[1:])


def test_an_answer_that_breaks_off_does_not_look_whole(served: Served) -> None:
    got = served.ask("GET", "/cut")
    assert not got.ended
    assert got.reset is not None


def test_a_user_who_leaves_ends_the_request_upstream(served: Served) -> None:
    served.prod.gone.clear()
    if served.user == "2":
        with Http2User(served.address) as user:
            number = user.begin("GET", b"/long")
            user.until(number, lambda got: got.body)
            user.leave(number)
            assert served.prod.gone.wait(60)
            assert user.ask("GET", b"/x").body == CHAT  # the connection goes on
        return
    host, _, port = served.address.rpartition(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n")
        while b"half" not in connection.recv(65536):
            pass
    assert served.prod.gone.wait(60)


def test_an_upload_is_asked_for_when_it_waits(served: Served) -> None:
    if served.user == "1":
        pytest.skip("as in test_proxy.py: the server's own")
    with Http2User(served.address) as user:
        number = user.begin("POST", b"/x", [(b"expect", b"100-continue"), (b"content-length", b"3")], end=False)
        assert user.until(number, lambda got: got.before).before == [100]
        user.send(number, b"abc", end=True)
        assert user.until(number).body == CHAT
    wire = served.upstream.seen[-1]
    assert wire.body == b"abc"
    assert b"expect" not in dict(wire.fields)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("said", [True, False])
def test_what_passes_is_mirrored(served: Served, said: bool) -> None:
    """Also what does not say its length, as only HTTP/2 has it."""
    target = f"/v1/chat/completions?a={said}"
    body = json.dumps(ASKED).encode()
    fields = [(b"content-type", b"application/json"), (b"authorization", b"Bearer secret-of-a-user")]
    fields += [(b"content-length", str(len(body)).encode())] * said
    until(lambda: served.world.lane_status()["open"] == 0, "the requests before to end")
    before = served.world.lane_status()
    assert served.ask("POST", target, fields, body).body == CHAT
    until(lambda: served.world.lane_status()["open"] == 0, "all requests to end")
    status = served.world.lane_status()
    assert (status["seen"], status["mirrored"]) == (before["seen"] + 1, before["mirrored"] + 1)
    assert status["seen"] == status["mirrored"] + sum(status["dropped"].values())
    # The worker gives way to whatever else runs.
    sent = lambda: next((one for one in served.shadow.requests if one.path == target), None)  # noqa: E731
    got = until(sent, "the copy", 150)
    assert got.body["messages"] == ASKED["messages"]
    assert "secret-of-a-user" not in json.dumps(got.headers)


@pytest.mark.parametrize(("method", "path"), [("GET", "/whole"), ("GET", "/whole/none"), ("HEAD", "/whole/head")])
def test_who_has_the_whole_answer_and_leaves_is_mirrored(served: Served, method: str, path: str) -> None:
    """Over HTTP/2 the upstream says behind the last byte that it was the last: the user may have left by then."""
    if (served.user, served.upstream.__class__) != ("1", Http2Upstream):
        pytest.skip("a user of HTTP/1.1, and an upstream of HTTP/2")
    until(lambda: served.world.lane_status()["open"] == 0, "the requests before to end")
    before = served.world.lane_status()
    served.prod.go_on.clear()
    try:
        got = served.ask(method, path)
        assert (got.status, got.body) == (200, b"whole" if path == "/whole" else b"")
        until(lambda: served.world.lane_status()["open"] == 0, "the request to end")
        status = served.world.lane_status()
        assert status["dropped"] == before["dropped"]
        assert status["mirrored"] == before["mirrored"] + 1
    finally:
        served.prod.go_on.set()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """HTTP/2 on both sides, and trailers behind every answer."""
    prod, world = Answers(), World(tmp_path_factory.mktemp("proxy"))
    trailers = [(b"grpc-status", b"0"), (b"x-last", b"z")]
    with Http2Upstream(prod, trailers) as upstream, serving(lambda got: chat("Shadow.")) as shadow:
        try:
            yield Served(world, "2", "2", upstream, prod, shadow)
        finally:
            prod.go_on.set()
            world.close()


def test_both_ways_at_the_same_time_and_trailers_behind(both: Served) -> None:
    """What gRPC needs: an answer that begins before its request ends, `te`, and the status behind the body."""
    with Http2User(both.address) as user:
        number = user.begin("POST", b"/early/echo", [(b"te", b"trailers")], end=False)
        user.until(number, lambda got: got.status)
        for at in range(1, 4):
            user.send(number, b"%d" % at * 1000)
            assert user.until(number, lambda got: len(got.body) == at * 1000).body.endswith(b"%d" % at)  # noqa: B023
        user.send(number, b"", end=True)
        got = user.until(number)
    assert got.trailers == [(b"grpc-status", b"0"), (b"x-last", b"z")]
    assert dict(both.upstream.seen[-1].fields)[b"te"] == b"trailers"


def test_an_answer_that_is_its_head_alone_stays_so(both: Served) -> None:
    with Http2User(both.address) as user:
        got = user.ask("POST", b"/refused", [(b"te", b"trailers")], b"x")
    assert (got.fields, got.body, got.trailers, got.ended) == ([(b"grpc-status", b"7")], b"", [], True)


def test_an_answer_before_the_request_is_whole_passes(both: Served) -> None:
    with Http2User(both.address) as user:
        number = user.begin("POST", b"/early/no", [(b"content-length", b"1000000")], end=False)
        got = user.until(number)
        assert (got.status, got.body, got.ended) == (413, b"no", True)
        assert user.ask("GET", b"/x").body == CHAT  # the connection goes on


def test_a_stream_that_nobody_takes_from_holds_up_no_other(both: Served) -> None:
    with Http2User(both.address) as user, Http2User(both.address, window=0) as slow:
        stuck = slow.begin("GET", b"/much")
        slow.until(stuck, lambda got: len(got.body) == 65_535)  # its window, which it never opens again
        for _ in range(3):
            assert len(user.ask("GET", b"/much").body) == 3_000_000
        connections = both.upstream.connections
        assert connections >= 1


def test_what_the_upstream_has_not_looked_at_is_asked_once_more(both: Served) -> None:
    both.upstream.leave_at_once = True
    with Http2User(both.address) as user:
        assert user.ask("GET", b"/x").body == CHAT
    assert not both.upstream.leave_at_once
    both.upstream.leave_at_once = True
    with Http2User(both.address) as user:  # what has a body is not
        assert user.ask("POST", b"/x", [], b"abc").status == 502
        assert user.ask("POST", b"/x", [], b"abc").body == CHAT


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (b"@other/stolen", None),
        (b"x", None),
        (b"*", None),
        (b"//other/x", "//other/x"),
        (b"http://other/x", "/x"),
        (b"/a HTTP/1.1", None),
        (b"/a#b", None),
    ],
)
def test_a_target_never_names_another_host(both: Served, target: bytes, seen: str | None) -> None:
    before = len(both.upstream.seen)
    with Http2User(both.address) as user:
        got = user.ask("GET", target, host=b"user.example")
    wires = both.upstream.seen[before:]
    assert [wire.path for wire in wires] == [seen] * (seen is not None)
    assert all(dict(wire.fields)[b"host"] == b"user.example" for wire in wires)
    assert got.status == (200 if seen else 400)


GOOD_HOSTS = [b"user.example", b"a_b.example:8080", b"127.0.0.1:", b"[::1]:80", b"%C3%BC.example"]
BAD_HOSTS = [b"user@other.example", b"a b", b" ", b"", b"a/b", b"a:b", b"[::1", b"a\\b", b"\xc3\xbc"]


@pytest.mark.parametrize("host", GOOD_HOSTS + BAD_HOSTS)
def test_a_host_that_is_none_goes_no_further(both: Served, host: bytes) -> None:
    before = len(both.upstream.seen)
    with Http2User(both.address, lenient=True) as user:
        got = user.ask("GET", b"/x", host=host)
    wires = both.upstream.seen[before:]
    if host in GOOD_HOSTS:
        assert (got.status, [dict(wire.fields)[b"host"] for wire in wires]) == (200, [host])
    else:
        assert (got.status in (0, 400), wires) == (True, [])


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET /stolen HTTP/1.1", []),
        ("POST", [(b"content-length", b"3"), (b"content-length", b"30")]),
        ("POST", [(b"content-length", b"+3")]),
        ("CONNECT", []),
    ],
)
def test_what_could_be_read_as_another_request_goes_no_further(served: Served, method: str, fields: Fields) -> None:
    if served.user == "1":
        pytest.skip("httptools refuses it")
    before = len(served.upstream.seen)
    with Http2User(served.address, lenient=True) as user:
        number = user.begin(method, b"/x", fields, end=not fields)
        assert user.until(number).status in (0, 400)
    assert len(served.upstream.seen) == before


@pytest.mark.parametrize("sent", [None, b"", b"ab"])
def test_a_request_that_is_shorter_than_it_says_goes_no_further(served: Served, sent: bytes | None) -> None:
    """Upstream, the next request on the connection would be its rest (RFC 9113 §8.1.1). ``None``: its head is all;
    else it ends with trailers, behind which h2 does not count."""
    if served.user == "1":
        pytest.skip("the connection ends with such a request")
    before = len(served.upstream.seen)
    with Http2User(served.address) as user:
        number = user.begin("POST", b"/x", [(b"content-length", b"30")], end=sent is None)
        if sent is not None:
            user.send(number, sent)
            user.send_trailers(number, [(b"x-last", b"z")])
        assert user.until(number).reset is not None
        assert user.ask("GET", b"/x?next").body == CHAT
    assert [wire.path for wire in served.upstream.seen[before:]] == ["/x?next"]


def test_who_only_takes_back_what_it_asks_loses_the_connection(both: Served) -> None:
    answered = False
    with Http2User(both.address) as user, contextlib.suppress(ConnectionError):
        for _ in range(1000):
            user.leave(user.begin("GET", b"/long"))
        answered = user.until(user.begin("GET", b"/x")).ended
    assert not answered
    with Http2User(both.address) as other:
        assert other.ask("GET", b"/x").body == CHAT


def test_an_answer_with_two_lengths_is_a_bad_gateway(both: Served) -> None:
    with Http2User(both.address) as user:
        assert user.ask("GET", b"/lengths").status == 502


class Http2:
    """A user on one connection, who takes another one when the proxy says that it leaves, and asks there again what it
    says it has not looked at (RFC 9113 §8.7)."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._user: Http2User | None = None

    def __call__(self) -> None:
        while True:
            if self._user is None or self._user.goaway is not None:
                self.close()
                self._user = Http2User(self._address)
            number = self._user.begin(
                "POST", b"/v1/chat/completions", [(b"content-length", b"%d" % len(BODY))], end=False
            )
            self._user.send(number, BODY, end=True)
            got = self._user.until(number)
            refused = got.reset == 7 or (self._user.goaway is not None and number > self._user.goaway)
            if not refused:
                assert (got.status, got.body, got.ended) == (200, CHAT, True), got
                return

    def close(self) -> None:
        if self._user is not None:
            self._user.close()


def test_a_reload_breaks_nothing(both: Served) -> None:
    with Load([Http2(both.address) for _ in range(3)]) as load:
        for _ in range(2):
            load.more(20)
            both.process.popen.send_signal(signal.SIGHUP)
            assert event(both.process)["event"] == "reloaded"
        load.more(40)
    assert load.failures == []


def test_tls_offers_both_and_who_is_to_leave_is_told_first(tmp_path: Path, both: Served) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "tls.pem"))

    def context(*protocols: str) -> ssl.SSLContext:
        trusted = ssl.create_default_context()
        authority.configure_trust(trusted)
        trusted.set_alpn_protocols(list(protocols))
        return trusted

    world = World(tmp_path)
    try:
        world.configure(both.shadow.url, lane=ALONE)
        options = ["--certificate", str(tmp_path / "tls.pem"), "--http2", "--upstream-http2"]
        address, process = start(world, both.upstream.url, *options)
        host, _, port = address.rpartition(":")
        one = http.client.HTTPSConnection(host, int(port), timeout=60, context=context("http/1.1"))
        with contextlib.closing(one):
            one.request("GET", "/x")
            assert one.getresponse().read() == CHAT
        both.prod.go_on.clear()
        with Http2User(address, context("h2", "http/1.1")) as user:
            number = user.begin("GET", b"/events")
            user.until(number, lambda got: got.body)
            assert dict(both.upstream.seen[-1].fields)[b"x-forwarded-proto"] == b"https"
            process.popen.send_signal(signal.SIGHUP)
            assert event(process)["event"] == "reloaded"
            user.until(number, lambda got: user.goaway is not None)
            assert user.goaway == 2**31 - 1
            both.prod.go_on.set()
            assert user.until(number).body == b"".join(EVENTS)  # what was under way goes on
        with Http2User(address, context("h2")) as user:
            assert user.ask("GET", b"/x").body == CHAT
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(60) == 0
    finally:
        both.prod.go_on.set()
        world.close()


def test_an_upstream_that_speaks_no_http2_is_a_bad_gateway(tmp_path: Path, both: Served) -> None:
    world = World(tmp_path)
    try:
        world.configure(both.shadow.url, lane=ALONE)
        with socket.create_server(("127.0.0.1", 0)) as other:
            address, _ = start(world, f"http://127.0.0.1:{other.getsockname()[1]}", "--upstream-http2")
            host, _, port = address.rpartition(":")
            with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)) as user:
                user.request("GET", "/x")
                connection, _ = other.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                connection.close()
                assert user.getresponse().status == 502
    finally:
        world.close()
