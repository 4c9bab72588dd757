"""The ratio of two arms' latency percentiles, with a block-bootstrap interval.

Latencies that are close in time are alike (a busy neighbour, a frequency change), so single requests must not be
resampled. Here whole pairs of neighbouring blocks, one of each arm, are drawn with replacement: what disturbed one
arm of a pair most likely disturbed the other, and that stays together (Künsch 1989 on blocks; Efron & Tibshirani 1993,
§8 and §13.3 on the percentile interval).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "percentile_ratio"]

Block = NDArray[np.float64]


class Interval(NamedTuple):
    """A ratio with the bounds of its 95 % interval."""

    ratio: float
    low: float
    high: float


def percentile_ratio(
    pairs: Sequence[tuple[Block, Block]], percent: float, *, rounds: int = 2000, rng: np.random.Generator
) -> Interval:
    """percentile(first arm) / percentile(second arm) over pairs of blocks of latencies, in any unit.

    Raises ValueError with fewer than two pairs, or when a block is empty.
    """
    if len(pairs) < 2:
        raise ValueError(f"pairs: {len(pairs)}; a bootstrap over blocks needs at least 2")
    if any(first.size == 0 or second.size == 0 for first, second in pairs):
        raise ValueError("pairs: a block is empty; use longer blocks or a higher rate")
    firsts, seconds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def ratio(chosen: NDArray[np.intp]) -> float:
        above = np.percentile(np.concatenate([firsts[place] for place in chosen]), percent)
        below = np.percentile(np.concatenate([seconds[place] for place in chosen]), percent)
        return float(above / below)

    draws = [ratio(rng.integers(len(pairs), size=len(pairs))) for _ in range(rounds)]
    low, high = np.percentile(draws, [2.5, 97.5]).tolist()
    return Interval(ratio(np.arange(len(pairs))), low, high)
