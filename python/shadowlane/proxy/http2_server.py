"""HTTP/2 to the user (RFC 9113): ASGI over :mod:`.http2`, as one of uvicorn's protocols.

Invariants: streams end one by one, and none with another; an answer that broke off is reset, and does not look whole;
whoever is to leave is told so first, and every request that was under way then is answered.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import MutableMapping
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from h2.errors import ErrorCodes
from h2.events import Event, PingAckReceived, RequestReceived, StreamReset
from h2.exceptions import ProtocolError
from uvicorn import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from .http1 import Http1Protocol
from .http2 import LAST_STREAM, LostError, Session, Stream, fields, goaway

__all__ = ["EitherProtocol"]

Message = MutableMapping[str, Any]
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LEAVING = b"leaving."
_RESETS = 200
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_log = logging.getLogger("uvicorn.error")


class EitherProtocol(asyncio.Protocol):
    """A connection until it is known what it speaks: by ALPN under TLS, else by its first bytes."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._made = (config, server_state, app_state, _loop)
        self._state: Any = server_state
        self._begun = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if is_ssl(self._transport):
            secure = transport.get_extra_info("ssl_object")
            self._become(secure is not None and secure.selected_alpn_protocol() == "h2")
            return
        self._state.connections.add(self)
        wait_s = self._made[0].timeout_keep_alive
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._transport.close)

    def data_received(self, data: bytes) -> None:
        self._begun += data
        if len(self._begun) < len(_PREFACE) and _PREFACE.startswith(self._begun):
            return
        self._forget()
        self._become(self._begun.startswith(_PREFACE))

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return True

    def leave(self) -> None:
        """Nothing was said yet: what comes is told."""

    def shutdown(self) -> None:
        self._transport.close()

    def _forget(self) -> None:
        self._state.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _become(self, two: bool) -> None:
        protocol: Any = _Http2Protocol(*self._made) if two else Http1Protocol(*self._made)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._begun:
            protocol.data_received(self._begun)


class _Http2Protocol(Session):
    """One connection of a user."""

    def __init__(
        self, config: Config, state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None
    ) -> None:
        super().__init__(client_side=False)
        self.config = config
        self._state: Any = state
        self._app_state = app_state
        self._ending = False
        self._seen = 0
        self._resets = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._state.connections.add(self)
        self._client, self._server = get_remote_addr(self.transport), get_local_addr(self.transport)
        self._scheme = "https" if is_ssl(self.transport) else "http"
        self._rest()
        if getattr(self._state, "leaving", False):
            self.leave()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._state.connections.discard(self)
        self._rest()

    def on_event(self, event: Event) -> None:
        super().on_event(event)
        if isinstance(event, RequestReceived):
            self._begin(event)
        elif isinstance(event, PingAckReceived) and event.ping_data == _LEAVING:
            self.shutdown()
        elif isinstance(event, StreamReset):
            self._resets += 1
            # Who asks only to take it back keeps the upstream busy for nothing (CVE-2023-44487).
            if self._resets > _RESETS and 2 * self._resets > self._seen and not self.transport.is_closing():
                self.transport.write(goaway(self.h2.highest_inbound_stream_id, ErrorCodes.ENHANCE_YOUR_CALM))
                self.transport.close()

    def _begin(self, event: RequestReceived) -> None:
        self._seen += 1
        if self._ending:
            self.reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        scope = self._scope(event)
        if (wrong := _wrong(scope, ended=event.stream_ended is not None)) is not None:
            self.reset(event.stream_id, wrong)
            return
        stream = self.streams[event.stream_id] = Stream(self, event.stream_id)
        self._rest()
        exchange = _Exchange(self, stream, scope)
        task = asyncio.get_running_loop().create_task(exchange.run(self.config.loaded_app))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _scope(self, event: RequestReceived) -> dict[str, Any]:
        pseudo = {name: value for name, value in event.headers if name.startswith(b":")}
        headers = list(fields(event.headers))
        if b":authority" in pseudo:
            headers = [(b"host", pseudo[b":authority"]), *(pair for pair in headers if pair[0] != b"host")]
        if event.stream_ended is None and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"transfer-encoding", b"chunked"))  # what such a body is in HTTP/1.1
        path, _, query = pseudo.get(b":path", b"").partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.3"},
            "http_version": "2",
            "method": pseudo.get(b":method", b"").decode("ascii", "replace"),
            "scheme": self._scheme,
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": self._client,
            "server": self._server,
            "state": self._app_state.copy(),
            "extensions": {"http.response.trailers": {}},
        }

    def finished(self, stream: Stream) -> None:
        self.streams.pop(stream.number, None)
        stream.drop()
        if self._ending and not self.streams:
            self._close()
        else:
            self._rest()

    def _rest(self) -> None:
        """A connection without a stream may be idle for so long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.streams and not self.transport.is_closing():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.config.timeout_keep_alive, self.shutdown)

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self.streams

    def leave(self) -> None:
        """Say that nothing more shall be asked here; when the user has read that, take no more (§6.8)."""
        if self._ending or self.transport.is_closing():
            return
        self.flush()
        self.transport.write(goaway(LAST_STREAM))
        try:
            self.h2.ping(_LEAVING)
        except ProtocolError:
            return
        self.flush()

    def shutdown(self) -> None:
        """Take no more streams, and end behind the last one."""
        if self._ending or self.transport.is_closing():
            return
        self._ending = True
        self.flush()
        self.transport.write(goaway(self.h2.highest_inbound_stream_id))
        if not self.streams:
            self._close()

    def _close(self) -> None:
        self.flush()
        self.transport.close()


def _wrong(scope: dict[str, Any], *, ended: bool) -> ErrorCodes | None:
    """What h2 lets pass, and HTTP/1.1 upstream could read as another request, or as two (RFC 9113 §10.3). ``ended``: no
    body comes, so that a length would promise what the next request begins with (§8.1.1)."""
    if scope["method"] == "CONNECT":
        return ErrorCodes.HTTP_1_1_REQUIRED
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    good = _TOKEN.fullmatch(scope["method"]) and len(lengths) < 2 and all(value.isdigit() for value in lengths)
    good = good and not (ended and any(int(value) for value in lengths))
    return None if good else ErrorCodes.PROTOCOL_ERROR


class _Exchange:
    """One request as ASGI has it."""

    def __init__(self, session: _Http2Protocol, stream: Stream, scope: dict[str, Any]) -> None:
        self._session, self._stream, self._scope = session, stream, scope
        self._asked = False
        self._started = False
        self._trailers = False
        self._whole = False
        # Behind so many bytes the body is whole, before its sender says so: the upstream may answer in between.
        self._left = next((int(value) for name, value in scope["headers"] if name == b"content-length"), -1)
        self._continue = any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])

    async def run(self, app: Any) -> None:
        stream, session = self._stream, self._session
        try:
            await app(self._scope, self.receive, self.send)
        except Exception:
            _log.exception("Exception in ASGI application")
        finally:
            if not self._whole and stream.lost is None:
                session.reset(stream.number, ErrorCodes.INTERNAL_ERROR)
            elif not stream.ended and not self._asked:
                session.reset(stream.number, ErrorCodes.NO_ERROR)  # no more of the request is wanted (§8.1)
            session.finished(stream)

    async def receive(self) -> Message:
        stream = self._stream
        if not self._asked:
            if self._continue and not self._started:
                self._continue = False
                self._quietly(lambda: self._session.send_head(stream.number, [(b":status", b"100")]))
            try:
                data = await stream.take()
            except LostError:
                return {"type": "http.disconnect"}
            self._left -= len(data or b"")
            if stream.over and self._left > 0:  # ended by trailers, which h2 does not measure: less than was promised
                stream.lose(LostError("the request is shorter than it said"))
                self._session.reset(stream.number, ErrorCodes.PROTOCOL_ERROR)
                return {"type": "http.disconnect"}
            self._asked = stream.over or self._left == 0
            return {"type": "http.request", "body": data or b"", "more_body": not self._asked}
        while stream.lost is None and not self._whole:
            stream.news.clear()
            await stream.news.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        stream = self._stream
        if stream.lost is not None or self._whole:
            return
        try:
            if message["type"] == "http.response.start":
                self._start(message)
            elif message["type"] == "http.response.trailers":
                self._end(message.get("headers", ()))
            else:
                if (body := message.get("body", b"")) and self._scope["method"] != "HEAD":
                    await stream.give(bytes(body))
                if not message.get("more_body", False) and not self._trailers:
                    self._end(())
        except LostError as error:
            stream.lose(error)
            self._session.reset(stream.number, ErrorCodes.INTERNAL_ERROR)

    def _start(self, message: Message) -> None:
        self._started = True
        self._trailers = bool(message.get("trailers", False))
        # An answer that is its head and nothing more says so at once: gRPC tells these apart.
        ends = bool(message.get("ends", False))
        head = [(b":status", str(message["status"]).encode()), *message.get("headers", ())]
        self._session.send_head(self._stream.number, head, end=ends)
        if ends:
            self._done()

    def _end(self, trailers: Any) -> None:
        if trailers:
            self._session.send_head(self._stream.number, list(trailers), end=True)
        else:
            self._session.send_end(self._stream.number)
        self._done()

    def _done(self) -> None:
        self._whole = True
        self._stream.news.set()

    def _quietly(self, act: Any) -> None:
        try:
            act()
        except LostError as error:
            self._stream.lose(error)
