"""``ShadowGuard`` for ASGI 3.0: marks the work of a shadow copy before the application sees the request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .context import shadow_context
from .incoming import Refused, TagGuard

__all__ = ["ShadowGuard"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ShadowGuard(TagGuard[App]):
    """Serve ``app``; while it answers a request that carries the shadow tag, :func:`is_shadow` is true.

    Put it outermost. The tag is ``x-shadow`` with any value but ``0`` and ``false``, or ``shadow=true`` in ``baggage``.

    :param keys: signing keys shared with the lane (``shadows.NAME.sign_key_env``), 16 bytes or more each. With keys, a
        request with a tag that is not signed by one of them is answered 403 (``require_signature=False``: it is
        taken for a copy). A proxy on the way that rewrites path or query breaks the signature.
    :param expect: ``"shadow-only"``: a request without the tag is answered 403, so that a tag that was stripped on the
        way cannot turn a copy into a request of prod's. Health checks too: let them ask another port.
    :param max_age_s: how far a signature's time may lie from this host's, in seconds.

    HTTP and websocket scopes are marked; others pass through. Raises :class:`~shadowlane.errors.ConfigError` at start.
    Work that the application starts for a copy (tasks, ``asyncio.to_thread``) keeps the mark; see :func:`carry`.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
        try:
            shadow = self._read(scope.get("method", "GET"), path, scope.get("query_string", b""), scope["headers"])
        except Refused as refused:
            await _refuse(scope, receive, send, refused.body)
            return
        with shadow_context(shadow):
            await self.app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before accept: servers answer 403
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
