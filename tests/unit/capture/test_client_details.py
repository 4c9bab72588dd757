"""What is peculiar to one client library: its ways to send and to read, and what a transport may be."""

from __future__ import annotations

import array
import asyncio
import contextlib
import copy
import io
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from shadowlane.aiohttp import ShadowMiddleware
from shadowlane.httpx import AsyncShadowTransport, ShadowTransport
from shadowlane.requests import ShadowAdapter
from tests.support.answering import PIECES, Upstream, upstream
from tests.support.captured import Captured, captured

WHOLE = b"".join(PIECES)


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture
def session(into: Captured) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.mount("http://", ShadowAdapter(config=into.lane))
        yield made


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_transport_is_of_its_library_and_leaves_extensions_alone(
    into: Captured, server: Upstream, library: Any
) -> None:
    transport = ShadowTransport(library.HTTPTransport(), into.lane)
    assert isinstance(transport, library.BaseTransport)
    assert isinstance(transport, ShadowTransport)
    assert isinstance(AsyncShadowTransport(library.AsyncHTTPTransport(), into.lane), library.AsyncBaseTransport)
    traced: list[str] = []
    with library.Client(transport=transport) as client:
        extensions = {"trace": lambda name, info: traced.append(name)}
        with client.stream("GET", f"{server.url}/ask/echo", extensions=extensions) as response:
            assert response.extensions["http_version"] == b"HTTP/1.1"
            assert response.extensions["network_stream"].get_extra_info("server_addr")[1] == server.port
            response.read()
    assert "http11.receive_response_headers.complete" in traced
    assert len(into.rows()) == 1


class Nothing:
    def handle_request(self, request: Any) -> Any:
        raise AssertionError("never asked")


@pytest.mark.parametrize(
    ("made", "given", "named"),
    [
        (ShadowTransport, Nothing(), "Nothing"),
        (ShadowTransport, httpx.HTTPTransport, "HTTPTransport"),
        (ShadowTransport, None, "NoneType"),
        (ShadowTransport, httpx2.AsyncHTTPTransport(), "AsyncShadowTransport is for"),
        (AsyncShadowTransport, httpx.HTTPTransport(), "HTTPTransport"),
        (AsyncShadowTransport, httpx2.Client(), "Client"),
        (ShadowAdapter, Nothing(), "Nothing"),
    ],
)
def test_what_is_no_transport_is_refused(into: Captured, made: Any, given: Any, named: str) -> None:
    with pytest.raises(TypeError, match=named):
        made(given, into.lane)
    with pytest.raises(TypeError, match="give a list of hosts"):
        ShadowAdapter(config=into.lane, hosts="127.0.0.1")


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_request_that_is_sent_again_keeps_its_body(into: Captured, server: Upstream, library: Any) -> None:
    """A challenge and a redirect send the same request object once more; its stream says whether it can."""

    class Challenge(library.Auth):  # type: ignore[misc, name-defined]
        requires_request_body = False

        def auth_flow(self, request: Any) -> Any:
            stream = request.stream
            response = yield request
            assert response.status_code == 200
            assert request.stream is stream
            yield request

    with library.Client(transport=ShadowTransport(library.HTTPTransport(), into.lane), auth=Challenge()) as client:
        assert client.post(f"{server.url}/ask/echo", data={"q": "how high"}, files={"f": b""}).status_code == 200
    first, second = into.rows()
    assert b"how high" in first["body"]
    assert first["body"] == second["body"]


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_an_answer_that_is_there_already_is_kept(into: Captured, library: Any) -> None:
    """A cache's or a test double's response is never iterated over."""

    def answer(request: Any) -> Any:
        return library.Response(200, json={"so": request.url.path})

    with library.Client(transport=ShadowTransport(library.MockTransport(answer), into.lane)) as client:
        assert client.post("http://elsewhere/ask/x", json={}).json() == {"so": "/ask/x"}

    async def asked() -> None:
        async with library.AsyncClient(
            transport=AsyncShadowTransport(library.MockTransport(answer), into.lane)
        ) as client:
            assert (await client.post("http://elsewhere/ask/y", json={})).json() == {"so": "/ask/y"}

    asyncio.run(asked())
    assert [json.loads(row["response_body"])["so"] for row in into.rows()] == ["/ask/x", "/ask/y"]


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_an_answer_that_was_read_below_is_kept(into: Captured, server: Upstream, library: Any) -> None:
    """Who tries again, or stores answers, has read it; the client will not read its stream."""

    class Reads(library.HTTPTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            response.read()
            return response

    with library.Client(transport=ShadowTransport(Reads(), into.lane), trust_env=False) as client:
        assert client.get(f"{server.url}/ask/gzip").content == b"word " * 100
    [row] = into.rows()
    assert row["response_body"] == b"word " * 100
    assert b"content-encoding" not in dict(row["response_headers"])


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_what_is_no_response_goes_on_as_it_is(into: Captured, library: Any) -> None:
    odd, request = object(), library.Request("POST", "http://elsewhere/ask/x", json={})

    class Odd(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            return odd

    class AsyncOdd(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            return odd

    assert ShadowTransport(Odd(), into.lane).handle_request(request) is odd
    assert asyncio.run(AsyncShadowTransport(AsyncOdd(), into.lane).handle_async_request(request)) is odd
    assert into.dropped() == {"unreadable": 2}
    assert into.status()["faults"] == 2


def test_what_is_no_response_of_aiohttp_goes_on_as_it_is(into: Captured) -> None:
    odd = object()

    async def stands_in(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> Any:
        return odd

    async def asked() -> object:
        ours = ShadowMiddleware(into.lane)
        given: list[object] = []

        async def above(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> Any:
            given.append(await ours(request, lambda request: stands_in(request, handler)))
            raise LookupError

        async with aiohttp.ClientSession(middlewares=(above,)) as session:
            with contextlib.suppress(LookupError):
                await session.get("http://127.0.0.1:9/ask")
        return given[0]

    assert asyncio.run(asked()) is odd
    assert into.dropped() == {"unreadable": 1}


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    ("hosts", "url", "seen"),
    [
        (["api.example.com"], "https://API.example.com/ask", 1),
        (["api.example.com:443"], "https://api.example.com/ask", 1),
        (["api.example.com:80"], "http://api.example.com:80/ask", 1),
        (["api.example.com:443"], "http://api.example.com/ask", 0),
        (["example.com"], "https://api.example.com/ask", 0),
    ],
)
def test_a_host_is_meant_with_its_usual_port(
    into: Captured, library: Any, hosts: list[str], url: str, seen: int
) -> None:
    inner = library.MockTransport(lambda request: library.Response(200))
    with library.Client(transport=ShadowTransport(inner, into.lane, hosts=hosts)) as client:
        assert client.post(url, content=b"{}").status_code == 200
    assert into.status()["mirrored"] == seen


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_wsgi_and_an_asgi_application_behind_a_client(into: Captured, library: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"so ", environ["wsgi.input"].read(9)]

    with library.Client(transport=ShadowTransport(library.WSGITransport(app), into.lane)) as client:
        assert client.post("http://inside/ask", content=b"asked").content == b"so asked"
    [row] = into.rows()
    assert (row["body"], row["response_body"]) == (b"asked", b"so asked")


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_cancelled_call_is_the_callers_doing(into: Captured, server: Upstream, library: Any) -> None:
    async def asked() -> None:
        transport = AsyncShadowTransport(library.AsyncHTTPTransport(), into.lane)
        url = f"{server.url}/ask/held?cancelled {library.__name__}"
        async with library.AsyncClient(transport=transport) as client, client.stream("GET", url) as response:
            pieces = response.aiter_raw()
            assert await pieces.__anext__() == PIECES[0]
            waiting = asyncio.ensure_future(pieces.__anext__())
            await asyncio.sleep(0)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

    asyncio.run(asked())
    assert into.dropped() == {"client_disconnected": 1}
    assert into.accounted()


UPLOADS: dict[str, Any] = {
    "text": "some text",
    "file": io.BytesIO(b"some text"),
    "generator": (piece for piece in (b"some ", b"text")),
    "texts": iter(["some ", "text"]),
    "bytearray": bytearray(b"some text"),
}


@pytest.mark.parametrize("upload", UPLOADS)
def test_every_upload_of_requests_is_kept(
    into: Captured, session: requests.Session, server: Upstream, upload: str
) -> None:
    response = session.post(f"{server.url}/ask/echo", data=UPLOADS[upload], timeout=60)
    assert response.content == b"some text"
    [row] = into.rows()
    assert row["body"] == b"some text"
    assert response.request.body is UPLOADS[upload]


def test_a_file_that_requests_sends_twice_is_kept_once(
    into: Captured, session: requests.Session, server: Upstream, tmp_path: Path
) -> None:
    """urllib3 goes back to where the file began before it sends it again."""
    retry = urllib3.Retry(2, status_forcelist=[503], allowed_methods=None, backoff_factor=0)
    session.mount("http://", ShadowAdapter(requests.adapters.HTTPAdapter(max_retries=retry), into.lane))
    file = tmp_path / "body"
    file.write_text(json.dumps({"model": "m", "messages": [{"content": "x" * 999}]}))
    with file.open("rb") as opened:
        opened.read(0)
        response = session.post(f"{server.url}/v1/chat/completions", data=opened, headers={"x-once": "r"}, timeout=60)
    assert response.status_code == 200
    [row] = into.rows()
    assert row["body"] == file.read_bytes()


@pytest.mark.parametrize("kind", ["B", "b"])
def test_memory_that_requests_sends_as_it_is_is_kept(
    into: Captured, session: requests.Session, server: Upstream, kind: str
) -> None:
    """An array can be iterated over, and is sent by its bytes."""
    data = array.array(kind, [1, 2, 3])
    session.post(f"{server.url}/ask/echo", data=data, timeout=60)
    [row] = into.rows()
    assert row["body"] == row["response_body"] == bytes(data)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copied_session_mirrors_and_a_pickled_one_works(
    into: Captured, session: requests.Session, server: Upstream, copied: Any
) -> None:
    """A lane cannot be taken to another process: what was given as a configuration is opened there anew."""
    twin = copied(session)
    assert twin.get_adapter(server.url).lane is into.lane
    assert twin.post(f"{server.url}/ask/echo", data=b"twin", timeout=60).content == b"twin"
    assert [row["body"] for row in into.rows()] == [b"twin"]
    sent = pickle.loads(pickle.dumps(session))
    assert sent.get_adapter(server.url).lane is None
    assert sent.post(f"{server.url}/ask/echo", data=b"sent", timeout=60).content == b"sent"


def test_of_two_lanes_around_requests_the_inner_one_keeps_the_answer(into: Captured, server: Upstream) -> None:
    with captured() as outer, requests.Session() as session:
        session.trust_env = False
        session.mount("http://", ShadowAdapter(ShadowAdapter(config=into.lane), outer.lane))
        answer = session.post(f"{server.url}/ask/echo", data=b"once", timeout=60)
        assert answer.content == b"once"
        assert outer.rows() == []
        assert outer.dropped() == {"unreadable": 1}
        assert outer.accounted()
    assert [row["response_body"] for row in into.rows()] == [b"once"]


def test_a_raw_response_of_another_class_is_read_as_it_is(into: Captured) -> None:
    class Raw(io.BytesIO):
        def read(self, most: int | None = -1) -> bytes:
            return super().read(most)

    class Adapter(requests.adapters.BaseAdapter):
        def send(self, *_: Any, **__: Any) -> requests.Response:
            response = requests.Response()
            response.status_code, response.raw = 200, Raw(b"a file")
            return response

        def close(self) -> None: ...

    asked = requests.Request("POST", "http://api.example/ask").prepare()
    response = ShadowAdapter(Adapter(), into.lane).send(asked)
    assert response.content == b"a file"
    assert [row["response_body"] for row in into.rows()] == [b"a file"]


def test_a_pickled_adapter_opens_its_lane_anew_or_is_off() -> None:
    with captured() as made:
        adapter = ShadowAdapter(config=made.lane)
        adapter._given = {"lane": {"nonsense": 1}}
        read = pickle.loads(pickle.dumps(adapter))
    assert read.lane is None
    assert "nonsense" in read.error


def test_a_file_of_text_costs_the_copy(into: Captured, session: requests.Session, server: Upstream) -> None:
    response = session.post(f"{server.url}/ask/echo", data=io.StringIO("some text"), timeout=60)
    assert response.content == b"some text"
    assert into.dropped() == {"unreadable": 1}


READINGS: dict[str, Any] = {
    "content": lambda response: response.content,
    "iter_content": lambda response: b"".join(response.iter_content(3)),
    "iter_lines": lambda response: b"".join(response.iter_lines(chunk_size=2)),
    "raw.read": lambda response: response.raw.read(),
    "raw.read by piece": lambda response: b"".join(iter(lambda: response.raw.read(4), b"")),
    "raw.read1": lambda response: b"".join(iter(lambda: response.raw.read1(4), b"")),
    "raw as a file": lambda response: io.BufferedReader(response.raw).read(),
    "raw.stream": lambda response: b"".join(response.raw.stream(5)),
    "raw.readlines": lambda response: b"".join(response.raw.readlines()),
    "raw.data": lambda response: response.raw.data,
}


@pytest.mark.parametrize("path", ["pieces", "echo"])
@pytest.mark.parametrize("reading", READINGS)
def test_every_reading_of_requests_is_kept(
    into: Captured, session: requests.Session, server: Upstream, reading: str, path: str
) -> None:
    response = session.post(f"{server.url}/ask/{path}", data=WHOLE, stream=True, timeout=60)
    assert isinstance(response.raw, urllib3.HTTPResponse)
    assert READINGS[reading](response) == WHOLE
    response.close()
    [row] = into.rows()
    assert row["response_body"] == WHOLE


def aio(into: Captured, work: Any, **options: Any) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession(middlewares=(ShadowMiddleware(into.lane),), **options) as session:
            return await work(session)

    return asyncio.run(run())


async def _chunks(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([chunk async for chunk, _ in response.content.iter_chunks()])


async def _until(response: aiohttp.ClientResponse) -> bytes:
    return (
        await response.content.readuntil(b"t") + await response.content.readexactly(6) + await response.content.read()
    )


async def _piece_by_piece(response: aiohttp.ClientResponse) -> bytes:
    got = b""
    while piece := await response.content.read(3):
        got += piece
    return got


async def _lines(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([line async for line in response.content])


async def _any(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece in response.content.iter_chunked(2)])


async def _waiting(response: aiohttp.ClientResponse) -> bytes:
    await response.content.wait_eof()
    assert response.content.is_eof()
    assert response.content.total_bytes == len(WHOLE)
    return response.content.read_nowait()


@pytest.mark.parametrize("path", ["pieces", "echo"])
@pytest.mark.parametrize(
    "reading", [aiohttp.ClientResponse.read, _chunks, _until, _piece_by_piece, _lines, _any, _waiting]
)
def test_every_reading_of_aiohttp_is_kept(into: Captured, server: Upstream, reading: Any, path: str) -> None:
    async def asked(session: aiohttp.ClientSession) -> bytes:
        async with session.post(f"{server.url}/ask/{path}", data=WHOLE) as response:
            assert isinstance(response.content, aiohttp.StreamReader)
            return await reading(response)  # type: ignore[no-any-return]

    assert aio(into, asked) == WHOLE
    [row] = into.rows()
    assert row["response_body"] == WHOLE


def test_uploads_of_aiohttp_are_kept(into: Captured, server: Upstream) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("q", "how high")
    form.add_field("f", b"", filename="n")
    sent = [{"json": {"q": 1}}, {"data": "text"}, {"data": io.BytesIO(b"a file")}, {"data": form},
            {"data": b"w" * 999, "compress": "deflate"}]  # fmt: skip

    async def asked(session: aiohttp.ClientSession) -> None:
        for options in sent:
            async with session.post(f"{server.url}/ask/echo", **options) as response:  # type: ignore[arg-type]
                assert response.status == 200
                await response.read()

    aio(into, asked)
    rows = into.rows()
    assert [row["body"] for row in rows[:3]] == [b'{"q": 1}', b"text", b"a file"]
    assert b"how high" in rows[3]["body"]
    assert rows[4]["body"] == b"w" * 999, "as it was before aiohttp compressed it"
    assert b"content-encoding" not in dict(rows[4]["headers"])


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_payload_that_aiohttp_has_not_written_is_sent_by_who_tries_again(
    into: Captured, server: Upstream, failures: int
) -> None:
    left = [aiohttp.ClientConnectionError("not yet")] * failures

    async def again(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        for _ in range(failures):
            with contextlib.suppress(aiohttp.ClientConnectionError):
                return await handler(request)
        return await handler(request)

    async def down(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if left:
            raise left.pop()
        return await handler(request)

    async def asked() -> bytes:
        middlewares = (again, ShadowMiddleware(into.lane), down)
        async with (
            aiohttp.ClientSession(middlewares=middlewares) as session,
            session.post(f"{server.url}/ask/echo", data=io.BytesIO(b"a file")) as response,
        ):
            return await response.read()

    assert asyncio.run(asked()) == b"a file"
    assert [row["body"] for row in into.rows()] == [b"a file"]
    assert into.dropped().get("prod_failed", 0) == failures


def test_two_lanes_of_one_aiohttp_session_both_keep_a_payload(into: Captured, server: Upstream) -> None:
    with captured() as second:

        async def asked() -> bytes:
            middlewares = (ShadowMiddleware(into.lane), ShadowMiddleware(second.lane))
            async with (
                aiohttp.ClientSession(middlewares=middlewares) as session,
                session.post(f"{server.url}/ask/echo", data=io.BytesIO(b"a file")) as response,
            ):
                return await response.read()

        assert asyncio.run(asked()) == b"a file"
        assert [row["body"] for row in into.rows()] == [b"a file"]
        assert [row["body"] for row in second.rows()] == [b"a file"]


def test_aiohttp_that_does_not_decode_is_kept_as_it_came(into: Captured, server: Upstream) -> None:
    async def asked(session: aiohttp.ClientSession) -> bytes:
        async with session.get(f"{server.url}/ask/gzip") as response:
            return await response.read()

    coded = aio(into, asked, auto_decompress=False)
    [row] = into.rows()
    assert row["response_body"] == coded or row["response_body"] == b"word " * 100
    assert coded != b"word " * 100
