"""The transport of the core: HTTP/1.1 and HTTP/2 on a thread without the interpreter lock (``rust/dispatch``).

Invariants: the thread is started by the first call, in the process that makes it, and ends with the last transport of
its event loop; another process is refused. The thread is woken once for all calls of a turn of the loop, and the loop
once for all calls that are over by then: these wait up to 50 ms for others, unless somebody could wait for them, and
their times are without it. Certificates are always verified; no redirect is followed, no cookie kept; ``detail`` quotes
nothing that the shadow sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from .. import _core
from ..types import Answered, CleanAnswer, Copy, Headers, Outcome
from .authorities import NO_CERTIFICATES, bad_bundle
from .rounds import Exchange, Round, Rounds

__all__ = ["NativeTransport"]

_PORTS = {"http": 80, "https": 443}


class NativeTransport:
    """Sends copies to one shadow. Made by :func:`shadowlane.transport.open_transport`."""

    kind = "native"

    def __init__(self, rounds: Rounds, *, sanitizer: _core.Sanitizer | None = None, sanitized_bytes: int = 0) -> None:
        self.rounds = rounds
        self._target = _target(self.rounds, sanitizer, sanitized_bytes)
        self._link: _Link | None = None
        self._origin = 0

    def begin(self, copy: Copy, answered: Answered) -> Callable[[], None]:
        """Send ``copy`` without a coroutine, see :data:`shadowlane.types.Begin`: ``answered`` gets the outcome that
        :meth:`send` gives, and the answer sanitized where it is small and there is a sanitizer."""
        sending = _Sending(self, self.rounds.exchange(copy), answered)
        sending.go_on()
        return sending.cancel

    async def send(self, copy: Copy) -> Outcome:
        """Send ``copy`` and read the answer, see :class:`shadowlane.transport.Transport` and
        :meth:`shadowlane.transport.HttpTransport.send`, whose outcomes it gives."""
        over: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def answered(outcome: Outcome, clean: CleanAnswer | None = None) -> None:
            if not over.done():
                over.set_result(outcome)

        cancel = self.begin(copy, answered)
        try:
            return await over
        except asyncio.CancelledError:
            cancel()
            raise

    async def close(self) -> None:
        """Close the connections; the thread, too, when no other transport of this loop uses it."""
        if self._link is not None:
            self._link.release(self._origin)
            self._link = None

    def submit(self, asked: Round, done: _Done) -> Callable[[], None]:
        """Send one request; how it is cancelled. Raises RuntimeError in another process."""
        loop = asyncio.get_running_loop()
        if self._link is None or self._link.loop is not loop or self._link.ended:
            self._link = _Link.of(loop)
            self._origin = self._link.acquire(self._target)
        return self._link.submit(self._origin, asked, done)


_Row = tuple[int, str, str, int, Headers, bytes, int, int, tuple[Any, ...] | None]
"""A call that is over, see ``_core.Dispatcher.take``."""
_Done = Callable[[_Row | BaseException], None]
"""Is told the end of a call, or why it did not go out. Raises nothing."""


class _Sending:
    """A copy on its way: round by round, until it is answered or cancelled."""

    __slots__ = ("_answered", "_cancel", "_clean", "_exchange", "_transport")

    def __init__(self, transport: NativeTransport, exchange: Exchange, answered: Answered) -> None:
        self._transport = transport
        self._exchange = exchange
        self._answered: Answered | None = answered
        self._clean: CleanAnswer | None = None
        self._cancel: Callable[[], None] | None = None

    def go_on(self) -> None:
        """The next round, or the end."""
        try:
            if (asked := self._exchange.next()) is not None:
                self._clean = None
                self._cancel = self._transport.submit(asked, self._done)
                return
        except BaseException as error:  # a panic of an extension is no Exception
            self._fail(error)
            asyncio.get_running_loop().call_soon(self._end)  # never before begin() has returned
        else:
            self._end()

    def cancel(self) -> None:
        """Give it up."""
        self._answered = None
        if self._cancel is not None:
            self._cancel()

    def _end(self) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(self._exchange.call.outcome(), self._clean)

    def _done(self, row: _Row | BaseException) -> None:
        self._cancel = None
        if isinstance(row, BaseException):
            self._fail(row)
            self._end()
        else:
            self._note(row)
            self.go_on()

    def _note(self, row: _Row) -> None:
        call, rounds = self._exchange.call, self._transport.rounds
        _, reason, detail, status, headers, body, head_ns, total_ns, clean = row
        if status:
            call.head(status, headers, head_ns)
        call.body = body
        call.ended(total_ns)
        if reason == "deadline":
            rounds.late(call)
        elif reason == "response_too_large":
            rounds.too_large(call)
        elif reason:
            call.fail(reason, detail)
        self._clean = None if clean is None else CleanAnswer(*clean)

    def _fail(self, error: BaseException) -> None:
        call = self._exchange.call
        if isinstance(error, asyncio.TimeoutError):
            self._transport.rounds.late(call)
        elif isinstance(error, RuntimeError):  # of the dispatcher: in another process, or closed
            call.fail("transport_error", str(error))
        else:
            call.fail("transport_error", type(error).__name__)


class _Link:
    """The dispatcher of an event loop, and the calls that wait for it."""

    _of_loop: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Link]] = weakref.WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._dispatcher = _core.Dispatcher()
        self._waiting: dict[int, _Done] = {}
        self._origins: set[int] = set()
        self._flushing = False
        self.ended = False
        """Whether its thread takes no calls any more."""
        self._descriptor = self._dispatcher.fileno()
        loop.add_reader(self._descriptor, self._take)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> _Link:
        """The loop's own, opened when there is none."""
        link = cls._of_loop.get(loop)
        if link is None:
            link = cls._of_loop[loop] = cls(loop)
        return link

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        return self._loop()

    def acquire(self, target: _core.DispatchTarget) -> int:
        """Know a shadow until it is released; its number."""
        origin = self._dispatcher.open(target)
        self._origins.add(origin)
        return origin

    def submit(self, origin: int, asked: Round, done: _Done) -> Callable[[], None]:
        """Send one request; how it is cancelled."""
        copy = asked.copy
        try:
            number = self._dispatcher.submit(
                origin,
                copy.method,
                asked.target,
                copy.headers,
                asked.body,
                asked.left_s,
                tag=(copy.shadow_id, copy.req_hash),
                more=asked.more,
            )
        except RuntimeError:
            self._end()  # this call fails, and the next one has a thread anew
            raise
        if not self._flushing:  # behind all that is ready to submit: the thread is woken once for them
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting[number] = done
        return partial(self._cancel, number)

    def _cancel(self, number: int) -> None:
        if self._waiting.pop(number, None) is not None:
            with contextlib.suppress(RuntimeError):  # the dispatcher is gone, and the call with it
                self._dispatcher.cancel(number)

    def _flush(self) -> None:
        self._flushing = False
        try:
            self._dispatcher.flush()
        except RuntimeError:  # it has ended since: they come out as stopped
            self._end()
            self._take()
        except BaseException as error:  # nobody else would tell those that wait for calls which did not go out
            self._end()
            waiting, self._waiting = self._waiting, {}
            self._dispatcher.close()
            for done in waiting.values():
                done(RuntimeError(f"the dispatcher failed: {type(error).__name__}"))

    def release(self, origin: int) -> None:
        """Close a shadow's connections; its calls that are out have failed. With the last one the thread ends."""
        self._origins.discard(origin)
        with contextlib.suppress(RuntimeError):  # it has ended, and its connections with it
            self._dispatcher.shut(origin)
        if self._origins:
            return
        self._end()
        self._dispatcher.close()
        self._take()

    def _end(self) -> None:
        self.ended = True
        loop = self.loop
        if loop is not None and self._of_loop.get(loop) is self:
            del self._of_loop[loop]
            if not loop.is_closed():
                loop.remove_reader(self._descriptor)

    def _take(self) -> None:
        for row in self._dispatcher.take():
            if (done := self._waiting.pop(row[0], None)) is not None:
                done(row)


def _target(rounds: Rounds, sanitizer: _core.Sanitizer | None, sanitized_bytes: int) -> _core.DispatchTarget:
    where, shadow = rounds.where, rounds.shadow
    url = urlsplit(shadow.url)
    host = url.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    port = url.port or _PORTS[url.scheme]
    name = f"[{host}]" if ":" in host else host
    bundle = None
    if shadow.ca_file:
        try:
            bundle = Path(shadow.ca_file).read_bytes()
        except OSError as error:
            raise bad_bundle(where, shadow, error.strerror) from None
    try:
        return _core.DispatchTarget(
            host,
            port,
            name if port == _PORTS[url.scheme] else f"{name}:{port}",
            tls=url.scheme == "https",
            bundle=bundle,
            concurrency=shadow.concurrency,
            most_bytes=shadow.max_response_bytes,
            outgoing=rounds.outgoing,
            sanitizer=sanitizer,
            sanitized_bytes=sanitized_bytes,
        )
    except ValueError:
        raise bad_bundle(where, shadow, NO_CERTIFICATES) from None
