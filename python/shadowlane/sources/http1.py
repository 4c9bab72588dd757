"""Recorded HTTP/1 messages, and targets out of URLs.

Invariants: a body is given without its framing (RFC 9112 §7.1) and with its coding; what is cut or no HTTP raises.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import DataError
from ..types import Headers, header
from .records import clipped

__all__ = ["WRITTEN_ANEW", "kept_headers", "parse_message", "target_of"]

WRITTEN_ANEW = frozenset({b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"expect"})
"""Fields of a connection or of a framing that is gone."""


def kept_headers(headers: Headers, *, decoded: bool = False) -> Headers:
    """The fields that are true of the body as it is given; ``decoded``: its coding is undone already."""
    gone = WRITTEN_ANEW | {b"content-encoding"} if decoded else WRITTEN_ANEW
    return tuple((name, value) for name, value in headers if name.lower() not in gone and not name.startswith(b":"))


def target_of(url: str) -> str:
    """Path and query of an absolute or relative URL. Raises :class:`~shadowlane.errors.DataError`."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise DataError(f"url = {clipped(url)}: {error}") from None
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def parse_message(data: bytes) -> tuple[tuple[str, str], Headers, bytes]:
    """The first two words of the start line that say what it is (``GET /path``, or ``HTTP/1.1 200``), fields, body.

    Raises :class:`~shadowlane.errors.DataError`.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        raise DataError("not an HTTP message: its head does not end")
    first, *rest = head.split(b"\r\n")
    words = first.decode("latin-1").split(" ", 2)
    if len(words) < 2 or not (words[0].startswith("HTTP/1.") or words[-1].startswith("HTTP/1.")):
        raise DataError(f"not HTTP/1: {clipped(first[:60])}")
    headers = []
    for line in rest:
        name, colon, value = line.partition(b":")
        if not colon or not name.strip():
            raise DataError(f"not a header: {clipped(line[:60])}")
        headers.append((name.strip().lower(), value.strip()))
    return (words[0], words[1]), kept_headers(tuple(headers)), _body(tuple(headers), body)


def _body(headers: Headers, body: bytes) -> bytes:
    if "chunked" in header(headers, b"transfer-encoding").lower():
        return _dechunked(body)
    length = header(headers, b"content-length")
    if not length:
        return body
    if not length.isdecimal():
        raise DataError(f"content-length = {clipped(length)}: not a number")
    if len(body) < int(length):
        raise DataError(f"cut: {len(body)} of {length} bytes of the body")
    return body[: int(length)]


def _dechunked(body: bytes) -> bytes:
    out: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at)
        size_text = body[at:end].partition(b";")[0].strip() if end >= 0 else b""
        try:
            size = int(size_text, 16)
        except ValueError:
            raise DataError(f"cut, or not chunked: chunk size {clipped(size_text[:20])}") from None
        if size == 0:
            return b"".join(out)
        at = end + 2
        if size < 0 or len(body) < at + size:
            raise DataError(f"cut: a chunk of {size} bytes is not whole")
        out.append(body[at : at + size])
        at += size + 2
