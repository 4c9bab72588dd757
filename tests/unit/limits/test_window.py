"""The choice of a window: uniform within a stratum, even between strata, and never more held than can be chosen."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.limits.window import Window, levels


@pytest.mark.parametrize(
    ("counts", "room", "level"),
    [
        ([], 5, math.inf),
        ([3, 2], 5, math.inf),
        ([3, 3], 5, 2.5),
        ([1, 100], 10, 9.0),
        ([1, 2, 100, 100], 11, 4.0),
        ([4, 4, 4], 0, 0.0),
    ],
)
def test_levels(counts: list[int], room: int, level: float) -> None:
    assert levels(counts, room) == level
    if level != math.inf:
        assert sum(min(count, level) for count in counts) == pytest.approx(room)


STREAMS = st.lists(st.integers(0, 5), max_size=200)


@given(stream=STREAMS, room=st.integers(1, 30), units=st.integers(0, 40), seed=st.integers(0, 2**32))
def test_every_item_is_chosen_or_refused_once_and_little_is_held(
    stream: list[int], room: int, units: int, seed: int
) -> None:
    window: Window[int] = Window(room, seed=seed)
    refused: list[int] = []
    for item, stratum in enumerate(stream):
        refused += window.offer(stratum, item)
        assert window.held <= room + len(set(stream))
        assert window.held + len(refused) == item + 1
    held = window.held
    chosen, rest = window.close(units)
    assert sorted(refused + chosen + rest) == list(range(len(stream)))
    # As many as may go, if there are so many: no unit of the cap is lost.
    assert len(chosen) == min(units, len(stream), room) if units <= room else len(chosen) <= held
    assert window.held == 0
    shares = Counter(stream[item] for item in chosen)
    counts = Counter(stream)
    if units <= room:
        # Max-min fair: a stratum that got less than another by more than the rounding got all it had.
        most = max(shares.values(), default=0)
        assert all(shares[stratum] >= min(counts[stratum], most - 1) for stratum in counts)


@pytest.mark.statistics
def test_each_item_of_a_stratum_is_chosen_equally_often() -> None:
    # A burst of one tenant in front of and behind a few copies of another; first come would take only the burst.
    stream = ["busy"] * 30 + ["rare"] * 2 + ["busy"] * 10 + ["third"] * 8
    taken: Counter[int] = Counter()
    rounds = 20_000
    for seed in range(rounds):
        window: Window[int] = Window(12, seed=seed)
        for item, stratum in enumerate(stream):
            window.offer(stratum, item)
        chosen, _ = window.close(9)
        assert len(chosen) == 9
        taken.update(chosen)
    # The level is 3.5: rare keeps its 2, busy and third get 3 or 4 of 40 and of 8.
    expected = {"busy": 3.5 / 40, "rare": 1.0, "third": 3.5 / 8}
    assert taken[30] == taken[31] == rounds
    for stratum in ("busy", "third"):
        items = [item for item, name in enumerate(stream) if name == stratum]
        want = rounds * expected[stratum]
        chi = sum((taken[item] - want) ** 2 / want for item in items)
        # Above this less than once in ten thousand for so many degrees of freedom (Wilson-Hilferty).
        degrees = len(items)
        assert chi < degrees * (1 - 2 / (9 * degrees) + 3.72 * math.sqrt(2 / (9 * degrees))) ** 3


def test_too_many_strata_share_one() -> None:
    window: Window[int] = Window(10, seed=1)
    refused = [out for item in range(1000) for out in window.offer(item, item)]
    assert window.held <= 10 + 257
    chosen, rest = window.close(10)
    assert (len(chosen), len(chosen) + len(rest) + len(refused)) == (10, 1000)
