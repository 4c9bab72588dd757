"""Which fields of a message belong to the connection that it came on, and which travel on (RFC 9110 §7.6.1).

Invariant: all others pass in their order, as often as they came, their values byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from multidict import CIMultiDict

from ..types import Headers, header

__all__ = ["forwarded", "sent_on", "without_hop"]

_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
_HANDSHAKE = b"sec-websocket-"


def without_hop(headers: Iterable[tuple[bytes, bytes]], more: Sequence[bytes] = ()) -> Headers:
    """The fields that travel on; ``more`` are further names, lower-case, that do not."""
    lower = [(name.lower(), name, value) for name, value in headers]
    gone = _HOP.union(more)
    for small, _, value in lower:
        if small == b"connection":
            gone = gone.union(name.strip() for name in value.lower().split(b","))
    return tuple((name, value) for small, name, value in lower if small not in gone)


def forwarded(headers: Headers, client: str, scheme: str) -> Headers:
    """The fields with who asked, behind what proxies before have said of it."""
    # All of them, in their order (RFC 9110 §5.3): the first alone may be what the user made up.
    said = [value.decode("latin-1").strip() for name, value in headers if name.lower() == b"x-forwarded-for"]
    chain = ", ".join(one for one in (*said, client) if one)
    kept = [(name, value) for name, value in headers if name.lower() != b"x-forwarded-for"]
    if chain:
        kept.append((b"x-forwarded-for", chain.encode("latin-1")))
    for name, value in (
        (b"x-forwarded-proto", scheme.encode()),
        (b"x-forwarded-host", header(headers, b"host").encode("latin-1")),
    ):
        if value and not header(headers, name):
            kept.append((name, value))
    return tuple(kept)


def sent_on(headers: Headers, *, handshake: bool = False) -> CIMultiDict[str]:
    """As the client library takes them. Bytes that are no UTF-8 are read as latin-1: it writes UTF-8 alone.
    ``handshake``: without the fields of a websocket's, which are made anew."""
    found: CIMultiDict[str] = CIMultiDict()
    for name, value in headers:
        if handshake and name.lower().startswith(_HANDSHAKE):
            continue
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        found.add(name.decode("latin-1"), text)
    return found
