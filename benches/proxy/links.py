"""One connection of a user who asks one thing after the other, over HTTP/1.1 or HTTP/2 (h2c)."""

from __future__ import annotations

import socket

import h2.config
import h2.connection
import h2.events

__all__ = ["Http1Link", "Http2Link"]

_READ = 262_144


class _Link:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _some(self) -> bytes:
        data = self._socket.recv(_READ)
        if not data:
            raise RuntimeError("the connection was ended")
        return data

    def close(self) -> None:
        self._socket.close()


class Http1Link(_Link):
    """:meth:`ask` reads one answer to its end, by its length or its last chunk. Raises RuntimeError for any but 200."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(port)
        self._request = f"GET {path} HTTP/1.1\r\nhost: prod.example\r\naccept: */*\r\n\r\n".encode()

    def ask(self) -> None:
        self._socket.sendall(self._request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some()
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the answer was {head[:40]!r}")
        fields = head.lower().split(b"\r\n")
        length = next((int(field[15:]) for field in fields if field.startswith(b"content-length:")), None)
        if length is None:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._some()
            return
        left = length - len(body)
        while left > 0:
            left -= len(self._some())


class Http2Link(_Link):
    """The same; h2 takes as long in front of every server."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(port)
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._h2.initiate_connection()
        self._head = [(":method", "GET"), (":scheme", "http"), (":authority", "prod.example"), (":path", path)]

    def ask(self) -> None:
        number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(number, self._head, end_stream=True)
        while True:
            self._socket.sendall(self._h2.data_to_send())
            for event in self._h2.receive_data(self._some()):
                if isinstance(event, h2.events.DataReceived):
                    self._h2.acknowledge_received_data(event.flow_controlled_length, number)
                elif isinstance(event, h2.events.ResponseReceived) and dict(event.headers)[b":status"] != b"200":
                    raise RuntimeError(f"the answer was {event.headers!r}")
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    raise RuntimeError(f"the answer was {event!r}")
                elif isinstance(event, h2.events.StreamEnded):
                    return
