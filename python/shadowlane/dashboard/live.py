"""What open pages are told while they are open: that there is a newer snapshot.

Invariants: all streams share one snapshot, which is computed once however many look; there is a bounded number of
streams; one that nobody reads ends; nothing is computed while nobody looks.
"""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from ..render.text import json_line
from ..serve.cached import Cached
from .snapshot import Snapshot

__all__ = ["MOST_STREAMS", "Live"]

MOST_STREAMS = 16
_HEARTBEAT_S = 15.0
_LOOK_S = 2.0
_WRITE_S = 10.0
_RETRY_MS = 3000


class Live:
    """The streams over one cached snapshot."""

    def __init__(
        self, snapshots: Cached[Snapshot], *, look_s: float = _LOOK_S, heartbeat_s: float = _HEARTBEAT_S
    ) -> None:
        self._snapshots = snapshots
        self._look_s, self._heartbeat_s = look_s, heartbeat_s
        self._streams = 0

    async def now(self, wait_s: float) -> Snapshot | None:
        """The newest snapshot, after ``wait_s`` at most; ``None`` when there is none by then. A new one is begun."""
        try:
            return await self._snapshots.get(wait_s)
        except asyncio.TimeoutError:
            return None

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events (WHATWG HTML, "Server-sent events"): one for each snapshot that the reader has not seen
        (``Last-Event-ID``), and a comment now and then, so that a connection that is dead is found."""
        if self._streams >= MOST_STREAMS:
            text = f"{MOST_STREAMS} pages are open already; this one does not follow\n"
            return web.Response(status=503, text=text, headers={"Retry-After": "60"})
        self._streams += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        try:
            await response.prepare(request)
            await self._follow(request, response)
        except (ConnectionResetError, asyncio.TimeoutError):
            pass  # the reader left
        finally:
            self._streams -= 1
            with contextlib.suppress(Exception):
                response.force_close()
        return response

    async def _follow(self, request: web.Request, response: web.StreamResponse) -> None:
        loop, seen = asyncio.get_running_loop(), request.headers.get("Last-Event-ID", "")
        await self._send(response, f"retry: {_RETRY_MS}\n\n")
        said = loop.time()
        while request.transport is not None and not request.transport.is_closing():
            snapshot = await self.now(self._look_s)
            if snapshot is not None and str(snapshot.at_ns) != seen:
                seen = str(snapshot.at_ns)
                data = json_line({"at_ns": snapshot.at_ns, "pairs": sum(arm.pairs for arm in snapshot.arms.values())})
                await self._send(response, f"id: {seen}\nevent: snapshot\ndata: {data}\n\n")
                said = loop.time()
            elif loop.time() - said >= self._heartbeat_s:
                await self._send(response, ": alive\n\n")
                said = loop.time()
            await asyncio.sleep(self._look_s)

    @staticmethod
    async def _send(response: web.StreamResponse, text: str) -> None:
        await asyncio.wait_for(response.write(text.encode()), _WRITE_S)
