"""The proxy's two judges without a network: heads that are one clear request, and hosts and methods that may pass."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.errors import ConfigError
from shadowlane.guard.proxy.rules import Rules
from shadowlane.guard.proxy.wire import BadRequest, Request, parse_head


def head(text: str) -> Request:
    return parse_head(text.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("text", "host", "port", "target"),
    [
        ("GET http://a.internal/x?q=1 HTTP/1.1\nHost: a.internal", "a.internal", 80, "/x?q=1"),
        ("GET http://A.Internal:8080 HTTP/1.1\nhOST: a.internal:8080", "a.internal", 8080, "/"),
        ("GET http://a?q=1 HTTP/1.1\nHost: a", "a", 80, "/?q=1"),
        ("GET http://a:80/ HTTP/1.1\nHost: a", "a", 80, "/"),
        ("GET http://[::1]:81/ HTTP/1.1\nHost: [::1]:81", "::1", 81, "/"),
        ("GET http://a/ HTTP/1.0", "a", 80, "/"),
        ("CONNECT a:443 HTTP/1.1\nHost: a:443", "a", 443, ""),
        ("CONNECT a:443 HTTP/1.1\nHost: a", "a", 443, ""),
    ],
)
def test_clear_heads(text: str, host: str, port: int, target: str) -> None:
    request = head(text)
    assert (request.host, request.port, request.target) == (host, port, target)


BAD = [
    "GET /x HTTP/1.1\nHost: a",
    "GET https://a/ HTTP/1.1\nHost: a",
    "GET ftp://a/ HTTP/1.1\nHost: a",
    "GET http://a/ HTTP/2.0\nHost: a",
    "GET http://a/ HTTP/1.1",
    "GET http://a/ HTTP/1.1\nHost: b",
    "GET http://a/ HTTP/1.1\nHost: a:81",
    "GET http://a/ HTTP/1.1\nHost: a\nHost: a",
    "GET http://a/ HTTP/1.1\nHost: a\nHost: b",
    "GET http://user@a/ HTTP/1.1\nHost: a",
    "GET http://a@b/ HTTP/1.1\nHost: b",
    "GET http://a\\@b/ HTTP/1.1\nHost: b",
    "GET http://a#@b/ HTTP/1.1\nHost: b",
    "GET http://a/#x HTTP/1.1\nHost: a",
    "GET http:///x HTTP/1.1\nHost: a",
    "GET http://a:0/ HTTP/1.1\nHost: a",
    "GET http://a:99999/ HTTP/1.1\nHost: a",
    "GET http://a./ HTTP/1.1\nHost: a.",
    "GET  http://a/ HTTP/1.1\nHost: a",
    "GET http://a/ x HTTP/1.1\nHost: a",
    "GET\thttp://a/ HTTP/1.1\nHost: a",
    "G(T http://a/ HTTP/1.1\nHost: a",
    "GET http://ä/ HTTP/1.1\nHost: ä",
    "\nGET http://a/ HTTP/1.1\nHost: a",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: 1\nTransfer-Encoding: chunked",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 2",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 1",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: 1, 1",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: +1",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: -1",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: 0x1",
    "GET http://a/ HTTP/1.1\nHost: a\nContent-Length: ",
    "GET http://a/ HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked",
    "GET http://a/ HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, identity",
    "GET http://a/ HTTP/1.1\nHost: a\nTransfer-Encoding: identity",
    "GET http://a/ HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked",
    "GET http://a/ HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked",
    "GET http://a/ HTTP/1.0\nHost: a\nTransfer-Encoding: chunked",
    "GET http://a/ HTTP/1.1\nHost: a\nTransfer-Encoding : chunked",
    "GET http://a/ HTTP/1.1\nHost: a\n Transfer-Encoding: chunked",
    "GET http://a/ HTTP/1.1\nHost: a\nX: y\n folded",
    "GET http://a/ HTTP/1.1\nHost: a\nX: y\n\tTransfer-Encoding: chunked",
    "GET http://a/ HTTP/1.1\nHost: a\nno colon",
    "GET http://a/ HTTP/1.1\nHost: a\n: empty",
    "GET http://a/ HTTP/1.1\nHost: a\nX: \x00",
    "GET http://a/ HTTP/1.1\nHost: a\nX: a\x7f",
    "GET http://a/ HTTP/1.1\nHost: a\nX: a\x0b",
    "GET http://a/ HTTP/1.1\nHost: a\nExpect: 200-ok",
    "CONNECT a HTTP/1.1\nHost: a",
    "CONNECT http://a:443/ HTTP/1.1\nHost: a:443",
    "CONNECT a:443/ HTTP/1.1\nHost: a:443",
    "CONNECT a:443 HTTP/1.1\nHost: b:443",
    "CONNECT a:443 HTTP/1.1\nHost: a:443\nContent-Length: 5",
    "CONNECT a:443 HTTP/1.1\nHost: a:443\nTransfer-Encoding: chunked",
]


@pytest.mark.parametrize("text", BAD)
def test_unclear_heads_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        head(text)


@pytest.mark.parametrize("sign", ["\r", "\n", "\r\r\n", "\n\n"])
def test_bare_line_ends_are_refused(sign: str) -> None:
    raw = f"GET http://a/ HTTP/1.1\r\nHost: a{sign}Transfer-Encoding: chunked\r\n\r\n"
    with pytest.raises(BadRequest):
        parse_head(raw.encode())


def test_a_head_full_of_spaces_is_read_in_one_pass() -> None:
    """Quadratic matching would take minutes here, and the test's time limit ends it."""
    request = head("GET http://a/ HTTP/1.1\nHost: a\nX: a" + " " * 60_000 + "b \t ")
    assert len(request.all("x")[0]) == 60_002


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(raw: bytes) -> None:
    for start in (b"", b"GET http://a/ HTTP/1.1\r\nHost: a\r\n"):
        try:
            request = parse_head(start + raw.replace(b"\r\n\r\n", b"") + b"\r\n\r\n")
        except BadRequest:
            continue
        assert request.host
        assert all("\r" not in value and "\n" not in value and "\0" not in value for _, value in request.headers)


_PIECES = [
    b"GET ",
    b"POST ",
    b"CONNECT ",
    b"http://a",
    b"http://a:80",
    b"a:443",
    b"/",
    b"/x?y",
    b" HTTP/1.1",
    b" HTTP/1.0",
]
_PIECES += [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"Host: a", b"Host: a:443", b"X: y", b"Content-Length: 3"]
_PIECES += [
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Expect: 100-continue",
    b"\x00",
    b"\xff",
    b"@",
    b"#",
    b",",
]
_START = [
    b"GET http://a/ HTTP/1.1\r\nHost: a\r\n",
    b"POST http://a/x HTTP/1.1\r\nhost:a\r\n",
    b"CONNECT a:443 HTTP/1.1\r\n",
    b"",
]


@given(st.sampled_from(_START), st.lists(st.sampled_from(_PIECES) | st.binary(max_size=3), max_size=12))
def test_what_is_accepted_h11_reads_in_the_same_way(start: bytes, pieces: list[bytes]) -> None:
    """An oracle: nobody behind this check may see another method, target or header than it did."""
    raw = start + b"".join(pieces).replace(b"\r\n\r\n", b"\r\n") + b"\r\n\r\n"
    raw = raw[: raw.index(b"\r\n\r\n") + 4]
    try:
        request = parse_head(raw)
    except BadRequest:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert event.method.decode() == request.method
    assert event.target.decode().lower().startswith(("http://" + request.host, request.host + ":"))
    assert [(name.decode(), value.decode("latin-1")) for name, value in event.headers] == request.headers


def _plain(method: str, url: str, *headers: str) -> Request:
    host = url.split("/")[2]
    return head("\n".join([f"{method} {url} HTTP/1.1", f"Host: {host}", *headers]))


RULES = Rules(
    ["api.internal", "llm.internal:8080=openai", "*.cdn.example", "[::1]:81", "127.0.0.1:9"], ["tls.internal", "x:8443"]
)


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        (_plain("GET", "http://api.internal/x"), "forward"),
        (_plain("HEAD", "http://api.internal/x"), "forward"),
        (_plain("OPTIONS", "http://api.internal/x"), "forward"),
        (_plain("GET", "http://a.cdn.example/x"), "forward"),
        (_plain("GET", "http://a.b.cdn.example/x"), "forward"),
        (_plain("GET", "http://[::1]:81/x"), "forward"),
        (_plain("GET", "http://cdn.example/x"), "refuse"),
        (_plain("GET", "http://evilcdn.example/x"), "refuse"),
        (_plain("GET", "http://api.internal:81/x"), "refuse"),
        (_plain("GET", "http://api.internal.evil/x"), "refuse"),
        (_plain("GET", "http://127.1:9/x"), "refuse"),
        (_plain("GET", "http://2130706433:9/x"), "refuse"),
        (_plain("GET", "http://0x7f000001:9/x"), "refuse"),
        (_plain("GET", "http://0177.0.0.1:9/x"), "refuse"),
        (_plain("POST", "http://api.internal/v1/chat/completions"), "refuse"),
        (_plain("TRACE", "http://api.internal/x"), "refuse"),
        (_plain("get", "http://api.internal/x"), "refuse"),
        (_plain("GET", "http://api.internal/x", "X-HTTP-Method-Override: PUT"), "refuse"),
        (_plain("GET", "http://api.internal/x?_method=PUT"), "refuse"),
        (_plain("GET", "http://api.internal/x", "Connection: upgrade", "Upgrade: websocket"), "refuse"),
        (_plain("GET", "http://api.internal/x", "Connection: upgrade, http2-settings", "Upgrade: h2c"), "refuse"),
    ],
)
def test_what_may_pass(request_: Request, action: str) -> None:
    assert RULES.classify(request_, b"").action == action


def test_a_preset_lets_its_reads_through() -> None:
    chat = _plain("POST", "http://llm.internal:8080/v1/chat/completions", "Content-Type: application/json")
    body = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
    assert RULES.classify(chat, body).action == "forward"
    assert RULES.classify(chat, b'{"model": "m", "messages": [], "background": true}').write
    assert RULES.classify(_plain("POST", "http://llm.internal:8080/v1/files"), b"").write
    assert RULES.classify(_plain("DELETE", "http://llm.internal:8080/v1/chat/completions"), body).write


def test_connect_has_a_list_of_its_own() -> None:
    def connect(authority: str) -> str:
        return RULES.connectable(head(f"CONNECT {authority} HTTP/1.1\nHost: {authority}")).action

    assert connect("tls.internal:443") == "tunnel"
    assert connect("x:8443") == "tunnel"
    for refused in ("api.internal:443", "api.internal:80", "tls.internal:80", "x:443", "sub.tls.internal:443"):
        assert connect(refused) == "refuse"
    assert RULES.classify(_plain("GET", "http://tls.internal/x"), b"").action == "refuse"
    assert RULES.tunnels == ["tls.internal:443", "x:8443"]


@pytest.mark.parametrize(
    ("allow", "connect", "text"),
    [
        ([], [], "nothing could pass"),
        (["http://a/"], [], "write HOST"),
        (["a:0"], [], "write HOST"),
        (["a:70000"], [], "write HOST"),
        (["*"], [], "write HOST"),
        (["a b"], [], "write HOST"),
        (["a=nosuch"], [], "is no preset"),
        ([], ["a=openai"], "means nothing inside TLS"),
    ],
)
def test_wrong_lists_are_named(allow: list[str], connect: list[str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Rules(allow, connect)
