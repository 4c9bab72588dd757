"""A server that sends bytes as they are given, in a thread of its own: what no HTTP library would let a test send."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

__all__ = ["RawServer"]


class RawServer:
    """Answers every request with ``answer(path)``. ``with RawServer(...) as server`` gives ``server.url``.

    ``then_end``: the server's side of a connection ends behind each answer. ``paths`` are the requests seen, by
    connection in the order of their acceptance.
    """

    def __init__(self, answer: Callable[[str], bytes], *, then_end: bool = False) -> None:
        self._answer = answer
        self._then_end = then_end
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self._changed = threading.Condition()
        self.paths: list[list[str]] = []
        self.ended = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()
        return host, port

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts, which would hold the port
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def send(self, connection: int, data: bytes) -> None:
        """Bytes that nobody asked for, on an accepted connection."""
        self._open[connection].sendall(data)

    def until_ended(self, count: int, within_s: float = 60.0) -> bool:
        """Wait until ``count`` connections were ended by the client."""
        with self._changed:
            return self._changed.wait_for(lambda: self.ended >= count, within_s)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            paths: list[str] = []
            self.paths.append(paths)
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, paths), daemon=True).start()

    def _serve(self, connection: socket.socket, paths: list[str]) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while first := stream.readline():
                    length = 0
                    while (line := stream.readline().strip().lower()) != b"":
                        if line.startswith(b"content-length:"):
                            length = int(line.partition(b":")[2])
                    stream.read(length)
                    paths.append(first.split()[1].decode())
                    connection.sendall(self._answer(paths[-1]))
                    if self._then_end:
                        connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the client's right
        finally:
            with self._changed:
                self.ended += 1
                self._changed.notify_all()
