"""``python -m benches.captures``: what each capture adds to a call, taken and not taken, beside the bare call.

Each door passes a request and an answer of 1 KiB through the smallest thing that it can stand in front of: an
application that answers at once, a transport that sends nothing. So what is measured is the capture and nothing of a
network. Counted is the thread's processor time, which other processes lengthen less than the clock's. The rounds of
both sides are interleaved, the order drawn by lot; intervals are those of a bootstrap over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from time import thread_time_ns
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import httpx2
import numpy as np
import requests
import urllib3
from aiohttp.base_protocol import BaseProtocol
from yarl import URL

from shadowlane import Lane, _core
from shadowlane.aiohttp import ShadowMiddleware as AiohttpMiddleware
from shadowlane.capture.litellm import LoggedCalls
from shadowlane.httpx import AsyncShadowTransport, ShadowTransport
from shadowlane.requests import ShadowAdapter
from shadowlane.wsgi import ShadowMiddleware as WSGIMiddleware

from . import cases
from .overhead.run import machine
from .ratios import Comparison, measure, record, show

BODY, ANSWER = b"x" * 1024, b"y" * 1024
AIMS = {"not taken": 3000.0, "taken": 12_000.0}
PAIRS = [(name.decode(), value.decode()) for name, value in cases.HEADERS]
URL_OF = f"http://gateway.example:8000{cases.TARGET}"
ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": cases.TARGET, "RAW_URI": cases.TARGET, "QUERY_STRING": "",
    "CONTENT_LENGTH": "1024", "CONTENT_TYPE": "application/json", "SERVER_NAME": "gateway", "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
    **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in PAIRS if name != "content-type"},
}  # fmt: skip

Wrap = Callable[[Any], Any]
"""Puts a capture around an application, a transport or an adapter; the identity for the bare call."""
Door = Callable[[Wrap, Callable[[], None]], cases.Case]


def asgi(wrap: Wrap, after: Callable[[], None]) -> cases.Case:
    app = wrap(cases.bare_app)

    async def calls(n: int) -> float:
        start = thread_time_ns()
        for _ in range(n):
            await app(cases.SCOPE, cases.receive, cases.send)
        return (thread_time_ns() - start) / n

    def case(n: int) -> float:
        spent = asyncio.run(calls(n))
        after()
        return spent

    return case


def wsgi(wrap: Wrap, after: Callable[[], None]) -> cases.Case:
    def bare(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(1024)
        start_response("200 OK", PAIRS)
        return [ANSWER]

    app = wrap(bare)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return None

    def case(n: int) -> float:
        environs = [{**ENVIRON, "wsgi.input": io.BytesIO(BODY)} for _ in range(n)]
        start = thread_time_ns()
        for environ in environs:
            answer = app(environ, start_response)
            for _ in answer:
                pass
            if hasattr(answer, "close"):
                answer.close()
        spent = (thread_time_ns() - start) / n
        after()
        return spent

    return case


def sync_httpx(library: Any) -> Door:
    class Piece(library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            yield ANSWER

    class Bare(library.BaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            for _ in request.stream:
                pass
            return library.Response(200, headers=cases.HEADERS, stream=Piece())

    def door(wrap: Wrap, after: Callable[[], None]) -> cases.Case:
        transport = wrap(Bare())

        def case(n: int) -> float:
            asked = [library.Request("GET", URL_OF, headers=cases.HEADERS, content=BODY)] * n
            start = thread_time_ns()
            for request in asked:
                response = transport.handle_request(request)
                for _ in response.stream:
                    pass
                response.close()
            spent = (thread_time_ns() - start) / n
            after()
            return spent

        return case

    return door


def async_httpx(library: Any) -> Door:
    class Piece(library.AsyncByteStream):  # type: ignore[misc]
        async def __aiter__(self) -> Any:
            yield ANSWER

    class Bare(library.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            async for _ in request.stream:
                pass
            return library.Response(200, headers=cases.HEADERS, stream=Piece())

    def door(wrap: Wrap, after: Callable[[], None]) -> cases.Case:
        transport = wrap(Bare())

        async def calls(n: int) -> float:
            asked = [library.Request("GET", URL_OF, headers=cases.HEADERS, content=BODY)] * n
            start = thread_time_ns()
            for request in asked:
                response = await transport.handle_async_request(request)
                async for _ in response.stream:
                    pass
                await response.aclose()
            return (thread_time_ns() - start) / n

        def case(n: int) -> float:
            spent = asyncio.run(calls(n))
            after()
            return spent

        return case

    return door


def by_aiohttp(wrap: Wrap, after: Callable[[], None]) -> cases.Case:
    middleware = wrap(None)
    raw = tuple(cases.HEADERS)

    async def calls(n: int) -> float:
        loop = asyncio.get_running_loop()
        protocol = BaseProtocol(loop)
        made = []
        for _ in range(n):
            content = aiohttp.StreamReader(protocol, 65536, loop=loop)
            content.feed_data(ANSWER)
            content.feed_eof()
            made.append(SimpleNamespace(status=200, raw_headers=raw, content=content))
        answers = iter(made)

        async def handler(_: Any) -> Any:
            return next(answers)

        async with aiohttp.ClientSession() as session:
            request = aiohttp.ClientRequest(
                "GET", URL(URL_OF), headers=dict(PAIRS), data=BODY, loop=loop, session=session
            )
            start = thread_time_ns()
            for _ in range(n):
                response = await (handler(request) if middleware is None else middleware(request, handler))
                await response.content.read()
            return (thread_time_ns() - start) / n

    def case(n: int) -> float:
        spent = asyncio.run(calls(n))
        after()
        return spent

    return case


class _Source(io.BytesIO):
    """What a connection gives: it closes itself behind the last byte, as http.client's does."""

    def isclosed(self) -> bool:
        return self.closed or self.tell() == len(ANSWER)


def by_requests(wrap: Wrap, after: Callable[[], None]) -> cases.Case:
    class Bare(requests.adapters.BaseAdapter):
        def send(self, request: Any, *_: Any, **__: Any) -> Any:
            response = requests.Response()
            response.status_code = 200
            response.raw, response.headers = next(raw), headers
            return response

        def close(self) -> None: ...

    headers = requests.structures.CaseInsensitiveDict(PAIRS)
    adapter = wrap(Bare())
    raw: Iterator[Any] = iter(())

    def case(n: int) -> float:
        nonlocal raw
        prepared = [requests.Request("GET", URL_OF, headers=dict(PAIRS), data=BODY).prepare()] * n
        raw = iter(
            [
                urllib3.HTTPResponse(
                    _Source(ANSWER), headers={**dict(PAIRS), "content-length": "1024"}, preload_content=False
                )
                for _ in range(n)
            ]
        )
        start = thread_time_ns()
        for request in prepared:
            _ = adapter.send(request).content
        spent = (thread_time_ns() - start) / n
        after()
        return spent

    return case


class _Deaf:
    """A callback that does nothing."""

    async def async_pre_call_hook(self, *_: Any) -> None: ...

    async def async_log_success_event(self, *_: Any) -> None: ...


def by_litellm(wrap: Wrap, after: Callable[[], None]) -> cases.Case:
    """The hooks of one request to the proxy, called as LiteLLM calls them; its own answers are of pydantic."""
    logger = wrap(_Deaf())
    asked = {"model": "m", "messages": [{"role": "user", "content": BODY.decode()}]}
    request = {"url": URL_OF, "method": "GET", "headers": dict(PAIRS), "body": asked}
    answer = {"choices": [{"message": {"role": "assistant", "content": ANSWER.decode()}}]}
    moment = datetime.now()

    async def calls(n: int) -> float:
        told = [{"litellm_call_id": f"call-{number}", "proxy_server_request": request} for number in range(n)]
        start = thread_time_ns()
        for data in told:
            await logger.async_pre_call_hook(None, None, data, "acompletion")
            await logger.async_log_success_event(data, answer, moment, moment)
        return (thread_time_ns() - start) / n

    def case(n: int) -> float:
        spent = asyncio.run(calls(n))
        after()
        return spent

    return case


DOORS: dict[str, tuple[Door, Callable[[Lane], Wrap]]] = {
    "ASGI": (asgi, lambda lane: lambda app: cases.ShadowMiddleware(app, lane)),
    "WSGI": (wsgi, lambda lane: lambda app: WSGIMiddleware(app, lane)),
    "httpx": (sync_httpx(httpx), lambda lane: lambda inner: ShadowTransport(inner, lane)),
    "httpx2": (sync_httpx(httpx2), lambda lane: lambda inner: ShadowTransport(inner, lane)),
    "httpx, async": (async_httpx(httpx), lambda lane: lambda inner: AsyncShadowTransport(inner, lane)),
    "httpx2, async": (async_httpx(httpx2), lambda lane: lambda inner: AsyncShadowTransport(inner, lane)),
    "aiohttp": (by_aiohttp, lambda lane: lambda _: AiohttpMiddleware(lane)),
    "requests": (by_requests, lambda lane: lambda inner: ShadowAdapter(inner, lane)),
    "LiteLLM, callback": (by_litellm, lambda lane: lambda _: LoggedCalls(lane)),
}
"""By name: the call, and what puts the capture around it."""


@contextlib.contextmanager
def comparisons(calls: int) -> Iterator[list[Comparison]]:
    """Each door twice. An exchange stays in the ring until its batch is drained, so a batch fits into the ring."""
    with cases.lane(cases.NOT_TAKEN) as idle, cases.lane(1.0) as busy:
        drainer = _core.Drainer(str(busy.directory), allow_headers=[])
        try:
            some = []
            for name, (door, capture) in DOORS.items():
                bare = door(lambda inner: inner, _nothing)
                for kind, lane in (("not taken", idle), ("taken", busy)):
                    after = (lambda: cases.empty(busy, drainer)) if lane is busy else _nothing
                    ours = door(capture(lane), after)
                    some.append(Comparison(f"{name}, {kind}", "bare", ours, bare, calls, aim_ns=AIMS[kind], added=True))
            yield some
        finally:
            drainer.close()


def _nothing() -> None:
    return None


def table(results: list[dict[str, Any]]) -> str:
    """The page's table: microseconds that each door adds, with intervals, and the ratio to the bare call."""
    lines = ["| door | bare call | adds, not taken | adds, taken |", "|---|---|---|---|"]
    by_name = {result["name"]: result for result in results}
    for door in DOORS:
        both = [by_name.get(f"{door}, {kind}") for kind in AIMS]
        if None in both:
            continue
        cells = [_cell(one) for one in both if one is not None]
        bare = both[0]["rival_ns"] / 1e3 if both[0] else 0.0
        lines.append(f"| {door} | {bare:.1f} µs | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(result: dict[str, Any]) -> str:
    low, high = (bound / 1e3 for bound in result["figure_ns_95"])
    return f"{result['figure_ns'] / 1e3:.1f} µs ({low:.1f} to {high:.1f})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.captures", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=500, help="calls a round (default 500)")
    parser.add_argument("--only", default="", help="only comparisons whose name contains this")
    parser.add_argument("--record", action="store_true", help="write benches/records/MACHINE-DATE.json")
    options = parser.parse_args()
    rng = np.random.default_rng()
    print(f"{machine()}, Python {platform.python_version()}\n")
    print(f"{'door':<24}{'a call':>10}   {'beside':<26}{'a call':>10}{'ratio':>9}  {'95 % interval':<17}")
    results = []
    with comparisons(options.calls) as some:
        for comparison in some:
            if options.only in comparison.name:
                results.append(measure(comparison, options.rounds, rng))
                show(results[-1])
    print(f"\n{table(results)}")
    if options.record:
        print(f"\nrecorded in {record(results, 'captures')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
