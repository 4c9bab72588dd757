"""Adaptive rate: additive increase, multiplicative decrease (Chiu & Jain 1989), driven by a provider's answers.

Invariants: the rate stays within [minimum, maximum]; a burst of refusals that was sent at one rate lowers it once;
while a pause lasts, the rate is 0. A Retry-After on a success does not slow anything: providers leave it there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from .headers import HeaderInput, parse_rate_limit, retry_after_s

__all__ = ["REFUSALS", "Aimd"]

REFUSALS = (429, 503, 529)  # Too Many Requests, Service Unavailable, and Anthropic's "overloaded"


class Aimd:
    """How many copies a second a shadow may get now.

    ``maximum`` and ``minimum`` in copies a second; ``increase`` in copies a second for each second of success;
    ``decrease`` is the factor at a refusal. ``now`` is any monotonic clock in seconds; ``wall`` gives the Unix time,
    which dates in headers are relative to. Raises ValueError for bounds that make no sense.
    """

    def __init__(
        self,
        maximum: float,
        *,
        minimum: float = 0.1,
        increase: float | None = None,
        decrease: float = 0.5,
        cooldown_s: float = 1.0,
        max_pause_s: float = 3600.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if not 0 < minimum <= maximum < math.inf:
            raise ValueError(f"minimum = {minimum!r}, maximum = {maximum!r}: use 0 < minimum <= maximum")
        if not 0 < decrease < 1:
            raise ValueError(f"decrease = {decrease!r}: use a factor between 0 and 1")
        self._maximum = maximum
        self._minimum = minimum
        self._increase = maximum / 60 if increase is None else increase
        self._decrease = decrease
        self._cooldown_s = cooldown_s
        self._max_pause_s = max_pause_s
        self._wall = wall
        self._rate = maximum
        self._raised_at = -math.inf
        self._lowered_at = -math.inf
        self._paused_until = -math.inf

    def rate(self, now: float) -> float:
        """Copies a second; 0.0 while paused."""
        return 0.0 if now < self._paused_until else self._rate

    def paused_s(self, now: float) -> float:
        """Seconds until the pause ends; 0.0 when there is none."""
        return max(self._paused_until - now, 0.0)

    def restore(self, rate: float, paused_s: float, now: float) -> None:
        """Go on where another one was, from its :meth:`rate` before a pause and :meth:`paused_s`."""
        self._rate = min(max(rate, self._minimum), self._maximum)
        self._paused_until = now + min(paused_s, self._max_pause_s) if paused_s > 0 else -math.inf

    def pause(self, seconds: float, now: float) -> None:
        """Send nothing for so long, because another host was asked to; a longer pause stays."""
        self._paused_until = max(self._paused_until, now + min(seconds, self._max_pause_s))

    @property
    def heard(self) -> tuple[float, float]:
        """Changes when less was asked for: the second in which the pause ends, and when the rate was last lowered."""
        return (round(self._paused_until) if self._paused_until > 0 else 0.0, self._lowered_at)

    @property
    def unpaused(self) -> float:
        """The rate that holds when no pause does."""
        return self._rate

    @property
    def maximum(self) -> float:
        """The rate that no refusal has lowered."""
        return self._maximum

    @property
    def slowed(self) -> bool:
        """Whether the rate is below the maximum."""
        return self._rate < self._maximum

    def observe(self, status: int, headers: HeaderInput, now: float) -> float:
        """Learn from an answer and return the rate.

        429, 503 and 529 lower the rate; Retry-After pauses, on any status from 400. A success raises the rate, but not
        when its headers say that the budget is used up: then nothing goes out until the reset. ``headers`` may be
        anything that :func:`~shadowlane.limits.parse_rate_limit` reads. Status 0, no answer, teaches nothing.
        """
        pairs = headers if hasattr(headers, "items") else list(headers)
        wait_s = retry_after_s(pairs, self._wall()) if status >= 400 else None
        budget = parse_rate_limit(pairs, self._wall())
        used_up = budget is not None and budget.remaining == 0
        if budget is not None and used_up:
            wait_s = max(wait_s or 0.0, budget.reset_s or 0.0)
        if status in REFUSALS or (used_up and not wait_s):
            self._lower(now)
        elif 100 <= status < 400 and not used_up:
            self._raise(now)
        if wait_s:
            self._paused_until = max(self._paused_until, now + min(wait_s, self._max_pause_s))
        return self.rate(now)

    def _lower(self, now: float) -> None:
        if now - self._lowered_at < self._cooldown_s or now < self._paused_until:
            return  # these were sent before the last decrease had an effect
        self._rate = max(self._rate * self._decrease, self._minimum)
        self._lowered_at = self._raised_at = now

    def _raise(self, now: float) -> None:
        # Idle time proves nothing about what the provider would have taken: at most one second counts.
        elapsed = min(max(now - self._raised_at, 0.0), 1.0)
        self._raised_at = now
        self._rate = min(self._rate + self._increase * elapsed, self._maximum)
