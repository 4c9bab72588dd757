"""Prod's own quota: when prod's answers say that little is left, mirroring stops before it costs a user anything.

Invariant: mirroring pauses only on evidence (a limit and what remains of it), and never longer than the reset that the
provider names, or ``max_pause_s``.
"""

from __future__ import annotations

import math

from .headers import HeaderInput, parse_rate_limit

__all__ = ["ProdQuota"]


class ProdQuota:
    """Watches one quota of prod. Use one object for each credential when prod has several.

    ``floor`` is the share of the limit below which mirroring pauses until the reset; ``unknown_reset_s`` is how long it
    pauses when the headers name no reset. Raises ValueError when ``floor`` is not in [0, 1].
    """

    def __init__(self, floor: float = 0.2, *, unknown_reset_s: float = 60.0, max_pause_s: float = 3600.0) -> None:
        if not 0 <= floor <= 1:
            raise ValueError(f"floor = {floor!r}: use a share from 0 to 1")
        self._floor = floor
        self._unknown_reset_s = unknown_reset_s
        self._max_pause_s = max_pause_s
        self._paused_until = -math.inf

    def observe(self, headers: HeaderInput, now: float) -> None:
        """Learn from the headers of a prod answer. ``now`` is the Unix time, which dates in headers are relative to."""
        budget = parse_rate_limit(headers, now)
        if budget is None or budget.share is None:
            return
        if budget.share >= self._floor and budget.remaining > 0:
            self._paused_until = -math.inf  # the newest word counts: the quota is back
            return
        reset_s = self._unknown_reset_s if budget.reset_s is None else budget.reset_s
        self._paused_until = now + min(reset_s, self._max_pause_s)

    def allow(self, now: float) -> bool:
        """Whether mirroring may go on."""
        return now >= self._paused_until

    def paused_s(self, now: float) -> float:
        """Seconds until the pause ends; 0.0 when there is none."""
        return max(self._paused_until - now, 0.0)
