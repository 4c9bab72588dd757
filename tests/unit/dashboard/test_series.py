"""Steps in time are what a plain sum over the rows of each step is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from shadowlane.config import StoreConfig
from shadowlane.dashboard.series import STEPS, Series
from shadowlane.gate.selection import comparable
from shadowlane.store import open_store
from shadowlane.types import Scores
from tests.unit.store.pairs import make_pair


def test_steps_are_the_rows_of_their_time(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    with open_store(StoreConfig(url=f"sqlite:///{tmp_path}/s.db")) as store:
        store.save(
            [
                make_pair(
                    number,
                    started_ns=int(random.integers(900, 2_000)),
                    duration_ns=int(random.lognormal(17, 1)),
                    scores=Scores(
                        delta_s=None if number % 7 == 0 else float(random.random()),
                        state="" if number % 7 == 0 else ("convergent", "divergent")[number % 2],  # type: ignore[arg-type]
                        embedder="e",
                    ),
                )
                for number in range(3000)
            ]
        )
        columns = store.scores("candidate")
        series = Series(1_000, 1_000 + 9 * STEPS)
        for piece in store.pieces("candidate"):
            series.add(piece)
    data = series.data()
    assert {len(values) for values in data.values()} == {STEPS}
    for step in range(STEPS):
        mine = (columns.started_ns >= 1_000 + 9 * step) & (columns.started_ns < 1_009 + 9 * step)
        assert data["pairs"][step] == mine.sum()
        scored = mine & ~np.isnan(columns.delta_s)
        assert data["delta"][step] == (
            pytest.approx(columns.delta_s[scored].mean(), abs=1e-5) if scored.any() else None
        )
        if scored.any():
            share = (columns.state[scored] == "convergent").mean()
            assert data["convergent"][step] == pytest.approx(share, abs=1e-5)
        took = np.sort(columns.prod_ns[mine & comparable(columns)]) / 1e9
        if len(took):
            exact = took[math.ceil(0.95 * len(took)) - 1]
            assert data["prod_p95"][step] == pytest.approx(exact, rel=0.017)


def test_without_rows_there_are_gaps() -> None:
    data = Series(0, 10).data()
    assert data["pairs"] == [0] * STEPS
    for name in ("delta", "convergent", "prod_p95", "shadow_p95"):
        assert data[name] == [None] * STEPS
