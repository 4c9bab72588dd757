"""Names of receivers, looked up on a thread of their own.

Invariant: a name server that does not answer takes no thread of the loop's common pool, on which the worker sanitizes
the shadows' answers.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["OwnResolver"]


class OwnResolver(AbstractResolver):
    """One look-up at a time, by the system's resolver."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-alerts")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises :class:`OSError`."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """End the thread; a look-up that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)
