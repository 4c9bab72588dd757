"""``GET /metrics`` for Prometheus: the lane's counters, scores and last verdicts.

Invariant: a scrape waits for no evaluation of the gate, and neither the event loop nor the pipeline waits for a scrape:
it is read and written on a thread of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from .lane import LaneView

__all__ = ["metrics_routes"]

_MISSING = "metrics need the worker extra: pip install 'shadowlane[worker]' (prometheus-client is missing)\n"


def metrics_routes(lane: LaneView) -> Iterable[web.RouteDef]:
    """The routes over one lane."""

    async def metrics(request: web.Request) -> web.Response:
        try:
            from ..metrics import Judged, LaneCollector, expose
        except ImportError:
            return web.Response(status=501, text=_MISSING)
        last = await lane.last_evaluated()
        judged = None if last is None else Judged(last.at_ns, last.verdicts, failed=bool(last.error))
        accept = ",".join(request.headers.getall("Accept", []))
        text, kind = await lane.scrape(lambda: expose(LaneCollector(lane.config, judged), accept))
        return web.Response(body=text, headers={"Content-Type": kind})

    return [web.get("/metrics", metrics)]
