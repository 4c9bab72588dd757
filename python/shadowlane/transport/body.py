"""Reading a shadow's body within a bound, undoing gzip and deflate on the way.

Invariant: no more than ``limit`` decoded bytes, and one step's output, are ever held, whatever the compression ratio:
a few kilobytes can stand for a gigabyte of zeros.
"""

from __future__ import annotations

import zlib

__all__ = ["BodyError", "BoundedBody"]

_STEP = 64 * 1024


class BodyError(Exception):
    """The body cannot be decoded. The message is fixed text: it quotes nothing that the shadow sent."""


class BoundedBody:
    """Collects a body. ``feed`` chunks until it says ``False`` (too large), then ``finish``."""

    def __init__(self, content_encoding: str, limit: int) -> None:
        """``content_encoding`` as in RFC 9110 §8.4; ``limit`` in decoded bytes. Raises BodyError for other codings."""
        coding = content_encoding.strip().lower()
        self._limit = limit
        self._body = bytearray()
        self._gzip = coding in ("gzip", "x-gzip")
        self._fed = False
        self._inflate: zlib._Decompress | None = None
        if self._gzip:
            self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif coding == "deflate":
            self._inflate = zlib.decompressobj()
        elif coding not in ("", "identity"):
            raise BodyError("the answer has a content-encoding that was not asked for; only gzip and deflate are read")

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk as received. ``False`` when the decoded body is over the limit; it is then cut at the limit."""
        if self._inflate is None:
            self._body += chunk
        elif chunk:
            try:
                self._decode(chunk)
            except zlib.error:
                raise BodyError("the answer's compressed body is damaged") from None
        if len(self._body) <= self._limit:
            return True
        del self._body[self._limit :]
        return False

    def finish(self) -> bytes:
        """The whole decoded body. Raises BodyError when a compressed one ended early."""
        if self._inflate is not None and self._fed and not self._inflate.eof:
            raise BodyError("the answer's compressed body ended early")
        return bytes(self._body)

    @property
    def partial(self) -> bytes:
        """What was decoded up to now, cut at the limit."""
        return bytes(self._body[: self._limit])

    def _decode(self, chunk: bytes) -> None:
        if self._inflate is None:
            return
        if not self._gzip and not self._fed and (chunk[0] & 0x0F) != 8:
            # Servers disagree on "deflate": most mean zlib (RFC 1950), some raw DEFLATE (RFC 1951). The low four bits
            # of a zlib stream's first byte are its method, always 8.
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._fed = True
        rest = chunk
        while rest and len(self._body) <= self._limit:
            if self._inflate.eof:
                if not self._gzip:
                    return  # bytes after the end of a deflate stream mean nothing
                self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)  # RFC 1952 §2.2: members may follow
            self._body += self._inflate.decompress(rest, _STEP)
            rest = self._inflate.unconsumed_tail or self._inflate.unused_data
