"""The proxy as an ASGI application: passes requests to one upstream, and its answers back, both as they come.

Invariants: a chunk is passed on before the next one is taken; an answer that broke off does not look whole to the user;
a user who leaves ends the request upstream; nothing is decoded, followed, stored or tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp

from ..types import header
from .fields import forwarded, sent_on, without_hop
from .upstream import Answer, Http1Upstream, Upstream
from .websocket import pass_websocket

__all__ = ["Proxy"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CONNECT_S = 10.0
_END_S = 5.0
_BODILESS = (204, 304)
_NO_TARGET = re.compile(r"[\x00-\x20\x7f#]")
_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.~_-]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]+)(?::[0-9]*)?")
"""RFC 3986 §3.2.2, §3.2.3: without a user, which `Host` and `:authority` have no place for (RFC 9113 §8.3.1)."""


class Proxy:
    """One upstream, such as ``http://127.0.0.1:9000`` or ``https://prod.internal/prefix``; ``http2``: it is asked over
    HTTP/2 (websockets never are)."""

    def __init__(self, upstream: str, *, http2: bool = False, connect_s: float = _CONNECT_S) -> None:
        url = upstream.rstrip("/")
        self._http2 = http2
        self._one = Http1Upstream(url, connect_s)
        self._upstream: Upstream = self._one
        if http2:
            from .http2_client import Http2Upstream

            self._upstream = Http2Upstream(url, connect_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif (target := _target(scope)) is None:
            await _refuse(scope, send, "a request's target begins with a slash, and has no blank and no fragment")
        elif not _has_good_host(scope):
            await _refuse(scope, send, "a request's host is one name or address, with a port or without")
        elif scope["type"] == "websocket":
            headers = forwarded(without_hop(scope["headers"]), _client(scope), _scheme(scope))
            await pass_websocket(
                self._one.session(), self._one.url(target), sent_on(headers, handshake=True), scope, receive, send
            )
        else:
            await self._pass_http(scope, target, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                for upstream in {self._one, self._upstream}:
                    await upstream.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _pass_http(self, scope: Scope, target: str, receive: Receive, send: Send) -> None:
        upload = _Upload(scope, receive)
        try:
            await self._exchange(scope, target, upload, send)
        except asyncio.CancelledError:
            if not upload.left:
                raise
            upload.forgive()
        finally:
            upload.close()

    async def _exchange(self, scope: Scope, target: str, upload: _Upload, send: Send) -> None:
        # A length beside chunks is not the body's, and does not travel on (RFC 9112 §6.3).
        gone = (b"expect", b"content-length") if upload.chunked else (b"expect",)
        headers = forwarded(without_hop(scope["headers"], gone), _client(scope), _scheme(scope))
        trailers = self._http2 and "http.response.trailers" in (scope.get("extensions") or {})
        if trailers and header(scope["headers"], b"te").lower() == "trailers":
            headers = (*headers, (b"te", b"trailers"))
        try:
            answer = await self._upstream.ask(
                scope["method"], target, headers, upload.chunks() if upload.expected else None
            )
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            await _bad_gateway(send, error)
            return
        try:
            await self._answer(answer, scope["method"], trailers, upload, send)
        finally:
            answer.close()

    async def _answer(self, answer: Answer, method: str, trailers: bool, upload: _Upload, send: Send) -> None:
        if not 200 <= answer.status <= 599:  # RFC 9110 §15: none of HTTP, and the server cannot send it
            await _say(send, 502, f"the upstream answered with {answer.status}, which is no status of HTTP")
            return
        # Not `Transfer-Encoding`: the server frames it anew. A length stays, and holds for HEAD as well.
        headers = [(name.lower(), value) for name, value in without_hop(answer.headers)]
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        if trailers:
            start.update(trailers=not answer.head_only, ends=answer.head_only)
        await send(start)
        left = -1 if trailers else _length(method, answer.status, headers)
        chunk = b""
        try:
            while left != 0:
                chunk = await answer.take()
                left -= len(chunk)
                # With its last byte it is whole, before the upstream says so: the user may leave in between.
                if not chunk or answer.over or left == 0:
                    break
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return  # the server ends the connection: what has not ended is no whole answer
        upload.close()
        await send({"type": "http.response.body", "body": chunk, "more_body": False})
        if trailers and not answer.head_only:
            behind = [(name.lower(), value) for name, value in without_hop(answer.trailers)]
            await send({"type": "http.response.trailers", "headers": behind, "more_trailers": False})
        elif not answer.over:
            # The user has it all. Who still says that it was all is not to be told that nobody wanted it.
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, OSError):
                await asyncio.wait_for(answer.take(), _END_S)


class _Upload:
    """The request's body on its way, and the user's leaving, which cancels the task that this is made in. One task a
    request watches for it, from when the body is whole: until then it is told in the body's stead."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        length = header(scope["headers"], b"content-length")
        self.chunked = bool(header(scope["headers"], b"transfer-encoding"))
        self.expected = self.chunked or length not in ("", "0")
        self.left = False
        """Whether the user has left, and the task was cancelled for it."""
        self._receive = receive
        self._passing = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        self._over = False
        if not self.expected:
            self._watch = asyncio.get_running_loop().create_task(self._watched())

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises :class:`ConnectionError` when the user leaves before its end."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._leave()
                raise ConnectionError("the client left before its request was whole")
            if body := message.get("body", b""):
                yield bytes(body)
            if not message.get("more_body", False):
                if not self._over:
                    self._watch = asyncio.get_running_loop().create_task(self._watched())
                return

    async def _watched(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        if not self._over and self._passing is not None:
            self.left = True
            self._passing.cancel()

    def forgive(self) -> None:
        """Take the cancellation back: it was ours, and ends here."""
        if self._passing is not None and hasattr(self._passing, "uncancel"):
            self._passing.uncancel()

    def close(self) -> None:
        """From now on the user may leave: nothing of the answer is to come."""
        self._over = True
        if self._watch is not None:
            self._watch.cancel()


def _target(scope: Scope) -> str | None:
    """Path and query as they came; of the absolute form (RFC 9112 §3.2.2) without the origin. Nothing for what begins
    with no slash: behind the upstream's address it would become a part of that, and name another host; nor for what
    stands in no target, such as a blank, which would end it."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    if path.lower().startswith(("http://", "https://")):
        path = "/" + path.partition("://")[2].partition("/")[2]
    if not path.startswith("/"):
        return None
    query = scope["query_string"].decode("latin-1")
    target = f"{path}?{query}" if query else path
    return None if _NO_TARGET.search(target) else target


def _has_good_host(scope: Scope) -> bool:
    """Whether upstream can tell whose request it is (RFC 9112 §3.2). HTTP/1.0 need not say."""
    hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
    return not hosts or (len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None)


def _length(method: str, status: int, headers: list[tuple[bytes, bytes]]) -> int:
    """Of an answer's body (RFC 9110 §6.4.1, §8.6); -1 where nobody says it."""
    if method == "HEAD" or status in _BODILESS:
        return 0
    said = header(headers, b"content-length")
    return int(said) if said.isdecimal() and said.isascii() else -1


async def _refuse(scope: Scope, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    else:
        await _say(send, 400, why)


async def _bad_gateway(send: Send, error: Exception) -> None:
    """RFC 9110 §15.6.3, .5: nobody there, or nobody in time."""
    status = 504 if isinstance(error, asyncio.TimeoutError) else 502
    await _say(send, status, f"the upstream gave no answer: {type(error).__name__}")


async def _say(send: Send, status: int, why: str) -> None:
    body = f"shadowlane proxy: {why}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _scheme(scope: Scope) -> str:
    return "https" if scope.get("scheme") in ("https", "wss") else "http"
