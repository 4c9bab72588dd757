"""What passes of one mirrored request: kept by reference, bounded, and offered when its answer has ended.

The captures that are no ASGI middleware (WSGI, client libraries) tell an :class:`Exchange` what they pass on. A request
that is only timed gets a :class:`Timing` in its stead, which keeps nothing.

Invariants: no method raises, waits or logs; a ticket is settled once. What is kept of a body is immutable, and of each
body at most ``lane.max_body_bytes``. An exchange that is forgotten gives its ticket back when it dies.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..types import FLAG_RESPONSE_CUT, FLAG_STREAMED
from .tracing import served, serving

if TYPE_CHECKING:
    from .._core import Ticket, Timer
    from .lane import Lane

__all__ = ["Exchange", "Headers", "Timing"]

Headers = Sequence[tuple[str | bytes, str | bytes]]
"""A list or tuple of names, in any case, and values: bytes, or text of latin-1, which is encoded when it is copied.
Whoever gives such a list away changes it no more."""

_LEFT = "client_disconnected"
_FAILED = "prod_failed"
_DONE = (b"data: [DONE]", b"data:[DONE]")
"""The last event of OpenAI's streams. Its SDK closes the response there, before the end of the body."""
_LENGTH = (b"content-length", "content-length")
_LENGTH_SIZE = len(_LENGTH[0])
_CODED = (b"content-encoding", "content-encoding", *_LENGTH)


class Exchange:
    """One request that holds a ticket, told what passes of it in the order of time."""

    __slots__ = (
        "_answer", "_answer_size", "_answered", "_body", "_body_size", "_expected", "_flags", "_headers", "_lane",
        "_left", "_length", "_limit", "_request_headers", "_started", "_status", "_target", "_ticket", "_timer",
        "_ttfb", "whole",
    )  # fmt: skip

    timed_only = False

    def __init__(self, lane: Lane, ticket: Ticket, limit: int) -> None:
        self._started = perf_counter_ns()
        self._lane = lane
        self._ticket: Ticket | None = ticket
        self._timer: Ticket | None = None
        self._limit = limit
        self._target: str | bytes = b""
        self._request_headers: Headers = ()
        self._body: list[bytes] = []
        self._body_size = 0
        self._expected = -1
        self.whole = False
        """Whether what was kept is the whole request body."""
        self._answer: list[bytes] = []
        self._answer_size = 0
        self._answered = False
        self._left = False
        self._length = -1
        self._flags = 0
        self._status = 0
        self._headers: Headers = ()
        self._ttfb = 0

    def request(self, target: str | bytes, headers: Headers, *, length: int = -1, body: bytes | None = None) -> None:
        """Its head: the target as sent, the header fields, and the body, or its length, where that is known."""
        try:
            self._target = target
            self._request_headers = (*headers, *serving()) if self._lane.traced else headers
            if body:
                self._expected = len(body)
                self.sent(body)
            else:
                self._expected = length
                self.whole = length == 0
        except Exception:
            self._fault()

    def sent(self, chunk: bytes | bytearray | memoryview) -> None:
        """A piece of the request's body."""
        try:
            if not chunk:
                return
            self._body_size += len(chunk)
            if self._body_size > self._limit:
                self._body.clear()
                self._give_back("request_too_large")
            elif self._ticket is not None:
                self._body.append(chunk if type(chunk) is bytes else bytes(chunk))
            if self._body_size == self._expected:
                self.whole, self._left = True, False
        except Exception:
            self._fault()

    def sent_all(self) -> None:
        """The request's body has ended. One that is shorter than was said has lost its sender."""
        if self._body_size < self._expected:
            self._left = True
        else:
            self.whole, self._left = True, False

    def resent(self) -> None:
        """The request's body is sent again from its beginning."""
        self._body.clear()
        self._body_size = 0
        self.whole = self._expected == 0

    def lost(self) -> None:
        """The body was read where it cannot be seen: what is kept may not be the request."""
        self._give_back("unreadable")

    def refused(self, reason: str) -> None:
        """Whoever captures it has no room to go on keeping it: counted under ``reason``."""
        self._give_back(reason)

    @property
    def settled(self) -> bool:
        """Whether its ticket was offered or given back: nothing of it is wanted any more."""
        return self._ticket is None

    def sender_left(self) -> None:
        """Reading the request's body failed, or gave less than was asked for."""
        self._left = True

    def answers(self, status: int, headers: Headers, *, decoded: bool = False) -> None:
        """The answer's head; a later one replaces it. ``decoded``: see :meth:`decoded`."""
        try:
            self._status = status
            self._headers = headers
            self._length = -1
            for name, value in headers:
                if len(name) == _LENGTH_SIZE and name.lower() in _LENGTH:
                    self._length = int(value) if value.isascii() and value.isdigit() else -1
            if decoded:
                self.decoded()
            if self._lane.traced:
                self._request_headers = (*self._request_headers, *served(self._request_headers))
        except Exception:
            self._fault()

    def decoded(self) -> None:
        """The answer's body is kept without its content coding."""
        try:
            self._headers = [one for one in self._headers if one[0].lower() not in _CODED]
            self._length = -1
        except Exception:
            self._fault()

    def received(self, chunk: object) -> None:
        """A piece of the answer's body."""
        try:
            if not self._ttfb:
                self._ttfb = perf_counter_ns() - self._started
            if type(chunk) is not bytes and not isinstance(chunk, (bytes, bytearray, memoryview)):
                return  # what is no bytes is refused by who gets it
            size = len(chunk)
            if not size:
                return
            room = self._limit - self._answer_size
            self._answer_size += size
            if size <= room:
                self._answer.append(chunk if type(chunk) is bytes else bytes(chunk))
            else:
                self._flags |= FLAG_RESPONSE_CUT
                if room > 0:
                    self._answer.append(bytes(chunk[:room]))
        except Exception:
            self._fault()

    def elsewhere(self) -> None:
        """The answer's body goes out without passing here, as a file that the server sends."""
        self._flags |= FLAG_RESPONSE_CUT
        self.ended(streamed=False)

    def answered(self, *, streamed: bool | None = None) -> None:
        """The answer's body has ended; :meth:`close` is to follow. ``streamed``: in pieces, where that is known."""
        self._answered = True
        if self._length < 0 if streamed is None else streamed:
            self._flags |= FLAG_STREAMED

    def ended(self, *, streamed: bool | None = None) -> None:
        """The answer has ended, and nothing will follow."""
        self.answered(streamed=streamed)
        self.close()

    def failed(self, error: BaseException) -> None:
        """Whoever answers raised ``error``; or whoever asked cancelled the request."""
        left = isinstance(error, (CancelledError, GeneratorExit, KeyboardInterrupt)) or self._left
        self._give_back(_LEFT if left else _FAILED)

    def close(self) -> None:
        """Settle: offer the exchange, or give its ticket back with the reason."""
        ticket = self._ticket
        if ticket is None:
            self._stop()
            return
        try:
            if not self._answered and not self._is_complete():
                self._give_back(_LEFT)
            elif not self.whole:
                # Answered without the whole request: what we hold is not the request.
                self._answered = True
                self._give_back(_LEFT if self._left else _FAILED)
                self._stop()
            else:
                self._ticket = None
                ttfb = self._ttfb or perf_counter_ns() - self._started
                self._lane.offer(
                    ticket, self._target, self._request_headers, self._body, self._status, self._headers,
                    self._answer, ttfb, self._flags,
                )  # fmt: skip
        except Exception:
            self._ticket = ticket
            self._fault()
        finally:
            self._ticket = None
            self._body = []
            self._answer = []

    def __del__(self) -> None:
        if getattr(self, "_ticket", None) is not None:
            self.close()

    def _is_complete(self) -> bool:
        """Whether an answer that was closed before its end was nevertheless there as a whole."""
        if self._length >= 0:
            return self._answer_size >= self._length
        if self._answer and b"".join(self._answer[-2:])[-64:].rstrip().endswith(_DONE):
            self._flags |= FLAG_STREAMED
            return True
        return False

    def _stop(self) -> None:
        """The clock of a request that was given back before its answer ended: the trial counts it as taken still."""
        timer, self._timer = self._timer, None
        if timer is not None and self._answered:
            timer.stop()

    def _give_back(self, reason: str) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self._lane.drop(ticket, reason)
            self._timer = ticket

    def _fault(self) -> None:
        self._lane.fault()
        self._give_back("unreadable")


class Timing:
    """A request that is not mirrored and is timed: the clock stops where a mirrored one's does."""

    __slots__ = ("_answered", "_timer")

    timed_only = True

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._answered = False

    def request(
        self, target: str | bytes, headers: Headers, *, length: int = -1, body: bytes | None = None
    ) -> None: ...
    def sent(self, chunk: bytes | bytearray | memoryview) -> None: ...
    def sent_all(self) -> None: ...
    def resent(self) -> None: ...
    def lost(self) -> None: ...
    def sender_left(self) -> None: ...
    def answers(self, status: int, headers: Headers, *, decoded: bool = False) -> None: ...
    def decoded(self) -> None: ...
    def received(self, chunk: object) -> None: ...
    def failed(self, error: BaseException) -> None: ...

    def elsewhere(self) -> None:
        self.ended()

    def answered(self, *, streamed: bool | None = None) -> None:
        self._answered = True

    def ended(self, *, streamed: bool | None = None) -> None:
        self._answered = True
        self.close()

    def close(self) -> None:
        if self._answered:
            self._timer.stop()
