"""One stream of Envoy's: what it tells of one request, in order, and what becomes of it.

Invariants: a message that does not fit the order ends the stream and gives the ticket back; nothing is raised, logged
or kept of a request that was not admitted. What is kept is bounded for the stream by ``lane.max_body_bytes`` and for
the process by :class:`Room`. A stream that ends before the answer did is ``client_disconnected``, unless all is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from ..capture.exchange import Exchange
from ..capture.lane import Lane

__all__ = ["Room", "Stream"]

MOST_HEAD_BYTES = 256 * 1024
"""Of a head's names and values. Envoy's own bound is 60 KiB unless it is told otherwise."""
_FIELD_BYTES = 32
"""What a field counts beside its name and value (RFC 9113 §6.5.2)."""
_Fields = list[tuple[bytes, bytes]]
_TOO_LARGE, _CAP = "request_too_large", "cap"
_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect")
)


class Room:
    """What all streams of the process may take together: their number, and the bytes of bodies that they hold."""

    def __init__(self, most_streams: int, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most_streams = most_streams
        self.most_bytes = most_bytes
        self.bytes = 0
        """Bytes of bodies that are held."""
        self.bodies_seen = False
        """Whether any stream ever carried a body: those of an Envoy that is told to send none do not."""
        self.clock = clock
        self.streams: set[Stream] = set()
        """Those that hold a ticket."""


class Stream:
    """Fed with messages by :meth:`take`, and closed by :meth:`close`, which may be called at any time and twice."""

    __slots__ = (
        "_answer_kept", "_answering", "_exchange", "_held", "_lane", "_limit", "_request_ended", "_room", "last",
        "without_body",
    )  # fmt: skip

    def __init__(self, lane: Lane, room: Room) -> None:
        self._lane = lane
        self._room = room
        self._limit = lane.config.lane.max_body_bytes
        self._exchange: Exchange | None = None
        self._request_ended = False
        self._answering = False
        self._answer_kept = 0
        self._held = 0
        self.last = room.clock()
        """When its last message came, or it was opened, by the room's clock."""
        self.without_body = False
        """Whether a head said that a body follows, and none did."""

    def take(self, message: Any) -> bool:
        """One ``ProcessingRequest``; ``False``: no more of them is wanted."""
        try:
            self.last = self._room.clock()
            kind = message.WhichOneof("request")
            if self._exchange is None:
                return kind == "request_headers" and self._begin(message.request_headers)
            return not self._exchange.settled and self._go_on(self._exchange, kind, message)
        except Exception:
            self._lane.fault()
            if self._exchange is not None:
                self._exchange.lost()
            return False

    def spoilt(self) -> None:
        """A message could not be read: what was kept may not be the exchange."""
        if self._exchange is not None:
            self._exchange.lost()

    def close(self) -> None:
        """No more will come: settle what is not yet."""
        exchange, self._exchange = self._exchange, None
        self._room.streams.discard(self)
        self._room.bytes -= self._held
        self._held = 0
        if exchange is not None:
            if not self._request_ended:
                exchange.sender_left()
            exchange.close()

    def _begin(self, head: Any) -> bool:
        fields, pseudo, size = _read(head.headers.headers)
        method, target = pseudo.get(":method", ""), pseudo.get(":path", "")
        if not method or not target.startswith("/"):
            return False  # CONNECT, or no request of HTTP's
        if (host := pseudo.get(":authority", "")) and not any(name == b"host" for name, _ in fields):
            fields.insert(0, (b"host", host.encode("latin-1", "replace")))
        path = target.partition("?")[0]
        ticket = self._lane.admit(method, unquote(path) if method == "GET" and "%" in path else path, fields)
        if ticket is None:
            return False
        room = self._room
        if size > MOST_HEAD_BYTES:
            self._lane.drop(ticket, _TOO_LARGE)
            return False
        if len(room.streams) >= room.most_streams or room.bytes >= room.most_bytes:
            self._lane.drop(ticket, _CAP)
            return False
        exchange = self._exchange = Exchange(self._lane, ticket, self._limit)
        room.streams.add(self)
        self._request_ended = bool(head.end_of_stream)
        self.without_body = not self._request_ended
        exchange.request(
            target.encode("latin-1", "replace"), _without_hop(fields), length=0 if self._request_ended else -1
        )
        return True

    def _go_on(self, exchange: Exchange, kind: str | None, message: Any) -> bool:
        if kind == "request_body" and not self._request_ended:
            return self._sent(exchange, message.request_body)
        if kind == "request_trailers" and not self._request_ended:
            self._all_sent(exchange)
            return True
        if kind == "response_headers" and not self._answering:
            return self._answers(exchange, message.response_headers)
        if kind == "response_body" and self._answering:
            return self._received(exchange, message.response_body)
        if kind == "response_trailers" and self._answering:
            return self._ended(exchange)
        # None that Envoy sends: what was kept may not be the exchange.
        exchange.lost()
        return False

    def _sent(self, exchange: Exchange, chunk: Any) -> bool:
        data: bytes = chunk.body
        self._bodies_seen()
        if not self._hold(len(data)):
            return self._over(exchange)
        exchange.sent(data)
        if exchange.settled:
            return False  # above max_body_bytes
        if chunk.end_of_stream:
            self._all_sent(exchange)
        return True

    def _all_sent(self, exchange: Exchange) -> None:
        self._request_ended = True
        exchange.sent_all()

    def _answers(self, exchange: Exchange, head: Any) -> bool:
        fields, pseudo, size = _read(head.headers.headers)
        status = pseudo.get(":status", "")
        if not (status.isascii() and status.isdigit() and len(status) == 3) or size > MOST_HEAD_BYTES:
            exchange.lost()
            return False
        if status == "101":  # from here on it is no HTTP; Envoy may have been told to leave `upgrade` out of the head
            exchange.refused("method")
            return False
        self._answering = True
        exchange.answers(int(status), _without_hop(fields))
        exchange.received(b"")  # the clock of the answer's beginning is read here, not at its first byte
        if head.end_of_stream:
            return self._ended(exchange)
        self.without_body = True
        return True

    def _received(self, exchange: Exchange, chunk: Any) -> bool:
        data: bytes = chunk.body
        self._bodies_seen()
        kept = min(len(data), self._limit - self._answer_kept)
        if not self._hold(kept):
            return self._over(exchange)
        self._answer_kept += kept
        exchange.received(data)
        return self._ended(exchange) if chunk.end_of_stream else True

    def _ended(self, exchange: Exchange) -> bool:
        exchange.ended()
        return False

    def _over(self, exchange: Exchange) -> bool:
        exchange.refused(_CAP)
        return False

    def _hold(self, size: int) -> bool:
        room = self._room
        if room.bytes + size > room.most_bytes:
            return False
        room.bytes += size
        self._held += size
        return True

    def _bodies_seen(self) -> None:
        self.without_body = False
        self._room.bodies_seen = True


def _read(values: Iterable[Any]) -> tuple[_Fields, dict[str, str], int]:
    """The fields, names in small letters; the pseudo fields (RFC 9113 §8.3); and how many bytes they are. A head
    that is too large is not read to its end."""
    fields: _Fields = []
    pseudo: dict[str, str] = {}
    size = 0
    for one in values:
        if size > MOST_HEAD_BYTES:
            break
        name: str = one.key
        # Envoy says it in `raw_value`, older ones in `value`.
        value: bytes = one.raw_value or one.value.encode()
        size += len(name) + len(value) + _FIELD_BYTES
        if name.startswith(":"):
            pseudo[name] = value.decode("latin-1")
        else:
            fields.append((name.lower().encode("latin-1", "replace"), value))
    return fields, pseudo, size


def _without_hop(fields: _Fields) -> _Fields:
    """Those that belong to the message and not to the connection that it came on (RFC 9110 §7.6.1)."""
    named = {name.strip().lower() for field, value in fields if field == b"connection" for name in value.split(b",")}
    return [(name, value) for name, value in fields if name not in _HOP and name not in named]
