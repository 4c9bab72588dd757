"""Scoring and writer: what fails is said in the row, and nothing that was worked on is quoted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shadowlane.config import StoreConfig
from shadowlane.store import open_store
from shadowlane.types import Pair
from shadowlane.worker.writer import Writer

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
