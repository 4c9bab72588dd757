"""``WSGIShadowGuard`` for WSGI (PEP 3333): marks the work of a shadow copy, the iteration of its answer included.

Invariant: the application runs in a context of its own for each request, so that the mark can neither stay on the
server's thread nor be lost when the server iterates over the answer after the application returned.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .context import shadow_context
from .incoming import Refused, TagGuard

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["ShadowGuard", "WSGIShadowGuard"]

App = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]


class WSGIShadowGuard(TagGuard[App]):
    """Serve the WSGI application ``app``; see :class:`shadowlane.guard.ShadowGuard` for the parameters."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1", "replace")
        query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
        # A header that came twice is joined by the server with a comma (RFC 9110 §5.3).
        headers = [
            (key[5:].replace("_", "-").lower().encode("latin-1", "replace"), str(value).encode("latin-1", "replace"))
            for key, value in environ.items()
            if key.startswith("HTTP_")
        ]
        try:
            shadow = self._read(environ["REQUEST_METHOD"], path, query, headers)
        except Refused as refused:
            length = str(len(refused.body))
            start_response("403 Forbidden", [("Content-Type", "application/json"), ("Content-Length", length)])
            return [refused.body]
        context = contextvars.copy_context()

        def run() -> Iterable[bytes]:
            with shadow_context(shadow):
                return self.app(environ, start_response)

        answer = context.run(run)
        return _Answer(context, shadow, answer)


class _Answer:
    """The application's answer, every step of it inside the request's context."""

    def __init__(self, context: contextvars.Context, shadow: Any, answer: Iterable[bytes]) -> None:
        self._context, self._shadow, self._answer = context, shadow, answer
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> _Answer:
        return self

    def __next__(self) -> bytes:
        return self._context.run(self._step)

    def close(self) -> None:
        close = getattr(self._answer, "close", None)
        if close is not None:
            self._context.run(self._closing, close)

    def _step(self) -> bytes:
        with shadow_context(self._shadow):
            if self._iterator is None:
                self._iterator = iter(self._answer)
            return next(self._iterator)

    def _closing(self, close: Callable[[], object]) -> None:
        with shadow_context(self._shadow):
            close()


ShadowGuard = WSGIShadowGuard
"""The name that it has beside ``shadowlane.guard.asgi.ShadowGuard``."""
