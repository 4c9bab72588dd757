"""A server over plain sockets: remembers each request byte by byte, and answers with whatever bytes a test gives."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Upstream", "Wire"]


@dataclass
class Wire:
    """One request as it came, and the way back."""

    head: bytes
    body: bytes
    connection: socket.socket
    chunks: list[bytes] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The fields, names in lower case, in their order."""
        lines = self.head.split(b"\r\n")[1:]
        pairs = (line.partition(b":") for line in lines if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)


class Upstream:
    """``answer(wire)`` is called for each request on a thread of its connection, and sends the answer itself."""

    def __init__(self, answer: Callable[[Wire], None]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self.seen: list[Wire] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Upstream:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts, which would hold the port
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
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            while first := stream.readline():
                lines = [first]
                while (line := stream.readline()).strip():
                    lines.append(line)
                wire = Wire(b"".join(lines), b"", connection)
                fields = dict(wire.fields)
                if fields.get(b"transfer-encoding") == b"chunked":
                    while size := int(stream.readline(), 16):
                        wire.chunks.append(stream.read(size))
                        stream.readline()
                    stream.readline()
                    wire.body = b"".join(wire.chunks)
                else:
                    wire.body = stream.read(int(fields.get(b"content-length", b"0")))
                self.seen.append(wire)
                self._answer(wire)
