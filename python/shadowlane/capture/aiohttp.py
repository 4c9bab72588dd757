"""A client middleware for aiohttp: a service mirrors what it asks of others (extra ``capture-aiohttp``).

Invariants: request and response pass with every byte; a body that is not there as bytes is kept as it is written, and
the answer as it is read, never ahead. A session runs its middlewares for each hop of a redirect: each is an exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError
from .egress import Egress
from .exchange import Exchange, Timing

try:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, StreamReader
    from aiohttp.payload import BytesPayload, Payload
except ImportError:
    raise MissingExtraError("shadowlane.aiohttp", "capture-aiohttp", "aiohttp>=3.12") from None

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ..config import Config
    from .lane import Lane

__all__ = ["ShadowMiddleware"]


class ShadowMiddleware(Egress):
    """Mirror a sample of what a session sends: ``ClientSession(middlewares=(ShadowMiddleware(),))``.

    ``config`` as for :class:`shadowlane.asgi.ShadowMiddleware`; ``hosts``: only requests to these
    (``"api.example.com"``, or with ``":port"``) are seen by the lane, all when it is empty. Raises
    :class:`~shadowlane.errors.ConfigError` for a bad configuration, outside of a request. A ``middlewares=`` argument
    of a single call replaces the session's.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None,
        *,
        hosts: Iterable[str] = (),
    ) -> None:
        super().__init__(config, hosts=hosts)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send it by the rest of the chain."""
        exchange = await self._begin(request)
        if exchange is None:
            return await handler(request)
        try:
            response = await handler(request)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            _unwatch_body(request.body)
        try:
            _watch_answer(request, response, exchange)
        except Exception:  # what a middleware below gives in a response's stead goes on as it is
            self.fault()
            exchange.lost()
        return response

    async def _begin(self, request: ClientRequest) -> Exchange | Timing | None:
        if self.lane is None:
            return None
        try:
            url = request.url
            if self.hosts and not self.has(url.host, url.port):
                return None
            method, target = request.method, url.raw_path_qs
            wanted = self.reads
            fields = [(name.lower(), value) for name, value in request.headers.items()]
            facts = [(name.encode(), value.encode()) for name, value in fields if name in wanted]
            # What is not a GET is judged by the path as it is sent, which is what the shadow would see.
            exchange = self.begin(method, url.path if method == "GET" else target, facts)
            if exchange is None or exchange.timed_only:
                return exchange
            body = request.body
            coded = bool(request.compress)  # what is written is encoded on its way
            headers = [
                (name.encode(), value.encode()) for name, value in fields if not coded or name != "content-encoding"
            ]
            exchange.request(target.encode("ascii"), headers, length=-1 if body else 0)
            if isinstance(body, BytesPayload):
                exchange.sent(await body.as_bytes())
                exchange.sent_all()
            elif isinstance(body, Payload):
                _watch_body(body, exchange)
        except Exception:
            self.fault()
            return None
        return exchange


def _watch_body(body: Payload, exchange: Exchange | Timing) -> None:
    """Tell ``exchange`` what the payload writes, once."""
    write: Any = body.write_with_length

    async def teed(writer: Any, content_length: int | None) -> None:
        # Another lane's, around this one, has the payload's own in view: what was set last is taken off first.
        _unwatch_body(body)
        exchange.resent()
        await write(_Writer(writer, exchange), content_length)
        exchange.sent_all()

    body.write_with_length = teed  # type: ignore[method-assign]


def _unwatch_body(body: Any) -> None:
    """What was not written is not watched any more: the same payload is sent again by who tries again."""
    getattr(body, "__dict__", {}).pop("write_with_length", None)


class _Writer:
    """The connection's writer, as a payload sees it."""

    def __init__(self, writer: Any, exchange: Exchange | Timing) -> None:
        self._writer, self._exchange = writer, exchange

    async def write(self, chunk: Any, *rest: Any, **more: Any) -> None:
        self._exchange.sent(chunk)
        await self._writer.write(chunk, *rest, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


def _watch_answer(request: ClientRequest, response: ClientResponse, exchange: Exchange | Timing) -> None:
    """Keep the head, and put a reader in the place of the body's that tells what is read."""
    content = response.content
    if not exchange.timed_only:
        # Set where the content coding is undone; before 3.14 it is not known but for the session.
        undone = getattr(content, "total_compressed_bytes", 0 if request.session.auto_decompress else None)
        exchange.answers(response.status, response.raw_headers, decoded=undone is not None)
    if content.at_eof():
        exchange.ended()
    else:
        response.content = _Reader(content, exchange)


class _Reader(StreamReader):
    """A response's body. What is asked of it beside reading is the wrapped reader's matter.

    The response tells its reader when it is closed (``set_exception``); the connection speaks to the wrapped one.
    """

    __slots__ = ("_exchange", "_source")

    def __init__(self, source: StreamReader, exchange: Exchange | Timing) -> None:
        self._source, self._exchange = source, exchange

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)  # the base class's fields, which are never set here

    async def read(self, n: int = -1) -> bytes:
        return self._kept(await self._called(self._source.read(n)))

    async def readany(self) -> bytes:
        return self._kept(await self._called(self._source.readany()))

    async def readline(self, **more: Any) -> bytes:
        return self._kept(await self._called(self._source.readline(**more)))

    async def readuntil(self, *arguments: Any, **more: Any) -> bytes:
        return self._kept(await self._called(self._source.readuntil(*arguments, **more)))

    async def readexactly(self, n: int) -> bytes:
        return self._kept(await self._called(self._source.readexactly(n)))

    async def readchunk(self) -> tuple[bytes, bool]:
        chunk, whole = await self._called(self._source.readchunk())
        return self._kept(chunk), whole

    def read_nowait(self, n: int = -1) -> bytes:
        return self._kept(self._source.read_nowait(n))

    def set_exception(self, exc: Any, *cause: Any) -> None:
        self._exchange.close()
        self._source.set_exception(exc, *cause)

    def exception(self) -> Any:
        return self._source.exception()

    def on_eof(self, callback: Any) -> None:
        self._source.on_eof(callback)

    def is_eof(self) -> bool:
        return self._source.is_eof()

    def at_eof(self) -> bool:
        return self._source.at_eof()

    async def wait_eof(self) -> None:
        await self._source.wait_eof()

    def feed_eof(self) -> None:
        self._source.feed_eof()

    def feed_data(self, data: bytes, *rest: Any) -> Any:
        return self._source.feed_data(data, *rest)

    def unread_data(self, data: bytes) -> None:
        self._exchange.lost()
        self._source.unread_data(data)

    def begin_http_chunk_receiving(self) -> None:
        self._source.begin_http_chunk_receiving()

    def end_http_chunk_receiving(self) -> None:
        self._source.end_http_chunk_receiving()

    def get_read_buffer_limits(self) -> tuple[int, int]:
        return self._source.get_read_buffer_limits()

    def set_read_chunk_size(self, n: int) -> None:
        self._source.set_read_chunk_size(n)

    async def _called(self, reading: Any) -> Any:
        try:
            return await reading
        except BaseException as error:
            self._exchange.failed(error)
            raise

    def _kept(self, data: bytes) -> bytes:
        self._exchange.received(data)
        if self._source.at_eof():
            self._exchange.ended()
        return data
