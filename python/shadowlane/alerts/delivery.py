"""Sends what waits for one receiver: one message at a time, tried again with growing pauses, given up after a day.

Invariants: a pause that the receiver asks for (``Retry-After``) is kept; that a message is being sent is on the disk
before its first byte goes, and how that ended before the next one; an error that is logged or shown holds no secret.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp

from ..config import AlertConfig, ServeConfig
from ..config.shown import shown_url, without_keys
from ..errors import ConfigError, StoreError, describe
from ..limits import retry_after_s
from ..render.text import printable
from .incidents import Message, Post
from .resolver import OwnResolver
from .shapes import Request, link_of, request_for

__all__ = ["TIMEOUT_S", "Answer", "Delivery", "Receiver"]

log = logging.getLogger("shadowlane.alerts")

TIMEOUT_S = 10.0
_ANSWER_BYTES = 4096
_SHOWN_CHARS = 200
_BASE_S, _MOST_S = 5.0, 600.0
_GIVE_UP_S = 86_400.0
_NOT_NOW = (408, 425, 429)
"""Of the client errors, those that another try may heal (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4)."""
_LOOK_S = 1.0


class Answer(NamedTuple):
    """What a receiver said."""

    taken: bool
    text: str
    """One line for people, without a secret."""
    heard: bool
    """Whether it knows of the message, or may."""
    refused: bool = False
    """It will not take it the next time either, as far as it says."""
    wait_s: float = 0.0
    """How long it asks to be left alone."""


class Receiver:
    """One entry of ``[[alerts]]`` with its secrets, and the connection to it. Belongs to one event loop.

    Raises :class:`~shadowlane.errors.ConfigError` when a variable or file that it names cannot be used.
    """

    def __init__(self, alert: AlertConfig, position: int) -> None:
        where = f"alerts[{position}]."
        self.alert = alert
        self._url = alert.address(where)
        self._key = alert.key(where)
        self._tls = _tls(alert, where)
        self._session: aiohttp.ClientSession | None = None
        self._resolver: OwnResolver | None = None

    def request(self, message: Message, serve: ServeConfig, now: float, *, test: bool = False) -> Request:
        """A message in its form."""
        link = link_of(serve, message.incident.shadow)
        return request_for(self.alert, self._key, message.event, message.incident, link=link, now=now, test=test)

    async def post(self, request: Request, now: float) -> Answer:
        """Send, and wait for the answer, at most 10 s. Raises nothing but a cancellation."""
        try:
            async with self._opened().post(
                self._url, headers=request.headers, data=request.body, allow_redirects=False
            ) as response:
                said = await response.content.read(_ANSWER_BYTES)
                return self._read(response, said, now)
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
            return Answer(False, f"the certificate of {self._shown} is refused: {why}", heard=False)
        except aiohttp.ClientConnectorError as error:
            return Answer(False, f"cannot connect to {self._shown}: {_reason(error.os_error)}", heard=False)
        except asyncio.TimeoutError:
            return Answer(False, f"{self._shown} did not answer within {TIMEOUT_S:.0f} s", heard=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # its words may hold the URL
            return Answer(False, f"no HTTP answer from {self._shown} ({type(error).__name__})", heard=True)

    def _read(self, response: aiohttp.ClientResponse, said: bytes, now: float) -> Answer:
        status = response.status
        words = " ".join(printable(said.decode("utf-8", "replace")).split())
        text = f"HTTP {status}" + (f": {self._without_secrets(words)}" if words else "")
        wait_s = retry_after_s(response.raw_headers, now) or 0.0
        if 200 <= status < 300:
            return Answer(True, text, heard=True)
        refused = status < 500 and status not in _NOT_NOW
        return Answer(False, text, heard=False, refused=refused, wait_s=max(wait_s, 0.0))

    @property
    def _shown(self) -> str:
        """Host alone: a secret URL's path is the secret."""
        scheme, _, rest = shown_url(self._url).partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def _without_secrets(self, text: str) -> str:
        path = self._url.partition("://")[2].partition("/")[2]
        for secret in (self._url, self._key, path):
            if len(secret) >= 8:
                text = text.replace(secret, "…")
        text = without_keys(text, known=True)
        return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._resolver = OwnResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=1, ssl=self._tls if self._tls is not None else True, resolver=self._resolver
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                trust_env=self.alert.trust_env,
            )
        return self._session

    async def close(self) -> None:
        """End its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._resolver is not None:
            await self._resolver.close()  # a connector closes none that it was given
            self._resolver = None


class Delivery:
    """Works through one :class:`~.incidents.Post`. ``save`` puts it on the disk, or raises
    :class:`~shadowlane.errors.StoreError` where a store keeps it and did not take it."""

    def __init__(
        self,
        receiver: Receiver,
        post: Post,
        save: Callable[[], Awaitable[None]],
        *,
        serve: ServeConfig,
        wall: Callable[[], float],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._receiver = receiver
        self._post = post
        self._save = save
        self._serve = serve
        self._wall = wall
        self._draw = draw
        self._more = asyncio.Event()

    def wake(self) -> None:
        """Something was put."""
        self._more.set()

    async def run(self) -> None:
        """Send for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._more.clear()
            try:
                more = await self.send_due()
            except StoreError as error:  # without the mark that it is being sent nothing is
                self._post.error, more = f"not sent: {error}", False
            except Exception as error:
                log.error("alerts to %s rest: %s; please report it", self._receiver.alert.called, describe(error))
                self._post.not_before, more = self._wall() + _MOST_S, False
            if not more:
                look = loop.call_later(_LOOK_S, self._more.set)
                try:
                    await self._more.wait()
                finally:
                    look.cancel()

    async def send_due(self) -> bool:
        """Send the oldest message that is due, if there is one. Returns whether there was."""
        now = self._wall()
        message = next(self._post.due(now), None)
        if message is None:
            return False
        if now - message.put_at > _GIVE_UP_S:
            self._post.drop(message.incident.id)
            log.warning("alert to %s given up after a day: %s", self._receiver.alert.called, self._post.error)
            await self._save()
            return True
        message.sending = True
        try:
            await self._save()
        except StoreError:
            message.sending = False
            raise
        try:
            answer = await self._receiver.post(self._receiver.request(message, self._serve, now), now)
        except Exception as error:  # whatever it is, the next one must be sent
            answer = Answer(False, f"an error of ours: {describe(error)}; please report it", heard=True, refused=True)
        self._learn(message, answer)
        await self._save()
        return True

    def _learn(self, message: Message, answer: Answer) -> None:
        post, now, name = self._post, self._wall(), self._receiver.alert.called
        post.settle(message, taken=answer.taken, heard=answer.heard)
        if answer.taken:
            if post.error:
                log.info("alerts to %s arrive again", name)
            post.sent, post.failures, post.not_before, post.error = post.sent + 1, 0, 0.0, ""
            return
        post.failed += 1
        if post.error != answer.text:
            log.warning("alert to %s failed, will be tried again: %s", name, answer.text)
        post.error = answer.text
        asked_s = min(answer.wait_s, _GIVE_UP_S)
        if answer.refused:  # this one alone: others may be taken
            message.refused += 1
            message.not_before = now + max(_MOST_S, asked_s)
        else:
            post.failures += 1
            pause_s = min(_MOST_S, _BASE_S * 2.0 ** min(post.failures - 1, 16))
            post.not_before = now + max((0.5 + 0.5 * self._draw()) * pause_s, asked_s)


def _reason(error: OSError) -> str:
    """The system's word for it; asyncio's own text holds the address again."""
    if isinstance(error, ssl.SSLError):
        return error.reason or type(error).__name__
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


def _tls(alert: AlertConfig, where: str) -> ssl.SSLContext | None:
    if not alert.ca_file:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=alert.ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = "holds no PEM certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"{where}ca_file = {alert.ca_file!r}: {why}; give a readable PEM bundle") from None
    return context
