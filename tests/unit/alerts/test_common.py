"""Alerts about the verdict over one PostgreSQL store: the leader tells, its successor goes on, nobody tells twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from shadowlane.alerts import common as module
from shadowlane.alerts.common import Common
from shadowlane.alerts.delivery import Receiver
from shadowlane.alerts.findings import Finding, Reading
from shadowlane.alerts.side import Watch
from shadowlane.config import Config, StoreConfig
from shadowlane.errors import StoreError
from shadowlane.store import Store, open_store
from shadowlane.store.leader import Leader
from shadowlane.worker.side import WorkerView
from tests.support.lanes import config_at
from tests.support.receiver import receiver
from tests.support.servers import postgres_server

BAD = Reading(findings=(Finding("candidate", "verdict", "the verdict", "critical", rejects=True),))
SLOW = Reading(findings=(*BAD.findings, Finding("", "drops", "copies were lost", figure=3.0)))
"""The verdict is all hosts' and lost copies are one's own."""
GOOD = Reading()
UNKNOWN = Reading(gate_known=False)
TASK = "alerts json"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with postgres_server() as made:
        yield made


class Host:
    """A host's watch, with a store of its own on the server that all share."""

    def __init__(self, folder: Path, store: StoreConfig, url: str, now: list[float], **entry: Any) -> None:
        folder.mkdir()
        alert: dict[str, Any] = {
            "kind": "json",
            "url": url,
            "for": "1 of 1",
            "rules": ["verdict", "drops"],
            "repeat_h": 0,
        }
        made: Config = config_at(folder, alerts=[{**alert, **entry}])
        lane = msgspec.structs.replace(made.lane, directory=str(folder))
        self.config = msgspec.structs.replace(made, store=store, lane=lane)
        self.store: Store = open_store(store)
        # No lease ends by itself in a test, however slow the machine is.
        self.store.leaders[TASK] = Leader(self.store._db, TASK, lease_s=3600.0)  # type: ignore[arg-type]
        self.view = WorkerView(lambda: True)
        self.view.with_store = self.with_store  # type: ignore[method-assign,assignment]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(folder))  # of a machine of its own
            self.watch = Watch(self.config, wall=lambda: now[0])
        self.watch._worker = self.view
        self.watch._tasks += [asyncio.create_task(one.run()) for one in self.watch._deliveries.values()]
        self.thread = ThreadPoolExecutor(1)

    async def with_store(self, work: Callable[[Store], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, work, self.store)

    async def look(self, reading: Reading) -> None:
        await self.watch.take(reading)

    @property
    def common(self) -> Common:
        return self.watch._common["json"]

    def state(self) -> dict[str, Any]:
        return self.watch.state()["json"]

    async def close(self) -> None:
        await self.watch.close()
        self.thread.shutdown()
        self.store.close()


async def until(condition: Callable[[], Any], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.01)


def over(config: StoreConfig) -> None:
    """The leader's lease ends."""
    with psycopg.connect(config.url, autocommit=True) as db:
        db.execute(f"SET search_path TO {config.schema}".encode())
        query = "UPDATE meta SET value = split_part(value, ' ', 1) || ' 1 ' || split_part(value, ' ', 3) || ' h'"
        assert db.execute(f"{query} WHERE key = 'leader:{TASK}'".encode()).rowcount == 1


@asynccontextmanager
async def hosts(tmp_path: Path, port: int, url: str, name: str, *entries: dict[str, Any]) -> Any:
    config = StoreConfig(url=f"postgresql://postgres@127.0.0.1:{port}/postgres", schema=name)
    now = [1_760_000_000.0]
    async with AsyncExitStack() as stack:
        made = []
        for number, entry in enumerate(entries or ({}, {})):
            made.append(Host(tmp_path / f"host{number}", config, url, now, **entry))
            stack.push_async_callback(made[-1].close)
        yield made, now, config


def told(server: Any) -> list[tuple[str, str]]:
    return [(got.data["rule"], got.data["event"]) for got in server.got]


def test_one_host_tells_of_the_verdict_and_each_of_itself(tmp_path: Path, port: int) -> None:
    async def run() -> None:
        with receiver() as server:
            async with hosts(tmp_path, port, server.url, "once") as ((one, other), now, config):
                for _ in range(3):
                    await one.look(SLOW)
                    await other.look(SLOW)
                    now[0] += 60
                await until(lambda: one.state()["sent"] == 2 and other.state()["sent"] == 1, "all are told")
                assert sorted(told(server)) == [("drops", "firing"), ("drops", "firing"), ("verdict", "firing")]
                assert (one.state()["firing"], other.state()["firing"]) == (2, 1)
                # Another one leads: it tells nothing again, and the end of what the first one had told.
                over(config)
                await other.look(SLOW)
                await one.look(SLOW)
                assert (one.state()["firing"], other.state()["firing"]) == (1, 2)
                now[0] += 60
                await one.look(GOOD)
                await other.look(GOOD)
                await until(lambda: told(server).count(("verdict", "resolved")) == 1, "its end is told")
                await until(lambda: told(server).count(("drops", "resolved")) == 2, "the others' ends are told")
                assert len(server.got) == 6
                assert len({got.data["id"] for got in server.got if got.data["rule"] == "verdict"}) == 1

    asyncio.run(run())


def test_a_leader_that_was_deposed_before_it_sends_sends_nothing(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands still between what it put out and the first byte; another one leads and tells; then it wakes up."""
    tried: list[str] = []
    post = Receiver.post

    async def noted(self: Receiver, *args: Any, **named: Any) -> Any:
        tried.append(self.alert.called)
        return await post(self, *args, **named)

    monkeypatch.setattr(Receiver, "post", noted)

    async def run() -> None:
        with receiver() as server:
            async with hosts(tmp_path, port, server.url, "deposed") as ((one, other), now, config):
                common = one.common
                asleep = asyncio.Event()
                save = common._save
                saves = [0]

                async def slow() -> None:
                    saves[0] += 1
                    if saves[0] > 1:  # the mark before the first byte
                        asleep.set()
                        await awake.wait()
                    await save()

                awake = asyncio.Event()
                monkeypatch.setattr(common, "_save", slow)
                await one.look(BAD)
                await asleep.wait()
                over(config)
                await other.look(BAD)
                await until(lambda: other.state()["sent"] == 1, "the other one tells")
                awake.set()
                await until(lambda: "not sent" in one.state()["error"], "the first one is refused")
                assert len(tried) == 1
                now[0] += 60
                await one.look(BAD)
                assert one.state()["firing"] == 0
                assert told(server) == [("verdict", "firing")]

    asyncio.run(run())


def test_what_waited_when_a_leader_died_is_told_by_the_next(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dead(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    async def run() -> None:
        with receiver() as server:
            async with hosts(tmp_path, port, server.url, "died") as ((one, other), now, config):
                monkeypatch.setattr(one.common._receiver, "post", dead)
                await one.look(BAD)
                assert one.state()["waiting"] == 1
                await other.look(BAD)
                assert other.state()["waiting"] == 0
                over(config)
                now[0] += 60
                await other.look(BAD)
                await until(lambda: other.state()["sent"] == 1, "it is told")
                assert told(server) == [("verdict", "firing")]

    asyncio.run(run())


def test_who_cannot_tell_does_not_lead(tmp_path: Path, port: int) -> None:
    """A host whose entry cannot be used, and one that cannot evaluate the gate, leave it to another one."""

    async def run() -> None:
        with receiver() as server:
            unusable = {"secret_env": "SHADOWLANE_TEST_NOT_SET"}
            async with hosts(tmp_path, port, server.url, "cannot", unusable, {}, {}) as (made, _, _):
                one, blind, other = made
                await one.look(BAD)
                await blind.look(UNKNOWN)
                assert "SHADOWLANE_TEST_NOT_SET" in one.state()["error"]
                await other.look(BAD)
                await until(lambda: other.state()["sent"] == 1, "the one that can tells")
                assert told(server) == [("verdict", "firing")]

    asyncio.run(run())


def test_a_leader_that_does_not_look_any_more_lets_its_lease_end(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GO_ON_S", 0.0)
    times = [0.0]

    async def run() -> None:
        with receiver() as server:
            async with hosts(tmp_path, port, server.url, "silent") as ((one, other), _, config):
                one.common._clock = lambda: times[0]
                await one.look(GOOD)
                over(config)
                assert one.store.leader(TASK) is not None
                held = lambda: one.view.with_store(lambda store: store.leader(TASK).look())  # noqa: E731

                async def lasts() -> bool:
                    return (await held()).left_s > 0

                async def goes_on() -> None:
                    while not await lasts():
                        pass

                await asyncio.wait_for(goes_on(), 60)  # by itself
                times[0] += module._LOOKS_S
                await held()
                await held()  # what was under way when the time passed is over
                over(config)
                for _ in range(20):
                    await asyncio.sleep(0)
                    assert not await lasts()
                await other.look(BAD)
                await until(lambda: other.state()["sent"] == 1, "another one tells")

    asyncio.run(run())


def test_without_its_store_nothing_is_told_and_it_is_said(tmp_path: Path, port: int) -> None:
    async def run() -> None:
        with receiver() as server:
            async with hosts(tmp_path, port, server.url, "away") as ((one, _), _, _):

                async def away(_: Callable[[Store], Any]) -> Any:
                    raise StoreError("the store is away")

                one.view.with_store = away
                await one.look(BAD)
                assert one.state()["error"] == "the store is away"
                assert server.got == []

    asyncio.run(run())
