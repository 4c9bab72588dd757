"""httpx and httpx2: the tag on outgoing calls, and the fence in front of them, as a request hook.

A client is taken for what it is, not for the package that it comes from: httpx2 is httpx under another name, with
classes of its own. Invariants: both run request hooks for every request that a client sends, each hop of a redirect and
each step of an authentication flow included, whichever transport it is mounted on; and what cannot be fenced is refused
when :func:`fence` is called, never left unfenced.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ..errors import ConfigError
from .outgoing import Outgoing

__all__ = ["fence"]

Client = TypeVar("Client")
"""``httpx.Client``, ``httpx.AsyncClient``, the same two of httpx2, or a class derived from one of them."""

_LIBRARIES = ("httpx", "httpx2")


def fence(client: Client, *, allow: Iterable[str] = (), key: str | bytes | None = None) -> Client:
    """Add the hook to ``client``, behind those that it has, and give it back. Parameters as for ``Outgoing``.

    In a shadow, calls of ``client`` carry the tag, and raise :class:`~shadowlane.guard.ShadowWriteError` before
    anything is sent when they may write. Hooks that are set anew later (``client.event_hooks = ...``) replace it.

    An SDK is fenced by the client that it is given: ``OpenAI(http_client=fence(httpx2.Client()))``. Raises
    :class:`TypeError` for anything but a client of httpx or httpx2, and :class:`~shadowlane.errors.ConfigError` for one
    that does not keep the hook.
    """
    send = _send(client)
    hook = (_AsyncHook if inspect.iscoroutinefunction(send) else _Hook)(Outgoing(allow=allow, key=key))
    owner: Any = client
    hooks: dict[str, list[Any]] = owner.event_hooks
    owner.event_hooks = {**hooks, "request": [*hooks["request"], hook]}
    if hook not in owner.event_hooks["request"]:
        raise ConfigError(
            f"client: {type(client).__name__} does not keep request hooks, so it cannot be fenced; use a plain client"
        )
    return client


def _send(client: object) -> Callable[..., Any]:
    """The client's ``send``. Raises TypeError for what is no such client."""
    for base in type(client).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _LIBRARIES and base.__name__ in ("Client", "AsyncClient"):
            send: Callable[..., Any] = client.send  # type: ignore[attr-defined]
            return send
    what = client.__name__ if isinstance(client, type) else type(client).__name__
    raise TypeError(
        f"client: no fence for {what}; give an httpx.Client, httpx.AsyncClient or their httpx2 namesakes (an SDK takes "
        "it as http_client=...)"
    )


class _Hook:
    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    def __call__(self, request: Any) -> Any:
        headers = request.headers
        self._outgoing.prepare(request.method, str(request.url), headers.multi_items(), headers.__setitem__)


class _AsyncHook(_Hook):
    async def __call__(self, request: Any) -> None:
        super().__call__(request)
