"""``/healthz``, ``/readyz`` and ``/scale``: for probes and autoscalers. Cheap, and nothing in them is of a request."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from ..errors import LaneError
from ..render.text import json_line
from .lane import LaneView

__all__ = ["health_routes"]


def health_routes(lane: LaneView) -> Iterable[web.RouteDef]:
    """The routes over one lane."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # that somebody answers is what was asked

    async def readyz(_: web.Request) -> web.Response:
        trouble = await lane.trouble()
        return web.Response(status=503 if trouble else 200, text=f"{trouble or 'ready'}\n")

    async def scale(_: web.Request) -> web.Response:
        try:
            data = lane.backlog()
        except LaneError as error:
            return web.Response(status=503, text=f"{error}\n")
        return web.Response(text=json_line(data) + "\n", content_type="application/json")

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/scale", scale)]
