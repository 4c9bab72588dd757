"""``shadowlane serve``: the endpoint alone, over a lane's counters and store, whether a worker runs or not.

Listens where ``--listen`` or ``serve.listen`` says, until SIGTERM or SIGINT.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ..config import Config
from ..config.serve import DEFAULT_LISTEN, address_of, serve_problem
from ..errors import ConfigError, MissingExtraError
from ..render.text import print_json_line, print_lines
from ..worker.log import log_left_alone

if TYPE_CHECKING:
    from .endpoint import Endpoint, Routes

__all__ = ["run_serve", "with_listen"]


def with_listen(config: Config, listen: str, option: str, *, page: bool = False) -> Config:
    """``config`` that listens there instead, with the page where ``page`` says so. Raises
    :class:`~shadowlane.errors.ConfigError`."""
    address_of(listen, option)
    serve = msgspec.structs.replace(config.serve, listen=listen, dashboard=page or config.serve.dashboard)
    if problem := serve_problem(serve):
        raise ConfigError(problem.replace("serve.listen", option, 1))
    return msgspec.structs.replace(config, serve=serve)


def run_serve(
    config: Config,
    listen: str | None = None,
    as_json: bool = False,
    *,
    more: Iterable[Routes] = (),
    path: str = "/gate",
) -> int:
    """Serve until told to stop; returns 0. ``more``: what is served beside; ``path``: what is shown.

    Raises :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.MissingExtraError`, or
    :class:`~shadowlane.errors.ShadowlaneError` when it cannot listen.
    """
    try:
        from .endpoint import Endpoint
    except ImportError:
        raise MissingExtraError("shadowlane serve", "worker", "aiohttp") from None
    if listen or not config.serve.listen:
        config = with_listen(config, listen or DEFAULT_LISTEN, "--listen")
    asyncio.run(_serve(Endpoint(config, more), as_json, path))
    return 0


async def _serve(endpoint: Endpoint, as_json: bool, path: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(log_left_alone)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        address = await endpoint.listen(None)
        if as_json:
            print_json_line({"listen": address})
        else:
            print_lines([(f"http://{address}{path}", "")])
        await stop.wait()
    finally:
        await endpoint.close()
