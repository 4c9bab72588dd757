"""The worker keeps folds beside storing, when enough has come, and only where nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.gate import kept
from shadowlane.store import Store, open_store, rolling
from shadowlane.worker import folds
from shadowlane.worker.folds import FoldKeeper
from shadowlane.worker.writer import Writer
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, make_pairs

from .world import Plain


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "BLOCK_ROWS", 10)
    monkeypatch.setattr(kept, "_LEAST_ROWS", 1)
    monkeypatch.setattr(folds, "_REST", 0.0)


def run(
    folder: Path, work: Callable[[Store, Callable[[], Awaitable[int]]], Coroutine[Any, Any, None]], *, clock: list[int]
) -> None:
    """Let ``work`` store, and look as the worker does."""
    config = config_at(folder, gate={"warmup_pairs": 0})
    open_store(config.store).close()
    with open_store(config.store) as store, ThreadPoolExecutor(1) as thread:
        store._clock_ns = lambda: clock[0]
        store.set_epoch("lane", {"candidate": 0})
        writer = Writer(store, Plain())
        keeper = FoldKeeper(config, writer, store, clock_ns=lambda: clock[0])
        asyncio.run(work(store, lambda: keeper.look(thread)))
        writer.close()


def rolled(store: Store) -> None:
    for _ in range(4):
        while store.roll_up():
            pass


def states(store: Store) -> list[tuple[int, int]]:
    return [tuple(row) for row in store._db.execute("SELECT since_ns, until_ns FROM folds ORDER BY 1, 2").fetchall()]


def test_states_are_made_when_enough_came_or_the_hour_turns(tmp_path: Path) -> None:
    begins = NOW_NS // HOUR_NS * HOUR_NS
    clock, pairs = [begins + 60 * 10**9], make_pairs(300)

    async def work(store: Store, look: Callable[[], Awaitable[int]]) -> None:
        assert await look() == 0  # there are no blocks
        before = [pair for pair in pairs if pair.copy.started_ns < begins]
        store.save(before)
        rolled(store)
        assert await look() > 0
        first = states(store)
        assert {since for since, _ in first} == {begins - 24 * HOUR_NS}
        assert await look() == 0  # nothing came
        clock[0] = begins + HOUR_NS // 2 + 60 * 10**9
        assert await look() > 0  # the next window, before it begins
        assert begins - 23 * HOUR_NS in {since for since, _ in states(store)}
        assert await look() == 0
        store.save(pairs)
        clock[0] = begins + HOUR_NS
        rolled(store)
        assert await look() > 0
        assert max(until for _, until in states(store)) > max(until for _, until in first)

    run(tmp_path, work, clock=clock)


def test_who_does_not_lead_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Led:
        left_s = 0.0

    async def work(store: Store, look: Callable[[], Awaitable[int]]) -> None:
        store.save(make_pairs(300))
        rolled(store)
        monkeypatch.setattr(store, "leader", lambda task: Led())
        assert await look() == 0
        assert states(store) == []
        monkeypatch.setattr(Led, "left_s", 10.0)
        assert await look() > 0

    run(tmp_path, work, clock=[NOW_NS])


def test_the_task_goes_on_after_a_store_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folds, "_EVERY_S", 0.0)
    config: Config = config_at(tmp_path)
    open_store(config.store).close()
    with open_store(config.store) as store:
        store._clock_ns = lambda: NOW_NS
        store.set_epoch("lane", {"candidate": 0})
        store.save(make_pairs(300))
        rolled(store)
        monkeypatch.setattr(FoldKeeper.__init__, "__defaults__", (dict, lambda: NOW_NS))
        writer, tries = Writer(store, Plain()), []

        def opened(*given: Any, **more: Any) -> Store:
            tries.append(1)
            if len(tries) == 1:
                raise folds.StoreError("away")
            return open_store(*given, **more)

        monkeypatch.setattr(folds, "open_store", opened)

        async def until_kept() -> None:
            task = asyncio.create_task(folds.keep_folds(config, writer, store, dict))
            try:
                async with asyncio.timeout(60):
                    while not await writer.call(lambda: states(store)):
                        pass
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(until_kept())
        writer.close()
    assert "folds: away" in caplog.text
