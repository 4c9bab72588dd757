"""``/metrics`` over a lane: it waits for no evaluation, and says what is missing."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from shadowlane.serve.lane import Evaluated, LaneView
from shadowlane.serve.metrics import metrics_routes
from tests.support.lanes import config_at


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[LaneView]:
    view = LaneView(config_at(tmp_path), None)
    yield view
    view.close()


def scrape(lane: LaneView) -> Callable[[], Coroutine[Any, Any, str]]:
    [route] = metrics_routes(lane)
    assert isinstance(route, web.RouteDef)

    async def once() -> str:
        response = await route.handler(make_mocked_request("GET", "/metrics"))
        assert isinstance(response, web.Response)
        assert isinstance(response.body, bytes)
        return f"{response.status} {response.body.decode()}"

    return once


def test_a_scrape_does_not_wait_for_the_gate(lane: LaneView, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Evaluated:
        begun.set()
        assert go_on.wait(60)
        return Evaluated(5 * 10**9, "default")

    monkeypatch.setattr(lane._verdicts, "_compute", slow)

    async def run() -> None:
        once = scrape(lane)
        first = await asyncio.wait_for(once(), 30)
        assert first.startswith("200 ")
        assert "shadowlane_gate_evaluated_timestamp_seconds" not in first
        assert await asyncio.to_thread(begun.wait, 30)
        assert "shadowlane_lane_started" in await asyncio.wait_for(once(), 30)
        go_on.set()
        await lane.evaluated()
        assert 'shadowlane_gate_evaluated_timestamp_seconds{lane="default"} 5.0' in await once()

    asyncio.run(run())


def test_an_evaluation_that_never_ends_lets_its_time_grow_old(lane: LaneView, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the alert ShadowlaneGateStale looks at: without a sample it would never fire."""
    begun, go_on, clock = threading.Event(), threading.Event(), [0.0]
    monkeypatch.setattr(lane._verdicts, "_clock", lambda: clock[0])

    def hangs() -> Evaluated:
        begun.set()
        assert go_on.wait(60)
        return Evaluated(6 * 10**9, "default")

    async def run() -> None:
        once = scrape(lane)
        monkeypatch.setattr(lane._verdicts, "_compute", lambda: Evaluated(5 * 10**9, "default"))
        await lane.evaluated()
        monkeypatch.setattr(lane._verdicts, "_compute", hangs)
        for clock[0] in (100.0, 1000.0, 5000.0):
            try:
                assert 'shadowlane_gate_evaluated_timestamp_seconds{lane="default"} 5.0' in await once()
                assert await asyncio.to_thread(begun.wait, 30)
            except BaseException:
                go_on.set()
                raise
        go_on.set()

    asyncio.run(run())


def test_a_gate_that_cannot_be_evaluated_is_said_to_be_so(lane: LaneView, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Evaluated(1, "default", error="cannot read /srv/x.db")
    monkeypatch.setattr(lane._verdicts, "_compute", lambda: broken)

    async def run() -> None:
        await lane.evaluated()
        text = await scrape(lane)()
        assert 'shadowlane_readable{lane="default",part="gate"} 0.0' in text
        assert "x.db" not in text

    asyncio.run(run())


def test_without_the_client_it_says_what_to_install(lane: LaneView, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("shadowlane.metrics")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    text = asyncio.run(scrape(lane)())
    assert text.startswith("501 ")
    assert "shadowlane[worker]" in text
