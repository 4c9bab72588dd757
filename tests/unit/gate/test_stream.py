"""What the gate keeps of rows in bounded room: pieces are as good as the whole, and what is bounded stays unbiased."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.gate.blocks import Blocks
from shadowlane.gate.dependence import design_of, effect_of_runs
from shadowlane.gate.repeats import Questions
from shadowlane.gate.sample import PairedSample
from shadowlane.gate.sequences import Spread
from shadowlane.gate.stream import Stream
from shadowlane.gate.timeline import Timeline

MINUTE_NS = 60 * 10**9


def cut(n: int, borders: list[int]) -> list[slice]:
    ends = sorted({0, n, *(border % (n + 1) for border in borders)})
    return [slice(*both) for both in pairwise(ends)]


@given(st.integers(1, 400), st.lists(st.integers(0, 400), max_size=6), st.sampled_from([(0.0, 2.0), (-1.0, 1.0)]))
def test_pieces_are_as_good_as_the_whole(n: int, borders: list[int], bounds: tuple[float, float]) -> None:
    low, high = bounds
    random = np.random.default_rng(n)
    values, asked = random.uniform(low, high, n), random.integers(-1, n // 2 + 1, n)
    known = Questions()
    stream = Stream(low, high, known)
    for piece in cut(n, borders):
        stream.add(values[piece], known.slots(asked[piece]))
    whole = Spread.of(values, low=low, high=high, design=design_of(values, asked))
    spread = stream.spread()
    assert (spread.n, spread.mean) == (n, pytest.approx(values.mean()))
    assert spread.variances == pytest.approx(whole.variances)
    assert (spread.design.runs, spread.design.questions) == pytest.approx((whole.design.runs, whole.design.questions))


@given(st.integers(1, 300), st.lists(st.integers(0, 300), max_size=5))
def test_blocks_become_longer_and_lose_nothing(n: int, borders: list[int]) -> None:
    values = np.random.default_rng(n).normal(0, 1, n)
    few = Blocks(most=16)
    for piece in cut(n, borders):
        few.add(values[piece])
    sums = few.sums(few.length)
    assert len(sums) < 16
    whole = len(sums) * few.length
    assert n - whole < few.length
    assert sums == pytest.approx(values[:whole].reshape(-1, few.length).sum(axis=1))
    jumps = np.sort(np.diff(values, 2) ** 2)[:-3]
    assert few.variance_without_steps(1) == pytest.approx(jumps.sum() / 6 / len(jumps) if len(jumps) else 0.0)


@pytest.mark.parametrize("length", [20, 100])
def test_runs_show_through_blocks_that_became_longer(length: int) -> None:
    values = np.repeat(np.random.default_rng(1).beta(2, 4, 200_000 // length), length)
    exact, few = Blocks(most=1 << 18), Blocks(most=1 << 12)
    for blocks in (exact, few):
        blocks.add(values)
    assert few.length > 16
    effects = [effect_of_runs(blocks, float(values.var())) for blocks in (exact, few)]
    assert effects[1] == pytest.approx(effects[0], rel=0.3)


@pytest.mark.parametrize("each", [1, 4, 20])
def test_questions_beyond_the_room_are_told_by_a_share_of_them(each: int) -> None:
    random = np.random.default_rng(2)
    asked = random.permutation(np.repeat(np.arange(8000), each))
    values = random.beta(2, 4, 8000)[asked]
    known = Questions(most=1000)
    stream = Stream(questions=known)
    for piece in np.array_split(np.arange(len(asked)), 30):
        stream.add(values[piece], known.slots(asked[piece]))
    assert len(known) <= 1000
    assert known.halvings >= 3
    assert len(known) / known.share == pytest.approx(8000, rel=0.15)
    assert stream.design.questions == pytest.approx(design_of(values, asked).questions, rel=0.25)
    assert stream.note == f"how often questions repeat is told by one question in {2**known.halvings}"


def test_a_question_is_known_from_its_first_answer_on_or_not_at_all() -> None:
    known = Questions(most=50)
    repeats = known.repeats()
    for start in range(0, 3000, 100):
        asked = np.arange(start, start + 100) % 1500
        repeats.add(known.slots(asked), np.ones(100))
    assert set(repeats.sizes.tolist()) == {2.0}
    assert len(repeats.sizes) == len(known) <= 50


def test_a_sample_is_uniform_and_in_the_order_of_time() -> None:
    few = PairedSample(most=1000)
    values = np.arange(50_000, dtype=np.float64)
    for piece in np.array_split(np.arange(50_000), 7):
        few.add(piece, values[piece], -values[piece])
    assert (few.n, few.halvings) == (50_000, 6)
    assert 600 < len(few) <= 1000
    assert (np.diff(few.above) > 0).all()
    assert few.below == pytest.approx(-few.above)
    assert few.above.mean() == pytest.approx(25_000, rel=0.1)
    assert few.note == "a uniform sample of one in 64 of 50000"
    assert PairedSample.of(values, values).note == ""


def test_a_sample_of_the_beginning_is_the_beginning_of_the_sample() -> None:
    """The bounds at a later look are those of the same pairs and more."""
    early, late = PairedSample(most=1000), PairedSample(most=1000)
    values = np.arange(1900)
    early.add(values[:1400], values[:1400].astype(float), values[:1400].astype(float))
    late.add(values, values.astype(float), values.astype(float))
    assert early.halvings == late.halvings == 1
    assert late.above[: len(early)].tolist() == early.above.tolist()


def test_a_sample_takes_one_of_each_for_every_row() -> None:
    with pytest.raises(ValueError, match="one of each for every row"):
        PairedSample.of(np.ones(3), np.ones(2))


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_a_timeline_counts_minutes_and_hours_over_pieces(starts: list[int], borders: list[int]) -> None:
    ordered = np.sort(np.array(starts, dtype=np.int64))
    timeline = Timeline()
    for piece in cut(len(ordered), borders):
        timeline.add(ordered[piece])
    _, counts = np.unique(ordered // MINUTE_NS, return_counts=True)
    assert timeline.copies_a_minute == pytest.approx(float(np.sum(counts**2)) / len(ordered))
    assert timeline.hours == len(np.unique(ordered // (60 * MINUTE_NS) % 24))
    assert timeline.span_hours == pytest.approx((ordered[-1] - ordered[0]) / (60 * MINUTE_NS))


def test_values_outside_the_range_are_refused_wherever_they_come() -> None:
    stream = Stream.of(np.ones(3))
    for wrong in (1.1, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"values must be numbers from 0\.0 to 1\.0"):
            stream.add(np.array([wrong]))
