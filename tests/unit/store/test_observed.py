"""What metrics are made of: the sums are those of the rows, each counted once, and they outlive the rows."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.config import StoreConfig
from shadowlane.store import Store, open_store
from shadowlane.store.observed import BOUNDS, Observed
from shadowlane.types import GroupReading, Outcome, Pair, Scores

from .engines import Engine
from .pairs import DAY_NS, HOUR_NS, make_pair, pairs

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def open_at(path: Path) -> Store:
    return open_store(StoreConfig(url=f"sqlite:///{path}"))


def by_key(store: Store) -> dict[tuple[str, str, str], Observed]:
    return {(one.shadow, one.series, one.key): one for one in store.observed()}


def code(status: int) -> str:
    return str(status) if status in range(100, 600) else "other"


@settings(max_examples=30)
@given(batches=st.lists(st.lists(pairs(), max_size=4), max_size=4))
def test_sums_are_those_of_the_rows(engine: Engine, batches: list[list[Pair]]) -> None:
    with engine.empty() as store:
        for batch in batches:
            store.save(batch)
            store.save(batch)  # a copy that is delivered again
        kept = [row.pair for row in store.iter_pairs()]
        found = store.observed()
    answered = [pair for pair in kept if not pair.outcome.reason]
    total = {series: sum(one.n for one in found if one.series == series) for series in ("latency", "band", "delta_s")}
    assert total["latency"] == total["band"] == len(answered)
    assert total["delta_s"] == sum(pair.scores.delta_s is not None for pair in kept)
    status = Counter((pair.outcome.shadow, code(pair.outcome.status)) for pair in kept if pair.outcome.status)
    assert {(one.shadow, one.key): one.n for one in found if one.series == "status"} == status
    seconds = math.fsum(pair.copy.duration_ns / 1e9 for pair in answered)
    assert math.isclose(sum(one.total for one in found if one.series == "prod_latency"), seconds, rel_tol=1e-9)


@pytest.mark.parametrize("series", ["delta_s", "anchored", "citation_match", "coverage"])
def test_a_value_on_a_bound_counts_in_the_bucket_that_ends_there(tmp_path: Path, series: str) -> None:
    edges = BOUNDS[series]
    values = [*edges, edges[-1] + 0.5]
    with open_at(tmp_path / "s.db") as store:
        store.save([make_pair(i, scores=Scores(**{series: value})) for i, value in enumerate(values)])
        found = {one.key: one.n for one in store.observed() if one.series == series}
    assert found == {**{repr(edge): 1 for edge in edges}, "+Inf": 1}


def test_an_exemplar_is_the_newest_row_of_its_bucket_with_the_trace_that_it_carries(
    engine: Engine, tmp_path: Path
) -> None:
    traced = f"00-{TRACE}-00f067aa0ba902b7-01"
    with open_store(engine.config(tmp_path / "s.db")) as store:
        store.save([make_pair(1, scores=Scores(delta_s=0.21))])
        store.save([make_pair(2, scores=Scores(delta_s=0.22), traceparent=traced)])
        store.save([make_pair(3, scores=Scores(delta_s=0.31))])
        found = by_key(store)
    assert found["candidate", "delta_s", "0.25"][3:8] == (
        2,
        pytest.approx(0.43),
        0.22,
        f"0190a8f0-0000-7000-8000-{2:012x}",
        TRACE,
    )
    assert found["candidate", "delta_s", "0.35"].exemplar_trace == ""


def test_events_are_counted_by_their_words(engine: Engine, tmp_path: Path) -> None:
    reading = GroupReading(number=1, seen=2, prod="convergent", shadow="chaotic", flip=True)
    scores = Scores(delta_s=0.7, fact_flip=True, state="chaotic", group=reading, collapse="cut", index_agrees=False)
    spent = Scores(tokens=30, prod_tokens=20, cost=0.5, prod_cost=0.25)
    cached = Scores(tokens=1, prod_tokens=1000, cache_served=True)
    pairs_of = [make_pair(i, scores=some) for i, some in enumerate((scores, spent, cached))]
    again = Pair(copy=make_pair(9).copy, outcome=Outcome(shadow="candidate", reason="deadline", tries=3))
    with open_store(engine.config(tmp_path / "s.db")) as store:
        store.save([*pairs_of, again])
        found = {(one.series, one.key): (one.n, one.total) for one in store.observed() if one.series not in BOUNDS}
    assert found == {
        ("status", "200"): (3, 3.0),
        ("band", "fact_flip"): (1, 1.0),
        ("band", "unscored"): (2, 2.0),
        ("lambda", "chaotic"): (1, 1.0),
        ("lambda_flip", ""): (1, 1.0),
        ("collapse", "cut"): (1, 1.0),
        ("fact_flip", ""): (1, 1.0),
        ("index_differs", ""): (1, 1.0),
        ("tokens", "prod"): (1, 20.0),
        ("tokens", "shadow"): (1, 30.0),
        ("cost", "prod"): (1, 0.25),
        ("cost", "shadow"): (1, 0.5),
        ("sent", ""): (1, 3.0),
    }


def test_retention_takes_no_count_back(engine: Engine, tmp_path: Path) -> None:
    with open_store(engine.config(tmp_path / "s.db", max_age_days=1.0)) as store:
        store._clock_ns = lambda: 0
        store.save([make_pair(i, scores=Scores(delta_s=0.3)) for i in range(300)])
        before = by_key(store)
        assert store.prune(now_ns=2 * DAY_NS + HOUR_NS) == 300
        assert not list(store.iter_pairs())
        assert by_key(store) == before


CHILD = """
import itertools, sys
from shadowlane.config import StoreConfig
from shadowlane.store import open_store
from tests.unit.store.pairs import make_pair
from shadowlane.types import Scores
store = open_store(StoreConfig(url="sqlite:///" + sys.argv[1]))
for batch in itertools.count(int(sys.argv[2])):
    store.save([make_pair(40 * batch + i, scores=Scores(delta_s=0.3)) for i in range(40)])
    print(batch, flush=True)
"""


def test_a_writer_that_is_killed_leaves_sums_that_are_its_rows(tmp_path: Path) -> None:
    """``kill -9`` between any two instructions: nothing is counted without its row, and no row without its count."""
    path, first, before = tmp_path / "s.db", 0, 0
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": f"{root / 'python'}:{root}"}
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), str(first)], stdout=subprocess.PIPE, cwd=root, env=env
        )
        assert child.stdout is not None
        for _ in range(5):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait(60)
        child.stdout.close()
        first += 1000
        with open_at(
            path,
        ) as store:
            rows = len(list(store.iter_pairs()))
            assert by_key(store)["candidate", "delta_s", "0.3"].n == rows
        assert rows > before
        before = rows
