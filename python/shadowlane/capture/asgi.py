"""Pure ASGI middleware (ASGI 3.0, HTTP scope 2.x): the user path of a gateway.

Invariants: every message passes through unchanged, in order, at once; nothing is buffered that the application or
the server would wait for. Chunks are kept by reference, bounded by ``lane.max_body_bytes``. Whatever fails on our
side is swallowed and counted; what the application raises is raised on unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from .._core import Timer
from ..types import FLAG_CLIENT_DISCONNECTED, FLAG_RESPONSE_CUT, FLAG_STREAMED
from .lane import Lane

if TYPE_CHECKING:
    from .._core import Ticket
    from ..config import Config

__all__ = ["ShadowMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ShadowMiddleware:
    """Mirror a sample of the HTTP requests of ``app``.

    ``config`` is a path to a TOML file, a :class:`shadowlane.Config`, a dict with the same keys, or an open
    :class:`shadowlane.Lane` (which the caller then closes).

    The lane is opened here, so that a bad configuration is an error at start: raises
    :class:`~shadowlane.errors.ConfigError` or :class:`~shadowlane.errors.LaneError`. No call raises anything of ours.
    Lifespan and websocket scopes pass through.
    """

    def __init__(
        self, app: App, config: str | os.PathLike[str] | Config | Mapping[str, Any] | Lane = "shadowlane.toml"
    ) -> None:
        self.app = app
        self._owned = not isinstance(config, Lane)
        self.lane = config if isinstance(config, Lane) else Lane.open(config)
        self._limit = self.lane.config.lane.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._lifespan(scope, receive, send)
            else:
                await self.app(scope, receive, send)
            return
        lane = self.lane
        try:
            # What is not a GET is judged by the path as it was sent, which is what the shadow would see.
            path = scope["path"] if scope["method"] == "GET" else _sent_path(scope)
            ticket = lane.begin(scope["method"], path, scope["headers"])
        except Exception:
            lane.fault()
            ticket = None
        if ticket is None:
            await self.app(scope, receive, send)
            return
        if type(ticket) is Timer:
            await self.app(scope, receive, _timed(send, ticket, lane))
            return
        exchange = _Exchange(lane, ticket, scope, receive, send, self._limit)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass lifespan through; after a fork make this process's ring before the first request; close at the end."""
        try:
            self.lane.ensure()
        except Exception:
            self.lane.fault()

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed") and self._owned:
                try:
                    self.lane.close()
                except Exception:
                    self.lane.fault()

        await self.app(scope, receive, watched)


def _timed(send: Send, timer: Timer, lane: Lane) -> Send:
    """``send`` for a request that is not mirrored and is timed: the clock stops where a mirrored one's does.

    Not a coroutine function: only the last message pays for one, so that timing costs little of what it measures.
    """

    def timed(message: Message) -> Awaitable[None]:
        try:
            last = _ends(message)
        except Exception:
            lane.fault()
            last = False
        return _stopped(send, message, timer) if last else send(message)

    return timed


async def _stopped(send: Send, message: Message, timer: Timer) -> None:
    await send(message)
    timer.stop()


def _ends(message: Message) -> bool:
    """Whether the answer is complete with this message (ASGI HTTP 2.5, pathsend and zerocopysend extensions)."""
    kind = message["type"]
    if kind in ("http.response.body", "http.response.zerocopysend"):
        return not message.get("more_body", False)
    return bool(kind == "http.response.pathsend")


def _sent_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if raw else str(scope["path"])


class _Exchange:
    """One request that holds a ticket: keeps what passes, and offers it when the answer has ended."""

    __slots__ = (
        "_answer",
        "_answer_size",
        "_answered",
        "_body",
        "_body_size",
        "_body_whole",
        "_disconnected",
        "_flags",
        "_headers",
        "_lane",
        "_limit",
        "_receive",
        "_scope",
        "_send",
        "_started",
        "_status",
        "_ticket",
        "_timer",
        "_ttfb",
    )

    def __init__(self, lane: Lane, ticket: Ticket, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._lane = lane
        self._ticket: Ticket | None = ticket
        self._timer: Ticket | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limit = limit
        self._started = perf_counter_ns()
        self._body: list[bytes] = []
        self._body_size = 0
        self._body_whole = False
        self._answer: list[bytes] = []
        self._answer_size = 0
        self._answered = False
        self._disconnected = False
        self._flags = 0
        self._status = 0
        self._headers: Any = ()
        self._ttfb = 0

    async def receive(self) -> Message:
        message = await self._receive()
        try:
            if message["type"] == "http.request":
                self._keep_request(message)
            elif message["type"] == "http.disconnect" and not self._answered:
                self._disconnected = True
        except Exception:
            self._lane.fault()
        return message

    async def send(self, message: Message) -> None:
        last = False
        try:
            last = self._keep_response(message)
        except Exception:
            self._lane.fault()
        try:
            await self._send(message)
        except OSError:  # the server's way to say that the client is gone (ASGI spec, "Disconnected Client")
            self._disconnected = True
            raise
        if last:
            self._answered = True
            self.end()

    def _keep_request(self, message: Message) -> None:
        chunk = message.get("body", b"")
        if chunk:
            self._body_size += len(chunk)
            if self._body_size > self._limit:
                self._body.clear()
                self._give_back("request_too_large")
            elif self._ticket is not None:
                self._body.append(chunk)
        if not message.get("more_body", False):
            self._body_whole = True

    def _keep_response(self, message: Message) -> bool:
        """Keep a bounded copy; ``True`` when this message ends the answer."""
        kind = message["type"]
        if kind == "http.response.body":
            chunk = message.get("body", b"")
            more = message.get("more_body", False)
            if chunk:
                room = self._limit - self._answer_size
                self._answer_size += len(chunk)
                if len(chunk) <= room:
                    self._answer.append(chunk)
                elif room > 0:
                    self._answer.append(bytes(chunk[:room]))
                    self._flags |= FLAG_RESPONSE_CUT
                else:
                    self._flags |= FLAG_RESPONSE_CUT
            if more:
                self._flags |= FLAG_STREAMED
            return not more
        if kind == "http.response.start":
            self._ttfb = perf_counter_ns() - self._started
            self._status = message["status"]
            self._headers = message.get("headers", ())
            return False
        if kind in ("http.response.pathsend", "http.response.zerocopysend"):
            self._flags |= FLAG_RESPONSE_CUT  # the server sends the file: its bytes never pass here
        return _ends(message)

    def end(self) -> None:
        """Settle the ticket, once: offer the exchange, or give it back with the reason. Never raises."""
        ticket = self._ticket
        if ticket is None:
            self._stop()
            return
        try:
            if not self._answered:
                self._give_back("client_disconnected" if self._disconnected else "prod_failed")
                return
            if not self._body_whole and not self._has_no_body():
                # The application answered without reading the request: what we hold is not the request.
                self._give_back("prod_failed")
                self._stop()
                return
            self._ticket = None
            scope = self._scope
            raw = scope.get("raw_path") or _quoted(scope["path"])
            query = scope.get("query_string", b"")
            if self._disconnected:
                self._flags |= FLAG_CLIENT_DISCONNECTED
            self._lane.offer(
                ticket,
                raw + b"?" + query if query else raw,
                scope["headers"],
                self._body,
                self._status,
                self._headers,
                self._answer,
                self._ttfb,
                self._flags,
            )
        except Exception:
            self._lane.fault()
        finally:
            self._ticket = None
            self._body = []
            self._answer = []

    def _stop(self) -> None:
        """The clock of a request that was given back before its answer ended: the trial counts it as taken still."""
        timer, self._timer = self._timer, None
        if timer is not None and self._answered:
            timer.stop()

    def _has_no_body(self) -> bool:
        """No content by RFC 9112 §6.3: neither ``transfer-encoding`` nor a ``content-length`` above zero."""
        for name, value in self._scope["headers"]:
            if name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0"):
                return False
        return True

    def _give_back(self, reason: str) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self._lane.drop(ticket, reason)
            self._timer = ticket


def _quoted(path: str) -> bytes:
    from urllib.parse import quote

    return quote(path, safe="/:@!$&'()*+,;=-._~").encode("ascii")
