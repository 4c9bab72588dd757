"""Circuit breaker: a shadow that fails is left alone for a while, then asked by one copy at a time.

Invariants: closed, everything passes; open, nothing does; half-open, at most one copy is out. Each failed probe doubles
the time to the next one, up to a bound.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

__all__ = ["Breaker", "BreakerState"]

BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens when at least ``ratio`` of the last ``window`` calls failed, judged from ``minimum`` calls on.

    ``open_s`` is the first rest, ``max_open_s`` the longest; ``closes_after`` is how many probes in a row must succeed.
    ``now`` is any monotonic clock in seconds. Raises ValueError for numbers that make no sense.
    """

    def __init__(
        self,
        *,
        window: int = 20,
        minimum: int = 10,
        ratio: float = 0.5,
        open_s: float = 5.0,
        max_open_s: float = 60.0,
        closes_after: int = 1,
    ) -> None:
        if not 1 <= minimum <= window:
            raise ValueError(f"minimum = {minimum!r}, window = {window!r}: use 1 <= minimum <= window")
        if not 0 < ratio <= 1:
            raise ValueError(f"ratio = {ratio!r}: use more than 0 and at most 1")
        if not 0 < open_s <= max_open_s:
            raise ValueError(f"open_s = {open_s!r}, max_open_s = {max_open_s!r}: use 0 < open_s <= max_open_s")
        if closes_after < 1:
            raise ValueError(f"closes_after = {closes_after!r}: use 1 or more")
        self._recent: deque[bool] = deque(maxlen=window)
        self._minimum = minimum
        self._ratio = ratio
        self._first_open_s = open_s
        self._max_open_s = max_open_s
        self._closes_after = closes_after
        self._open_s = open_s
        self._opened_at: float | None = None
        self._probe_at: float | None = None
        self._good_probes = 0

    def state(self, now: float) -> BreakerState:
        """The state at ``now``."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if now - self._opened_at >= self._open_s else "open"

    def opens_in(self, now: float) -> float:
        """Seconds until an open breaker lets a probe out; 0.0 when it is not open."""
        return max(self._opened_at + self._open_s - now, 0.0) if self._opened_at is not None else 0.0

    @property
    def rest_s(self) -> float:
        """How long the current or last rest is."""
        return self._open_s

    @property
    def opened_at(self) -> float | None:
        """When it opened last; ``None`` while it is closed."""
        return self._opened_at

    def restore(self, rest_s: float, opens_in: float, now: float) -> None:
        """Be open as another one was: ``opens_in`` seconds are left of a rest of ``rest_s``."""
        rest_s = min(max(rest_s, self._first_open_s), self._max_open_s)
        self._open(now - rest_s + min(max(opens_in, 0.0), rest_s), rest_s)

    def allow(self, now: float) -> bool:
        """Whether a copy may go out. A ``True`` in half-open is the probe: answer it with ``record`` or ``cancel``.

        A probe that is never answered, because its task died, stops counting after the current rest.
        """
        state = self.state(now)
        if state == "closed":
            return True
        if state == "open" or (self._probe_at is not None and now - self._probe_at < self._open_s):
            return False
        self._probe_at = now
        return True

    def record(self, ok: bool, now: float) -> None:
        """The end of a call that was allowed. While open, late results of earlier calls change nothing."""
        state = self.state(now)
        if state == "closed":
            self._recent.append(ok)
            failed = self._recent.count(False)
            if len(self._recent) >= self._minimum and failed >= self._ratio * len(self._recent):
                self._open(now, self._first_open_s)
        elif state == "half_open" and self._probe_at is not None:
            self._probe_at = None
            if not ok:
                self._open(now, min(2 * self._open_s, self._max_open_s))
                return
            self._good_probes += 1
            if self._good_probes >= self._closes_after:
                self._opened_at = None

    def cancel(self) -> None:
        """The call was given up before its end, and says nothing about the shadow."""
        self._probe_at = None

    def _open(self, now: float, rest_s: float) -> None:
        self._opened_at = now
        self._open_s = rest_s
        self._probe_at = None
        self._good_probes = 0
        self._recent.clear()
