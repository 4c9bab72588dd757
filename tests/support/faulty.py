"""A shadow that misbehaves: a real server on the loopback, one mode of failure each.

``python -m tests.support.faulty --mode hang`` prints its port and serves until SIGTERM; in a test,
``async with FaultyServer("hang") as server`` gives ``server.url`` and ``server.requests``. With ``--log FILE`` every
request is written as a JSON line (method, target, headers, body), to look for what must not have been sent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import email.utils
import functools
import itertools
import json
import signal
import ssl
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal, TextIO

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "faulty-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "All is well."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
).encode()
BOMB_BYTES = 256 * 1024 * 1024


@dataclass
class Request:
    """A request as received."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def line(self) -> str:
        """One JSON line. Bodies are text with everything that is not ASCII escaped, so that ``grep`` finds a secret."""
        body = self.body.decode("utf-8", "backslashreplace")
        return json.dumps({"method": self.method, "target": self.target, "headers": self.headers, "body": body})


def _response(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@functools.cache
def _bomb() -> bytes:
    """``BOMB_BYTES`` of zeros in a quarter of a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    zeros = bytes(1024 * 1024)
    return b"".join(packer.compress(zeros) for _ in range(BOMB_BYTES // len(zeros))) + packer.flush()


async def _gone(reader: asyncio.StreamReader) -> None:
    """Wait until the client leaves."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


@dataclass(frozen=True)
class Streamed:
    """A streamed answer of mode ``stream``, and how its bytes are handed to the socket."""

    content_type: str
    body: bytes
    pieces: tuple[int, ...] = ()
    """Where the body is cut into chunks (RFC 9112 §7.1), each sent by itself."""
    end: Literal["last chunk", "no last chunk", "close"] = "last chunk"
    """``close``: no chunks at all, the end of the connection ends the body (RFC 9112 §6.3)."""


@dataclass
class FaultyServer:
    """A server in one mode of :data:`MODES`."""

    mode: str = "ok"
    answer: bytes = ANSWER
    headers: tuple[str, ...] = ()
    """Further header lines of the answer, in mode ``ok``."""
    script: list[bytes] = field(default_factory=list)
    """Answers in their order, in mode ``script``; the last one stays. An empty one hangs."""
    streams: list[Streamed] = field(default_factory=list)
    """Answers in their order, in mode ``stream``; the last one stays."""
    tls: ssl.SSLContext | None = None
    log: TextIO | None = None
    port: int = 0
    wait_s: int = 7
    """For how long modes ``status_429`` and ``status_503`` want to be left alone."""
    switch: Path | None = None
    """A file that turns mode ``crowded`` on while it exists."""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _tried: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        scheme = "https" if self.tls or self.mode == "refuse_tls" else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FaultyServer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` of this server's requests and connections holds."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.open_connections += 1
        try:
            again = True
            while again and not reader.at_eof():
                first = await reader.read(1)
                if not first:
                    break
                if not first.isalpha():  # 0x16 begins a TLS handshake
                    writer.write(_response("400 Bad Request"))
                    await writer.drain()
                    break
                request = await self._read(first, reader)
                again = await MODES[self.mode](self, request, reader, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, ValueError):
            pass  # the client's right
        except asyncio.CancelledError:
            pass  # the server ends; asyncio.start_server would report it as an error
        finally:
            self.open_connections -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()
            await self._tell()

    async def _read(self, first: bytes, reader: asyncio.StreamReader) -> Request:
        """The rest of a request. Raises ValueError when it is not one."""
        method, target, version = (first + await reader.readline()).decode("ascii").split()
        if not version.startswith("HTTP/1."):
            raise ValueError(version)
        headers: list[tuple[str, str]] = []
        while (line := await reader.readline()).strip():
            name, _, value = line.decode("utf-8", "backslashreplace").partition(":")
            headers.append((name, value.strip()))
        request = Request(method, target, headers)
        if "chunked" in (request.header("transfer-encoding") or ""):
            while size := int((await reader.readline()).split(b";")[0], 16):
                request.body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            request.body = await reader.readexactly(int(request.header("content-length") or 0))
        self.requests.append(request)
        if self.log is not None:
            self.log.write(request.line() + "\n")
            self.log.flush()
        await self._tell()
        return request

    async def _ok(self, request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        response = _response("200 OK", self.answer, *self.headers)
        writer.write(response[: -len(self.answer)] if request.method == "HEAD" and self.answer else response)
        return True

    async def _scripted(self, _: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if answer == b"":
            await _gone(reader)
            return False
        writer.write(_response("200 OK", answer))
        return True

    async def _streamed(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        answer = self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
        framing = "connection: close" if answer.end == "close" else "transfer-encoding: chunked"
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {answer.content_type}\r\n{framing}\r\n\r\n".encode())
        borders = [0, *answer.pieces, len(answer.body)]
        for piece in (answer.body[start:end] for start, end in itertools.pairwise(borders)):
            if answer.end == "close":
                writer.write(piece)
            elif piece:  # an empty chunk is the last one
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        if answer.end == "last chunk":
            writer.write(b"0\r\n\r\n")
        return answer.end == "last chunk"

    async def _hang(self, _: Request, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> bool:
        await _gone(reader)
        return False

    async def _status_500(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_response("500 Internal Server Error", b'{"error": {"message": "out of order"}}'))
        return True

    async def _status_429(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(
            _response("429 Too Many Requests", b'{"error": {"message": "slow down"}}', f"retry-after: {self.wait_s}")
        )
        return True

    async def _status_503(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        date = email.utils.format_datetime(datetime.now(timezone.utc) + timedelta(seconds=self.wait_s), usegmt=True)
        writer.write(_response("503 Service Unavailable", b"{}", f"retry-after: {date}"))
        return True

    async def _crowded(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Refuses without saying for how long, as long as its file ``crowded`` is there."""
        if self.switch is None or self.switch.exists():
            writer.write(_response("429 Too Many Requests", b"{}"))
            return True
        return await self._ok(request, reader, writer)

    async def _flaky(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Breaks every copy's first try."""
        tag = request.header("x-shadow-id") or ""
        if tag not in self._tried:
            self._tried.add(tag)
            return False
        return await self._ok(request, reader, writer)

    async def _garbage(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"\x00\xffgarbage-that-is-not-http \x01\x02\r\n\r\n" + bytes(range(256)))
        return False

    async def _close_mid_body(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_response("200 OK", b"x" * 1000)[:-900])
        return False

    async def _close_at_once(self, _: Request, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> bool:
        return False

    async def _endless(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        # Many to a chunk: this loop is also the client's, and one by one they would fill the socket's buffer for long.
        event = b'data: {"choices":[{"index":0,"delta":{"content":"and on "}}]}\n\n' * 64
        while True:
            writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            await writer.drain()

    async def _slow(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for byte in _response("200 OK", self.answer):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)  # this is the failure that is served, not a wait of a test
        return True

    async def _redirect(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_response("307 Temporary Redirect", b"", f"location: {self.url}/elsewhere"))
        return True

    async def _gzip_bomb(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_response("200 OK", _bomb(), "content-encoding: gzip"))
        return True

    async def _set_cookie(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_response("200 OK", self.answer, "set-cookie: session=planted; Path=/; Max-Age=3600"))
        return True


MODES: dict[str, Callable[..., Awaitable[bool]]] = {
    "ok": FaultyServer._ok,
    "script": FaultyServer._scripted,
    "stream": FaultyServer._streamed,
    "hang": FaultyServer._hang,
    "status_500": FaultyServer._status_500,
    "status_429": FaultyServer._status_429,
    "status_503": FaultyServer._status_503,
    "crowded": FaultyServer._crowded,
    "flaky": FaultyServer._flaky,
    "garbage": FaultyServer._garbage,
    "close_mid_body": FaultyServer._close_mid_body,
    "close_at_once": FaultyServer._close_at_once,
    "endless": FaultyServer._endless,
    "refuse_tls": FaultyServer._ok,  # its URL says https, and it speaks plain HTTP
    "slow": FaultyServer._slow,
    "redirect": FaultyServer._redirect,
    "gzip_bomb": FaultyServer._gzip_bomb,
    "set_cookie": FaultyServer._set_cookie,
}


async def _serve(server: FaultyServer) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        print(server.port, flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=sorted(MODES), default="ok")
    parser.add_argument("--port", type=int, default=0, help="default: any free one; it is printed")
    parser.add_argument("--log", type=Path, help="append every request to this file, as JSON lines")
    parser.add_argument("--header", action="append", default=[], help="a further header line of good answers")
    parser.add_argument("--wait", type=int, default=7, help="seconds in Retry-After of status_429 and status_503")
    parser.add_argument("--switch", type=Path, help="the file that turns mode crowded on")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(options.log.open("a", encoding="utf-8")) if options.log else None
        server = FaultyServer(
            options.mode,
            port=options.port,
            log=log,
            headers=tuple(options.header),
            wait_s=options.wait,
            switch=options.switch,
        )
        asyncio.run(_serve(server))


if __name__ == "__main__":
    main()
