"""``/login``: the token, once, for a cookie that a browser sends by itself.

Invariants: the token is in no URL and in no page; the cookie is no token and cannot be read by a script
(``HttpOnly``), and is sent by no other site's page (``SameSite=Strict``).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from aiohttp import web

from ..render.page import served
from ..render.style import CSS, LIVE_CSS
from .guarded import LOGIN, SESSION_COOKIE, SESSION_S, STYLE, Access

__all__ = ["PAGE_HEADERS", "session_routes"]

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # With "no-referrer" a browser says that the origin of our own forms is "null" (Fetch, "append an Origin header").
    "Referrer-Policy": "same-origin",
}
"""What every page carries: no script, style or picture but our own, and no word to elsewhere."""


def session_routes(access: Access) -> Iterable[web.RouteDef]:
    """The routes; the style sheet is open, since the form has it."""

    async def form(_: web.Request) -> web.Response:
        return _form("")

    async def login(request: web.Request) -> web.Response:
        given = (await request.post()).get("token", "")
        if not isinstance(given, str) or not access.token:
            return _form("no token is asked for here")
        if not hmac.compare_digest(given.strip().encode(), access.token.encode()):
            return _form("that is not the token")
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(
            SESSION_COOKIE, access.session(), max_age=SESSION_S, httponly=True, samesite="Strict", path="/"
        )
        return answer

    async def style(_: web.Request) -> web.Response:
        return web.Response(text=CSS + LIVE_CSS, content_type="text/css")

    return [web.get(LOGIN, form), web.post(LOGIN, login), web.get(STYLE, style)]


def _form(why: str) -> web.Response:
    body = (
        '<section class="card login"><h1>shadow<b>lane</b></h1>'
        f'<form method="post" action="{LOGIN}"><label>Token (the value of the variable that serve.token_env names)'
        '<input type="password" name="token" autocomplete="current-password" required autofocus></label>'
        f'<p class="soft" role="alert">{why}</p><button>Open</button></form></section>'
    )
    return web.Response(
        status=403 if why else 200, text=served("shadowlane", body), content_type="text/html", headers=PAGE_HEADERS
    )
