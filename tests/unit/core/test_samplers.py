"""Laws of the samplers as Python sees them: exact shares, equal chances, sticky samples, reservoirs that merge."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.core import RatioSampler, Reservoir, StickySampler, WeightedReservoir

RATIOS = st.one_of(
    st.floats(1e-9, 1.0),
    st.fractions(Fraction(1, 64), 1, max_denominator=64).map(float),
)
SEEDS = st.integers(0, 2**64 - 1)


@given(changes=st.lists(st.tuples(RATIOS, st.integers(1, 300)), min_size=1, max_size=6), seed=SEEDS)
def test_every_prefix_is_within_two_through_changes_of_the_ratio(changes: list[tuple[float, int]], seed: int) -> None:
    sampler = RatioSampler(1.0, seed)
    taken, wanted = 0, 0.0
    for ratio, n in changes:
        sampler.set_ratio(ratio)
        for _ in range(n):
            taken += sampler.take()
            wanted += ratio
            assert abs(taken - wanted) <= 2
    assert (sampler.taken, sampler.eligible) == (taken, sum(n for _, n in changes))


@given(ratio=st.sampled_from([0.75, 0.3, 0.4, 0.6, 0.05, 1 / 3]), seed=SEEDS)
def test_the_same_seed_is_the_same_sample(ratio: float, seed: int) -> None:
    one, other = RatioSampler(ratio, seed), RatioSampler(ratio, seed)
    assert [one.take() for _ in range(200)] == [other.take() for _ in range(200)]


@pytest.mark.parametrize("period", [2, 3, 4, 5, 7, 10, 16, 20, 48, 64])
@pytest.mark.parametrize("ratio", [0.75, 0.3, 0.4, 0.05])
def test_no_place_of_a_period_is_preferred(period: int, ratio: float) -> None:
    sampler, rounds = RatioSampler(ratio, 1234 + period), 2000
    counts = [0] * period
    for number in range(rounds * period):
        counts[number % period] += sampler.take()
    spread = math.sqrt(rounds * ratio * (1 - ratio))
    # 6 standard deviations of independent draws: once in 5e8.
    assert max(abs(count - rounds * ratio) for count in counts) < 6 * spread, counts


@given(key=st.binary(max_size=40), salt=st.binary(max_size=12), low=st.floats(0, 1), high=st.floats(0, 1))
def test_sticky_is_monotone_and_constant(key: bytes, salt: bytes, low: float, high: float) -> None:
    low, high = sorted((low, high))
    small, large = StickySampler(low, salt), StickySampler(high, salt)
    assert small.take(key) <= large.take(key)
    assert small.take(key) == StickySampler(low, salt).take(key)
    assert StickySampler(1.0, salt).take(key)
    assert not StickySampler(0.0, salt).take(key)


def test_shadows_draw_for_themselves_or_alike_by_their_salt() -> None:
    keys = [f"0190a8f0-0000-7000-8000-{n:012x}".encode() for n in range(20_000)]
    samples = {salt: {key for key in keys if StickySampler(0.25, salt).take(key)} for salt in ("", "a", "b")}
    for sample in samples.values():
        assert abs(len(sample) - 5000) < 6 * math.sqrt(20_000 * 0.25 * 0.75)
    together = len(samples["a"] & samples["b"])
    assert abs(together - 1250) < 6 * math.sqrt(20_000 * 0.0625 * 0.9375)
    assert {key for key in keys if StickySampler(0.25, "a").take(key)} == samples["a"]
    assert {key for key in keys if StickySampler(0.1, "a").take(key)} < samples["a"]


@given(k=st.integers(1, 12), sizes=st.lists(st.integers(0, 40), min_size=2, max_size=4), seed=st.integers(0, 2**63))
def test_merged_reservoirs_hold_what_was_shown_once(k: int, sizes: list[int], seed: int) -> None:
    parts = []
    for number, size in enumerate(sizes):
        part = Reservoir(k, seed + number)
        back = [part.offer((number, item)) for item in range(size)]
        gone = [item for item in back if item is not None]
        assert sorted(gone + part.items()) == [(number, item) for item in range(size)]
        parts.append(part)
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    assert merged.seen == sum(sizes)
    assert len(merged.items()) == len(set(merged.items())) == min(k, sum(sizes))
    assert [part.seen for part in parts] == sizes, "merging changes neither side"
    assert all(item[1] < sizes[item[0]] for item in merged.items())


def test_a_reservoir_is_not_merged_with_itself() -> None:
    uniform, weighted = Reservoir(2), WeightedReservoir(2)
    for one in (uniform, weighted):
        with pytest.raises(ValueError, match="the same reservoir"):
            one.merge(one)  # type: ignore[arg-type]


def inclusion(weights: list[float], k: int) -> list[float]:
    """The chance of each item to be among ``k`` draws without replacement, by weight: every order, summed up."""
    chances = [0.0] * len(weights)
    for order in itertools.permutations(range(len(weights)), k):
        chance, left = 1.0, sum(weights)
        for item in order:
            chance *= weights[item] / left
            left -= weights[item]
        for item in order:
            chances[item] += chance
    return chances


def chi_square(counts: Counter[Any], expected: dict[Any, float]) -> float:
    return sum((counts[item] - want) ** 2 / want for item, want in expected.items())


@pytest.mark.parametrize("merged", [False, True])
def test_a_weighted_sample_has_the_chances_of_drawing_by_weight(merged: bool) -> None:
    weights, k, runs = [1.0, 2.0, 4.0, 0.5, 8.0, 1e-3, 3.0], 3, 20_000
    counts: Counter[int] = Counter()
    for seed in range(runs):
        one, other = WeightedReservoir(k, 2 * seed), WeightedReservoir(k, 2 * seed + 1)
        for item, weight in enumerate(weights):
            (other if merged and item % 2 else one).offer(item, weight)
        counts.update((one.merge(other) if merged else one).items())
    expected = {item: runs * chance for item, chance in enumerate(inclusion(weights, k))}
    # Counts of draws without replacement vary less than a multinomial's. 6 degrees of freedom: above 22.5 once in
    # a thousand.
    assert chi_square(counts, expected) < 22.5, (counts, expected)


def test_a_merged_reservoir_goes_on_as_one_sample() -> None:
    counts: Counter[int] = Counter()
    for seed in range(20_000):
        one, other = Reservoir(3, 2 * seed), Reservoir(3, 2 * seed + 1)
        for item in range(16):
            (one if item < 4 else other).offer(item)
        whole = one.merge(other)
        for item in range(16, 24):
            whole.offer(item)
        counts.update(whole.items())
    # 23 degrees of freedom: above 49.7 once in a thousand.
    assert chi_square(counts, dict.fromkeys(range(24), 2500.0)) < 49.7, counts


RUNS = 4000


def fill(worker: int) -> list[tuple[Reservoir, WeightedReservoir]]:
    """One worker's part of the stream, ten items, over and over with other seeds."""
    made = []
    for seed in range(RUNS):
        uniform, weighted = Reservoir(4, 3 * seed + worker), WeightedReservoir(4, 3 * seed + worker)
        for item in range(10 * worker, 10 * worker + 10):
            uniform.offer(item)
            weighted.offer(item, 1.0 + item % 2)
        made.append((uniform, weighted))
    return made


def heavies(light: int, heavy: int, draws: int) -> float:
    """How many of ``draws`` items are heavy on average, heavy ones weighing 2 and light ones 1."""
    if draws == 0:
        return 0.0
    chance = 2 * heavy / (2 * heavy + light)
    return chance * (1 + heavies(light, heavy - 1, draws - 1)) + (1 - chance) * heavies(light - 1, heavy, draws - 1)


@pytest.mark.statistics
def test_reservoirs_of_worker_processes_merge_into_one_sample() -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(fill, range(3)))
    uniform: Counter[int] = Counter()
    weighted: Counter[int] = Counter()
    for (u0, w0), (u1, w1), (u2, w2) in zip(*parts, strict=True):
        merged = u0.merge(u1).merge(u2)
        assert merged.seen == 30
        uniform.update(merged.items())
        weighted.update(item % 2 for item in w0.merge(w1).merge(w2).items())
    # What was pickled draws by itself, so no two runs are the same. 29 degrees of freedom: above 72 once in 60,000.
    assert chi_square(uniform, dict.fromkeys(range(30), RUNS * 4 / 30)) < 72, uniform
    heavy = RUNS * heavies(15, 15, 4)
    assert abs(weighted[1] - heavy) < 6 * math.sqrt(RUNS * 4 * 2 / 9), (weighted, heavy)


@given(k=st.integers(1, 5), n=st.integers(0, 12), seed=SEEDS)
def test_a_pickled_reservoir_is_the_same_sample(k: int, n: int, seed: int) -> None:
    uniform, weighted = Reservoir(k, seed), WeightedReservoir(k, seed)
    for item in range(n):
        uniform.offer(item)
        weighted.offer(item, 0.5 + item)
    again = pickle.loads(pickle.dumps(uniform))
    assert (again.seen, again.items()) == (n, uniform.items())
    other = pickle.loads(pickle.dumps(weighted))
    assert (other.seen, other.keyed()) == (n, weighted.keyed())
    assert [item for _, item in other.keyed()] == weighted.items()
    assert (again.offer(99) is None) == (other.offer(99) is None) == (n < k)


@pytest.mark.parametrize(("keyed", "seen"), [([], 1), ([(-1.0, 1)], 2), ([(0.5, 1)], 1), ([(math.nan, 1)], 1)])
def test_a_sample_that_cannot_be_is_not_resumed(keyed: list[tuple[float, int]], seen: int) -> None:
    with pytest.raises(ValueError, match="keyed: "):
        WeightedReservoir.resume(2, keyed, seen)
