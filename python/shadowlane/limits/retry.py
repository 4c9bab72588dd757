"""Retries: exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
2015): the wait before try n is drawn uniformly from [0, min(max_s, base_s · 2^(n-2))], so that copies that failed
together do not come back together.

Invariant: only what may be answered differently the next time is tried again; a copy is a read, so a second try is
harmless to the shadow's data.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ..types import Outcome

__all__ = ["Retry"]

_REASONS = ("connect_error", "transport_error")
# "Not now", whoever says it. 408 (RFC 9110 §15.5.9) asks for the request once more; the gate counts it, and 429, for
# neither side. 500 is none of them: it is what the candidate makes of this request, and trying until it goes away would
# hide the fault that the comparison is there to find.
_STATUSES = (408, 429, 502, 503, 504, 529)


class Retry:
    """When to try again. ``attempts`` counts all tries: 1 is no retry. ``draw`` gives numbers in [0, 1)."""

    def __init__(
        self, attempts: int = 1, *, base_s: float = 0.2, max_s: float = 5.0, draw: Callable[[], float] = random.random
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts = {attempts!r}: use 1 or more")
        if not 0 < base_s <= max_s:
            raise ValueError(f"base_s = {base_s!r}, max_s = {max_s!r}: use 0 < base_s <= max_s")
        self._attempts = attempts
        self._base_s = base_s
        self._max_s = max_s
        self._draw = draw

    def wait_s(self, outcome: Outcome, tries: int) -> float | None:
        """Seconds to wait after ``tries`` tries of which the last ended like this; ``None``: it stays as it is."""
        again = outcome.reason in _REASONS or (not outcome.reason and outcome.status in _STATUSES)
        if tries >= self._attempts or not again:
            return None
        return self._draw() * min(self._max_s, self._base_s * 2.0 ** (tries - 1))
