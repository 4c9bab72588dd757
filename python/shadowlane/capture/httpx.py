"""Transports for httpx and httpx2: a service mirrors what it asks of others.

A transport is taken for what it is, not for the package that it comes from: httpx2, which the SDKs of OpenAI and
Anthropic take, is httpx under another name, with classes of its own. Invariants: the wrapped transport gets the very
request, and its response is handed on with every byte, extension and exception; streams are passed on piece by piece
and never read ahead. Each call of a transport (a retry, a redirect's next hop) is an exchange of its own.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .egress import Egress
from .exchange import Exchange, Timing

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import httpx
    import httpx2

    from ..config import Config
    from .lane import Lane

    class _Sync(httpx.BaseTransport, httpx2.BaseTransport):  # type: ignore[misc]
        """What it is for a type checker: a transport of both libraries."""

    class _Async(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):  # type: ignore[misc]
        """The same."""
else:
    _Sync = _Async = object

__all__ = ["AsyncShadowTransport", "ShadowTransport"]

_LIBRARIES = ("httpx", "httpx2")
_PORTS = {"http": 80, "https": 443}


class ShadowTransport(Egress, _Sync):
    """Mirror a sample of what ``transport`` sends: ``Client(transport=ShadowTransport(HTTPTransport()))``.

    ``transport`` is a ``BaseTransport`` of httpx or httpx2; the instance is one of the same library. ``config`` as for
    :class:`shadowlane.asgi.ShadowMiddleware`; ``hosts``: only requests to these (``"api.example.com"``, or with
    ``":port"``) are seen by the lane, all when it is empty. Raises :class:`TypeError` for any other transport and,
    outside of a request, :class:`~shadowlane.errors.ConfigError` for a bad configuration.
    """

    def __new__(cls, transport: Any, *_: Any, **__: Any) -> Any:
        return object.__new__(_of_library(cls, transport, "BaseTransport"))

    def __init__(
        self,
        transport: httpx.BaseTransport | httpx2.BaseTransport,
        config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None,
        *,
        hosts: Iterable[str] = (),
    ) -> None:
        super().__init__(config, hosts=hosts)
        self._transport: Any = transport
        self._streams = _streams(_library(transport, "BaseTransport"))

    def handle_request(self, request: Any) -> Any:
        """Send it by the wrapped transport."""
        exchange = _begin(self, request)
        if exchange is None:
            return self._transport.handle_request(request)
        stream = request.stream
        _watch(self, request, exchange)
        try:
            response = self._transport.handle_request(request)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            request.stream = stream  # who sends it again, after a redirect or a challenge, tells by its class how
        _answered(self, response, exchange)
        return response

    def __enter__(self) -> ShadowTransport:
        self._transport.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._transport.__exit__(*exc)

    def close(self) -> None:
        """Close the wrapped transport. The lane stays open."""
        self._transport.close()


class AsyncShadowTransport(Egress, _Async):
    """The same for ``AsyncClient``, around an ``AsyncBaseTransport``."""

    def __new__(cls, transport: Any, *_: Any, **__: Any) -> Any:
        return object.__new__(_of_library(cls, transport, "AsyncBaseTransport"))

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport,
        config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None,
        *,
        hosts: Iterable[str] = (),
    ) -> None:
        super().__init__(config, hosts=hosts)
        self._transport: Any = transport
        self._streams = _streams(_library(transport, "AsyncBaseTransport"))

    async def handle_async_request(self, request: Any) -> Any:
        """Send it by the wrapped transport."""
        exchange = _begin(self, request)
        if exchange is None:
            return await self._transport.handle_async_request(request)
        stream = request.stream
        _watch(self, request, exchange)
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            request.stream = stream
        _answered(self, response, exchange)
        return response

    async def __aenter__(self) -> AsyncShadowTransport:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._transport.__aexit__(*exc)

    async def aclose(self) -> None:
        """Close the wrapped transport. The lane stays open."""
        await self._transport.aclose()


class _Streams:
    """The stream classes of one library: its own of a body that is known, and ours, which are of its base classes."""

    def __init__(self, library: str) -> None:
        module = sys.modules[library]
        bases = (module.SyncByteStream, module.AsyncByteStream)
        self.known: type[Any] = module.ByteStream
        self.sent = _SentStream.of(*bases)
        self.received = _ReceivedStream.of(*bases)


_streams = functools.cache(_Streams)


class _Stream:
    """A stream of both kinds, of which every piece is told; which kind it is is the wrapped one's matter."""

    def __init__(self, stream: Any, exchange: Exchange | Timing) -> None:
        self._stream, self._exchange = stream, exchange

    @classmethod
    def of(cls, sync_base: type, async_base: type) -> type[Any]:
        """This class as a stream of one library."""
        return type(cls.__name__, (cls, sync_base, async_base), {"__module__": cls.__module__})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _SentStream(_Stream):
    """A request's body that is only known when it is sent."""

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        exchange.resent()
        for chunk in self._stream:
            exchange.sent(chunk)
            yield chunk
        exchange.sent_all()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange = self._exchange
        exchange.resent()
        pieces = self._stream.__aiter__()
        try:
            async for chunk in pieces:
                exchange.sent(chunk)
                yield chunk
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        exchange.sent_all()

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _ReceivedStream(_Stream):
    """A response's body. Closed before its end, the answer was given up."""

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            for chunk in self._stream:
                exchange.received(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            exchange.failed(error)
            raise
        exchange.ended()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange = self._exchange
        pieces = self._stream.__aiter__()
        try:
            async for chunk in pieces:
                exchange.received(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        exchange.ended()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._exchange.close()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._exchange.close()


def _begin(egress: Egress, request: Any) -> Exchange | Timing | None:
    if egress.lane is None:
        return None
    try:
        url = request.url
        if egress.hosts and not egress.has(url.host, url.port or _PORTS.get(url.scheme)):
            return None
        method = request.method
        # What is not a GET is judged by the path as it is sent, which is what the shadow would see.
        target: bytes = url.raw_path
        path: str = url.path if method == "GET" else target.decode("ascii")
        headers = request.headers.raw
        exchange = egress.begin(method, path, headers)
        if exchange is not None and not exchange.timed_only:
            exchange.request(target, headers)
    except Exception:
        egress.fault()
        return None
    return exchange


def _watch(transport: ShadowTransport | AsyncShadowTransport, request: Any, exchange: Exchange | Timing) -> None:
    """Keep the request's body where it is known, else put a stream in its stead that tells what passes."""
    if exchange.timed_only:
        return
    try:
        stream, streams = request.stream, transport._streams
        if type(stream) is streams.known:
            for chunk in stream:  # one piece, and as often as it is asked for
                exchange.sent(chunk)
            exchange.sent_all()
        else:
            request.stream = streams.sent(stream, exchange)
    except Exception:
        transport.fault()
        exchange.lost()


def _answered(transport: ShadowTransport | AsyncShadowTransport, response: Any, exchange: Exchange | Timing) -> None:
    """Keep the response's head and watch its body. What is no response of the library goes on as it is."""
    try:
        stream, streams = response.stream, transport._streams
        known = type(stream) is streams.known  # a cache or a test double, whose body nobody will read here
        read = not known and response.is_stream_consumed  # by who tries again or stores answers, below us
        if not exchange.timed_only:
            exchange.answers(response.status_code, response.headers.raw, decoded=read)
        if known:
            for chunk in stream:
                exchange.received(chunk)
            exchange.ended(streamed=False)
        elif read:
            exchange.received(response.content)
            exchange.ended(streamed=False)
        else:
            response.stream = streams.received(stream, exchange)
    except Exception:
        transport.fault()
        exchange.lost()


def _library(transport: object, kind: str) -> str:
    """The library whose ``kind`` of transport it is. Raises TypeError for what is none. Asked is the class itself: the
    name of its module is no witness, OpenAI's SDK rewrites it for what it exports."""
    for library in _LIBRARIES:
        base = getattr(sys.modules.get(library), kind, None)
        if isinstance(base, type) and isinstance(transport, base):
            return library
    what = transport.__name__ if isinstance(transport, type) else type(transport).__name__
    ours = "ShadowTransport" if kind == "BaseTransport" else "AsyncShadowTransport"
    other = "AsyncShadowTransport" if kind == "BaseTransport" else "ShadowTransport"
    raise TypeError(
        f"transport: {ours} wraps no {what}; give an object of a {kind} of httpx or httpx2, for example "
        f"{'HTTPTransport()' if kind == 'BaseTransport' else 'AsyncHTTPTransport()'} ({other} is for the other kind)"
    )


@functools.cache
def _made(cls: Any, library: str, kind: str) -> type[Any]:
    base: type[Any] = getattr(sys.modules[library], kind)
    return type(cls.__name__, (cls, base), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def _of_library(cls: Any, transport: object, kind: str) -> Any:
    """``cls`` as a class of the transport's library, so that clients take its objects for what they are."""
    return _made(cls, _library(transport, kind), kind)
