"""WebSockets through the proxy: message by message, both ways, never mirrored.

Invariants: a message and its kind pass unchanged; a close passes with its code and reason; a handshake that the
upstream refuses is refused with its status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from .fields import without_hop

__all__ = ["pass_websocket"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ABNORMAL = 1011
_GONE = 1001
_NO_CODE = 1005
_HANDSHAKE = (b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-protocol", b"content-length")


async def pass_websocket(
    session: aiohttp.ClientSession,
    url: URL,
    headers: CIMultiDict[str],
    scope: Mapping[str, Any],
    receive: Receive,
    send: Send,
) -> None:
    """Connect upstream, then pass messages until one side closes."""
    await receive()  # websocket.connect
    protocols = tuple(scope.get("subprotocols") or ())
    try:
        # No compression between the two: it is of one connection, and the other side has its own.
        upstream = await session.ws_connect(url, headers=headers, protocols=protocols, compress=0, max_msg_size=0)
    except aiohttp.WSServerHandshakeError as error:
        await _refuse(scope, send, error.status)
        return
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
        await _refuse(scope, send, 502)
        return
    async with upstream:
        # The library keeps the handshake's answer to itself, and cookies may be set there.
        response = getattr(upstream, "_response", None)
        extra = without_hop(response.raw_headers, _HANDSHAKE) if response is not None else ()
        await send(
            {
                "type": "websocket.accept",
                "subprotocol": upstream.protocol,
                "headers": [(name.lower(), value) for name, value in extra],
            }
        )
        tasks = {asyncio.ensure_future(_up(receive, upstream)), asyncio.ensure_future(_down(upstream, send))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _refuse(scope: Mapping[str, Any], send: Send, status: int) -> None:
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": _ABNORMAL})


async def _up(receive: Receive, upstream: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = int(message.get("code") or _GONE)
            reason = str(message.get("reason") or "").encode()
            await upstream.close(code=_GONE if code in (_NO_CODE, 1006) else code, message=reason)
            return
        if (text := message.get("text")) is not None:
            await upstream.send_str(text)
        else:
            await upstream.send_bytes(message.get("bytes") or b"")


async def _down(upstream: aiohttp.ClientWebSocketResponse, send: Send) -> None:
    while True:
        message = await upstream.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            await send({"type": "websocket.send", "text": message.data})
        elif message.type is aiohttp.WSMsgType.BINARY:
            await send({"type": "websocket.send", "bytes": message.data})
        else:  # pings are answered by the library
            break
    code = upstream.close_code
    reason = message.extra if message.type is aiohttp.WSMsgType.CLOSE else None
    await send({"type": "websocket.close", "code": _ABNORMAL if code in (None, 1006) else code, "reason": reason or ""})
