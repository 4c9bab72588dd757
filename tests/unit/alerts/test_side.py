"""Beside a worker: a rejected shadow in a real store is told over HTTP, once, with one evaluation for all who ask."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from shadowlane.alerts import side
from shadowlane.alerts.side import Alerting, Watch
from shadowlane.config import Config
from shadowlane.gate.verdict import evaluate
from shadowlane.serve import lane as serve_lane
from shadowlane.serve.endpoint import Endpoint
from shadowlane.serve.lane import LaneView
from shadowlane.worker.side import WorkerView
from tests.support.lanes import NOW_NS, config_at, make_pairs, save
from tests.support.receiver import receiver
from tests.support.verdicts import PLAIN, altered

ANSWER = "the answer that nobody may read"


def rejected(folder: Path, *alerts: dict[str, Any], **more: Any) -> Config:
    """A lane whose shadow answers with something else, always."""
    config = config_at(folder, **{"gate": PLAIN, "alerts": list(alerts), **more})
    (folder / "lane").mkdir(mode=0o700)
    pairs = altered(make_pairs(600, mean=0.15, slower=0.98), delta_s=0.9, anchored=0.9)
    later = time.time_ns() - NOW_NS
    for record in ("copy", "outcome"):
        starts = [getattr(pair, record).started_ns + later for pair in pairs]
        pairs = altered(pairs, record, started_ns=starts.__getitem__)
    save(config, altered(pairs, "outcome", body=ANSWER.encode(), headers=((b"content-type", b"text/plain"),)))
    return config


async def until(condition: Callable[[], Any], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.01)


def watching(config: Config, work: Callable[[Watch, LaneView, WorkerView], Awaitable[None]]) -> None:
    async def run() -> None:
        watch, view = Watch(config), WorkerView(lambda: True)
        lane = LaneView(config, view)
        watch.start(lane, view)
        try:
            await work(watch, lane, view)
        finally:
            await watch.close()
            lane.close()

    asyncio.run(run())


def test_what_rejects_is_told_with_its_figures_and_without_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as server:
        public = {"public_url": "https://lane.example"}
        config = rejected(tmp_path, {"kind": "json", "url": server.url, "for": "1 of 1"}, serve=public)

        async def work(watch: Watch, lane: LaneView, view: WorkerView) -> None:
            for _ in range(2):
                await watch.take(await watch.read(lane, view))
            firing = watch.state()["json"]["firing"]
            assert firing >= 2
            await until(lambda: watch.state()["json"]["sent"] == firing, "all are told")
            await watch.take(await watch.read(lane, view))
            assert watch.state()["json"]["waiting"] == 0

        watching(config, work)
    told = {got.data["rule"]: got.data for got in server.got}
    assert len(told) == len(server.got)
    verdict, mean = told["verdict"], told["mean_delta_s"]
    assert (verdict["verdict"], verdict["shadow"], verdict["severity"]) == ("REJECT", "candidate", "critical")
    assert mean["figure"] > mean["limit"] > 0
    assert mean["link"] == "https://lane.example/gate?shadow=candidate"
    assert not any(ANSWER.encode() in got.body for got in server.got)


def test_what_cannot_be_evaluated_tells_nothing_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as server:
        config = rejected(
            tmp_path, {"kind": "json", "url": server.url, "for": "1 of 1", "rules": ["verdict", "errors"]}
        )
        now = [1_760_000_000.0]

        def broken(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError

        async def run() -> None:
            watch, view = Watch(config, wall=lambda: now[0]), WorkerView(lambda: True)
            for breaks in (False, True, True, True):
                if breaks:
                    monkeypatch.setattr(serve_lane, "read_verdicts", broken)
                lane = LaneView(config, view)
                reading = await watch.read(lane, view)
                lane.close()
                assert reading.gate_known is not breaks
                await watch.take(reading)
                now[0] += 60
            state = json.loads(watch._memory.encoded())["posts"]["json"]
            events = sorted((one["incident"]["rule"], one["event"]) for one in state["waiting"].values())
            assert events == [("errors", "firing"), ("verdict", "firing")]
            await watch.close()

        asyncio.run(run())
    assert server.got == []


def test_one_evaluation_for_the_endpoint_and_for_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = []

    def counted(*given: Any, **more: Any) -> Any:
        evaluations.append(given)
        return evaluate(*given, **more)

    monkeypatch.setattr("shadowlane.gate.evidence.evaluate", counted)
    with receiver() as server:
        alerts = {"kind": "json", "url": server.url, "for": "1 of 1"}
        config = rejected(tmp_path, alerts, serve={"listen": "127.0.0.1:0"})

        async def run() -> None:
            beside = Alerting(config, Endpoint(config))
            view = WorkerView(lambda: True)
            for _ in range(2):  # a worker whose lane is replaced goes on with the next one
                await beside.start(view)
                state = beside.state()
                assert state["endpoint"]["error"] == ""
                assert state["alerting"]["json"]["kind"] == "json"
                await beside.close()
                assert beside.state()["alerting"] == {}
            await beside.start(view)
            view.opened(cast(Any, None), cast(Any, None))
            address = beside.state()["endpoint"]["listen"]
            async with aiohttp.ClientSession() as session, session.get(f"http://{address}/gate") as answer:
                assert (await answer.json())["verdict"] == "REJECT"
            await until(lambda: beside.state()["alerting"]["json"]["firing"] > 1, "the worker's look")
            await beside.close()

        asyncio.run(run())
    assert len(evaluations) == 1


def test_a_receiver_without_its_secret_is_off_and_the_others_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLACK_WEBHOOK_URL", raising=False)
    with receiver() as server:
        slack = {"kind": "slack", "url_env": "SLACK_WEBHOOK_URL", "for": "1 of 1"}
        config = rejected(tmp_path, slack, {"kind": "json", "url": server.url, "for": "1 of 1", "rules": ["verdict"]})

        async def work(watch: Watch, lane: LaneView, view: WorkerView) -> None:
            await watch.take(await watch.read(lane, view))
            await until(lambda: watch.state()["json"]["sent"] == 1, "told")
            assert (
                "url_env = 'SLACK_WEBHOOK_URL': the environment variable is not set" in watch.state()["slack"]["error"]
            )

        watching(config, work)
    assert "alerts to slack are off" in caplog.text


def test_alerts_that_cannot_begin_leave_the_worker_at_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(side, "Watch", broken)
    config = config_at(tmp_path, alerts=[{"kind": "json", "url": "http://127.0.0.1:9"}])

    async def run() -> None:
        beside = Alerting(config, None)
        await beside.start(WorkerView(lambda: True))
        assert "alerts are off: ZeroDivisionError" in beside.state()["alerting"]["json"]["error"]
        await beside.close()
        assert beside.state() == {"alerting": {}}

    asyncio.run(run())
    assert "alerts are off: ZeroDivisionError" in caplog.text


def test_a_file_that_cannot_be_written_is_said_and_alerts_are_told(tmp_path: Path) -> None:
    with receiver() as server:
        config = rejected(tmp_path, {"kind": "json", "url": server.url, "for": "1 of 1", "rules": ["verdict"]})
        (tmp_path / "shadowlane.db.default.alerts.json").mkdir()

        async def work(watch: Watch, lane: LaneView, view: WorkerView) -> None:
            await watch.take(await watch.read(lane, view))
            await until(lambda: watch.state()["json"]["sent"] == 1, "told")
            assert "alerts.json: cannot be written: " in watch.state()["json"]["error"]

        watching(config, work)


def test_the_lanes_own_health(tmp_path: Path) -> None:
    config = config_at(tmp_path, alerts=[{"kind": "json", "url": "http://127.0.0.1:9"}])
    (tmp_path / "lane").mkdir(mode=0o700)
    (tmp_path / "lane" / "worker.error").write_text("ended by a signal\n")

    async def work(watch: Watch, lane: LaneView, view: WorkerView) -> None:
        found = {(one.rule, one.name) for one in (await watch.read(lane, view)).findings}
        assert ("errors", "the last worker ended with an error") in found
        again = {(one.rule, one.name) for one in (await watch.read(lane, view)).findings}
        assert ("errors", "the last worker ended with an error") not in again

    watching(config, work)

    async def gone(watch: Watch, lane: LaneView, _: WorkerView) -> None:
        reading = await watch.read(lane, WorkerView(lambda: False))
        assert "the lane's files were removed or replaced" in {one.name for one in reading.findings}
        assert not reading.knows("store")

    watching(config, gone)


@pytest.mark.parametrize("breaks", ["watch", "look"])
def test_alerts_that_are_off_by_an_error_of_ours_say_so_in_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    config = rejected(tmp_path, {"kind": "json", "url": "http://127.0.0.1:9/"})
    monkeypatch.setattr(side, "Memory" if breaks == "watch" else "read_lane", broken)

    async def run() -> None:
        view = WorkerView(lambda: True)
        view._opened.set()
        alerting = Alerting(config, None)
        await alerting.start(view)
        try:
            await until(lambda: "ZeroDivisionError" in alerting.state()["alerting"]["json"]["error"], "it is said")
        finally:
            await alerting.close()

    asyncio.run(run())
