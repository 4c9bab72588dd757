"""A door that is a server of ours by aiohttp: listens where it was told, says where, and ends at SIGTERM or SIGINT.

Invariant: what is under way when it is told to end gets a second, and its connections are given back whatever happens.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ShadowlaneError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["listen_until_told"]

_GRACE_S = 1.0


async def listen_until_told(app: web.Application, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serve ``app``; ``listening`` is told the address as ``HOST:PORT`` when it is bound. Bodies come as they were
    sent, codings and all. Raises :class:`~shadowlane.errors.ShadowlaneError` when nothing can listen there.
    """
    from aiohttp import web

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_S, auto_decompress=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ShadowlaneError(
                f"--listen = {host}:{port}: cannot listen there: {error.strerror}; choose a free port of this host"
            ) from None
        bound, number = runner.addresses[0][:2]
        listening(f"[{bound}]:{number}" if ":" in bound else f"{bound}:{number}")
        await stop.wait()
    finally:
        await runner.cleanup()
