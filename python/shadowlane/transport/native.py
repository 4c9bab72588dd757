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
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from .. import _core
from ..config import ShadowConfig
from ..types import Copy, Outcome
from .authorities import NO_CERTIFICATES, bad_bundle
from .call import Call
from .rounds import Round, Rounds
from .stub import Reader

__all__ = ["NativeTransport"]

_PORTS = {"http": 80, "https": 443}


class NativeTransport:
    """Sends copies to one shadow. Made by :func:`shadowlane.transport.open_transport`."""

    kind = "native"

    def __init__(
        self,
        name: str,
        shadow: ShadowConfig,
        credential: tuple[bytes, bytes] | None,
        *,
        read: Reader | None = None,
        stub_rounds: int = 0,
        where: str | None = None,
        propagate: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._rounds = Rounds(
            name,
            shadow,
            credential,
            read=read,
            stub_rounds=stub_rounds,
            where=where,
            propagate=propagate,
            clock_ns=clock_ns,
        )
        self._target = _target(self._rounds.where, shadow)
        self._link: _Link | None = None
        self._origin = 0

    async def send(self, copy: Copy) -> Outcome:
        """Send ``copy`` and read the answer, see :class:`shadowlane.transport.Transport` and
        :meth:`shadowlane.transport.HttpTransport.send`, whose outcomes it gives."""
        call = self._rounds.call()
        try:
            await self._rounds.exchange(copy, call, self._round)
        except asyncio.CancelledError:
            raise
        except asyncio.TimeoutError:
            self._rounds.late(call)
        except RuntimeError as error:  # of the dispatcher: in another process, or closed
            call.fail("transport_error", str(error))
        except Exception as error:
            call.fail("transport_error", type(error).__name__)
        return call.outcome()

    async def close(self) -> None:
        """Close the connections; the thread, too, when no other transport of this loop uses it."""
        if self._link is not None:
            self._link.release(self._origin)
            self._link = None

    async def _round(self, asked: Round, call: Call) -> None:
        done = await self._opened().call(self._origin, asked)
        if done.status:
            call.head(done.status, done.headers, done.head_ns)
        call.body = done.body
        call.ended(done.total_ns)
        if done.reason == "deadline":
            self._rounds.late(call)
        elif done.reason == "response_too_large":
            self._rounds.too_large(call)
        elif done.reason:
            call.fail(done.reason, done.detail)

    def _opened(self) -> _Link:
        loop = asyncio.get_running_loop()
        if self._link is None or self._link.loop is not loop or self._link.ended:
            self._link = _Link.of(loop)
            self._origin = self._link.acquire(self._target)
        return self._link


class _Done:
    """A call that is over, see ``_core.Dispatcher.take``."""

    __slots__ = ("body", "detail", "head_ns", "headers", "reason", "status", "total_ns")

    def __init__(self, row: tuple[Any, ...]) -> None:
        _, self.reason, self.detail, self.status, self.headers, self.body, self.head_ns, self.total_ns = row


class _Link:
    """The dispatcher of an event loop, and the calls that wait for it."""

    _of_loop: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Link]] = weakref.WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._dispatcher = _core.Dispatcher()
        self._waiting: dict[int, asyncio.Future[_Done]] = {}
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

    async def call(self, origin: int, asked: Round) -> _Done:
        """Send one request and wait until it is over."""
        try:
            number = self._dispatcher.submit(
                origin, asked.method, asked.target, asked.headers, asked.body, asked.left_s
            )
        except RuntimeError:
            self._end()  # this call fails, and the next one has a thread anew
            raise
        loop = asyncio.get_running_loop()
        if not self._flushing:  # behind all that is ready to submit: the thread is woken once for them
            self._flushing = True
            loop.call_soon(self._flush)
        future: asyncio.Future[_Done] = loop.create_future()
        self._waiting[number] = future
        try:
            return await future
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is not None:
                with contextlib.suppress(RuntimeError):  # the dispatcher is gone, and the call with it
                    self._dispatcher.cancel(number)
            raise

    def _flush(self) -> None:
        self._flushing = False
        try:
            self._dispatcher.flush()
        except RuntimeError:  # it has ended since: they come out as stopped
            self._end()
            self._take()
        except BaseException as error:  # nobody else would tell those that wait for calls which did not go out
            self._end()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(RuntimeError(f"the dispatcher failed: {type(error).__name__}"))
            self._waiting.clear()
            self._dispatcher.close()

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
            future = self._waiting.pop(row[0], None)
            if future is not None and not future.done():
                future.set_result(_Done(row))


def _target(where: str, shadow: ShadowConfig) -> _core.DispatchTarget:
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
        )
    except ValueError:
        raise bad_bundle(where, shadow, NO_CERTIFICATES) from None
