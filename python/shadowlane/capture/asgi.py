"""Pure ASGI middleware (ASGI 3.0, HTTP scope 2.x): the user path of a gateway.

Invariants: every message passes through unchanged, in order, at once; nothing is buffered that the application or
the server would wait for. Chunks are kept by reference, bounded by ``lane.max_body_bytes``. Whatever fails on our
side is swallowed and counted; what the application raises is raised on unchanged.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from .._core import Timer
from ..errors import ConfigError
from ..types import FLAG_CLIENT_DISCONNECTED, FLAG_RESPONSE_CUT, FLAG_STREAMED
from .lane import Lane
from .opening import say_off
from .server import added_prefix, enclosing_call, lifespan_prefix
from .tracing import served, serving

if TYPE_CHECKING:
    from .._core import Ticket
    from ..config import Config

__all__ = ["ShadowMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_Headers = tuple[tuple[bytes, ...], ...]
_LISTS = (list, tuple)


class ShadowMiddleware:
    """Mirror a sample of the HTTP requests of ``app``.

    ``config`` is a path to a TOML file (default: ``$SHADOWLANE_CONFIG``, else ``shadowlane.toml``), a
    :class:`shadowlane.Config`, a dict with the same keys, or an open :class:`shadowlane.Lane` (which the caller then
    closes).

    Where a server is only starting, a bad configuration ends it: made while a module is imported, this raises
    :class:`~shadowlane.errors.ConfigError`; made by a framework in lifespan startup, that fails with the error's text.
    Everywhere else, and whatever else fails (a directory that cannot be used, shared memory that is full), ``app`` is
    served as if this were not there: :attr:`lane` is ``None``, :attr:`error` says why, and so does the log, once. No
    call raises anything of ours. Lifespan and websocket scopes pass through.
    """

    def __init__(
        self, app: App, config: str | os.PathLike[str] | Config | Mapping[str, Any] | Lane | None = None
    ) -> None:
        self.app = app
        self.lane: Lane | None = None
        """The open lane; ``None`` while mirroring is off, and until a lane that is opened aside is open."""
        self.error = ""
        """Why mirroring is off; empty when it is not."""
        self._owned = not isinstance(config, Lane)
        self._config = config if config is not None else os.environ.get("SHADOWLANE_CONFIG", "shadowlane.toml")
        self._bad_config = ""
        self._prefix: str | None = None
        self._limit = 0
        inside = enclosing_call()
        if inside in ("", "lifespan"):
            self._open(inside)
        else:
            # Made for the first user's request, which does not wait for files and threads of ours.
            threading.Thread(target=self._open, args=(inside,), name="shadowlane-open", daemon=True).start()

    def _open(self, inside: str) -> None:
        self.error = self._bad_config = ""
        try:
            lane = self._config if isinstance(self._config, Lane) else Lane.open(self._config)
        except ConfigError as error:
            if not inside:
                raise
            if inside == "lifespan":
                self.error = self._bad_config = str(error)  # the server says it, and ends
            else:
                self._off(error)
        except Exception as error:
            self._off(error)
        else:
            self._limit = lane.config.lane.max_body_bytes
            self.lane = lane

    def _off(self, error: Exception) -> None:
        self.error = say_off(error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        lane = self.lane
        if lane is None or kind != "http":
            await self.app(scope, receive, send)
            return
        try:
            headers = scope["headers"]
            if type(headers) not in _LISTS:  # any iterable is allowed, and one that is read here is empty there
                scope["headers"] = headers = list(headers)
            prefix = self._prefix
            if prefix is None:
                prefix = self._prefix = added_prefix(scope, receive, send)
            # What is not a GET is judged by the path as it was sent, which is what the shadow would see.
            path = scope["path"] if scope["method"] == "GET" else _raw_path(scope).decode("latin-1")
            ticket = lane.begin(scope["method"], path.removeprefix(prefix) if prefix else path, headers)
        except Exception:
            lane.fault()
            ticket = None
        if ticket is None:
            await self.app(scope, receive, send)
            return
        if type(ticket) is Timer:
            await self.app(scope, receive, _timed(send, ticket, lane))
            return
        exchange = _Exchange(lane, ticket, self._limit, receive, send)
        exchange.request(scope, prefix or "")
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass lifespan through, each time that a server runs it: open what an earlier one closed, make this process's
        ring after a fork, close at the end. A configuration that cannot be used is the startup's failure."""
        self._prefix = lifespan_prefix(receive)
        lane = self.lane
        if lane is not None and self._owned and lane.closed:
            self.lane = None
            self._open("lifespan")
            lane = self.lane
        if self._bad_config:
            if (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.failed", "message": f"shadowlane: {self._bad_config}"})
            return
        if lane is None:
            await self.app(scope, receive, send)
            return
        try:
            lane.ensure()
        except Exception:
            lane.fault()

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed") and self._owned:
                try:
                    lane.close()
                except Exception:
                    lane.fault()

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


def _raw_path(scope: Scope) -> bytes:
    """The path as it came, percent-encoded; servers may leave it out (ASGI HTTP scope, ``raw_path``)."""
    raw = scope.get("raw_path")
    return bytes(raw) if raw else _quoted(scope["path"])


class _Exchange:
    """One request that holds a ticket: keeps what passes, and offers it when the answer has ended.

    Scope, messages and their lists belong to others, who change them once control is theirs again (a compressing
    middleware rewrites the head that it sends, a router the path, a server fills its buffer anew). So whatever is kept
    is immutable, and is taken when it passes.
    """

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
        "_request_headers",
        "_send",
        "_started",
        "_status",
        "_target",
        "_ticket",
        "_timer",
        "_ttfb",
    )

    def __init__(self, lane: Lane, ticket: Ticket, limit: int, receive: Receive, send: Send) -> None:
        self._lane = lane
        self._ticket: Ticket | None = ticket
        self._timer: Ticket | None = None
        self._target = b""
        self._request_headers: _Headers = ()
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
        self._headers: _Headers = ()
        self._ttfb = 0

    def request(self, scope: Scope, prefix: str) -> None:
        """Keep the head of the request. Never raises."""
        try:
            raw = _raw_path(scope)
            if prefix:
                raw = raw.removeprefix(prefix.encode("ascii"))
            query = scope.get("query_string", b"")
            self._target = raw + b"?" + query if query else raw
            self._request_headers = tuple(map(tuple, scope["headers"])) + (serving() if self._lane.traced else ())
        except Exception:
            self._lane.fault()
            self._give_back("prod_failed")

    async def receive(self) -> Message:
        message = await self._receive()
        try:
            if message["type"] == "http.request":
                self._keep_request(message)
            elif message["type"] == "http.disconnect":
                self._user_left()
        except Exception:
            self._lane.fault()
        return message

    async def send(self, message: Message) -> None:
        last, before = False, self._answer_size
        try:
            last = self._keep_response(message)
        except Exception:
            self._lane.fault()
        try:
            await self._send(message)
        except OSError:  # the server's way to say that the client is gone (ASGI spec, "Disconnected Client")
            self._user_left(self._answer_size - before)
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
                self._body.append(chunk if type(chunk) is bytes else bytes(chunk))
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
                    self._answer.append(chunk if type(chunk) is bytes else bytes(chunk))
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
            headers = message.get("headers", ())
            if type(headers) not in _LISTS:  # as for the request's
                message["headers"] = headers = list(headers)
            self._headers = tuple(map(tuple, headers))
            if self._lane.traced:
                self._request_headers += served(self._request_headers)
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
                # The application answered without the whole request, which it did not read or never got: what we hold
                # is not the request.
                self._give_back("client_disconnected" if self._disconnected else "prod_failed")
                self._stop()
                return
            self._ticket = None
            if self._disconnected:
                self._flags |= FLAG_CLIENT_DISCONNECTED
            self._lane.offer(
                ticket,
                self._target,
                self._request_headers,
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

    def _user_left(self, unsent: int = 0) -> None:
        """With the last byte of a length that was said the answer is whole, before an empty message says so."""
        if self._answered or self._disconnected:
            return
        self._disconnected = True
        try:
            said = next((value for name, value in self._headers if name == b"content-length"), b"")
            if said.isdigit() and int(said) <= self._answer_size - unsent:
                self._answered, self._disconnected = True, False
        except Exception:
            self._lane.fault()

    def _has_no_body(self) -> bool:
        """No content by RFC 9112 §6.3: neither ``transfer-encoding`` nor a ``content-length`` above zero."""
        for name, value in self._request_headers:
            told = name == b"content-length" and value.strip() != b"0"
            if told or name == b"transfer-encoding" or type(name) is not bytes:
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
