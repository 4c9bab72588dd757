"""A client that costs next to nothing: one fixed POST on kept-alive connections, over asyncio's bare protocol.

A full HTTP client takes about half a millisecond of processor time for a request; on a small machine that queues up
with the gateway's own work and drowns the effect that is measured here.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

__all__ = ["Client"]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_TIMEOUT_S = 30.0


class Client:
    """Posts the same body again and again; opens as many connections as are needed at a time."""

    def __init__(self, url: str, path: str, body: bytes) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._request = (
            f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._idle: list[_Connection] = []

    async def post(self) -> int:
        """The status of the answer, once it has been read to its end; 0 when none came."""
        connection = None
        while self._idle and connection is None:
            connection = self._idle.pop()
            if connection.transport.is_closing():
                connection = None
        try:
            if connection is None:
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(_Connection, self._host, self._port)
            status = await asyncio.wait_for(connection.exchange(self._next_request()), _TIMEOUT_S)
        except (OSError, ValueError, asyncio.TimeoutError):
            if connection is not None:
                connection.transport.close()
            return 0
        self._idle.append(connection)
        return status

    def _next_request(self) -> bytes:
        """What is sent next: every time the same, unless a subclass has something else."""
        return self._request

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().transport.close()


class _Connection(asyncio.Protocol):
    """One connection with at most one request on it (RFC 9112, no pipelining); reads answers with a content-length, and
    chunked ones whose chunks do not look like the last one within (ours do not)."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._buffer = bytearray()
        self._wanted = 0
        self._chunked = False
        self._status = 0
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def exchange(self, request: bytes) -> int:
        self._buffer.clear()
        self._wanted, self._chunked = 0, False
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._answer is None or self._answer.done():
            return
        if not self._wanted and not self._chunked:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            length = _LENGTH.search(self._buffer, 0, head)
            self._chunked = length is None and _CHUNKED.search(self._buffer, 0, head + 2) is not None
            if length is None and not self._chunked:
                self._answer.set_exception(ValueError("an answer with neither content-length nor chunks"))
                return
            self._wanted = 0 if length is None else head + 4 + int(length[1])
            self._status = int(self._buffer[9:12])
        if self._buffer.endswith(_LAST_CHUNK) if self._chunked else len(self._buffer) >= self._wanted:
            self._answer.set_result(self._status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed before the answer"))
