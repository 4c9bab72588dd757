"""What mirroring takes on the user path itself: the time of the lane's own two calls, measured at every taken request.

A taken request waits for ``admit`` and ``offer`` and for nothing else of the lane's. If it takes T without them and A
for them, P(T + A > t + a) ≤ P(T > t) + P(A > a): but for the share of requests with A > a, no quantile moves by more
than a. So a bound of A's P99.9, over prod's own P99, says what the calls add, after few requests and exactly.

What it does not see: what the worker takes from the gateway's cores while others are answered. That is what the
randomized trial (:mod:`.trial`) sees, after many requests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sequences import rate_cs

__all__ = ["Direct"]

_BEYOND = 0.001
"""The share of the requests that may take longer than the bound."""
_MOST_BEYOND = 0.005
"""With fewer requests than it takes for that: the largest time seen, when it holds for all but this share."""


@dataclass(frozen=True, slots=True)
class Direct:
    """Counts (m,) of requests by the time of the lane's calls, between ``edges`` (m + 1,) in ns, ascending."""

    edges: NDArray[np.float64]
    counts: NDArray[np.float64]

    @property
    def n(self) -> int:
        """How many requests were timed."""
        return round(float(self.counts.sum()))

    def bound(self, alpha: float) -> tuple[float, float] | None:
        """A time in ns, and the share of requests that may take longer, with 1 − ``alpha`` at any time; ``None``: too
        few requests."""
        n = self.n
        if not n:
            return None
        above = np.concatenate([np.cumsum(self.counts[::-1])[::-1], [0.0]])
        allowed, step = -1, max(1, int(_BEYOND * n) // 64)  # fewer than could be is safe
        while allowed + step <= n and rate_cs(allowed + step, n, alpha=alpha).upper <= _BEYOND:
            allowed += step
        if allowed >= 0:
            return float(self.edges[int(np.argmax(above <= allowed))]), _BEYOND
        share = rate_cs(0, n, alpha=alpha).upper
        if share > _MOST_BEYOND:
            return None
        return float(self.edges[int(np.flatnonzero(self.counts)[-1]) + 1]), share
