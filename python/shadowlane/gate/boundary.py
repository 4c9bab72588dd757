"""How far a sum may be from its mean, in its standard deviations, at every look of one window.

Summed over a window, independent values are near a Brownian motion B(t), with t the share of the window that is over.
A verdict needs the whole window, so nearly all of the risk is spent at its end, as group-sequential trials do (O'Brien
and Fleming, Biometrics 35 (1979); spent in continuous time: Lan and DeMets, Biometrika 70 (1983)): a twenty-fifth
before, by a boundary that is constant for B, which is passed with twice the chance to be beyond it at the end
(reflection principle), and the rest at the end. There the bounds are 1.03 times as wide as those of a single look.

Invariant: the chance to be beyond the boundary at any look until the window's end is at most ``alpha``, on both sides
together; at the end the values are the same at every look.
"""

from __future__ import annotations

import math
from statistics import NormalDist

__all__ = ["limit"]

_BEFORE_THE_END, _AT_THE_END = 0.04, 0.88
"""The parts of the risk that are spent before the window's end, and at it."""
_END = 0.999
"""From this share on a window is at its end: its first copy may come a minute after it began. B moves by about 0.03 in
that time, so that looks then pass the boundary in at most 8 % more of the runs: the rest of the risk."""


def limit(alpha: float, elapsed: float) -> float:
    """How many standard deviations a sum may be off when this share of the window is over. Raises ValueError unless
    ``0 < elapsed <= 1``."""
    if not 0.0 < elapsed <= 1.0:
        raise ValueError(f"elapsed = {elapsed!r}: must be above 0, and at most 1")
    if elapsed < _END:
        return NormalDist().inv_cdf(1 - _BEFORE_THE_END * alpha / 4) / math.sqrt(elapsed)
    return NormalDist().inv_cdf(1 - _AT_THE_END * alpha / 2)
