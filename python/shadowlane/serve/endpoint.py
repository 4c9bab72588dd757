"""The listening endpoint: its routes, its bounds, and its life beside a worker.

Invariants: whatever keeps it from listening is said, once, and tried again, and never ends or delays its worker;
connections, headers, bodies and the time of each are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from ..config import Config
from ..config.serve import address_of, is_loopback
from ..errors import ConfigError, ShadowlaneError, describe
from ..worker.side import WorkerView
from .gate import MOST_BODY_BYTES, gate_routes
from .guarded import Access, checks, seal, set_headers
from .health import health_routes
from .lane import LaneView
from .metrics import metrics_routes
from .session import session_routes

__all__ = ["ROUTES", "Endpoint", "Routes"]

log = logging.getLogger("shadowlane.serve")

Routes = Callable[[LaneView], Iterable[web.RouteDef]]
ROUTES: list[Routes] = [health_routes, gate_routes, metrics_routes]
"""What is always served: each gives the routes over one lane. The checks of :mod:`.guarded` hold for all."""

_CONNECTIONS = 64
_IDLE_S = 15.0
_AGAIN_S = 10.0
_GRACE_S = 1.0
_LOOK_UP_S = 1.0
_QUIET = logging.getLogger("shadowlane.serve.http")
_QUIET.setLevel(logging.CRITICAL + 1)  # it would log requests that cannot be read, in their own words


class _Connection(web.RequestHandler):
    """A connection whose errors of the protocol are answered as ours: sealed, and without what was sent."""

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # says so to the log, and raises where an answer has begun
        text = "the request cannot be read" if status < 500 else "an error of ours; the log says where"
        response = web.Response(status=status, text=f"{text}\n")
        set_headers(response)
        response.force_close()
        return response


class _Full(asyncio.Protocol):
    """Who comes when too many are there already."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class Endpoint:
    """Listens where ``[serve]`` says. Runs beside a worker (:class:`shadowlane.worker.side.Side`), or alone. ``more``:
    what is served beside :data:`ROUTES`."""

    def __init__(self, config: Config, more: Iterable[Routes] = ()) -> None:
        self._config = config
        self._routes = [*ROUTES, *more]
        self._error = "not started"
        self._bound = ""
        self._lane: LaneView | None = None
        self._runner: web.AppRunner | None = None
        self._server: asyncio.AbstractServer | None = None
        self._trying: asyncio.Task[None] | None = None

    async def start(self, worker: WorkerView | None) -> None:
        """Listen, or say why not and go on trying. A resolver that takes long for a name is not waited for."""
        tried = asyncio.Event()
        self._error = f"serve.listen = {self._config.serve.listen!r}: its address is being looked up"
        self._trying = asyncio.create_task(self._keep_trying(worker, tried))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(tried.wait(), _LOOK_UP_S)

    async def _keep_trying(self, worker: WorkerView | None, tried: asyncio.Event) -> None:
        try:
            await self.listen(worker)
        except ConfigError as error:
            self._fail(str(error))
        except ShadowlaneError as error:
            self._fail(str(error))
            tried.set()
            await self._try_again()
        except Exception as error:  # whatever it is, the worker goes on
            self._fail(f"an error of ours: {describe(error)}; please report it")
        finally:
            tried.set()

    async def listen(self, worker: WorkerView | None) -> str:
        """Listen; returns the address. Raises :class:`~shadowlane.errors.ConfigError` for a token that is not there,
        and :class:`~shadowlane.errors.ShadowlaneError` when the address cannot be had."""
        access = Access(*self._config.serve.tokens())
        self._lane = LaneView(self._config, worker)
        self._runner = _runner(self._lane, access, self._routes)
        await self._runner.setup()
        await self._bind()
        return self._bound

    async def _bind(self) -> None:
        host, port = address_of(self._config.serve.listen)
        try:
            self._server = await asyncio.get_running_loop().create_server(self._connected, host, port)
        except (OSError, UnicodeError) as error:  # a name that no resolver takes
            raise ShadowlaneError(
                f"serve.listen = {self._config.serve.listen!r}: cannot listen there: {_reason(error)}; choose an "
                "address of this host with a free port"
            ) from None
        host, port = self._server.sockets[0].getsockname()[:2]
        self._bound, self._error = f"[{host}]:{port}" if ":" in host else f"{host}:{port}", ""
        beyond = "" if is_loopback(host) else ", beyond loopback, with a token"
        log.info("endpoint: listening on %s%s", self._bound, beyond)

    def _connected(self) -> asyncio.BaseProtocol:
        server = self._runner.server if self._runner is not None else None
        if server is None or len(server.connections) >= _CONNECTIONS:
            return _Full()
        return _Connection(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # its own word for none
            logger=_QUIET,
            keepalive_timeout=_IDLE_S,
            lingering_time=_GRACE_S,
        )

    async def _try_again(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_S)
            try:
                await self._bind()
            except ShadowlaneError as error:
                self._error = str(error)
            else:
                return

    def _fail(self, why: str) -> None:
        self._error = why
        log.warning("endpoint: off: %s", why)

    async def close(self) -> None:
        """Stop listening and end what is asked now."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait({self._trying})
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            with contextlib.suppress(Exception):
                await self._runner.cleanup()
        if self._lane is not None:
            self._lane.close()
        self._server = self._runner = self._lane = self._trying = None
        self._bound, self._error = "", "not started"

    @property
    def lane(self) -> LaneView | None:
        """The lane as it is served; ``None`` where it is not."""
        return self._lane

    def state(self) -> dict[str, Any]:
        """Where it listens, and why it does not."""
        return {"endpoint": {"listen": self._bound or self._config.serve.listen, "error": self._error}}


def _runner(lane: LaneView, access: Access, several: Iterable[Routes]) -> web.AppRunner:
    app = web.Application(middlewares=checks(access), client_max_size=MOST_BODY_BYTES)
    app.on_response_prepare.append(seal)
    app.add_routes(session_routes(access))
    for routes in several:
        app.add_routes(list(routes(lane)))
    return web.AppRunner(app, shutdown_timeout=_GRACE_S)


def _reason(error: OSError | UnicodeError) -> str:
    text = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return text.rpartition(": ")[2] if text.startswith("error while attempting") else text
