"""An adapter for requests: a service mirrors what it asks of others (extra ``capture-requests``).

Invariants: the wrapped adapter gets the very request, and its response is handed on; the raw response stays the object
that urllib3 made, of a class derived from its own, so that every way of reading it works. Nothing is read ahead. A
redirect's next hop is an exchange of its own; retries of urllib3 (``max_retries``) happen below and are one.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..errors import MissingExtraError
from .egress import Egress
from .exchange import Exchange, Timing

try:
    import requests
    from requests.adapters import BaseAdapter, HTTPAdapter
except ImportError:
    raise MissingExtraError("shadowlane.requests", "capture-requests", "requests") from None

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ..config import Config
    from .lane import Lane

__all__ = ["ShadowAdapter"]


class ShadowAdapter(Egress, BaseAdapter):
    """Mirror a sample of what a session sends: ``session.mount("https://api.example.com/", ShadowAdapter())``.

    ``adapter`` sends (default: an ``HTTPAdapter``). ``config`` as for :class:`shadowlane.asgi.ShadowMiddleware`;
    ``hosts``: only requests to these (``"api.example.com"``, or with ``":port"``) are seen by the lane, all when it is
    empty. Raises :class:`~shadowlane.errors.ConfigError` for a bad configuration, outside of a request, and
    :class:`TypeError` for what is no adapter.
    """

    def __init__(
        self,
        adapter: BaseAdapter | None = None,
        config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None,
        *,
        hosts: Iterable[str] = (),
    ) -> None:
        if adapter is not None and not isinstance(adapter, BaseAdapter):
            raise TypeError(f"adapter: {type(adapter).__name__} is no adapter of requests; give one, or leave it out")
        super().__init__(config, hosts=hosts)
        self._adapter = HTTPAdapter() if adapter is None else adapter

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send it by the wrapped adapter."""
        exchange = self._begin(request)
        if exchange is None:
            return self._adapter.send(request, *args, **kwargs)
        body: Any = request.body
        if type(body) is not bytes and not exchange.timed_only:
            request.body = _watched(body, exchange)
        try:
            response = self._adapter.send(request, *args, **kwargs)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            request.body = body
        _watch_answer(response, exchange)
        return response

    def close(self) -> None:
        """Close the wrapped adapter. The lane stays open."""
        self._adapter.close()

    def _begin(self, request: requests.PreparedRequest) -> Exchange | Timing | None:
        if self.lane is None:
            return None
        try:
            if self.hosts:
                url = urlsplit(request.url or "")
                if not self.has(url.hostname, url.port or (443 if url.scheme == "https" else 80)):
                    return None
            target, method, fields = _target(request.url or ""), request.method or "", _fields(request.headers)
            # What is not a GET is judged by the path as it is sent, which is what the shadow would see.
            path = unquote(target.partition("?")[0]) if method == "GET" and "%" in target else target
            exchange = self.begin(method, path, fields)
            if exchange is not None and not exchange.timed_only:
                body = request.body
                if type(body) is bytes:  # what nearly all bodies are
                    exchange.request(target, fields, length=len(body), body=body)
                else:
                    exchange.request(target, fields, length=-1 if body else 0)
        except Exception:
            self.fault()
            return None
        return exchange


def _fields(headers: Any) -> list[tuple[Any, Any]]:
    """Names and values. ``CaseInsensitiveDict`` keeps them as such pairs, and is slow to tell them one by one."""
    kept = getattr(headers, "_store", None)
    return list(kept.values() if isinstance(kept, dict) else headers.items())


def _target(url: str) -> str:
    """What is sent of a URL, as ``PreparedRequest.path_url`` has it."""
    start = url.find("/", url.find("://") + 3)
    if start >= 0 and "#" not in url and "?" not in url[:start] and url[-1] != "?":
        return url[start:]
    parts = urlsplit(url)  # one that was put there by hand may have no path
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def _watched(body: Any, exchange: Exchange | Timing) -> Any:
    """The body, kept where it is known; else a stand-in that tells what is read of it."""
    try:
        if not body:
            return body
        if isinstance(body, io.TextIOBase):  # urllib3 encodes what is of this class
            exchange.lost()
            return body
        if hasattr(body, "read"):
            return _SentFile(body, exchange)
        if not isinstance(body, str) and not _is_buffer(body):
            return _SentPieces(body, exchange)
        exchange.sent(body.encode() if isinstance(body, str) else memoryview(body).cast("B"))
        exchange.sent_all()
        return body
    except Exception:
        exchange.lost()
        return body


def _is_buffer(body: object) -> bool:
    """Whether urllib3 sends its memory, as that of an array, and does not iterate over it."""
    try:
        memoryview(body)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


class _SentPieces:
    """A request's body that is iterated over."""

    def __init__(self, body: Any, exchange: Exchange | Timing) -> None:
        self._body, self._exchange = body, exchange

    def __iter__(self) -> Iterator[Any]:
        self._exchange.resent()
        for chunk in self._body:
            self._exchange.sent(chunk.encode() if isinstance(chunk, str) else chunk)
            yield chunk
        self._exchange.sent_all()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class _SentFile(_SentPieces):
    """A request's body that is read. ``seek`` begins it anew: urllib3 does so before it sends a body again."""

    def read(self, *size: Any) -> Any:
        data = self._body.read(*size)
        self._exchange.sent(data)
        if not data or not size:
            self._exchange.sent_all()
        return data

    def __getattr__(self, name: str) -> Any:
        if name == "seek":
            self._exchange.resent()
        return getattr(self._body, name)


def _watch_answer(response: requests.Response, exchange: Exchange | Timing) -> None:
    """Keep the head, and have the raw response tell what is read of it."""
    raw: Any = response.raw
    try:
        if not exchange.timed_only:
            exchange.answers(response.status_code, _fields(response.headers))
        found: Any = type(raw)
        raw.__class__ = _teed(found)
        raw._shadowlane = exchange
    except Exception:  # an adapter of another kind, whose raw response has a fixed class, or another lane's
        exchange.lost()


@functools.cache
def _teed(base: Any) -> type[Any]:
    """``base`` (urllib3's ``HTTPResponse``) with the ways in which bytes leave it watched: all other ways to read it go
    through these. Who reads to the end knows that it is there. TypeError: another lane watches it already."""
    if getattr(base, "_is_watched", False):
        raise TypeError(f"{base.__name__} tells another lane what is read of it")

    class Teed(base):  # type: ignore[misc]
        _shadowlane: Exchange | Timing
        _is_watched = True

        def read(self, amt: int | None = None, *rest: Any, **more: Any) -> Any:
            exchange = self._shadowlane
            try:
                data = base.read(self, amt, *rest, **more)
            except BaseException as error:
                exchange.failed(error)
                raise
            exchange.received(data)
            if amt is None or amt < 0 or (not data and amt != 0):
                _ended(self)
            return data

        def read1(self, amt: int | None = None, *rest: Any, **more: Any) -> Any:
            exchange = self._shadowlane
            try:
                data = base.read1(self, amt, *rest, **more)
            except BaseException as error:
                exchange.failed(error)
                raise
            exchange.received(data)
            if not data and amt != 0:
                _ended(self)
            return data

        def read_chunked(self, *arguments: Any, **more: Any) -> Iterator[bytes]:
            exchange = self._shadowlane
            try:
                for chunk in base.read_chunked(self, *arguments, **more):
                    exchange.received(chunk)
                    yield chunk
            except GeneratorExit:
                raise
            except BaseException as error:
                exchange.failed(error)
                raise
            _ended(self)

        def stream(self, *arguments: Any, **more: Any) -> Iterator[bytes]:
            yield from base.stream(self, *arguments, **more)
            _ended(self)

        def close(self) -> None:
            try:
                base.close(self)
            finally:
                self._shadowlane.close()

    for name in ("read", "read1", "read_chunked", "stream", "close"):
        if not hasattr(base, name):  # who reads looks for what there is
            delattr(Teed, name)
    Teed.__name__, Teed.__qualname__, Teed.__module__ = base.__name__, base.__qualname__, base.__module__
    return Teed


def _ended(raw: Any) -> None:
    exchange: Exchange | Timing = raw._shadowlane
    if getattr(raw, "_has_decoded_content", False):
        exchange.decoded()
    exchange.ended()
