"""What is held while rows are read: it does not grow with them, and the window's end is kept."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from shadowlane.columns import ScoreColumns
from shadowlane.gate.fold import RowFold
from shadowlane.report.stats import RowStats
from tests.support.lanes import HOUR_NS, columns

ROWS = 1000
Add = Callable[[ScoreColumns], object]


def piece(number: int) -> ScoreColumns:
    """Rows whose exchanges, questions and values no other piece has."""
    random = np.random.default_rng(number)
    ids = np.arange(number * ROWS, (number + 1) * ROWS)
    return columns(
        ROWS,
        started_ns=ids * 10**7,
        delta_s=random.beta(2, 8, ROWS),
        shadow_ns=random.integers(10**6, 10**9, ROWS),
        prod_ns=random.integers(10**6, 10**9, ROWS),
        exchange=random.integers(0, 1 << 62, ROWS),
        request=random.integers(0, 1 << 62, ROWS),
        group=ids // 2,
        group_seen=np.full(ROWS, 2),
    )


def gate_fold() -> Add:
    fold = RowFold("one", with_control=True, slot_wait_ms=200.0)

    def add(rows: ScoreColumns) -> None:
        fold.add(rows, rows)
        fold.scores.add_control(rows)

    return add


def report_fold() -> Add:
    return RowStats().add


def held(made: Callable[[], Add], pieces: int) -> int:
    """Bytes that are held after so many pieces."""
    tracemalloc.start()
    try:
        add = made()
        for number in range(pieces):
            add(piece(number))
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("made", [gate_fold, report_fold])
def test_what_is_held_does_not_grow_with_the_rows(made: Callable[[], Add], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadowlane.gate.blocks.MOST_BLOCKS", 1024)
    monkeypatch.setattr("shadowlane.gate.sample.MOST_ROWS", 1024)
    monkeypatch.setattr("shadowlane.gate.repeats.MOST_QUESTIONS", 1024)
    monkeypatch.setattr("shadowlane.gate.drift.MOST_QUESTIONS", 1024)
    held(made, 1)  # what the first use loads
    some, many = held(made, 15), held(made, 60)
    assert many < 1.1 * some


def test_times_after_the_windows_end_wait_for_the_next_window() -> None:
    hours = np.arange(0, 25 * 60) / 60
    fold = RowFold("one", with_control=True, slot_wait_ms=200.0, window_ns=24 * HOUR_NS)
    rows = columns(
        len(hours),
        started_ns=(hours * HOUR_NS).astype(np.int64),
        exchange=np.arange(len(hours)),
        shadow_ttfb_ns=np.full(len(hours), 10**6),
    )
    fold.add(rows, rows)
    assert (fold.rows, fold.timeline.n, len(fold.scores.series()["mean_delta_s"].values)) == (1500, 1500, 1500)
    assert (fold.times.n, fold.scores.tails.n) == (24 * 60, 24 * 60)
    whole = RowFold("one", with_control=False, slot_wait_ms=200.0)
    whole.add(rows)
    assert whole.times.n == 1500


def test_each_pair_of_times_knows_its_question() -> None:
    """Answers to one question are no independent pairs: all samples whose quantiles are compared say what was asked."""
    asked = np.arange(300) % 7
    fold = RowFold("one", with_control=True, slot_wait_ms=200.0)
    rows = columns(300, exchange=np.arange(300), group=asked, shadow_ttfb_ns=np.full(300, 10**6))
    fold.add(rows, rows)
    first = fold.accounts.accounts(prices=False, burns=(), pins=(), expected={}, segments=((), ())).first_bytes
    for sample in (fold.times, fold.scores.tails, first):
        assert sample.questions.tolist() == asked.tolist()
