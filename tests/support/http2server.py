"""A shadow that speaks HTTP/2 over TLS, and that can leave in the ways which HTTP/2 has for that."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import Literal

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trustme

__all__ = ["Http2Server"]

Mode = Literal["ok", "goaway before", "goaway after", "refuse", "reset", "cut", "hang", "silent"]


@dataclass
class Http2Server:
    """``async with Http2Server(authority) as server`` gives ``server.url``. Answers ``ok`` with the path, and with what
    was sent behind it.

    ``goaway before``: the stream is not processed; ``goaway after``: it is answered, and no other is; ``refuse`` and
    ``reset``: RST_STREAM with REFUSED_STREAM or INTERNAL_ERROR; ``cut``: the connection ends in the body;
    ``silent``: a connection that gets anything then reads and says nothing any more, whatever the mode is later.
    """

    authority: trustme.CA
    mode: Mode = "ok"
    streams: int = 100
    """How many calls a connection takes at a time."""
    answer: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    port: int = 0
    connections: int = 0
    open_connections: int = 0
    most_at_once: int = 0
    requests: list[dict[str, str]] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Http2Server:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(tls)
        tls.set_alpn_protocols(["h2"])
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def until(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def until_left(self) -> None:
        """Wait until no connection is open."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.open_connections == 0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.open_connections += 1
        try:
            await _Connection(self, reader, writer).serve()
        except (ConnectionError, ssl.SSLError, h2.exceptions.ProtocolError, asyncio.CancelledError):
            pass  # the client's right, or the server's end
        finally:
            self.open_connections -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()
            await self.changed()

    async def changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class _Connection:
    def __init__(self, server: Http2Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._bodies: dict[int, bytes] = {}
        self._heads: dict[int, dict[str, str]] = {}
        self._left: dict[int, bytes] = {}
        self._over = False

    async def serve(self) -> None:
        most = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self._server.streams}
        self._h2.local_settings = h2.settings.Settings(client=False, initial_values=most)
        self._h2.initiate_connection()
        while not self._over:
            self._writer.write(self._h2.data_to_send())
            await self._writer.drain()
            data = await self._reader.read(65536)
            if not data:
                return
            if self._server.mode == "silent":
                await self._reader.read()  # to its end, which does not come
                return
            for event in self._h2.receive_data(data):
                await self._on(event)
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()

    async def _on(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._heads[event.stream_id] = {_text(name): _text(value) for name, value in event.headers}
            self._bodies[event.stream_id] = b""
            self._server.most_at_once = max(self._server.most_at_once, len(self._bodies))
        elif isinstance(event, h2.events.DataReceived):
            self._bodies[event.stream_id] += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._server.requests.append(self._heads.pop(event.stream_id))
            self._answer(event.stream_id, self._bodies.pop(event.stream_id))
            await self._server.changed()
        elif isinstance(event, h2.events.StreamReset):
            self._left.pop(event.stream_id, None)
        elif isinstance(event, h2.events.WindowUpdated):
            for stream in list(self._left):
                self._send(stream)

    def _answer(self, stream: int, body: bytes) -> None:
        server = self._server
        if server.mode == "hang":
            return
        if server.mode in ("refuse", "reset"):
            refused = server.mode == "refuse"
            code = h2.errors.ErrorCodes.REFUSED_STREAM if refused else h2.errors.ErrorCodes.INTERNAL_ERROR
            self._h2.reset_stream(stream, code)
            return
        if server.mode == "goaway before":
            self._h2.close_connection(last_stream_id=0)
            self._over = True
            return
        said = server.requests[-1][":path"].encode() + b" " + body if server.answer is None else server.answer
        self._h2.send_headers(stream, [(":status", "200"), ("content-type", "text/plain"), *server.headers])
        self._left[stream] = said
        if server.mode == "cut":
            self._h2.send_data(stream, said[:1])
            self._over = True
            return
        self._send(stream)
        if server.mode == "goaway after":
            self._h2.close_connection(last_stream_id=stream)
            self._over = True

    def _send(self, stream: int) -> None:
        """As much as the client's window takes now."""
        left = self._left[stream]
        while left:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                self._left[stream] = left
                return
            self._h2.send_data(stream, left[:room])
            left = left[room:]
        del self._left[stream]
        self._h2.end_stream(stream)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
