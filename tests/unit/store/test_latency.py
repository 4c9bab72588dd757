"""What requests took, in the store: sums written at any moment, read as what happened from an hour on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.store import Store, Timed, open_store
from shadowlane.store.latency import pack, unpack

from .engines import Engine

HOUR_NS = 3600 * 10**9
EDGES = np.array([0, 64, 128, 192, 320, 1 << 40])
DAY = 480_000
"""An hour of a day in this century."""


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> Any:
    with open_store(engine.config(tmp_path / "s.db", max_age_days=1.0)) as made:
        yield made


def save(store: Store, lane: str, hour: float, taken: Any, others: Any = (0,) * 5, **how: Any) -> None:
    blob = pack(EDGES, np.array(taken), np.array(others))
    store.save_latency(lane, int((DAY + hour) * HOUR_NS), how.get("choice", "ratio"), how.get("ratio", 0.1), blob)


def spread(timed: list[Timed]) -> tuple[list[int], list[int]]:
    """All that was timed, over :data:`EDGES`."""
    sums = np.zeros((2, 5), int)
    for some in timed:
        place = np.searchsorted(EDGES, some.lower)
        assert (EDGES[place + 1] == some.upper).all()
        sums[0, place] += some.taken
        sums[1, place] += some.not_taken
    return sums[0].tolist(), sums[1].tolist()


def since(store: Store, hour: int) -> tuple[list[int], list[int]]:
    return spread(store.latency((DAY + hour) * HOUR_NS))


counts = st.lists(st.integers(0, 1 << 50), min_size=5, max_size=5)


@given(counts, counts)
def test_counts_come_back_as_they_went_in(taken: list[int], others: list[int]) -> None:
    lower, upper, *both = unpack(pack(EDGES, np.array(taken), np.array(others)))
    place = np.searchsorted(EDGES, lower)
    assert (EDGES[place + 1] == upper).all()
    for there, here in zip(both, (taken, others), strict=True):
        again = np.zeros(5, int)
        again[place] = there
        assert again.tolist() == here


steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),  # whose
        st.integers(0, 90),  # minutes later
        st.lists(st.integers(0, 5), min_size=5, max_size=5),  # how many more were taken
        st.sampled_from([0.1, 0.9]),  # the ratio then
        st.booleans(),  # whether this moment was written twice
    ),
    max_size=25,
)


@given(steps=steps, begin=st.integers(0, 30))
@settings(deadline=None, max_examples=60)
def test_an_hour_on_is_what_came_after_the_last_row_before_it(steps: list[Any], begin: int) -> None:
    with Engine().empty() as store:
        sums, before = {"a": np.zeros(5, int), "b": np.zeros(5, int)}, {"a": np.zeros(5, int), "b": np.zeros(5, int)}
        minutes = 0
        for lane, later, more, ratio, twice in steps:
            minutes += later + 1
            sums[lane] = sums[lane] + more
            for _ in range(1 + twice):
                save(store, lane, minutes / 60, sums[lane], ratio=ratio)
            if minutes // 60 < begin:
                before[lane] = sums[lane]
        wanted = sum(sums.values(), np.zeros(5, int)) - sum(before.values(), np.zeros(5, int))
        assert since(store, begin)[0] == wanted.tolist()
        assert since(store, 0)[0] == sum(sums.values(), np.zeros(5, int)).tolist()


def test_hours_with_another_coin_are_apart(store: Store) -> None:
    save(store, "a", 0, [1, 0, 0, 0, 0], ratio=1.0)
    save(store, "a", 1, [3, 0, 0, 0, 0], [1, 0, 0, 0, 0])
    save(store, "a", 1.5, [9, 0, 0, 0, 0], [7, 0, 0, 0, 0], choice="sticky")
    assert [(one.choice, one.ratio, int(one.taken.sum())) for one in store.latency(DAY * HOUR_NS)] == [
        ("ratio", 1.0, 1),
        ("ratio", 0.1, 2),
        ("sticky", 0.1, 6),
    ]


def test_sums_that_fell_are_nothing(store: Store) -> None:
    """The ring of a process was damaged, and is left out of the sums with all that it had counted."""
    save(store, "a", 0, [5, 5, 0, 0, 0])
    save(store, "a", 1, [2, 6, 0, 0, 0])
    assert since(store, 1) == ([0, 1, 0, 0, 0], [0] * 5)


def test_retention_keeps_where_the_window_begins(store: Store) -> None:
    store.set_epoch("a", {})
    for hour in range(60):
        save(store, "a", hour, [hour + 1, 0, 0, 0, 0])
    save(store, "gone", 0, [100, 0, 0, 0, 0])
    save(store, "half", 10, [7, 0, 0, 0, 0])
    save(store, "half", 50, [8, 0, 0, 0, 0])
    before = since(store, 36)
    store.prune((DAY + 60) * HOUR_NS)  # older than one day: before hour 36
    assert since(store, 36) == before == ([24 + 1, 0, 0, 0, 0], [0] * 5)
    kept = store._db.execute("SELECT lane_id, min(hour), count(*) FROM times GROUP BY lane_id").fetchall()
    assert kept == [("a", DAY + 35, 25), ("half", DAY + 10, 2)]
    # The lane that lives keeps its last row however long it says nothing; what is gone goes.
    store.prune((DAY + 600) * HOUR_NS)
    kept = store._db.execute("SELECT lane_id, hour FROM times").fetchall()
    assert kept == [("a", DAY + 59)]
    save(store, "a", 599, [61, 0, 0, 0, 0])
    assert since(store, 590) == ([1, 0, 0, 0, 0], [0] * 5)
