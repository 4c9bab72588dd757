"""Loopback ports that stay ours from the moment they are chosen.

A port that is bound, closed and used later can be taken by anybody in between. Here the socket stays bound and never
listens: the kernel gives its port to nobody else, a server that binds it by number with ``SO_REUSEADDR`` (all that the
tests start do) may listen on it, and until one does a connection to it is refused.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Ports", "is_open", "reserved_port"]


class Ports:
    """Reserves ports until :meth:`close`."""

    def __init__(self) -> None:
        self._bound: list[socket.socket] = []

    def reserve(self) -> int:
        """A port that nobody else gets, and on which nothing listens yet."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        self._bound.append(bound)
        return int(bound.getsockname()[1])

    def close(self) -> None:
        while self._bound:
            self._bound.pop().close()


@contextmanager
def reserved_port() -> Iterator[int]:
    """One port for the length of a ``with`` block."""
    ports = Ports()
    try:
        yield ports.reserve()
    finally:
        ports.close()


def is_open(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
