"""One request off a socket, read so strictly that nobody behind the proxy can read it otherwise.

Invariant: what RFC 9112 lets a recipient repair is refused instead: bare CR or LF, folded lines, space before a colon,
Content-Length beside Transfer-Encoding (§6.3, §11.2), a Host header that names another host than the target (§3.2.2).
The checks run on the raw head; h11 then parses it and takes the body apart. Nothing of the head's bytes is passed on:
the request is written anew.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    import h11

__all__ = ["BadRequest", "Request", "parse_head", "read_body", "read_head"]

MAX_HEAD_BYTES = 65_536
_LINE = re.compile(
    rb"(?P<method>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) (?P<target>[!-~]{1,32768}) HTTP/1\.(?P<minor>[01])\Z"
)
_FIELD = re.compile(rb"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):(?P<value>[\t -~\x80-\xff]*)\Z")
_AUTHORITY = re.compile(
    r"(?P<host>[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?\Z"
)
_SIGNS = frozenset(b'#\\"<>^`{|}')  # what parsers of URLs disagree about


class BadRequest(Exception):
    """The bytes are not one clear request. ``status`` is the answer; the text quotes nothing of them."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request's head, taken apart. ``target`` is in origin form, or empty for CONNECT."""

    method: str
    host: str
    port: int
    target: str
    headers: list[tuple[str, str]]
    """Names in lower case."""
    minor: int
    raw: bytes

    def all(self, name: str) -> list[str]:
        """The values of the headers called ``name``."""
        return [value for key, value in self.headers if key == name]


async def read_head(reader: asyncio.StreamReader) -> Request | None:
    """The next request's head, ``None`` at the end of the connection. Raises :class:`BadRequest`."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip(b"\r\n"):
            raise BadRequest("the head ends early") from None
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest(f"the head is larger than {MAX_HEAD_BYTES} bytes", 431) from None
    return parse_head(raw)


def parse_head(raw: bytes) -> Request:
    """A head with its empty line, taken apart and checked. Raises :class:`BadRequest`."""
    first, *lines = raw[:-4].split(b"\r\n")
    line = _LINE.match(first)
    if line is None:
        raise BadRequest("the request line is not METHOD TARGET HTTP/1.1 with visible ASCII")
    headers: list[tuple[str, str]] = []
    for one in lines:
        field = _FIELD.match(one)
        if field is None:
            raise BadRequest("a header line is malformed or folded")
        headers.append((field["name"].decode("ascii").lower(), field["value"].decode("latin-1").strip(" \t")))
    method, target, minor = line["method"].decode("ascii"), line["target"].decode("ascii"), int(line["minor"])
    if _SIGNS & set(line["target"]):
        raise BadRequest("the target holds a sign that has to be percent-encoded")
    authority, origin = _target(method, target)
    host, port = _authority(authority, 80)
    request = Request(method=method, host=host, port=port, target=origin, headers=headers, minor=minor, raw=raw)
    _check_framing(request)
    named = request.all("host")
    if len(named) > 1 or (minor == 1 and not named):
        raise BadRequest("one Host header is needed")
    if named and _authority(named[0].lower(), port if method == "CONNECT" else 80) != (host, port):
        raise BadRequest("Host names another host than the target")
    return request


def _target(method: str, target: str) -> tuple[str, str]:
    """The authority in lower case, and the target in origin form."""
    if method == "CONNECT":
        if ":" not in target.rpartition("]")[2]:
            raise BadRequest("CONNECT needs HOST:PORT")
        return target.lower(), ""
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() != "http":
        raise BadRequest("a proxy needs a target in absolute form, http://HOST/PATH")
    end = next((index for index, sign in enumerate(rest) if sign in "/?"), len(rest))
    authority, path = rest[:end], rest[end:]
    parts = urlsplit("http://" + rest)  # a second reader has to see the same authority
    if parts.netloc != authority:
        raise BadRequest("the target's authority is ambiguous")
    return authority.lower(), path if path.startswith("/") else "/" + path


def _authority(text: str, default: int) -> tuple[str, int]:
    found = _AUTHORITY.match(text)
    port = int(found["port"]) if found and found["port"] else default
    if found is None or not 1 <= port <= 65_535:
        raise BadRequest("the authority is not HOST or HOST:PORT")
    return found["host"].strip("[]"), port


def _check_framing(request: Request) -> None:
    lengths, codings = request.all("content-length"), request.all("transfer-encoding")
    if lengths and codings:
        raise BadRequest("Content-Length beside Transfer-Encoding")
    if len(lengths) > 1 or any(not re.fullmatch(r"[0-9]{1,15}", one) for one in lengths):
        raise BadRequest("Content-Length is not one number")
    if codings and (request.minor == 0 or [one.lower() for one in codings] != ["chunked"]):
        raise BadRequest("Transfer-Encoding is not chunked alone")
    if request.method == "CONNECT" and (codings or lengths not in ([], ["0"])):
        raise BadRequest("CONNECT with a body")
    if any(one.lower() != "100-continue" for one in request.all("expect")):
        raise BadRequest("an expectation that is not 100-continue", 417)


async def read_body(
    request: Request, connection: h11.Connection, reader: asyncio.StreamReader, limit: int, go_on: asyncio.StreamWriter
) -> bytes:
    """The request's body, through a fresh server-side ``connection``; bytes behind it stay in ``reader``.

    Says 100 Continue to ``go_on`` when the client waits for it. Raises :class:`BadRequest` (413 above ``limit``), and
    ``h11.RemoteProtocolError`` for broken chunks.
    """
    import h11

    connection.receive_data(request.raw)
    event = connection.next_event()
    if not isinstance(event, h11.Request):
        raise BadRequest("not a request")
    length = int((request.all("content-length") or ["0"])[0])
    if length > limit:
        raise BadRequest(f"the body is larger than {limit} bytes", 413)
    body = bytearray()
    chunked = bool(request.all("transfer-encoding"))
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on.write(
                    connection.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")) or b""
                )
                await go_on.drain()
            # With a length no byte of the next request is taken; chunks are taken line by line for the same reason.
            data = await (_chunk(reader) if chunked else reader.read(min(length - len(body), 65_536)))
            connection.receive_data(data)
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > limit:
                raise BadRequest(f"the body is larger than {limit} bytes", 413)
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        else:
            raise BadRequest("the body ends early")


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    """The next line of a chunked body with the chunk that it announces, or a line of the trailer section."""
    try:
        line = await reader.readuntil(b"\r\n")
        size = re.match(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t -~]*)?\r\n\Z", line)
        if size is None or b";" in line:
            if line == b"\r\n" or re.match(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n\Z", line):
                return line
            raise BadRequest("a chunk is malformed or has extensions")
        count = int(size[1], 16)
        if count == 0:
            return line
        if count > 1 << 24:
            raise BadRequest("a chunk is too large", 413)
        return line + await reader.readexactly(count + 2)
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError:
        raise BadRequest("a chunk is malformed or has extensions") from None
