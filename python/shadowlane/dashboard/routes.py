"""The page's addresses: ``/``, ``/pairs/ID``, ``/pairs/ID/mark``, ``/events``, and its own files.

Invariants: a page is given within its time, with what is known by then; the queries behind it are bounded; a mark is
taken by POST alone, of this origin (:mod:`shadowlane.serve.guarded`).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from importlib.resources import files
from urllib.parse import parse_qsl

from aiohttp import web

from ..errors import ShadowlaneError
from ..gate.window import window_start
from ..render.page import escaped as _e
from ..render.page import served
from ..render.text import clock
from ..serve.guarded import EVENTS
from ..serve.lane import LaneView
from ..serve.session import PAGE_HEADERS
from ..store import FoundPairs, Store
from ..types import Mark
from .addresses import pair_href
from .listed import ROWS, listed
from .live import Live
from .overview import overview
from .pair import pair_page
from .snapshot import Snapshot, snapshot_of
from .wanted import Wanted, wanted_of

__all__ = ["dashboard_routes"]

_WAIT_S = 0.4
"""How long a page waits for a first snapshot; then it is given without, and told of it when it is there."""
_SEARCH_S = 0.4
_FILES = {
    "app.js": "text/javascript",
    "uPlot.iife.min.js": "text/javascript",
    "uPlot.min.css": "text/css",
    "uPlot.LICENSE": "text/plain",
}
_SCRIPTS = ("/assets/uPlot.iife.min.js", "/assets/app.js")
_MARKS: dict[str, Mark] = {"": "", "fine": "fine", "wrong": "wrong"}
_NOTHING = FoundPairs([], more=False, whole=True)


def dashboard_routes(lane: LaneView) -> Iterable[web.RouteDef]:
    """The routes over one lane."""
    live = Live(lane.cached(lambda: snapshot_of(lane)))

    async def page(request: web.Request) -> web.Response:
        now = time.time_ns()
        wanted = wanted_of(request.query, lane.config, window_start(lane.config, now))
        snapshot = await live.now(_WAIT_S) or Snapshot(0, wanted.filter.since_ns)
        trouble, found = "", _NOTHING
        try:
            found = await lane.look(lambda store: _found(store, wanted), _NOTHING)
        except ShadowlaneError as error:
            trouble = f'<section class="card"><p>{_e(error)}</p></section>'
        body = f"{_head(lane, snapshot, wanted)}{overview(snapshot, wanted)}{trouble}{listed(found, wanted, snapshot)}"
        return _page(f"shadowlane: {lane.config.lane.name}", body)

    async def pair(request: web.Request) -> web.Response:
        wanted, name = request.match_info["id"], request.query.get("shadow", "")

        def read(store: Store) -> str:
            rows = store.exchange(wanted)
            return pair_page(rows, name, lane.config) if rows else ""

        try:
            body = await lane.look(read, "")
        except ShadowlaneError as error:
            return _page("shadowlane", f'<section class="card"><p>{_e(error)}</p></section>', 503)
        if not body:
            gone = "No such pair is stored; retention may have deleted it (store.max_age_days, store.max_bytes)."
            return _page("shadowlane", f'<section class="card"><p>{gone} <a href="/">All pairs</a></p></section>', 404)
        return _page("shadowlane: pair", body)

    async def mark(request: web.Request) -> web.Response:
        wanted, name = request.match_info["id"], request.query.get("shadow", "")
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("mark") not in _MARKS:
            return web.Response(status=400, text="mark: say fine, wrong, or nothing to take it back\n")
        said = _MARKS[form["mark"]]
        try:
            there = await lane.write(lambda store: store.save_mark(wanted, name, said))
        except ShadowlaneError as error:
            return web.Response(status=503, text=f"{error}\n")
        if not there:
            return web.Response(status=404, text="no such pair is stored\n")
        return web.Response(status=303, headers={"Location": pair_href(wanted, name)})

    return [
        web.get("/", page),
        web.get("/pairs/{id:[^/]+}", pair),
        web.post("/pairs/{id:[^/]+}/mark", mark),
        web.get(EVENTS, live.stream),
        *(web.get(f"/assets/{name}", _file(name, kind)) for name, kind in _FILES.items()),
    ]


def _found(store: Store, wanted: Wanted) -> FoundPairs:
    return store.find_pairs(wanted.filter, limit=ROWS, skip=(wanted.page - 1) * ROWS, seconds=_SEARCH_S)


def _file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    data = files("shadowlane.dashboard").joinpath("static", name).read_bytes()

    async def give(_: web.Request) -> web.Response:
        return web.Response(body=data, content_type=kind, charset="utf-8")

    return give


def _head(lane: LaneView, snapshot: Snapshot, wanted: Wanted) -> str:
    tabs = "".join(
        f'<a class="tab" href="/?shadow={_e(name)}"{" aria-current=page" if name == wanted.filter.shadow else ""}>'
        f"{_e(name)}</a>"
        for name in lane.config.arms()
    )
    enabled = snapshot.status.get("enabled", True)
    switched = "" if enabled else '<span class="pill open">mirroring is off</span>'
    alerts = "".join(f'<p class="pill-line">{_e(line)}</p>' for line in snapshot.status.get("alerts", ()))
    alerts = f'<section class="card" role="alert">{alerts}</section>' if alerts else ""
    at = f"{clock(snapshot.at_ns)} UTC" if snapshot.at_ns else "not yet"
    since = f"window since {clock(snapshot.since_ns)} UTC; figures of {at}"
    return (
        f"<header><h1>shadow<b>lane</b> · {_e(lane.config.lane.name)}</h1>"
        f'<span class="soft num" data-live="at" id="at">{since}</span>{switched}'
        '<span class="live" data-state="still" aria-live="polite">still</span></header>\n'
        f'<nav class="bar" aria-label="Arms">{tabs}</nav><div data-live="alerts" id="alerts">{alerts}</div>\n'
    )


def _page(title: str, body: str, status: int = 200) -> web.Response:
    text = served(title, body, scripts=_SCRIPTS, styles=("/assets/uPlot.min.css",))
    return web.Response(status=status, text=text, content_type="text/html", headers=PAGE_HEADERS)
