"""HTTP/2 to the upstream (RFC 9113): under TLS by ALPN, else as both sides know it (h2c).

Invariants: a request and its answer pass at the same time, in either direction; what a user leaves is reset; nothing is
asked again but what the upstream says it has not looked at, and that has no body.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from h2.errors import ErrorCodes
from h2.events import Event, RemoteSettingsChanged, ResponseReceived

from ..types import Headers
from .http2 import LAST_STREAM, LostError, Session, Stream, fields, goaway
from .upstream import Answer

__all__ = ["Http2Upstream"]

_DEAD_MS = 30_000
"""Of a connection whose other side says nothing at all, not even the kernel's word."""
_TRIES = 3


class Http2Upstream:
    """One upstream, with as many connections as its streams need."""

    def __init__(self, url: str, connect_s: float) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._scheme = parts.scheme.encode()
        self._prefix = parts.path
        self._authority = parts.netloc.encode()
        self._connect_s = connect_s
        self._tls = _tls() if parts.scheme == "https" else None
        self._sessions: list[_Connection] = []
        self._dialling: asyncio.Task[_Connection] | None = None

    async def ask(self, method: str, target: str, headers: Headers, body: AsyncIterator[bytes] | None) -> Answer:
        host = next((value for name, value in headers if name == b"host"), self._authority)
        head = [
            (b":method", method.encode("ascii")),
            (b":scheme", self._scheme),
            (b":authority", host),
            (b":path", (self._prefix + target).encode("latin-1")),
            *(pair for pair in headers if pair[0] != b"host"),
        ]
        tries = 0
        while True:
            tries += 1
            connection = await self._connection()
            answer = _Http2Answer(connection, connection.open(head, end=body is None), body)
            try:
                await answer.begin()
            except LostError as error:
                answer.close()
                if body is not None or not error.unprocessed or tries >= _TRIES:
                    raise
            except BaseException:
                answer.close()
                raise
            else:
                return answer

    async def close(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
        for session in self._sessions:
            session.transport.write(goaway(0))
            session.transport.close()

    async def _connection(self) -> _Connection:
        while True:
            self._sessions = [session for session in self._sessions if not session.gone]
            for session in self._sessions:
                if session.has_room:
                    return session
            if self._dialling is None:
                self._dialling = asyncio.ensure_future(self._dial())
                self._dialling.add_done_callback(self._dialled)
            made = await asyncio.shield(self._dialling)
            if not made.gone and not made.streams and not made.has_room:
                made.transport.close()
                raise LostError("the upstream takes no stream")

    def _dialled(self, task: asyncio.Task[_Connection]) -> None:
        self._dialling = None
        if not task.cancelled() and task.exception() is None:
            self._sessions.append(task.result())

    async def _dial(self) -> _Connection:
        loop = asyncio.get_running_loop()

        async def connected() -> _Connection:
            name = self._host if self._tls else None
            _, session = await loop.create_connection(
                _Connection, self._host, self._port, ssl=self._tls, server_hostname=name
            )
            try:
                await session.ready()
            except BaseException:
                session.transport.abort()
                raise
            return session

        return await asyncio.wait_for(connected(), self._connect_s)


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    return context


class _Connection(Session):
    """One connection to the upstream."""

    def __init__(self) -> None:
        super().__init__(client_side=True)
        self._leaving = False
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        raw = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_MS)

    async def ready(self) -> None:
        """Wait until the upstream has said what it takes. Raises OSError when it speaks no HTTP/2."""
        secure = self.transport.get_extra_info("ssl_object")
        if secure is not None and secure.selected_alpn_protocol() != "h2":
            raise ConnectionError("the upstream speaks no HTTP/2")
        await self._settled

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._leaving = True
        if not self._settled.done():
            self._settled.set_exception(LostError("the upstream speaks no HTTP/2, or ended the connection"))

    def on_event(self, event: Event) -> None:
        super().on_event(event)
        if isinstance(event, ResponseReceived):
            stream = self.streams.get(event.stream_id)
            if stream is not None:
                stream.head = tuple((bytes(name), bytes(value)) for name, value in event.headers)
                stream.head_only = event.stream_ended is not None
                stream.news.set()
        elif isinstance(event, RemoteSettingsChanged) and not self._settled.done():
            self._settled.set_result(None)

    def on_goaway(self, last: int, code: int) -> None:
        self._leaving = True
        for number, stream in list(self.streams.items()):
            if number > last:
                stream.lose(LostError("the upstream leaves", unprocessed=True))
        if not self.streams:
            self.transport.close()

    @property
    def gone(self) -> bool:
        """Whether nothing more can be asked here."""
        return self._leaving or self.transport.is_closing()

    @property
    def has_room(self) -> bool:
        """Whether the upstream takes one more stream now."""
        return not self.gone and len(self.streams) < self.h2.remote_settings.max_concurrent_streams

    def open(self, head: list[tuple[bytes, bytes]], *, end: bool) -> Stream:
        """Ask. Raises :class:`.http2.LostError` for fields that are none of HTTP/2."""
        number = self.h2.get_next_available_stream_id()
        if number > LAST_STREAM - 1000:
            self._leaving = True
        try:
            self.send_head(number, head, end=end)
        except LostError:
            self._leaving = True  # h2 counts a stream that was never sent
            raise
        stream = self.streams[number] = Stream(self, number)
        return stream

    def finished(self, stream: Stream) -> None:
        self.streams.pop(stream.number, None)
        stream.drop()
        if self._leaving and not self.streams:
            self.flush()
            self.transport.close()


class _Http2Answer:
    """An answer on its way, and the request behind it."""

    status = 0
    headers: Headers = ()
    head_only = False

    def __init__(self, connection: _Connection, stream: Stream, body: AsyncIterator[bytes] | None) -> None:
        self._connection, self._stream = connection, stream
        self._upload = asyncio.ensure_future(self._send(body)) if body is not None else None
        self._asked = body is None
        self._closed = False

    async def _send(self, body: AsyncIterator[bytes]) -> None:
        stream = self._stream
        try:
            async for chunk in body:
                await stream.give(chunk)
            self._connection.send_end(stream.number)
            self._asked = True
        except LostError as error:
            if stream.lost is None and not stream.ended:
                stream.lose(error)
        except OSError as error:  # the user left
            self._connection.reset(stream.number, ErrorCodes.CANCEL)
            stream.lose(LostError(str(error)))

    async def begin(self) -> None:
        """Wait for the head. Raises :class:`.http2.LostError`."""
        stream = self._stream
        while stream.head is None:
            if stream.lost is not None:
                raise stream.lost
            stream.news.clear()
            await stream.news.wait()
        head = stream.head
        self.status = next((int(value) for name, value in head if name == b":status"), 0)
        self.headers = fields(head)
        if sum(name == b"content-length" for name, _ in self.headers) > 1:
            raise LostError("the answer has more than one length")
        self.head_only = stream.head_only

    @property
    def trailers(self) -> Headers:
        return self._stream.trailers

    @property
    def over(self) -> bool:
        return self._stream.over

    async def take(self) -> bytes:
        return await self._stream.take() or b""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._upload is not None:
            self._upload.cancel()
        if not self._stream.ended or not self._asked:
            self._connection.reset(self._stream.number, ErrorCodes.CANCEL)
        self._connection.finished(self._stream)
