"""Reads a shadow's HTTP/1 answer as prod's own clients would, and writes it anew in one plain form.

Clients differ in what they put up with: long and many headers, folded lines, line ends without CR, two equal lengths,
extensions behind a chunk's size. What one of the usual ones takes is an answer here; a parser behind this module sees
the plain form alone.

Invariants: what is repaired is repaired one way, as RFC 9112 says where it says so, and ``reusable`` is false from then
on: bytes that another reader would take for the next answer never meet another request. No more than one line, and the
head's lines up to ``MOST_HEAD_BYTES``, is held. Nothing but :class:`AnswerFault` is raised, and it quotes nothing that
the shadow sent.
"""

from __future__ import annotations

import re

__all__ = ["MOST_HEAD_BYTES", "AnswerFault", "AnswerReader"]

MOST_HEAD_BYTES = 256 * 1024
"""A head with all its lines, and a trailer section: more than httpx takes (100 KiB)."""

_STATUS = re.compile(rb"HTTP/(?P<version>[0-9]\.[0-9])[ \t]+(?P<status>[0-9]{3})(?:[ \t].*)?\Z", re.DOTALL)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_SIZE = re.compile(rb"[ \t]*(?:0[xX])?(?P<size>[0-9A-Fa-f]+)[ \t]*\Z")
_PLAIN_SIZE = re.compile(rb"[0-9A-Fa-f]+(?:;[\t -~\x80-\xff]*)?\Z")
_MOST_DIGITS = 15  # of a chunk's size, leading zeros apart: an exabyte
_MOST_LENGTH = 1 << 62
# They belong to the connection (RFC 9110 §7.6.1), or say how the body was framed here.
_HOP = {b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}


class AnswerFault(Exception):
    """The bytes are no HTTP answer that a client could read. The message is fixed text."""


class AnswerReader:
    """One answer. ``feed`` what was received, then ``eof`` at the connection's end; both give the plain form's bytes.

    ``head_only``: it answers a HEAD, so no body follows whatever the head says (RFC 9112 §6.3). Interim answers (1xx)
    are read and left out. ``complete`` after the answer's last byte; what comes behind it is dropped.
    """

    def __init__(self, *, head_only: bool = False) -> None:
        self.complete = False
        self.reusable = True
        self._head_only = head_only
        self._buffer = bytearray()
        self._looked = 0  # bytes of the buffer that hold no line's end
        self._out = bytearray()
        self._step = self._status_line
        self._any = False
        self._left = 0  # bytes to come of the body, or of the chunk
        self._next_answer()

    def feed(self, data: bytes) -> bytes:
        """Take bytes as received. Raises :class:`AnswerFault`."""
        self._buffer += data
        self._any = self._any or bool(data)
        while not self.complete and self._step():
            pass
        if self.complete and self._buffer:
            self._buffer.clear()
            self.reusable = False
        out = bytes(self._out)
        self._out.clear()
        return out

    def eof(self) -> bytes:
        """The connection has ended. Raises :class:`AnswerFault` when it ended within the head.

        A body that ends early is not complete, and what is missing of the plain form says so to its reader.
        """
        self.reusable = False
        if self.complete:
            return b""
        if self._step in (self._status_line, self._header_line) and self._any:
            raise AnswerFault("the connection was closed within the answer's head")
        if self._step == self._trailer_line:  # the last chunk has been read: only the empty line is missing
            self._end_chunks()
        if self._step == self._until_eof:
            self.complete = True
        out = bytes(self._out)
        self._out.clear()
        return out

    # The head

    def _next_answer(self) -> None:
        self._step = self._status_line
        self._status = 0
        self._version = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0

    def _status_line(self) -> bool:
        if len(begin := self._buffer.lstrip(b"\r\n")[:5]) and not b"HTTP/".startswith(begin):
            raise AnswerFault("not an HTTP answer: it does not begin with HTTP/")
        line = self._line()
        if line is None:
            return False
        if not line:
            self.reusable = False
            return True
        found = _STATUS.match(line)
        if found is None:
            raise AnswerFault("not an HTTP answer: its first line is not a version and a status of three digits")
        self._version, self._status = found["version"], int(found["status"])
        if self._status < 100:
            raise AnswerFault("not an HTTP answer: its status is below 100")
        self._step = self._header_line
        return True

    def _header_line(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self._framed()
        elif line[:1] in b" \t":
            # RFC 9112 §5.2: a folded line goes on with one space. With nothing before it, it is no header.
            self.reusable = False
            if self._headers:
                name, value = self._headers[-1]
                self._headers[-1] = (name, (value + b" " + _value(line)).strip(b" "))
        else:
            raw, colon, value = line.partition(b":")
            name = raw.rstrip(b" \t")
            self.reusable &= name == raw and not _bad(value)
            if colon and _TOKEN.match(name):
                self._headers.append((name, _value(value)))
            else:
                self.reusable = False  # no header: left out, as http.client does
        return True

    def _line(self) -> bytes | None:
        """The next line without its end, which is LF or CRLF; ``None``: it has not come whole."""
        end = self._buffer.find(b"\n", self._looked)
        size = len(self._buffer) if end < 0 else end + 1
        if self._head_bytes + size > MOST_HEAD_BYTES:
            raise AnswerFault(f"its head, a line of it or its trailers are longer than {MOST_HEAD_BYTES} bytes")
        if end < 0:
            self._looked = size
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._looked = 0
        self._head_bytes += size
        if line.endswith(b"\r"):
            return line[:-1]
        self.reusable = False
        return line

    def _all(self, name: bytes) -> list[bytes]:
        """The members of a list-valued field, in lower case, without empty ones (RFC 9110 §5.6.1)."""
        values = b",".join(value for key, value in self._headers if key.lower() == name)
        return [member for part in values.split(b",") if (member := part.strip(b" \t").lower())]

    # How long the body is: RFC 9112 §6.3

    def _framed(self) -> None:
        codings, lengths = self._all(b"transfer-encoding"), self._all(b"content-length")
        if 100 <= self._status < 200 and self._status != 101:
            self._next_answer()
            return
        chunked = b"chunked" in codings
        codings = [coding for coding in codings if coding != b"identity"]
        options = self._all(b"connection")
        if b"close" in options or (self._version < b"1.1" and b"keep-alive" not in options):
            self.reusable = False
        if self._head_only or self._status in (101, 204, 304):
            odd = bool(codings) or any(length.strip(b"0") for length in lengths)
            self.reusable &= self._head_only or not (odd or self._status == 101)
            self._write_head([], b"content-length: 0\r\n")
            self.complete = True
        elif codings:
            self._coded(codings, chunked, bool(lengths))
        elif lengths or any(name.lower() == b"content-length" for name, _ in self._headers):
            self._sized(lengths)
        else:
            self._unsized([])

    def _coded(self, codings: list[bytes], chunked: bool, sized: bool) -> None:
        while codings[-2:] == [b"chunked", b"chunked"]:
            codings.pop()
        if chunked and codings.index(b"chunked") != len(codings) - 1:
            raise AnswerFault("its transfer-encoding has chunked before another coding")
        if not chunked:
            self._unsized(codings)
            return
        # §6.1: a length beside it is overridden, and a sign of somebody who reads the answer otherwise.
        self.reusable &= len(codings) == 1 and len(self._all(b"transfer-encoding")) == 1
        self.reusable &= not sized and self._version >= b"1.1"
        self._write_head(codings[:-1], b"transfer-encoding: chunked\r\n")
        self._step = self._chunk_size

    def _sized(self, values: list[bytes]) -> None:
        lengths = {_length(value) for value in values} or {None}
        if len(lengths) > 1:
            raise AnswerFault("it has several content-lengths that differ")
        length = lengths.pop()
        if length is None:
            self._unsized([])
            return
        self.reusable &= all(value.isdigit() for value in values)
        self._write_head([], b"content-length: %d\r\n" % length)
        self._left = length
        self._step = self._sized_body
        self.complete = length == 0

    def _unsized(self, codings: list[bytes]) -> None:
        """The connection's end is the body's."""
        self.reusable = False
        self._write_head(codings, b"")
        self._step = self._until_eof

    def _write_head(self, codings: list[bytes], framing: bytes) -> None:
        """The head in its plain form. Transfer codings other than chunked are undone like content codings."""
        self._out += b"HTTP/1.1 %d \r\n" % self._status
        for name, value in self._headers:
            if name.lower() not in _HOP:
                self._out += name + b": " + value + b"\r\n"
        if codings:
            self._out += b"content-encoding: " + b", ".join(codings) + b"\r\n"
        self._out += framing + b"\r\n"
        self._headers = []

    # The body

    def _sized_body(self) -> bool:
        piece = self._buffer[: self._left]
        del self._buffer[: self._left]
        self._left -= len(piece)
        self._out += piece
        self.complete = self._left == 0
        return False

    def _until_eof(self) -> bool:
        self._out += self._buffer
        self._buffer.clear()
        return False

    def _chunk_size(self) -> bool:
        self._head_bytes = 0
        line = self._line()
        if line is None:
            return False
        found = _SIZE.match(line.partition(b";")[0])
        if found is None or len(found["size"].lstrip(b"0")) > _MOST_DIGITS:
            raise AnswerFault("a chunk's size is not a hexadecimal number")
        self.reusable &= _PLAIN_SIZE.match(line) is not None
        self._left = int(found["size"], 16)
        self._step = self._chunk_data if self._left else self._trailer_line
        return True

    def _chunk_data(self) -> bool:
        piece = self._buffer[: self._left]
        if not piece:
            return False
        del self._buffer[: self._left]
        self._left -= len(piece)
        self._out += b"%x\r\n" % len(piece) + piece + b"\r\n"
        if not self._left:
            self._step = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        if not self._buffer or self._buffer == b"\r":
            return False
        if not self._buffer.startswith((b"\r\n", b"\n")):
            raise AnswerFault("a chunk is longer than its size")
        self._head_bytes = 0
        self._line()
        self._step = self._chunk_size
        return True

    def _trailer_line(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self._end_chunks()
        return True

    def _end_chunks(self) -> None:
        self._out += b"0\r\n\r\n"
        self.complete = True


def _bad(value: bytes) -> bool:
    """Whether bytes stand in it that cannot in a field value (RFC 9110 §5.5), and that a parser may end a line at."""
    return b"\r" in value or b"\0" in value


def _value(value: bytes) -> bytes:
    """A field value without the blanks around it; a bare CR or NUL is a space (RFC 9112 §2.2, RFC 9110 §5.5)."""
    return value.replace(b"\r", b" ").replace(b"\0", b" ").strip(b" \t")


def _length(value: bytes) -> int | None:
    """A content-length as http.client reads it; ``None`` when it is none: the connection's end counts then."""
    try:
        length = int(value)
    except ValueError:
        return None
    if length > _MOST_LENGTH:
        raise AnswerFault("its content-length is out of range")
    return length if length >= 0 else None
