"""The transport over aiohttp: one session and connection pool for each shadow. It alone knows proxies.

Invariants: certificates are always verified; redirects are not followed and cookies not kept, so a shadow cannot send
copies elsewhere or mark them; every way to fail has its reason; ``detail`` quotes nothing that the shadow sent.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

from ..config import ShadowConfig
from ..errors import MissingExtraError
from ..types import Copy, Outcome
from .authorities import NO_CERTIFICATES, bad_bundle
from .body import BodyError, BoundedBody
from .call import Call, kept_headers
from .rounds import Round, Rounds

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpTransport"]

# Shorter than the idle time of common servers (5 s), so that they do not close a connection while it is taken anew.
_KEEP_ALIVE_S = 4.0
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class HttpTransport:
    """Sends copies to one shadow. Made by :func:`shadowlane.transport.open_transport`."""

    kind = "aiohttp"

    def __init__(self, rounds: Rounds) -> None:
        try:
            import aiohttp
        except ImportError:
            raise MissingExtraError(f"the HTTP transport to shadow {rounds.name!r}", "worker", "aiohttp") from None
        from .connection import AnswerError, LenientConnector

        self._aiohttp = aiohttp
        self._answer_error = AnswerError
        self._connector = LenientConnector
        self._rounds = rounds
        self._shadow = rounds.shadow
        self._tls = _tls(rounds.where, rounds.shadow)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, copy: Copy) -> Outcome:
        """Send ``copy`` and read the answer, see :class:`shadowlane.transport.Transport`.

        Any HTTP status is an answer. Otherwise the outcome's reason is ``deadline`` (no whole answer within
        ``timeout_s``), ``connect_error`` (name, connection or TLS), ``response_too_large`` (more than
        ``max_response_bytes`` after decompression; the body is kept cut) or ``transport_error`` (the rest).
        ``headers`` describe ``body`` as it is given here, decompressed.

        Tool calls that the answer to an inference request asks for are answered up to ``stub_rounds`` times (see
        :mod:`.stub`), all within the same deadline; the outcome is then the last answer, with the calls recorded.
        """
        exchange = self._rounds.exchange(copy)
        call, aiohttp = exchange.call, self._aiohttp
        try:
            while (asked := exchange.next()) is not None:
                await self._round(asked, call)
        except asyncio.CancelledError:
            raise
        except (BodyError, self._answer_error) as error:
            call.fail("transport_error", str(error))
        except aiohttp.ClientConnectorCertificateError as error:
            cause = error.certificate_error
            call.fail("connect_error", f"certificate refused: {getattr(cause, 'verify_message', type(cause).__name__)}")
        except aiohttp.ClientConnectorError as error:
            cause = error.os_error
            text = (isinstance(cause, ssl.SSLError) and cause.reason) or cause.strerror or type(cause).__name__
            call.fail("connect_error", f"{type(error).__name__}: {error.host}:{error.port}: {text}")
        except asyncio.TimeoutError:
            self._rounds.late(call)
        except aiohttp.ServerDisconnectedError:
            call.fail("transport_error", "the shadow closed the connection without an answer")
        except aiohttp.ClientPayloadError:
            call.fail("transport_error", "the body ended early or is not what its headers say")
        except aiohttp.ClientResponseError as error:
            call.fail("transport_error", f"not an HTTP answer ({type(error).__name__})")
        except Exception as error:
            # Whatever else a client library can raise is the copy's fate, not the worker's.
            call.fail("transport_error", type(error).__name__)
        return call.outcome()

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _round(self, asked: Round, call: Call) -> None:
        from yarl import URL

        copy = asked.copy
        headers = self._rounds.outgoing.headers(copy.headers, copy.shadow_id, copy.req_hash)
        async with self._opened().request(
            copy.method,
            URL(self._rounds.url(asked.target), encoded=True),
            headers=headers + asked.more,
            data=asked.body or None,
            allow_redirects=False,
            timeout=self._aiohttp.ClientTimeout(total=asked.left_s),
        ) as response:
            encoding = ", ".join(response.headers.getall("content-encoding", ()))
            call.head(response.status, kept_headers(response.raw_headers))
            reader = BoundedBody(encoding, self._shadow.max_response_bytes)
            async for chunk in response.content.iter_any():
                if not reader.feed(chunk):
                    response.close()  # the rest is not wanted: the connection cannot be used again
                    break
            call.body = reader.partial if reader.over else reader.finish()
            if reader.over:
                self._rounds.too_large(call)

    def _opened(self) -> aiohttp.ClientSession:
        # At the first send, because aiohttp binds a session to the running loop.
        if self._session is None:
            aiohttp = self._aiohttp
            options: dict[str, Any] = {} if self._tls is None else {"ssl": self._tls}
            self._session = aiohttp.ClientSession(
                connector=self._connector(limit=self._shadow.concurrency, keepalive_timeout=_KEEP_ALIVE_S, **options),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._shadow.trust_env,
                skip_auto_headers=_AUTOMATIC,
                auto_decompress=False,  # BoundedBody does it, within the bound
            )
        return self._session


def _tls(where: str, shadow: ShadowConfig) -> ssl.SSLContext | None:
    """The system's authorities, and those of ``ca_file``; ``None`` for plain HTTP without a proxy."""
    if not shadow.url.startswith("https:") and not shadow.ca_file:
        return None
    context = ssl.create_default_context()
    if shadow.ca_file:
        try:
            context.load_verify_locations(cafile=shadow.ca_file)
        except OSError as error:  # ssl.SSLError is one
            why = NO_CERTIFICATES if isinstance(error, ssl.SSLError) else error.strerror
            raise bad_bundle(where, shadow, why) from None
    return context
