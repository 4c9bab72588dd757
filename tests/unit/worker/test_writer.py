"""Scoring and writer: what fails is said in the row, and nothing that was worked on is quoted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shadowlane.config import StoreConfig
from shadowlane.store import Store, backlog, open_store
from shadowlane.types import Pair
from shadowlane.worker import blocks as worker_blocks
from shadowlane.worker.writer import Writer
from tests.support.lanes import make_pairs

from .world import ANSWER, Plain, copy_of


class Broken(Plain):
    """A scorer with a defect."""

    def score(self, pairs: list[Pair]) -> list[Pair]:
        raise IndexError(f"no place for {pairs[0].outcome.body!r}")


def test_a_scorer_that_raises_costs_the_scores_and_no_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(StoreConfig(url=f"sqlite:///{tmp_path / 'pairs.db'}"))
    writer = Writer(store, Broken())
    [pair] = asyncio.run(writer.write([Pair(copy=copy_of(1), outcome=ANSWER)]))
    writer.close()
    [row] = store.iter_pairs()
    store.close()
    assert row.pair.scores.note == pair.scores.note
    assert pair.scores.note.startswith("scoring failed: IndexError in score (test_writer.py:")
    [record] = caplog.records
    assert "please report it: IndexError in score" in record.getMessage()
    assert "yes" not in caplog.text + pair.scores.note


def test_blocks_are_made_until_there_are_none_to_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's task, on a store with rows of many hours."""
    for name in ("_EVERY_S", "_SOON_S", "_REST"):
        monkeypatch.setattr(worker_blocks, name, 0.0)
    with open_store(StoreConfig(url=f"sqlite:///{tmp_path / 'pairs.db'}")) as store:
        store.set_epoch("lane", {"candidate": 0})
        store.save(make_pairs(60))
        writer = Writer(store, Plain())

        async def until_made() -> int:
            task = asyncio.create_task(worker_blocks.roll_up(writer))
            try:
                async with asyncio.timeout(60):
                    while (made := await writer.call(lambda: _blocks(store))) < 24:
                        pass
                    return made
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        assert asyncio.run(until_made()) >= 24
        writer.close()


def test_a_store_with_many_rows_and_no_blocks_is_said_and_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("_EVERY_S", "_SOON_S", "_REST", "_SAID_EVERY_S"):
        monkeypatch.setattr(worker_blocks, name, 0.0)
    monkeypatch.setattr(backlog, "_MANY", 30)
    caplog.set_level("INFO", "shadowlane.worker")
    with open_store(StoreConfig(url=f"sqlite:///{tmp_path / 'pairs.db'}")) as store:
        store.set_epoch("lane", {"candidate": 0})
        store.save(make_pairs(60))
        writer = Writer(store, Plain())

        async def until_said() -> None:
            task = asyncio.create_task(worker_blocks.roll_up(writer))
            try:
                async with asyncio.timeout(60):
                    while "all rows that are over are in blocks" not in caplog.text:
                        await writer.call(lambda: None)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        asyncio.run(until_said())
        writer.close()
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("blocks: ")]
    assert "% of 60 rows are in blocks" in said[0]
    assert "min left" in said[0]
    assert said[-1] == "blocks: all rows that are over are in blocks"


def _blocks(store: Store) -> int:
    return int(store._db.execute("SELECT count(*) FROM blocks").fetchone()[0])


def test_a_block_that_cannot_be_made_is_said_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_store(StoreConfig(url=f"sqlite:///{tmp_path / 'pairs.db'}")) as store:
        store.set_epoch("lane", {"candidate": 0})
        store.save(make_pairs(60))
        writer = Writer(store, Plain())
        store._db.execute("ALTER TABLE blocks RENAME TO away")
        assert asyncio.run(writer.roll_up()) is False
        assert "blocks: " in caplog.text
        store._db.execute("ALTER TABLE away RENAME TO blocks")
        assert asyncio.run(writer.roll_up()) is True
        writer.close()
