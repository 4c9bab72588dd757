"""How the proxy asks its upstream, and what it gets: one answer, whose head is there and whose body comes.

Invariant: nothing is decoded, followed, stored or asked twice that the upstream may have seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
from yarl import URL

from ..types import Headers
from .fields import sent_on

__all__ = ["Answer", "Http1Upstream", "Upstream"]

_MADE_UP = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What the client library would add of its own."""
_TOO_LONG = 8 * 1024


class Answer(Protocol):
    """What the upstream says. ``head_only``: there is nothing behind the head. :meth:`take` gives what
    has come of the body, nothing at its end; ``over``: all of it is taken, and trailers are there."""

    status: int
    headers: Headers
    head_only: bool

    @property
    def trailers(self) -> Headers: ...
    @property
    def over(self) -> bool: ...
    async def take(self) -> bytes: ...
    def close(self) -> None: ...


class Upstream(Protocol):
    """Who answers. :meth:`ask` raises OSError, ValueError, TimeoutError or aiohttp's ClientError when nobody does."""

    async def ask(self, method: str, target: str, headers: Headers, body: AsyncIterator[bytes] | None) -> Answer: ...
    async def close(self) -> None: ...


class Http1Upstream:
    """Over HTTP/1.1, by aiohttp; websockets, too."""

    def __init__(self, url: str, connect_s: float) -> None:
        self._url = url
        self._connect_s = connect_s
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """The library's client; made in the loop that it serves."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
                auto_decompress=False,
                skip_auto_headers=_MADE_UP,
                max_line_size=8 * _TOO_LONG,
                max_field_size=8 * _TOO_LONG,
            )
        return self._session

    def url(self, target: str) -> URL:
        """The target at the upstream, with its escapes as they are."""
        return URL(self._url + target, encoded=True)

    async def ask(self, method: str, target: str, headers: Headers, body: AsyncIterator[bytes] | None) -> Answer:
        response = await self.session().request(
            method, self.url(target), headers=sent_on(headers), data=body, allow_redirects=False
        )
        return _Http1Answer(response)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Http1Answer:
    head_only = False
    trailers: Headers = ()

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Headers = response.raw_headers

    async def take(self) -> bytes:
        return await self._response.content.readany()

    @property
    def over(self) -> bool:
        return self._response.content.at_eof()

    def close(self) -> None:
        # The connection goes on when the answer is at its end, and ends with what is not.
        self._response.release()
