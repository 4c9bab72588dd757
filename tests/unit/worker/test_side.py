"""What the worker tells its side: whether it can mirror now, and why not, with its real store on its real thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shadowlane.errors import StoreError
from shadowlane.store import SqliteStore, open_store
from shadowlane.worker.side import WorkerView
from shadowlane.worker.writer import Writer
from tests.support.lanes import config_at


class _NoScorer:
    def score(self, pairs: list[Any]) -> list[Any]:
        return pairs

    def save(self) -> None:
        pass


def with_worker(
    folder: Path, work: Callable[[WorkerView, Writer, SqliteStore], Awaitable[None]], in_place: list[bool] | None = None
) -> None:
    async def run() -> None:
        with open_store(config_at(folder).store) as store:
            store.set_epoch("ab" * 16, {})
            writer = Writer(store, _NoScorer())
            try:
                await work(WorkerView(lambda: (in_place or [True])[0]), writer, store)
            finally:
                writer.close()

    asyncio.run(run())


def test_it_is_ready_between_its_start_and_its_end(tmp_path: Path) -> None:
    async def work(view: WorkerView, writer: Writer, store: SqliteStore) -> None:
        assert await view.trouble() == "the worker is starting: its embedder is not loaded yet"
        with pytest.raises(StoreError, match="the worker is starting"):
            await view.with_store(lambda some: some.bytes_used())
        view.opened(writer, store)
        assert await view.trouble() == ""
        assert await view.with_store(lambda some: some is store)
        view.stopping()
        assert await view.trouble() == "the worker is stopping"
        assert await view.with_store(lambda some: some is store), "what is in flight is still stored"
        view.closed()
        with pytest.raises(StoreError, match="the worker is stopping"):
            await view.with_store(lambda some: some.bytes_used())

    with_worker(tmp_path, work)


def test_a_thread_that_has_ended_is_a_store_that_is_closed(tmp_path: Path) -> None:
    async def work(view: WorkerView, writer: Writer, store: SqliteStore) -> None:
        view.opened(writer, store)
        writer.close()
        with pytest.raises(StoreError, match="the worker is stopping"):
            await view.with_store(lambda some: some.bytes_used())

    with_worker(tmp_path, work)


def test_a_lane_that_is_not_in_place_and_a_store_that_takes_nothing_are_said(tmp_path: Path) -> None:
    in_place = [False]

    async def work(view: WorkerView, writer: Writer, store: SqliteStore) -> None:
        view.opened(writer, store)
        assert await view.trouble() == "the lane's files were removed or replaced"
        in_place[0] = True
        writer.error = f"{store.path}: cannot write: the disk is full"
        said = await view.trouble()
        assert said == "nothing can be stored: see shadowlane status"
        writer.error = ""
        store.path.unlink()
        assert await view.trouble() == "the store cannot be written: see the worker's log"

    with_worker(tmp_path, work, in_place)


def test_many_who_ask_write_once(tmp_path: Path) -> None:
    async def work(view: WorkerView, writer: Writer, store: SqliteStore) -> None:
        view.opened(writer, store)
        before = store._db.total_changes
        assert set(await asyncio.gather(*(view.trouble() for _ in range(50)))) == {""}
        assert 0 < store._db.total_changes - before <= 2, "one row that comes and goes"

    with_worker(tmp_path, work)
