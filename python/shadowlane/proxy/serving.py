"""A process that serves: uvicorn on the parent's socket, with the lane's own middleware around the proxy.

Invariants: on SIGTERM it takes no new connections, ends those that are idle, and lets requests finish. When others
serve in its stead it leaves without breaking a request: a connection ends behind an answer that says so, or when
nothing has come on it for some seconds. Both last no longer than ``--drain`` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from ..asgi import ShadowMiddleware
from ..config import Config
from ..errors import ConfigError
from .app import Proxy
from .http1 import Http1Protocol
from .parent import LEAVE, READY

__all__ = ["Settings", "serve"]

_KEEP_ALIVE_S = 75
_QUIET_S = 10.0
"""How long a connection that is to end may be idle: its user may be about to ask."""
_LOOK_S = 0.1


class _State(ServerState):
    leaving = False


@dataclass(frozen=True)
class Settings:
    """What the command line says of the server."""

    upstream: str
    upstream_http2: bool
    http2: bool
    certificate: str
    key: str
    drain_s: float


def serve(config: Config, settings: Settings, listening: socket.socket, line: socket.socket) -> None:
    """Serve until told to leave or to end. Raises :class:`~shadowlane.errors.ConfigError` for a certificate that cannot
    be used."""
    if settings.certificate:
        _check_certificate(settings)  # before the lane takes the configuration: nothing is taken by half
    app = ShadowMiddleware(Proxy(settings.upstream, http2=settings.upstream_http2), config=config)
    if app.error:
        logging.getLogger("shadowlane").error("the lane is off, users are served: %s", app.error)
    server = _Server(_configured(app, settings), settings.drain_s, line)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent's, also where a terminal sends it to all
    # uvicorn raises the signal again that ended it, once it has ended.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: None)
    server.run(sockets=[listening])


def _configured(app: Any, settings: Settings) -> uvicorn.Config:
    protocol: type[asyncio.Protocol] = Http1Protocol
    if settings.http2:
        from .http2_server import EitherProtocol

        protocol = EitherProtocol
    made = uvicorn.Config(
        app,
        http=protocol,
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
        ssl_certfile=settings.certificate or None,
        ssl_keyfile=settings.key or None,
    )
    made.load()
    if settings.http2 and made.ssl is not None:
        made.ssl.set_alpn_protocols(["h2", "http/1.1"])
    return made


def _check_certificate(settings: Settings) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.certificate, settings.key or None, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigError(
            f"--certificate = {settings.certificate!r}: cannot be used: {error}; give a PEM file with the certificate, "
            "and its key there or in --key, without a password"
        ) from None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, drain_s: float, line: socket.socket) -> None:
        super().__init__(config)
        self.server_state = _State()
        self._drain_s = drain_s
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._line.setblocking(False)
        asyncio.get_running_loop().add_reader(self._line, self._told)
        with contextlib.suppress(OSError):  # a parent that is gone is seen there
            self._line.send(READY)

    def _told(self) -> None:
        try:
            said = self._line.recv(16)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if LEAVE in said:
            self.server_state.leaving = True  # type: ignore[attr-defined]
        if not said or LEAVE in said:  # the parent is gone, or has others
            asyncio.get_running_loop().remove_reader(self._line)
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if getattr(self.server_state, "leaving", False):
            for server in self.servers:
                server.close()
            left = await self._left(self._drain_s)
            self.config.timeout_graceful_shutdown = max(1, round(left))
        await super().shutdown(sockets)

    async def _left(self, seconds: float) -> float:
        """Wait until no connection is open; returns what is left of the seconds."""
        end = time.monotonic() + seconds
        # What was accepted shows here when its protocol is made: under TLS, behind the handshake.
        not_before = time.monotonic() + (_QUIET_S if self.config.ssl is not None else _LOOK_S)
        idle_since: dict[Any, float] = {}
        for connection in self._connections():
            connection.leave()
        while not self.force_exit:
            now = time.monotonic()
            connections = set(self.server_state.connections)
            if now >= end or (not connections and now >= not_before):
                break
            idle = {one for one in self._connections() if one.idle}
            idle_since = {one: idle_since.get(one, now) for one in idle & connections}
            for one, since in idle_since.items():
                if now - since > _QUIET_S:
                    one.shutdown()
            await asyncio.sleep(_LOOK_S)
        return max(0.0, end - time.monotonic())

    def _connections(self) -> list[Any]:
        return [one for one in self.server_state.connections if hasattr(one, "leave")]
