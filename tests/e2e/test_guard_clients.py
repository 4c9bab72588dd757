"""Outgoing HTTP of a shadow with the real client libraries against a real server: no unsafe method arrives that was not
allowed, redirects and disguises included; and every call carries the tag, signed where a key is given."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import pytest
import requests

from shadowlane.errors import ConfigError
from shadowlane.guard import Shadow, ShadowWriteError, WSGIShadowGuard, current, shadow_context
from shadowlane.guard.aiohttp import fence as aiohttp_fence
from shadowlane.guard.httpx import fence as httpx_fence
from shadowlane.guard.outgoing import Outgoing
from shadowlane.guard.requests import GuardedSession
from shadowlane.tag import TagError, Verifier
from tests.support.recorder import Recorder, recorder

SHADOW = Shadow(id="0193-id", req_hash="abcd")
KEY = "k" * 32
Ask = Callable[..., int]


@pytest.fixture
def upstream() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


@contextmanager
def _httpx(library: Any = httpx, **options: Any) -> Iterator[Ask]:
    with httpx_fence(library.Client(follow_redirects=True, timeout=60, trust_env=False), **options) as client:
        yield (
            lambda method, url, headers=None: client.request(method, url, headers=headers, content=b"body").status_code
        )


@contextmanager
def _httpx_async(library: Any = httpx, **options: Any) -> Iterator[Ask]:
    client = httpx_fence(library.AsyncClient(follow_redirects=True, timeout=60, trust_env=False), **options)

    async def ask(method: str, url: str, headers: Any = None) -> int:
        return (await client.request(method, url, headers=headers, content=b"body")).status_code

    with _runner() as run:
        yield lambda *args, **kwargs: run(ask(*args, **kwargs))
        run(client.aclose())


@contextmanager
def _requests(**options: Any) -> Iterator[Ask]:
    with GuardedSession(**options) as session:
        session.trust_env = False
        yield lambda method, url, headers=None: session.request(method, url, headers=headers, data=b"body").status_code


@contextmanager
def _aiohttp(**options: Any) -> Iterator[Ask]:
    with _runner() as run:

        async def opened() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(middlewares=(aiohttp_fence(**options),))

        session = run(opened())

        async def ask(method: str, url: str, headers: Any = None) -> int:
            async with session.request(method, url, headers=headers, data=b"body") as response:
                return response.status

        yield lambda *args, **kwargs: run(ask(*args, **kwargs))
        run(session.close())


@contextmanager
def _runner() -> Iterator[Callable[[Any], Any]]:
    with asyncio.Runner() as runner:
        yield lambda work: runner.run(work, context=contextvars.copy_context())


CLIENTS: dict[str, Callable[..., AbstractContextManager[Ask]]] = {
    "httpx": _httpx,
    "httpx async": _httpx_async,
    "httpx2": partial(_httpx, httpx2),
    "httpx2 async": partial(_httpx_async, httpx2),
    "requests": _requests,
    "aiohttp": _aiohttp,
}
ATTEMPTS: list[tuple[str, str, dict[str, str]]] = [
    ("POST", "/", {}),
    ("PUT", "/x", {}),
    ("PATCH", "/x", {}),
    ("DELETE", "/x", {}),
    ("post", "/x", {}),
    ("PROPFIND", "/x", {}),
    ("TRACE", "/x", {}),
    ("GET", "/x", {"X-HTTP-Method-Override": "DELETE"}),
    ("GET", "/x", {"x-http-method": "PUT"}),
    ("GET", "/x?_method=DELETE", {}),
    ("GET", "/x", {"connection": "upgrade", "upgrade": "websocket"}),
    ("GET", "/x", {"X-Original-URL": "/admin/delete"}),
    ("GET", "/x", {"x-rewrite-url": "/admin/delete"}),
    ("GET", "/x", {"X-Http-DestinationURL": "/admin/delete"}),
    ("HEAD", "/x", {"X-Envoy-Original-Path": "/admin/delete"}),
    ("POST", "/allowed/../x", {}),
    ("POST", "/allowed/%2e%2e/x", {}),
    ("POST", "/allowed%2f..%2fx", {}),
    ("DELETE", "/allowed/x", {}),
]


@pytest.mark.parametrize("name", CLIENTS)
def test_no_write_arrives_in_a_shadow(upstream: Recorder, name: str) -> None:
    allow = [f"POST {upstream.url}/allowed/*"]
    with CLIENTS[name](allow=allow) as ask, shadow_context(SHADOW):
        for method, path, headers in ATTEMPTS:
            with pytest.raises(ShadowWriteError):
                ask(method, upstream.url + path, headers)
        assert upstream.seen == []
        # A redirect that keeps the method leads from an allowed call to one that is not.
        for code in (307, 308):
            with CLIENTS[name](allow=[f"POST {upstream.url}/redirect/*"]) as wide, pytest.raises(ShadowWriteError):
                wide("POST", f"{upstream.url}/redirect/{code}/x")
        assert [(seen.method, seen.target) for seen in upstream.seen] == [
            ("POST", "/redirect/307/x"),
            ("POST", "/redirect/308/x"),
        ]
        upstream.seen.clear()
        assert ask("GET", upstream.url + "/read?q=1") == 200
        assert ask("HEAD", upstream.url + "/read") == 200
        assert ask("OPTIONS", upstream.url + "/read") == 200
        assert ask("POST", upstream.url + "/allowed/search") == 200
        assert ask("GET", upstream.url + "/redirect/302/read") == 200
    assert [seen.method for seen in upstream.seen] == ["GET", "HEAD", "OPTIONS", "POST", "GET", "GET"]


@pytest.mark.parametrize("name", CLIENTS)
def test_everything_passes_outside_a_shadow_untagged(upstream: Recorder, name: str) -> None:
    with CLIENTS[name]() as ask:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert ask(method, upstream.url + "/x?_method=DELETE", {"baggage": "a=b"}) == 200
    assert [seen.method for seen in upstream.seen] == ["GET", "POST", "PUT", "PATCH", "DELETE"]
    for seen in upstream.seen:
        assert seen.all("x-shadow") == []
        assert seen.all("baggage") == ["a=b"]


@pytest.mark.parametrize("name", CLIENTS)
def test_calls_carry_the_tag(upstream: Recorder, name: str) -> None:
    with CLIENTS[name]() as ask, shadow_context(SHADOW):
        ask("GET", upstream.url + "/redirect/302/x", {"baggage": "userId=alice", "x-shadow": "0"})
    assert len(upstream.seen) == 2
    for seen in upstream.seen:
        assert seen.all("x-shadow") == ["1"]
        assert seen.all("x-shadow-id") == [SHADOW.id]
        assert seen.all("x-shadow-req-hash") == [SHADOW.req_hash]
        assert seen.all("baggage") == ["shadow=true,userId=alice"]
        assert seen.all("signature") == []


@pytest.mark.parametrize("name", CLIENTS)
def test_the_next_service_can_check_the_tag(upstream: Recorder, name: str) -> None:
    with CLIENTS[name](key=KEY) as ask, shadow_context(Shadow()):
        ask("GET", upstream.url + "/a%20path/~x?q=1&q=%20")
    (seen,) = upstream.seen
    path, _, query = seen.target.partition("?")
    headers = [(key.encode(), value.encode()) for key, value in seen.headers]
    verifier = Verifier([KEY], clock=time.time)
    shadow_id, req_hash = verifier.verify(seen.method, path.encode(), query.encode(), headers)
    assert shadow_id
    assert req_hash == "-"
    with pytest.raises(TagError, match="used before"):
        verifier.verify(seen.method, path.encode(), query.encode(), headers)
    with pytest.raises(TagError, match="does not fit"):
        Verifier([KEY]).verify("DELETE", path.encode(), query.encode(), headers)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_wsgi_server_verifies_what_a_client_signs() -> None:
    """Through a real server, which hands paths out decoded and headers renamed."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        shadow = current()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{shadow.id} {shadow.signed}".encode() if shadow else b"prod"]

    server = make_server("127.0.0.1", 0, WSGIShadowGuard(app, keys=[KEY], expect="shadow-only"), handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with GuardedSession(key=KEY) as session:
            session.trust_env = False
            for target in ("/", "/a%20b/%C3%A4~x?q=%20&r", "/a%2Fb;c=d@e!$&'()*+,=:", "/%7Euser?a=1?b=2"):
                with shadow_context(SHADOW):
                    answer = session.get(url + target)
                assert (answer.status_code, answer.text) == (200, "0193-id True"), target
            assert session.get(url).status_code == 403
            assert session.get(url, headers={"x-shadow": "1"}).status_code == 403
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_adapters_mounted_later_are_fenced(upstream: Recorder) -> None:
    with GuardedSession() as session:
        session.mount(upstream.url, requests.adapters.HTTPAdapter())
        with shadow_context(SHADOW), pytest.raises(ShadowWriteError):
            session.post(upstream.url)
    assert upstream.seen == []


def test_websockets_of_aiohttp_are_refused(upstream: Recorder) -> None:
    async def work() -> None:
        async with aiohttp.ClientSession(middlewares=(aiohttp_fence(),)) as session:
            with shadow_context(SHADOW), pytest.raises(ShadowWriteError):
                await session.ws_connect(upstream.url)

    asyncio.run(work())
    assert upstream.seen == []


def test_httpx_keeps_the_hooks_that_were_there(upstream: Recorder) -> None:
    called: list[str] = []
    with httpx.Client(event_hooks={"request": [lambda request: called.append(request.method)]}) as client:
        httpx_fence(client)
        client.get(upstream.url)
    assert called == ["GET"]


@pytest.mark.parametrize(
    "client",
    [
        object(),
        httpx.Client,
        httpx2.AsyncClient,
        httpx.HTTPTransport(),
        requests.Session(),
        openai.OpenAI(api_key="none"),
        SimpleNamespace(event_hooks={"request": []}, send=lambda request: None),
    ],
    ids=lambda client: getattr(client, "__name__", type(client).__name__),
)
def test_what_is_no_client_is_refused_at_once(client: Any) -> None:
    with pytest.raises(TypeError, match=r"no fence for .*http_client"):
        httpx_fence(client)


def test_a_client_that_drops_its_hooks_is_refused() -> None:
    class Deaf(httpx2.Client):
        @property
        def event_hooks(self) -> dict[str, list[Any]]:
            return {"request": [], "response": []}

        @event_hooks.setter
        def event_hooks(self, hooks: Any) -> None:
            pass

    with Deaf() as client, pytest.raises(ConfigError, match="does not keep request hooks"):
        httpx_fence(client)


MESSAGES: Any = [{"role": "user", "content": "hi"}]
SDKS: dict[str, tuple[str, Any, Any, Callable[[Any], Any]]] = {
    "openai": (
        "/chat/completions",
        openai.OpenAI,
        openai.AsyncOpenAI,
        lambda sdk: sdk.chat.completions.create(model="m", messages=MESSAGES),
    ),
    "anthropic": (
        "/v1/messages",
        anthropic.Anthropic,
        anthropic.AsyncAnthropic,
        lambda sdk: sdk.messages.create(model="m", messages=MESSAGES, max_tokens=5),
    ),
}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", SDKS)
def test_the_sdks_are_fenced_through_their_client(upstream: Recorder, name: str, is_async: bool) -> None:
    """Both stand on httpx2. A call that is not allowed is refused before it leaves; one that is carries the tag."""
    path, plain, asynchronous, ask = SDKS[name]

    async def asked(client: Any, url: str) -> Any:
        async with asynchronous(api_key="k", base_url=url, http_client=client, max_retries=0) as sdk:
            return await ask(sdk)

    def called(allow: list[str]) -> Any:
        if is_async:
            return asyncio.run(
                asked(httpx_fence(httpx2.AsyncClient(timeout=60, trust_env=False), allow=allow), upstream.url)
            )
        client = httpx_fence(httpx2.Client(timeout=60, trust_env=False), allow=allow)
        with plain(api_key="k", base_url=upstream.url, http_client=client, max_retries=0) as sdk:
            return ask(sdk)

    with shadow_context(SHADOW):
        with pytest.raises((ShadowWriteError, anthropic.APIConnectionError)) as refused:
            called([])
        assert "its method is not safe" in f"{refused.value} {refused.value.__cause__}"
        assert upstream.seen == []
        called([f"POST {upstream.url}{path}"])
    (seen,) = upstream.seen
    assert (seen.method, seen.target, seen.all("x-shadow-id")) == ("POST", path, [SHADOW.id])


@pytest.mark.parametrize(
    "rule",
    [
        "POST",
        "POST /path",
        "post http://a/",
        "POST ftp://a/",
        "POST http://a",
        "POST http://a/?q",
        "POST http://u@a/",
        "",
    ],
)
def test_rules_that_cannot_be_read_are_refused(rule: str) -> None:
    with pytest.raises(ConfigError, match="write METHOD and a URL"):
        Outgoing(allow=[rule])


def test_hosts_and_ports_are_compared_exactly() -> None:
    outgoing = Outgoing(allow=["POST http://a.internal/x*"])
    kept: dict[str, str] = {}
    with shadow_context(SHADOW):
        for url in ("http://a.internal/x1", "http://A.INTERNAL:80/x1"):
            outgoing.prepare("POST", url, [], kept.__setitem__)
        for url in (
            "http://a.internal:81/x1",
            "https://a.internal/x1",
            "http://b.a.internal/x1",
            "http://a.internal/y",
        ):
            with pytest.raises(ShadowWriteError):
                outgoing.prepare("POST", url, [], kept.__setitem__)
