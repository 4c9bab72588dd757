"""HTTP/2 over plain sockets, both sides: an upstream that answers as :mod:`.upstream` does, and a user.

The upstream's answers are given as bytes of HTTP/1.1, and translated: so one and the same answer goes over either.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h11

from .upstream import Wire

__all__ = ["Got", "Http2Upstream", "Http2User"]

Fields = list[tuple[bytes, bytes]]
_OF_A_CONNECTION = {b"connection", b"keep-alive", b"transfer-encoding"}
_PATIENCE_S = 60.0


class Http2Upstream:
    """``answer(wire)`` is called on a thread of its own for each request that is whole, and for one whose path begins
    with ``/early`` when its head is there; ``trailers`` go behind every answer with a body."""

    def __init__(self, answer: Callable[[Wire], None], trailers: Fields | None = None) -> None:
        self.answer = answer
        self.trailers = trailers or []
        self.seen: list[Wire] = []
        self.leave_at_once = False
        """Say GOAWAY to every request, which is not looked at, until it is switched off."""
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Http2Upstream:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=_Connection(self, connection).serve, daemon=True).start()


class _Connection:
    def __init__(self, upstream: Http2Upstream, connection: socket.socket) -> None:
        self.upstream = upstream
        self.socket = connection
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None, normalize_inbound_headers=False)
        )
        self.changed = threading.Condition()
        self.streams: dict[int, _Back] = {}

    def serve(self) -> None:
        # ProtocolError: what comes behind a GOAWAY of ours.
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError), self.socket:
            with self.changed:
                self.h2.initiate_connection()
                self.flush()
            while data := self.socket.recv(65536):
                with self.changed:
                    for event in self.h2.receive_data(data):
                        self._on(event)
                    self.flush()
                    self.changed.notify_all()
        with self.changed:
            for stream in self.streams.values():
                stream.gone = True
            self.changed.notify_all()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def _on(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            if self.upstream.leave_at_once:
                self.upstream.leave_at_once = False
                self.h2.close_connection(last_stream_id=0)
                return
            self.streams[event.stream_id] = back = _Back(self, event.stream_id, event.headers)
            if back.wire.path.startswith("/early"):
                back.begin()
        back = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if back is None:
            return
        if isinstance(event, h2.events.DataReceived):
            back.wire.body += event.data
            back.wire.chunks.append(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            back.whole = True
            if not back.wire.path.startswith("/early"):
                back.begin()
        elif isinstance(event, h2.events.StreamReset):
            back.gone = True


class _Back:
    """A stream in the clothes of a socket."""

    def __init__(self, connection: _Connection, number: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._connection, self._number = connection, number
        self.gone = self.whole = False
        pseudo = {bytes(name): bytes(value) for name, value in headers if name.startswith(b":")}
        lines = [pseudo[b":method"] + b" " + pseudo[b":path"] + b" HTTP/2\r\n"]
        lines.append(b"host: " + pseudo[b":authority"] + b"\r\n")
        lines += [b"%s: %s\r\n" % (name, value) for name, value in headers if not name.startswith(b":")]
        self.wire = Wire(b"".join(lines), b"", self)  # type: ignore[arg-type]
        self._reader = h11.Connection(h11.CLIENT)
        method = pseudo[b":method"].decode()
        self._reader.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        self._reader.send(h11.EndOfMessage())

    def begin(self) -> None:
        self._connection.upstream.seen.append(self.wire)
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            self._connection.upstream.answer(self.wire)

    def sendall(self, data: bytes) -> None:
        self._reader.receive_data(data)
        while (event := self._reader.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Response):
                raw = [(bytes(name).lower(), bytes(value)) for name, value in event.headers.raw_items()]
                named = [value.replace(b" ", b"").split(b",") for name, value in raw if name == b"connection"]
                gone = _OF_A_CONNECTION.union(*named)
                head = [(b":status", str(event.status_code).encode()), *(pair for pair in raw if pair[0] not in gone)]
                self._do(lambda h2, head=head: h2.send_headers(self._number, head))  # type: ignore[misc]
            elif isinstance(event, h11.Data):
                self._body(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                if trailers := self._connection.upstream.trailers:
                    self._do(lambda h2, last=trailers: h2.send_headers(self._number, last, end_stream=True))  # type: ignore[misc]
                else:
                    self._do(lambda h2: h2.end_stream(self._number))
                return

    def _body(self, data: bytes) -> None:
        while data:
            with self._connection.changed:
                two = self._connection.h2
                room = min(two.local_flow_control_window(self._number), two.max_outbound_frame_size)
                if room <= 0:
                    if self.gone or not self._connection.changed.wait(_PATIENCE_S):
                        raise OSError("nobody takes it")
                    continue
                two.send_data(self._number, data[:room])
                self._connection.flush()
                data = data[room:]

    def _do(self, act: Callable[[Any], None]) -> None:
        with self._connection.changed:
            act(self._connection.h2)
            self._connection.flush()

    def send_head_only(self, head: Fields) -> None:
        self._do(lambda h2: h2.send_headers(self._number, head, end_stream=True))

    def send_whole_but_its_end(self, head: Fields, body: bytes) -> None:
        """All of an answer; that it was all says :meth:`send_end`."""
        self._do(lambda h2: h2.send_headers(self._number, head))
        self._body(body)

    def send_end(self) -> None:
        self._do(lambda h2: h2.end_stream(self._number))

    def shutdown(self, how: int) -> None:
        self._do(lambda two: two.reset_stream(self._number, h2.errors.ErrorCodes.INTERNAL_ERROR))

    def settimeout(self, seconds: float) -> None: ...

    def recv(self, size: int) -> bytes:
        """Nothing, once the other side has reset it."""
        with self._connection.changed:
            if not self._connection.changed.wait_for(lambda: self.gone, _PATIENCE_S):
                raise TimeoutError
        return b""


@dataclass
class Got:
    """What a user has got of an answer."""

    status: int = 0
    fields: Fields = field(default_factory=list)
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    """Statuses below 200."""
    ended: bool = False
    reset: int | None = None


class Http2User:
    """One connection of a user."""

    def __init__(
        self, address: str, context: ssl.SSLContext | None = None, window: int | None = None, *, lenient: bool = False
    ) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), _PATIENCE_S)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        config = h2.config.H2Configuration(header_encoding=None, validate_outbound_headers=not lenient)
        self._h2 = h2.connection.H2Connection(config)
        self._h2.initiate_connection()
        self._acknowledges = window is None
        self.streams: dict[int, Got] = {}
        self.goaway: int | None = None
        """The last stream that the other side looks at, once it has said so."""
        self._rest = b""
        self.flush()

    def __enter__(self) -> Http2User:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def begin(self, method: str, path: bytes, fields: Fields = [], *, end: bool = True, host: bytes = b"a") -> int:  # noqa: B006
        number = self._h2.get_next_available_stream_id()
        head = [(b":method", method.encode()), (b":scheme", b"http"), (b":authority", host), (b":path", path), *fields]
        self._h2.send_headers(number, head, end_stream=end)
        self.streams[number] = Got()
        self.flush()
        return number

    def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        """All of it, as the other side takes it."""
        while data:
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room <= 0:
                self._read()
                continue
            self._h2.send_data(number, data[:room])
            data = data[room:]
            self.flush()
        if end:
            self._h2.end_stream(number)
            self.flush()

    def send_trailers(self, number: int, fields: Fields) -> None:
        self._h2.send_headers(number, fields, end_stream=True)
        self.flush()

    def leave(self, number: int) -> None:
        self._h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        self.flush()

    def until(self, number: int, condition: Callable[[Got], Any] = lambda got: got.ended) -> Got:
        """Read until it holds, or the stream is reset, or the connection ends."""
        got = self.streams[number]
        deadline = time.monotonic() + _PATIENCE_S
        while not condition(got) and got.reset is None and self._read():
            assert time.monotonic() < deadline, got
        return got

    def ask(self, method: str, path: bytes, fields: Fields = [], body: bytes = b"", host: bytes = b"a") -> Got:  # noqa: B006
        number = self.begin(method, path, fields, end=not body, host=host)
        if body:
            self.send(number, body, end=True)
        return self.until(number)

    def _read(self) -> bool:
        """One read; false at the connection's end. Frame by frame: behind a GOAWAY h2 takes nothing more, and streams
        go on (RFC 9113 §6.8)."""
        data = self._socket.recv(65536)
        self._rest += data
        while len(self._rest) >= 9 and len(self._rest) >= (size := 9 + int.from_bytes(self._rest[:3], "big")):
            frame, self._rest = self._rest[:size], self._rest[size:]
            for event in self._h2.receive_data(frame):
                self._on(event)
            if frame[3] == 7:
                self._h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        with contextlib.suppress(OSError):  # who leaves may have closed
            self.flush()
        return bool(data)

    def _on(self, event: h2.events.Event) -> None:
        got = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.last_stream_id
        elif got is None:
            return
        elif isinstance(event, h2.events.InformationalResponseReceived):
            got.before.append(int(dict(event.headers)[b":status"]))
        elif isinstance(event, h2.events.ResponseReceived):
            got.status = int(dict(event.headers)[b":status"])
            got.fields = [(bytes(n), bytes(v)) for n, v in event.headers if not n.startswith(b":")]
        elif isinstance(event, h2.events.DataReceived):
            got.body += event.data
            if self._acknowledges:
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            got.trailers = [(bytes(n), bytes(v)) for n, v in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            got.ended = True
        elif isinstance(event, h2.events.StreamReset):
            got.reset = int(event.error_code)
