"""Who may ask: the checks that every request passes before its handler, and what every answer carries.

Invariants: without a token only loopback's own names are answered, so that a page which rebinds its name to 127.0.0.1
reads nothing; a page of another origin is refused; a token is compared in constant time, and stands in no log and no
URL; a handler is bounded in time but for streams, which bound themselves, and what it fails by is logged without its
words.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from ..config.serve import is_loopback
from ..errors import describe

__all__ = ["EVENTS", "LOGIN", "SESSION_COOKIE", "SESSION_S", "STYLE", "Access", "checks", "seal", "set_headers"]

log = logging.getLogger("shadowlane.serve")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOGIN, STYLE, EVENTS = "/login", "/assets/style.css", "/events"
_OPEN = ("/healthz", "/readyz", LOGIN, STYLE)
SESSION_COOKIE = "shadowlane"
SESSION_S = 12 * 3600
_HANDLER_S = 20.0


class Access(NamedTuple):
    """The tokens that open the endpoint; empty: none is asked for, or none of this kind is known."""

    token: str = ""
    gate_token: str = ""

    def opens(self, authorization: str, path: str, session: str = "") -> bool:
        """Whether who sends this header, or this cookie, may read ``path``."""
        if not self.token or (session and self._begun(session)):
            return True
        given = _given(authorization)
        # Both are compared, whatever the first one says: time must not tell which of them was right.
        whole = hmac.compare_digest(given, self.token.encode())
        gate = bool(self.gate_token) and hmac.compare_digest(given, self.gate_token.encode())
        return whole or (gate and (path in ("/gate", "/scale") or path.startswith("/gate/")))

    def session(self, now_s: float | None = None) -> str:
        """A cookie's value for who knows the token: when it ends, and that we said so. It holds for twelve hours and no
        longer than the token."""
        end = str(int((time.time() if now_s is None else now_s) + SESSION_S))
        return f"{end}.{self._signed(end)}"

    def _begun(self, session: str) -> bool:
        end, _, signed = session.partition(".")
        mine = hmac.compare_digest(signed.encode(), self._signed(end).encode())
        return mine and end.isascii() and end.isdigit() and time.time() < int(end)

    def _signed(self, end: str) -> str:
        return hmac.new(self.token.encode(), f"shadowlane session {end}".encode(), "sha256").hexdigest()


def _given(authorization: str) -> bytes:
    """The token of a header: after ``Bearer`` (RFC 6750 §2.1), or the password of ``Basic`` (RFC 7617)."""
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest.encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def checks(access: Access) -> list[Middleware]:
    """The middlewares, outermost first."""

    @web.middleware
    async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Refuse, or ask the handler, in bounded time."""
        if refused := _refused(request, access):
            return refused
        try:
            if request.path == EVENTS:
                return await handler(request)
            return await asyncio.wait_for(handler(request), _HANDLER_S)
        except (web.HTTPException, asyncio.CancelledError):
            raise
        except asyncio.TimeoutError:
            return _said(503, f"no answer within {_HANDLER_S:.0f} s")
        except Exception as error:
            log.error("%s: %s", _route(request), describe(error))
            return _said(500, "an error of ours; the log says where")

    return [answer]


def _refused(request: web.Request, access: Access) -> web.Response | None:
    hosts = request.headers.getall("Host", [])
    try:
        host = urlsplit(f"//{hosts[0]}").hostname or "" if len(hosts) == 1 else ""
    except ValueError:
        host = ""
    if not host:
        return _said(400, "one Host header is needed")
    if not access.token and not (is_loopback(host) or host.endswith(".localhost")):
        return _said(403, "this Host is not served without a token: ask 127.0.0.1 or localhost")
    if _cross_site(request, hosts[0]):
        return _said(403, "a page of another origin may not ask")
    session = request.cookies.get(SESSION_COOKIE, "")
    if request.path not in _OPEN and not access.opens(request.headers.get("Authorization", ""), request.path, session):
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return _said(303, "a token is needed", {"Location": LOGIN})
        return _said(401, "a token is needed: Authorization: Bearer", {"WWW-Authenticate": 'Bearer realm="shadowlane"'})
    return None


def _cross_site(request: web.Request, host: str) -> bool:
    """Whether a browser asks for a page of another origin (Fetch Metadata, and RFC 6454 for older ones)."""
    origin = request.headers.get("Origin")
    if origin is not None:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return True
        return parts.scheme not in ("http", "https") or parts.netloc.lower() != host.lower()
    if request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none"):
        return False
    # A link that somebody clicks is a navigation, and the page that has the link cannot read what it opens.
    return not (request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate")


def _route(request: web.Request) -> str:
    """The route as it is configured: a path can hold anything."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource is not None else '(no route)'}"


def _said(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)


async def seal(_: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries."""
    set_headers(response)


def set_headers(response: web.StreamResponse) -> None:
    """Nothing of an answer is kept, framed, sniffed or run."""
    headers = response.headers
    headers["Server"] = "shadowlane"
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
