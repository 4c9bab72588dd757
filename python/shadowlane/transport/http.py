"""The HTTP transport: one aiohttp session and connection pool for each shadow.

Invariants: certificates are always verified; redirects are not followed and cookies not kept, so a shadow cannot send
copies elsewhere or mark them; every way to fail has its reason; ``detail`` quotes nothing that the shadow sent; one
deadline bounds all the rounds that stubbed tool calls take.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _core
from ..config import ShadowConfig
from ..errors import ConfigError, MissingExtraError
from ..tag import traceparent
from ..types import Answer, Copy, Headers, Outcome, header
from .body import BodyError, BoundedBody
from .request import request_headers, request_target, signature_headers
from .stub import Conversation, Reader

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpTransport"]

# Shorter than the idle time of common servers (5 s), so that they do not close a connection while it is taken anew.
_KEEP_ALIVE_S = 4.0
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class HttpTransport:
    """Sends copies to one shadow. Made by :func:`shadowlane.transport.open_transport`."""

    def __init__(
        self,
        name: str,
        shadow: ShadowConfig,
        credential: tuple[bytes, bytes] | None,
        *,
        read: Reader | None = None,
        stub_rounds: int = 0,
        where: str | None = None,
        propagate: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        try:
            import aiohttp
        except ImportError:
            raise MissingExtraError(f"the HTTP transport to shadow {name!r}", "worker", "aiohttp") from None
        from .connection import AnswerError, LenientConnector

        self._aiohttp = aiohttp
        self._answer_error = AnswerError
        self._connector = LenientConnector
        self._name = name
        self._shadow = shadow
        self._credential = credential
        self._where = f"shadows.{name}." if where is None else where
        self._sign_key = shadow.sign_key(where=self._where)
        self._read = read or _reads_nothing
        self._stub_rounds = stub_rounds
        self._propagate = propagate
        self._clock_ns = clock_ns
        self._tls = _tls(self._where, shadow)
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
        call = _Call(self._name, self._clock_ns())
        aiohttp = self._aiohttp
        try:
            await self._exchange(copy, call)
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
            call.fail("deadline", f"no whole answer within {self._where}timeout_s = {self._shadow.timeout_s:g}")
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

    async def _exchange(self, copy: Copy, call: _Call) -> None:
        from yarl import URL

        target, body = copy.target, copy.body
        if self._shadow.model:
            target, body, call.normalised = _core.rewrite_model(copy.preset, target, body, self._shadow.model)
        url = URL(request_target(self._shadow.url, target), encoded=True)
        headers = request_headers(copy, self._credential)
        if self._propagate:
            headers.append(("traceparent", traceparent(copy.shadow_id, self._name)))
        talk = call.talk = Conversation(copy, body, self._read, self._stub_rounds)
        following: bytes | None = body
        while following is not None and not call.failed:
            call.begin()
            # Anew for each round: a signature is good once.
            signed = signature_headers(self._sign_key, copy, url.raw_path_qs) if self._sign_key else []
            await self._round(copy.method, url, headers + signed, following, call)
            following = None if call.failed else talk.next(call.content_type, call.body)

    async def _round(self, method: str, url: Any, headers: list[tuple[str, str]], body: bytes, call: _Call) -> None:
        left_s = self._shadow.timeout_s - call.elapsed_s
        if left_s <= 0:  # to aiohttp it would mean "for ever"
            raise asyncio.TimeoutError
        async with self._opened().request(
            method,
            url,
            headers=headers,
            data=body or None,
            allow_redirects=False,
            timeout=self._aiohttp.ClientTimeout(total=left_s),
        ) as response:
            encoding = ", ".join(response.headers.getall("content-encoding", ()))
            call.head(response.status, response.raw_headers)
            reader = BoundedBody(encoding, self._shadow.max_response_bytes)
            async for chunk in response.content.iter_any():
                if not reader.feed(chunk):
                    response.close()  # the rest is not wanted: the connection cannot be used again
                    break
            call.body = reader.partial if reader.over else reader.finish()
            if reader.over:
                limit = self._shadow.max_response_bytes
                call.fail("response_too_large", f"more than {self._where}max_response_bytes = {limit}")

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


def _reads_nothing(content_type: str, body: bytes) -> Answer:
    """Without a reader no answer asks for a tool."""
    return Answer()


class _Call:
    """One call in progress: what is known of its outcome, and its times."""

    def __init__(self, shadow: str, started_ns: int) -> None:
        self._shadow = shadow
        self._started_ns = started_ns
        self._start = time.perf_counter_ns()
        self._ttfb_ns = 0
        self._status = 0
        self._headers: Headers = ()
        self._reason = self._detail = ""
        self._rounds: list[int] = []
        self.body = b""
        self.normalised: list[str] = []
        self.talk: Conversation | None = None

    @property
    def failed(self) -> bool:
        return bool(self._reason)

    @property
    def elapsed_s(self) -> float:
        return (time.perf_counter_ns() - self._start) / 1e9

    @property
    def content_type(self) -> str:
        return header(self._headers, b"content-type")

    def begin(self) -> None:
        """A round: what is known of an earlier one's answer is past."""
        self._rounds.append(time.perf_counter_ns())
        self._status, self._ttfb_ns, self._headers, self.body = 0, 0, (), b""

    def head(self, status: int, headers: Headers) -> None:
        self._ttfb_ns = time.perf_counter_ns() - self._start
        self._status = status
        # The body is kept decoded: these would describe it wrongly.
        self._headers = tuple(
            (name, value)
            for name, value in headers
            if name.lower() not in (b"content-encoding", b"content-length", b"transfer-encoding")
        )

    def fail(self, reason: str, detail: str) -> None:
        self._reason, self._detail = reason, " ".join(detail.split())

    def outcome(self) -> Outcome:
        end = time.perf_counter_ns()
        several = len(self._rounds) > 1
        ends = [*self._rounds[1:], end]
        talk = self.talk
        return Outcome(
            shadow=self._shadow,
            reason=self._reason,
            detail=self._detail,
            status=self._status,
            headers=self._headers,
            body=self.body,
            started_ns=self._started_ns,
            ttfb_ns=self._ttfb_ns,
            duration_ns=end - self._start,
            rounds=max(1, len(self._rounds)),
            round_ns=tuple(b - a for a, b in zip(self._rounds, ends, strict=True)) if several else (),
            usage=dict(talk.usage) if talk is not None and several else {},
            calls=tuple(talk.calls) if talk is not None else (),
            findings=talk.findings if talk is not None else {},
            normalised=tuple(self.normalised),
        )


def _tls(where: str, shadow: ShadowConfig) -> ssl.SSLContext | None:
    """The system's authorities, and those of ``ca_file``; ``None`` for plain HTTP without a proxy."""
    if not shadow.url.startswith("https:") and not shadow.ca_file:
        return None
    context = ssl.create_default_context()
    if shadow.ca_file:
        try:
            context.load_verify_locations(cafile=shadow.ca_file)
        except OSError as error:  # ssl.SSLError is one
            why = "holds no PEM certificates" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigError(f"{where}ca_file = {shadow.ca_file!r}: {why}; give a readable PEM bundle") from None
    return context
