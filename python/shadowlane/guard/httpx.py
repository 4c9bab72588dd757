"""httpx: the tag on outgoing calls, and the fence in front of them, as a request hook (extra ``guard-httpx``).

Invariant: httpx runs request hooks for every request that a client sends, each hop of a redirect and each step of an
authentication flow included, whichever transport it is mounted on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from ..errors import MissingExtraError
from .outgoing import Outgoing

try:
    import httpx
except ImportError:
    raise MissingExtraError("shadowlane.guard.httpx", "guard-httpx", "httpx") from None

__all__ = ["fence"]

Client = TypeVar("Client", "httpx.Client", "httpx.AsyncClient")


def fence(client: Client, *, allow: Iterable[str] = (), key: str | bytes | None = None) -> Client:
    """Add the hook to ``client``, behind those that it has, and give it back. Parameters as for ``Outgoing``.

    In a shadow, calls of ``client`` carry the tag, and raise :class:`~shadowlane.guard.ShadowWriteError` before
    anything is sent when they may write. Hooks that are set anew later (``client.event_hooks = ...``) replace it.
    """
    outgoing = Outgoing(allow=allow, key=key)

    def prepare(request: httpx.Request) -> None:
        outgoing.prepare(request.method, str(request.url), request.headers.multi_items(), request.headers.__setitem__)

    async def prepare_async(request: httpx.Request) -> None:
        prepare(request)

    hook: Any = prepare if isinstance(client, httpx.Client) else prepare_async
    hooks: dict[str, list[Any]] = client.event_hooks
    client.event_hooks = {**hooks, "request": [*hooks["request"], hook]}
    return client
