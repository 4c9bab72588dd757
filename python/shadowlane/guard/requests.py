"""requests: the tag on outgoing calls, and the fence in front of them, as a session class (extra ``guard-requests``).

Invariant: a session asks ``get_adapter`` for every request that it sends, each hop of a redirect included; so no
adapter that is mounted, now or later, sends anything that was not classified.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import MissingExtraError
from .outgoing import Outgoing

try:
    import requests
    from requests.adapters import BaseAdapter
except ImportError:
    raise MissingExtraError("shadowlane.guard.requests", "guard-requests", "requests") from None

__all__ = ["GuardedSession"]


class GuardedSession(requests.Session):
    """A ``requests.Session`` that is fenced in a shadow and carries the tag. Parameters as for ``Outgoing``.

    Calls that may write raise :class:`~shadowlane.guard.ShadowWriteError` before anything is sent. The module's
    functions (``requests.post``) make plain sessions of their own: they are not fenced.
    """

    def __init__(self, *, allow: Iterable[str] = (), key: str | bytes | None = None) -> None:
        super().__init__()
        self._outgoing = Outgoing(allow=allow, key=key)

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """The mounted adapter for ``url``, behind the fence."""
        return _Fenced(super().get_adapter(url), self._outgoing)  # type: ignore[arg-type]


class _Fenced(BaseAdapter):
    def __init__(self, inner: BaseAdapter, outgoing: Outgoing) -> None:
        super().__init__()
        self._inner, self._outgoing = inner, outgoing

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        headers = [(_text(name), _text(value)) for name, value in request.headers.items()]
        self._outgoing.prepare(request.method or "", request.url or "", headers, request.headers.__setitem__)
        return self._inner.send(request, *args, **kwargs)

    def close(self) -> None:
        self._inner.close()


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
