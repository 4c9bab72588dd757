"""The fleet demonstration's client: one load over several gateways, as a load balancer spreads it.

Invariants: a gateway that takes no connection costs nobody an answer, the next one is asked; a request that a gateway
may have taken is never sent again; who answered, or failed, is recorded for every request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx
import msgspec

from .client import Meter
from .load import Shot, run_open_loop

__all__ = ["Answered", "spread"]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a user saw of one request."""

    kind: str
    host: int
    """Whose gateway took it, by its place in the list; -1: none took a connection."""
    status: int
    """0 when no whole answer came."""
    latency_s: float
    """From when it was due."""
    turned_away: int = 0
    """Gateways that took no connection."""
    error: str = ""


async def spread(
    urls: Sequence[str],
    turns: Sequence[int],
    plan: Sequence[Shot],
    offsets: Sequence[float],
    meter: Meter,
    beside: Callable[[], Awaitable[None]],
    *,
    transports: Sequence[httpx.AsyncBaseTransport | None] | None = None,
) -> list[Answered]:
    """Send ``plan[i]`` at ``offsets[i]`` seconds from now, first to the gateway ``turns[i % len(turns)]`` of ``urls``.
    ``beside`` runs meanwhile, and is waited for. Returns what came of each, in the order of the plan."""
    answers: list[Answered | None] = [None] * len(plan)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    clients = [
        httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False, transport=transport)
        for url, transport in zip(urls, transports or [None] * len(urls), strict=True)
    ]

    async def fire(index: int, due: float) -> None:
        shot, first = plan[index], turns[index % len(turns)]
        host, status, away, error = -1, 0, 0, "no gateway takes a connection"
        for step in range(len(clients)):
            place = (first + step) % len(clients)
            try:
                response = await clients[place].request(
                    shot.method, shot.path, params=shot.params or None, headers=shot.headers, json=shot.json
                )
            except (httpx.ConnectError, httpx.ConnectTimeout):
                away += 1
                continue
            except httpx.HTTPError as failure:
                host, error = place, f"{type(failure).__name__}: {failure}"
                break
            host, status, error = place, response.status_code, ""
            break
        latency_s = time.perf_counter() - due
        answers[index] = Answered(
            kind=shot.kind, host=host, status=status, latency_s=latency_s, turned_away=away, error=error
        )
        meter.advance(int(status == 0 or status >= 400))

    try:
        other = asyncio.ensure_future(beside())
        try:
            await run_open_loop(offsets, fire)
            await other
        finally:
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))
    return [answer for answer in answers if answer is not None]
