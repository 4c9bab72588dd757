"""The client libraries behind one face, for tests of what mirrors them: each with its own connection and event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import aiohttp
import httpx
import httpx2
import requests

from shadowlane import Lane
from shadowlane.aiohttp import ShadowMiddleware
from shadowlane.httpx import AsyncShadowTransport, ShadowTransport
from shadowlane.requests import ShadowAdapter

__all__ = ["CLIENTS", "Client", "opened"]

Body = bytes | Iterable[bytes] | None
Answer = tuple[int, bytes]


class Client(Protocol):
    """What a test asks of a library."""

    def ask(self, method: str, url: str, body: Body = None, **headers: str) -> Answer:
        """A whole exchange; follows redirects."""

    def pieces(self, url: str) -> Iterator[bytes]:
        """The answer as it comes. Closing the generator closes the response."""

    def close(self) -> None: ...


class _Sync:
    """httpx and httpx2."""

    def __init__(self, library: Any, lane: Lane | None, **options: Any) -> None:
        transport = library.HTTPTransport()
        if lane is not None:
            transport = ShadowTransport(transport, lane, **options)
        self.client = library.Client(transport=transport, follow_redirects=True, timeout=60)

    def ask(self, method: str, url: str, body: Body = None, **headers: str) -> Answer:
        response = self.client.request(method, url, content=body, headers=headers)
        return response.status_code, response.content

    def pieces(self, url: str) -> Iterator[bytes]:
        with self.client.stream("GET", url) as response:
            yield from response.iter_raw()

    def close(self) -> None:
        self.client.close()


class _Looped:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def _each(self, pieces: Any) -> Iterator[bytes]:
        try:
            while True:
                try:
                    yield self.run(pieces.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            self.run(pieces.aclose())

    def end(self) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.loop.close()


async def _later(body: Iterable[bytes]) -> Any:
    for piece in body:
        yield piece


def _sent(body: Body) -> Any:
    return body if body is None or isinstance(body, bytes) else _later(body)


class _Async(_Looped):
    """The same, asynchronous."""

    def __init__(self, library: Any, lane: Lane | None, **options: Any) -> None:
        super().__init__()
        transport = library.AsyncHTTPTransport()
        if lane is not None:
            transport = AsyncShadowTransport(transport, lane, **options)
        self.client = library.AsyncClient(transport=transport, follow_redirects=True, timeout=60)

    def ask(self, method: str, url: str, body: Body = None, **headers: str) -> Answer:
        response = self.run(self.client.request(method, url, content=_sent(body), headers=headers))
        return response.status_code, response.content

    def pieces(self, url: str) -> Iterator[bytes]:
        async def asked() -> Any:
            async with self.client.stream("GET", url) as response:
                async for piece in response.aiter_raw():
                    yield piece

        return self._each(asked())

    def close(self) -> None:
        self.run(self.client.aclose())
        self.end()


class _Aiohttp(_Looped):
    def __init__(self, lane: Lane | None, **options: Any) -> None:
        super().__init__()

        async def session() -> aiohttp.ClientSession:
            middlewares = () if lane is None else (ShadowMiddleware(lane, **options),)
            return aiohttp.ClientSession(middlewares=middlewares)

        self.client = self.run(session())

    def ask(self, method: str, url: str, body: Body = None, **headers: str) -> Answer:
        async def asked() -> Answer:
            async with self.client.request(method, url, data=_sent(body), headers=headers) as response:
                return response.status, await response.read()

        answer: Answer = self.run(asked())
        return answer

    def pieces(self, url: str) -> Iterator[bytes]:
        async def asked() -> Any:
            async with self.client.get(url) as response:
                async for piece in response.content.iter_any():
                    yield piece

        return self._each(asked())

    def close(self) -> None:
        self.run(self.client.close())
        self.end()


class _Requests:
    def __init__(self, lane: Lane | None, **options: Any) -> None:
        self.client = requests.Session()
        self.client.trust_env = False
        if lane is not None:
            self.client.mount("http://", ShadowAdapter(config=lane, **options))

    def ask(self, method: str, url: str, body: Body = None, **headers: str) -> Answer:
        response = self.client.request(method, url, data=body, headers=headers, timeout=60)
        return response.status_code, response.content

    def pieces(self, url: str) -> Iterator[bytes]:
        with self.client.get(url, stream=True, timeout=60) as response:
            yield from response.raw.stream(65536, decode_content=False)

    def close(self) -> None:
        self.client.close()


CLIENTS: dict[str, Callable[..., Client]] = {
    "httpx": lambda lane, **options: _Sync(httpx, lane, **options),
    "httpx2": lambda lane, **options: _Sync(httpx2, lane, **options),
    "httpx, async": lambda lane, **options: _Async(httpx, lane, **options),
    "httpx2, async": lambda lane, **options: _Async(httpx2, lane, **options),
    "aiohttp": _Aiohttp,
    "requests": _Requests,
}
"""By name: made with an open lane, or ``None`` for the library alone."""


@contextlib.contextmanager
def opened(name: str, lane: Lane | None, **options: Any) -> Iterator[Client]:
    client = CLIENTS[name](lane, **options)
    try:
        yield client
    finally:
        client.close()
