"""WSGI middleware (PEP 3333): the user path of a Flask or Django gateway.

Invariants: every byte of request and answer passes unchanged, in order, at once; the request's body is read when the
application reads it and never before; ``write``, ``close``, the length of the answer and the server's file wrapper work
as without it. Whatever fails on our side is swallowed and counted; what the application raises is raised on unchanged.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .._core import Timer
from .exchange import Exchange, Timing
from .opening import Mirror
from .wsgi_input import TeedInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..config import Config
    from .lane import Lane

__all__ = ["ShadowMiddleware"]

_FACTS = (
    ("CONTENT_LENGTH", b"content-length"),
    ("HTTP_X_SHADOW", b"x-shadow"),
    ("HTTP_UPGRADE", b"upgrade"),
    ("HTTP_X_HTTP_METHOD", b"x-http-method"),
    ("HTTP_X_METHOD_OVERRIDE", b"x-method-override"),
    ("HTTP_X_ORIGINAL_METHOD", b"x-original-method"),
    ("HTTP_X_HTTP_METHOD_OVERRIDE", b"x-http-method-override"),
)
"""What admission reads of a request's head, and WSGI's names for it."""
_CREDENTIALS = tuple(
    (f"HTTP_{n.upper().replace('-', '_')}", n.encode()) for n in ("authorization", "x-api-key", "api-key")
)
_NO_BODY = frozenset(("GET", "HEAD", "OPTIONS", "DELETE", "TRACE"))
_SAFE = "/:@!$&'()*+,;=-._~"


class ShadowMiddleware(Mirror):
    """Mirror a sample of the requests of the WSGI application ``app``; ``config`` as for
    :class:`shadowlane.asgi.ShadowMiddleware`.

    Made while a module is imported, it raises :class:`~shadowlane.errors.ConfigError` for a bad configuration, which
    ends the server's start. Made inside of a request, under mod_wsgi (which imports at the first request), and whatever
    else fails, ``app`` is served as if this were not there: :attr:`lane` is ``None``, :attr:`error` says why, and so
    does the log, once. No call raises anything of ours. The lane stays open until the process ends.

    An answer that the server's ``wsgi.file_wrapper`` made is handed on as it is, so that the server may send it with
    ``sendfile``: its copy has the head, no body, and counts as cut.
    """

    def __init__(
        self,
        app: WSGIApplication,
        config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None,
    ) -> None:
        self.app = app
        self._wanted: tuple[tuple[str, bytes], ...] = _FACTS
        self._forks_unseen = "uwsgi" in sys.modules
        super().__init__(config)

    def _use(self, lane: Lane) -> None:
        self._wanted = _FACTS + _keys(lane.config.sampling.key) + _keys(lane.config.limits.tenant_key)
        super()._use(lane)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        lane = self.lane
        if lane is None:
            return self.app(environ, start_response)
        try:
            if self._forks_unseen:
                lane.follow_fork()
            method = environ["REQUEST_METHOD"]
            facts = [(name, environ[key].encode("latin-1")) for key, name in self._wanted if key in environ]
            # What is not a GET is judged by the path as it was sent, which is what the shadow would see.
            entry = lane.begin(method, _decoded_path(environ) if method == "GET" else _raw_target(environ), facts)
            exchange: Exchange | Timing | None = None
            if type(entry) is Timer:
                exchange = Timing(entry)
            elif entry is not None:
                exchange = taken = Exchange(lane, entry, self._limit)
                _keep_request(taken, environ)
        except Exception:
            lane.fault()
            exchange = None
        if exchange is None:
            return self.app(environ, start_response)
        starter = _Starter(start_response, exchange)
        try:
            answer = self.app(environ, starter)
        except BaseException as error:
            exchange.failed(error)
            raise
        if _is_file(answer, environ):
            exchange.elsewhere()
            return answer
        return (_SizedAnswer if hasattr(type(answer), "__len__") else _Answer)(answer, exchange)


class _Starter:
    """``start_response`` for one request, and the ``write`` that it gives."""

    __slots__ = ("_exchange", "_start")

    def __init__(self, start: StartResponse, exchange: Exchange | Timing) -> None:
        self._start, self._exchange = start, exchange

    def __call__(
        self, status: str, headers: list[tuple[str, str]], *rest: Any, **more: Any
    ) -> Callable[[bytes], object]:
        write = self._start(status, headers, *rest, **more)
        exchange = self._exchange
        if exchange.timed_only:
            return write
        try:
            # The list is the application's, who may change it.
            exchange.answers(int(status[:3]), [(name, value) for name, value in headers])
        except Exception:
            exchange.lost()

        def teed(data: bytes) -> object:
            result = write(data)
            exchange.received(data)
            return result

        return teed


class _Answer:
    """The application's answer, of which every piece is kept. Settled by ``close``, which comes after the last byte."""

    __slots__ = ("_answer", "_exchange", "_next")

    def __init__(self, answer: Iterable[bytes], exchange: Exchange | Timing) -> None:
        self._answer, self._exchange = answer, exchange
        self._next: Callable[[], bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        self._next = iter(self._answer).__next__
        return self

    def __next__(self) -> bytes:
        if self._next is None:
            self._next = iter(self._answer).__next__
        try:
            chunk = self._next()
        except StopIteration:
            self._end()
            raise
        except BaseException as error:
            self._exchange.failed(error)
            raise
        self._exchange.received(chunk)
        return chunk

    def _end(self) -> None:
        self._exchange.answered()

    def close(self) -> None:
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._exchange.close()


class _SizedAnswer(_Answer):
    """The same for an answer that has a length: servers compute ``content-length`` from a list of one piece."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._answer)  # type: ignore[arg-type]

    def _end(self) -> None:
        self._exchange.answered(streamed=False)


def _keep_request(exchange: Exchange, environ: WSGIEnvironment) -> None:
    """Keep the head, and watch the body where there is one."""
    headers: list[tuple[str, str]] = [(_name(key), value) for key, value in environ.items() if key.startswith("HTTP_")]
    length, kind = environ.get("CONTENT_LENGTH", ""), environ.get("CONTENT_TYPE", "")
    if kind:
        headers.append(("content-type", kind))
    if length:
        headers.append(("content-length", length))
    size = int(length) if length.isdigit() else -1
    if size < 0 and not _may_have_body(environ):
        size = 0
    exchange.request(_raw_target(environ).encode("latin-1"), headers, length=size)
    if size:
        environ["wsgi.input"] = TeedInput(environ["wsgi.input"], exchange)


def _may_have_body(environ: WSGIEnvironment) -> bool:
    """Whether content of unknown length can follow: RFC 9112 §6.3, and HTTP/2, which needs no field for it."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return True
    newer = not environ.get("SERVER_PROTOCOL", "HTTP/1.1").startswith("HTTP/1")
    return newer and environ["REQUEST_METHOD"] not in _NO_BODY


def _is_file(answer: object, environ: WSGIEnvironment) -> bool:
    """Whether the server's file wrapper made it. uWSGI's wrapper is a function that gives the file itself back, and
    mod_wsgi's one that makes an object of a class of its own."""
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is None:
        return False
    if isinstance(wrapper, type):
        return isinstance(answer, wrapper)
    return hasattr(answer, "fileno") or type(answer).__module__ == "mod_wsgi"


def _raw_target(environ: WSGIEnvironment) -> str:
    """Path and query as they came, percent-encoded: servers say it as ``RAW_URI`` (gunicorn) or ``REQUEST_URI`` (uWSGI,
    mod_wsgi, waitress, Werkzeug); else they are encoded again."""
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if raw.startswith("/"):
        return raw
    if "://" in raw:  # absolute-form, RFC 9112 §3.2.2
        origin, slash, rest = raw.partition("://")[2].partition("/")
        return f"/{rest}" if slash else f"/?{origin.partition('?')[2]}" if "?" in origin else "/"
    path = quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe=_SAFE) or "/"
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _decoded_path(environ: WSGIEnvironment) -> str:
    path: str = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/"
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")


@lru_cache(maxsize=512)
def _name(key: str) -> str:
    return key[5:].replace("_", "-").lower()


def _keys(key: str) -> tuple[tuple[str, bytes], ...]:
    """Where a key of the configuration (``header:NAME``, ``cookie:NAME``, ``api_key``) is found in an environ."""
    kind, _, name = key.partition(":")
    if kind == "header":
        return ((f"HTTP_{name.upper().replace('-', '_')}", name.lower().encode()),)
    return _CREDENTIALS if kind == "api_key" else (("HTTP_COOKIE", b"cookie"),) if kind == "cookie" else ()
