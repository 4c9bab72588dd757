"""What the proxy writes: the request for the next host, the answer for the client, its own answers.

Invariant: headers that belong to one connection (RFC 9110 §7.6.1) never pass to the other; lengths are those of what is
written, never of what was said.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import h11

from ..baggage import with_tag
from ..rerouting import names_target
from .wire import Request

__all__ = ["answer_events", "answer_json", "forwarded_headers", "passed_on", "request_parts", "reusable"]

_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"),
        *("trailer", "transfer-encoding", "upgrade", "content-length", "host", "expect"),
    )
)
_REASONS = {400: b"Bad Request", 403: b"Forbidden", 413: b"Content Too Large", 502: b"Bad Gateway"}


def forwarded_headers(request: Request) -> list[tuple[str, str]]:
    """The headers for the next host: without those of this connection and those that name another target than the one
    that was classified, with the tag."""
    named = {one.strip(" \t").lower() for value in request.all("connection") for one in value.split(",")}
    left = _HOP | named | {"x-shadow", "baggage", "via"}
    headers = [pair for pair in request.headers if pair[0] not in left and not names_target(pair[0])]
    carried = ",".join(request.all("baggage"))
    via = ", ".join([*request.all("via"), f"1.{request.minor} shadowlane-guard"])
    return [*headers, ("x-shadow", "1"), ("baggage", with_tag(carried)), ("via", via)]


def request_parts(request: h11.Request, body: bytes) -> list[Any]:
    return [request, h11.Data(data=body), h11.EndOfMessage()] if body else [request, h11.EndOfMessage()]


async def answer_events(connection: h11.Connection, reader: asyncio.StreamReader, idle_s: float) -> AsyncIterator[Any]:
    """The answer's events up to its end, informational ones left out."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await asyncio.wait_for(reader.read(65_536), idle_s))
        elif isinstance(event, h11.InformationalResponse):
            continue
        elif isinstance(event, (h11.Response, h11.Data, h11.EndOfMessage)):
            yield event
            if isinstance(event, h11.EndOfMessage):
                return
        else:
            raise h11.RemoteProtocolError("the next host left without an answer")


def passed_on(response: h11.Response, request: Request) -> h11.Response:
    """The answer's head for the client: without the next connection's headers. h11 frames the body anew."""
    pairs = [(name.lower(), value) for name, value in response.headers]
    named = {one.strip().lower() for name, value in pairs if name == b"connection" for one in value.split(b",")}
    hop = {one.encode() for one in _HOP}
    if not any(name == b"transfer-encoding" for name, _ in pairs):
        hop -= {b"content-length"}  # beside a transfer coding it means nothing (RFC 9112 §6.3)
    kept = [(name, value) for name, value in pairs if name not in hop and name not in named]
    return h11.Response(status_code=response.status_code, headers=kept, reason=response.reason)


def reusable(connection: h11.Connection) -> bool:
    return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def answer_json(
    writer: asyncio.StreamWriter,
    connection: h11.Connection | None,
    status: int,
    answer: dict[str, Any],
    *,
    head: bool = False,
) -> None:
    """Answer with JSON. Without ``connection`` the request was not read to its end, and the connection closes."""
    body = json.dumps(answer).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("x-shadow-guard", "refused")]
    if connection is None:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, b'Error').decode()}"]
        lines += [f"{name}: {value}" for name, value in [*headers, ("connection", "close")]]
        writer.write("\r\n".join([*lines, "", ""]).encode("ascii") + (b"" if head else body))
    else:
        response = h11.Response(status_code=status, headers=headers, reason=_REASONS.get(status, b"Error"))
        parts: list[Any] = [response, *([] if head else [h11.Data(data=body)]), h11.EndOfMessage()]
        writer.write(b"".join(connection.send(part) or b"" for part in parts))
    await writer.drain()
