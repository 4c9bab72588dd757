"""aiohttp: the tag on outgoing calls, and the fence in front of them, as a client middleware (extra ``guard-aiohttp``).

Invariant: a session runs its middlewares for every request that it sends, each hop of a redirect and the start of a
websocket included. A ``middlewares=`` argument of a single call replaces the session's: pass the fence there too.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import MissingExtraError
from .outgoing import Outgoing

try:
    from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
except ImportError:
    raise MissingExtraError("shadowlane.guard.aiohttp", "guard-aiohttp", "aiohttp>=3.12") from None

__all__ = ["fence"]


def fence(*, allow: Iterable[str] = (), key: str | bytes | None = None) -> ClientMiddlewareType:
    """A middleware: ``aiohttp.ClientSession(middlewares=(fence(),))``. Parameters as for ``Outgoing``.

    In a shadow, calls carry the tag, and raise :class:`~shadowlane.guard.ShadowWriteError` before anything is sent
    when they may write.
    """
    outgoing = Outgoing(allow=allow, key=key)

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        outgoing.prepare(request.method, str(request.url), list(request.headers.items()), request.headers.__setitem__)
        return await handler(request)

    return middleware
