"""A TCP relay that can be cut: what has come is not passed on, and nobody is told, as in a partition."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

__all__ = ["Relay"]


class Relay:
    """Passes bytes between its port and ``target``. While cut, connections stay open and are silent."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._closed = False
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut(self) -> None:
        self._whole.clear()

    def heal(self) -> None:
        """Pass on again; what was open while it was cut is reset, as by a middle box that forgot it."""
        for side in list(self._open):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        self._whole.set()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.heal()
        for thread in self._threads:
            thread.join(20)
        for side in self._open:
            side.close()

    def _start(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                inner, _ = self._listening.accept()
            except OSError:
                return
            self._start(self._carry, inner)

    def _carry(self, inner: socket.socket) -> None:
        self._open.append(inner)
        self._whole.wait()
        try:
            outer = socket.create_connection(("127.0.0.1", self._target), timeout=20)
        except OSError:
            with contextlib.suppress(OSError):
                inner.shutdown(socket.SHUT_RDWR)
            return
        self._open.append(outer)
        other = {inner: outer, outer: inner}
        with contextlib.suppress(OSError):
            while not self._closed:
                for side in select.select([inner, outer], [], [])[0]:
                    data = side.recv(65536)
                    self._whole.wait()
                    if not data:
                        raise OSError
                    other[side].sendall(data)
        for side in other:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
