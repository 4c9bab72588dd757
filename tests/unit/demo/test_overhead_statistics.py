"""The overhead benchmark's arithmetic: blocks, what is measured of them, and the interval of the ratio."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

_FOLDER = Path(__file__).resolve().parents[3] / "benches" / "overhead"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"overhead_{name}", _FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bootstrap = _module("bootstrap")
blocks = _module("blocks")


def _pairs(rng: np.random.Generator, factor: float, *, pairs: int = 30, size: int = 100, drift: float = 0.0) -> list:
    out = []
    for _ in range(pairs):
        level = 20 * np.exp(drift * rng.normal())
        first = factor * (level + rng.exponential(1.0, size))
        out.append((first, level + rng.exponential(1.0, size)))
    return out


def test_ratio_is_exact_on_equal_and_on_scaled_arms() -> None:
    rng = np.random.default_rng(3)
    same = [(block, block) for block, _ in _pairs(rng, 1.0)]
    assert bootstrap.percentile_ratio(same, 99, rng=rng, rounds=200) == (1.0, 1.0, 1.0)
    scaled = [(1.25 * block, block) for block, _ in same]
    interval = bootstrap.percentile_ratio(scaled, 50, rng=rng, rounds=200)
    assert interval == pytest.approx((1.25, 1.25, 1.25))


@pytest.mark.statistics
@pytest.mark.parametrize("percent", [50, 99])
def test_interval_holds_the_truth_as_often_as_it_says(percent: int) -> None:
    """Drift between pairs is five times the effect: only keeping pairs together gives intervals that are any use."""
    rng = np.random.default_rng(11)
    hits, widths = 0, []
    runs = 100
    for _ in range(runs):
        interval = bootstrap.percentile_ratio(_pairs(rng, 1.02, drift=0.1), percent, rng=rng, rounds=200)
        hits += interval.low <= 1.02 <= interval.high
        widths.append(interval.high - interval.low)
        assert interval.low <= interval.ratio <= interval.high
    assert 85 <= hits <= 100
    assert np.median(widths) < 0.12


def test_wider_noise_gives_wider_intervals() -> None:
    rng = np.random.default_rng(5)
    few = bootstrap.percentile_ratio(_pairs(rng, 1.0, pairs=6), 99, rng=rng, rounds=400)
    many = bootstrap.percentile_ratio(_pairs(rng, 1.0, pairs=120), 99, rng=rng, rounds=400)
    assert many.high - many.low < few.high - few.low


def test_too_little_data_is_refused() -> None:
    rng = np.random.default_rng(0)
    one = np.ones(3)
    with pytest.raises(ValueError, match="at least 2"):
        bootstrap.percentile_ratio([(one, one)], 99, rng=rng)
    with pytest.raises(ValueError, match="empty"):
        bootstrap.percentile_ratio([(one, one), (one, one[:0])], 99, rng=rng)


def test_blocks_come_in_pairs_of_both_arms_in_drawn_order() -> None:
    drawn = blocks.draw_blocks(60.0, 1.5, np.random.default_rng(2))
    assert len(drawn) == 40
    assert drawn[0].start == 0
    for earlier, later in itertools.pairwise(drawn):
        assert earlier.stop == pytest.approx(later.start)
    orders = {(first.on, second.on) for first, second in zip(drawn[::2], drawn[1::2], strict=True)}
    assert orders == {(True, False), (False, True)}
    with pytest.raises(ValueError, match="fewer than two pairs"):
        blocks.draw_blocks(5.0, 1.5, np.random.default_rng(2))


def test_latencies_go_to_their_block_without_its_first_moments() -> None:
    drawn = [
        blocks.Block(0.0, 1.0, False),
        blocks.Block(1.0, 2.0, True),
        blocks.Block(2.0, 3.0, True),
        blocks.Block(3.0, 4.0, False),
    ]
    offsets = [0.05, 0.15, 0.95, 1.05, 1.5, 2.1, 2.2, 3.0, 3.99]
    latencies = [float(index) for index in range(len(offsets))]
    pairs = blocks.paired_latencies(drawn, offsets, latencies, discard_s=0.1)
    assert [(on.tolist(), off.tolist()) for on, off in pairs] == [([4.0], [1.0, 2.0]), ([5.0, 6.0], [8.0])]
