"""Reading a shadow's body within a bound, undoing its content codings on the way (RFC 9110 §8.4).

Invariant: no more than ``limit`` decoded bytes, and one step's output of each coding, are ever held, whatever the
compression ratio: a few kilobytes can stand for a gigabyte of zeros. What one coding hands to the next is bounded too,
so that a few kilobytes do not stand for an hour of work either.

Said like it is meant by prod's own clients: ``identity`` and empty members are nothing, ``x-gzip`` is gzip, several
codings are undone from the last to the first, and a word that names no compression (``utf-8``, ``none``,
``aws-chunked``) leaves the bytes as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from .. import _core

__all__ = ["BodyError", "BoundedBody"]

_STEP = 64 * 1024
_MOST_CODINGS = 5
_GZIP = ("gzip", "x-gzip")
_WHOLE = ("br", "zstd")  # undone at the end, by the core
_UNREADABLE = ("compress", "x-compress", "dcb", "dcz", "exi", "lz4", "pack200-gzip", "snappy")
_GZIP_MARK = b"\x1f\x8b\x08"


class BodyError(Exception):
    """The body cannot be decoded. The message is fixed text: it quotes nothing that the shadow sent."""


class BoundedBody:
    """Collects a body. ``feed`` chunks until it says ``False``, then ``finish``; ``over``: larger than the limit."""

    def __init__(self, content_encoding: str, limit: int) -> None:
        """``content_encoding`` as in RFC 9110 §8.4; ``limit`` in decoded bytes. Raises BodyError for other codings."""
        codings = [coding for part in content_encoding.split(",") if (coding := part.strip(' \t"').lower())]
        if any(coding in _UNREADABLE for coding in codings):
            raise BodyError("the answer has a content-encoding that is not read; gzip, deflate, br and zstd are")
        codings = [coding for coding in codings if coding in (*_GZIP, "deflate", *_WHOLE)]
        if len(codings) > _MOST_CODINGS:
            raise BodyError(f"the answer has more than {_MOST_CODINGS} content-encodings")
        # The core undoes one that stands alone; in a list they are nobody's practice.
        self._whole = bool(codings) and codings[0] in _WHOLE
        if any(coding in _WHOLE for coding in codings[1:]):
            raise BodyError("the answer has br or zstd above another content-encoding, which is not read")
        self.over = False
        self._limit = limit
        self._body = bytearray()
        self._stages = [_Inflate(coding in _GZIP, limit) for coding in reversed(codings[self._whole :])]

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk as received. ``False`` when the decoded body is over the limit; it is then cut at the limit."""
        try:
            for piece in self._decoded(chunk, 0):
                self._body += piece
                if len(self._body) > self._limit:
                    break
        except zlib.error:
            raise BodyError("the answer's compressed body is damaged") from None
        self.over = len(self._body) > self._limit or any(stage.over for stage in self._stages)
        del self._body[self._limit :]
        return not self.over

    def finish(self) -> bytes:
        """The decoded body, cut at the limit. Raises BodyError when a compressed one ended early."""
        if any(stage.is_cut for stage in self._stages):
            raise BodyError("the answer's compressed body ended early")
        if not (self._whole and self._body):
            return bytes(self._body)
        found = _core.inflate(bytes(self._body), self._limit)
        if found is None:
            raise BodyError("the answer's compressed body is damaged")
        body, _, state = found
        self.over = state == "longer"
        if state in ("cut", "damaged"):
            raise BodyError(f"the answer's compressed body {'ended early' if state == 'cut' else 'is damaged'}")
        return body

    @property
    def partial(self) -> bytes:
        """What was decoded up to now, cut at the limit."""
        return b"" if self._whole else bytes(self._body)

    def _decoded(self, chunk: bytes, stage: int) -> Iterator[bytes]:
        """The chunk through the codings from ``stage`` on, in pieces of at most a step."""
        if stage == len(self._stages):
            yield chunk
            return
        for piece in self._stages[stage].pieces(chunk):
            yield from self._decoded(piece, stage + 1)


class _Inflate:
    """One gzip or deflate coding on its way. ``over``: more than ``limit`` bytes, and a step, would come out of it."""

    def __init__(self, gzip: bool, limit: int) -> None:
        self.over = False
        self._gzip = gzip
        self._left = limit + _STEP  # the last coding meets the body's own bound first
        self._zlib: zlib._Decompress | None = None
        self._members = 0
        self._ended = False
        self._held = b""  # the first bytes of what may be another member

    @property
    def is_cut(self) -> bool:
        """Whether the compressed bytes ended early. No byte at all is an empty body."""
        return self._zlib is not None

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk stands for. Raises :class:`zlib.error` when it is damaged."""
        rest, self._held = self._held + chunk, b""
        while rest and not self.over:
            if self._zlib is None and not self._begins(rest):
                return
            assert self._zlib is not None
            piece = self._zlib.decompress(rest, _STEP)
            rest = self._zlib.unconsumed_tail or self._zlib.unused_data
            if self._zlib.eof:
                self._members += 1
                self._zlib = None
            self._left -= len(piece)
            self.over = self._left < 0
            if piece:
                yield piece

    def _begins(self, rest: bytes) -> bool:
        """Begin a stream, or say that no other one comes."""
        if not self._gzip:
            # Servers disagree on "deflate": most mean zlib (RFC 1950), some raw DEFLATE (RFC 1951). The low four bits
            # of a zlib stream's first byte are its method, always 8. Bytes after its end mean nothing.
            if not self._members:
                self._zlib = zlib.decompressobj(zlib.MAX_WBITS if (rest[0] & 0x0F) == 8 else -zlib.MAX_WBITS)
            return not self._members
        if self._members and not rest.startswith(_GZIP_MARK):
            # RFC 1952 §2.2: members may follow. Anything else behind one is left, as clients and gzip itself do.
            self._ended = self._ended or not _GZIP_MARK.startswith(rest)
            self._held = b"" if self._ended else rest
            return False
        if self._ended:
            return False
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return True
