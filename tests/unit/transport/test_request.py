"""What is sent: targets stay within the shadow's authority; a model override changes the model and nothing else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from shadowlane._core import Outgoing, path_and_query, request_url, rewrite_model

BASE = "http://shadow.example:9001/api"

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("model"), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), _json), _json, st.text(min_size=1, max_size=20), st.booleans())
def test_only_the_model_value_changes(members: dict[str, Any], value: Any, model: str, escaped: bool) -> None:
    before = {**members, "model": value}
    target, body, changes = rewrite_model("", "/ask", json.dumps(before, ensure_ascii=escaped).encode(), model)
    assert target == "/ask"
    # Names and values keep their bytes; only the space between members goes.
    after = json.dumps({**before, "model": model}, ensure_ascii=False)
    assert json.loads(body) == json.loads(after)
    assert value == model or changes == ["model: rewritten"]


@given(st.binary(max_size=60) | _json.map(lambda value: json.dumps(value).encode()))
def test_what_has_no_top_level_model_is_left_alone(body: bytes) -> None:
    try:
        value = json.loads(body.decode("utf-8"))
    except ValueError:
        value = None
    if not (isinstance(value, dict) and "model" in value):
        assert rewrite_model("", "/ask", body, "other") == ("/ask", body, [])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"a","model":"b"}', b'{"model":"new","model":"new"}'),
        (b'{"x":{"model":"a"},"model":{"deep":[1]}}', b'{"x":{"model":"a"},"model":"new"}'),
        (b'{"n":' + b"9" * 5000 + b',"model":null}', b'{"n":' + b"9" * 5000 + b',"model":"new"}'),
        (b'{"model":"a"} trailing', b'{"model":"a"} trailing'),
        (b'{"model":"a",}', b'{"model":"a",}'),
        (b'{"model":"a"', b'{"model":"a"'),
        (b'[{"model":"a"}]', b'[{"model":"a"}]'),
        (b"{}", b"{}"),
        (b"", b""),
        (b'{"model":"\xff"}', b'{"model":"\xff"}'),
        (b'{"a":' + b"[" * 100_000, b'{"a":' + b"[" * 100_000),
    ],
)
def test_model_cases(body: bytes, expected: bytes) -> None:
    assert rewrite_model("", "/ask", body, "new")[1] == expected


@given(st.text())
def test_no_target_changes_the_authority(target: str) -> None:
    url = request_url(BASE, target)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("http", "shadow.example:9001", "")
    assert url.startswith(BASE + "/")
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url


_visible = st.text([chr(c) for c in range(0x21, 0x7F) if chr(c) != "#"], max_size=30)


@given(_visible, _visible)
def test_targets_pass_as_they_are(path: str, query: str) -> None:
    target = "/" + path.replace("?", "") + ("?" + query if query else "")
    url = request_url(BASE, target)
    assert url == BASE + target
    # What aiohttp writes into the request line:
    assert URL(url, encoded=True).raw_path_qs == "/api" + target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("@evil.example/", "/@evil.example/"),
        ("//evil.example/", "//evil.example/"),
        ("http://evil.example/", "/http://evil.example/"),
        ("/a b\r\nx: y", "/a%20b%0D%0Ax:%20y"),
        ("/ä#f", "/%C3%A4%23f"),
        ("/a/../b/./%2e", "/a/../b/./%2e"),
        ("", "/"),
    ],
)
def test_target_cases(target: str, expected: str) -> None:
    assert request_url(BASE, target) == BASE + expected
    assert request_url(BASE + "/", target) == BASE + expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://shadow/a?b=1", "/a?b=1"),
        ("http://shadow/a?", "/a"),
        ("http://shadow/a??", "/a??"),
        ("http://shadow/?q", "/?q"),
        ("http://shadow/api/v1/x", "/api/v1/x"),
        ("http://shadow//evil.example/", "//evil.example/"),
    ],
)
def test_what_stands_in_the_request_line(url: str, expected: str) -> None:
    assert path_and_query(url) == expected


TAG = [("x-shadow", "1"), ("x-shadow-id", "id-1"), ("x-shadow-req-hash", "hash-1")]
AGENT = ("user-agent", "shadowlane/test")


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ([(b"X-Trace", b"7"), (b"x-trace", b"8")], [("x-trace", "7"), ("x-trace", "8"), AGENT]),
        ([(b"User-Agent", b"OpenAI/Python")], [("user-agent", "OpenAI/Python")]),
        # Prod's connection, credential, tags, signature and trace are not the copy's.
        ([(name, b"x") for name in (b"Host", b"TE", b"Upgrade", b"Content-Length", b"Transfer-Encoding")], [AGENT]),
        ([(name, b"x") for name in (b"X-Shadow", b"x-shadow-id", b"X-Shadow-Anything")], [AGENT]),
        ([(name, b"x") for name in (b"Signature", b"Signature-Input", b"traceparent", b"TraceState")], [AGENT]),
        ([(b"Authorization", b"Bearer prods-own")], [AGENT]),
        # Nothing ends a line.
        ([(b"x-a", b"1\r\nx-b: 2"), (b"x-c", b"\0"), (b"x d", b"1"), (b"", b"1"), (b"x\xe4", b"1")], [AGENT]),
        (
            [(b"x-a", b""), (b"x-b", " ü ".encode()), (b"x-c", b"\xfc")],
            [("x-a", ""), ("x-b", " ü "), ("x-c", "ü"), AGENT],
        ),
        ([(b"Accept-Encoding", b"gzip, deflate, br;q=0.5, zstd")], [("accept-encoding", "gzip, deflate"), AGENT]),
        ([(b"Accept-Encoding", b" X-GZIP ;q=0.1 ,br")], [("accept-encoding", "X-GZIP ;q=0.1"), AGENT]),
        (
            [(b"Accept-Encoding", b"br, zstd"), (b"accept-encoding", b"")],
            [("accept-encoding", "identity")] * 2 + [AGENT],
        ),
    ],
)
def test_which_headers_pass(given: list[tuple[bytes, bytes]], passes: list[tuple[str, str]]) -> None:
    outgoing = Outgoing(BASE, (b"Authorization", b"Bearer own"), AGENT[1])
    assert outgoing.headers(given, "id-1", "hash-1") == [*passes, ("authorization", "Bearer own"), *TAG]
    assert outgoing.headers(tuple(given), "id-1", "hash-1") == outgoing.headers(given, "id-1", "hash-1")


def test_a_shadow_without_a_credential_gets_none() -> None:
    outgoing = Outgoing(BASE, None, AGENT[1])
    assert outgoing.headers([(b"x-a", b"1")], "id-1", "hash-1") == [("x-a", "1"), AGENT, *TAG]
