"""Prod's own quota: when prod's answers say that little is left, mirroring stops before it costs a user anything.

Invariant: mirroring pauses only on evidence (a limit and what remains of it), and never longer than the reset that the
provider names, or ``max_pause_s``.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from .headers import HeaderInput, parse_rate_limit

__all__ = ["ProdQuota"]

_MOST = 256


@dataclass(slots=True)
class _Watched:
    seen_at: float
    paused_until: float


class ProdQuota:
    """Watches the quotas of prod: one for each ``key`` that the caller tells apart, such as a route, and each limit.

    ``floor`` is the share of the limit below which mirroring pauses until the reset; ``unknown_reset_s`` is how long it
    pauses when the headers name no reset. Raises ValueError when ``floor`` is not in [0, 1].
    """

    def __init__(self, floor: float = 0.2, *, unknown_reset_s: float = 60.0, max_pause_s: float = 3600.0) -> None:
        if not 0 <= floor <= 1:
            raise ValueError(f"floor = {floor!r}: use a share from 0 to 1")
        self._floor = floor
        self._unknown_reset_s = unknown_reset_s
        self._max_pause_s = max_pause_s
        self._watched: OrderedDict[tuple[str, int | None], _Watched] = OrderedDict()
        self._until = -math.inf

    def observe(self, headers: HeaderInput, now: float, key: str = "") -> None:
        """Learn from the headers of a prod answer. ``now`` is the Unix time at which it was given: dates in headers are
        relative to it, and of two words about one quota the newer one counts, in whichever order they come.
        """
        budget = parse_rate_limit(headers, now)
        if budget is None or budget.share is None:
            return
        watched = (key, budget.limit)
        known = self._watched.get(watched)
        if known is not None and now < known.seen_at:
            return
        until = -math.inf
        if budget.share < self._floor or budget.remaining <= 0:
            reset_s = self._unknown_reset_s if budget.reset_s is None else budget.reset_s
            until = now + min(reset_s, self._max_pause_s)
        self._watched[watched] = _Watched(now, until)
        self._watched.move_to_end(watched)
        while len(self._watched) > _MOST:
            self._watched.popitem(last=False)
        self._until = max(watched.paused_until for watched in self._watched.values())

    def restore(self, paused_until: float, now: float) -> None:
        """Keep a pause that another process began; no word about another quota ends it."""
        self._watched["", None] = _Watched(now, min(paused_until, now + self._max_pause_s))
        self._until = max(watched.paused_until for watched in self._watched.values())

    def allow(self, now: float) -> bool:
        """Whether mirroring may go on."""
        return now >= self._until

    @property
    def heard(self) -> float:
        """Changes when a pause begins or moves: the Unix second in which it ends, 0.0 when there never was one."""
        return round(self._until) if self._until > 0 else 0.0

    def paused_s(self, now: float) -> float:
        """Seconds until the pause ends; 0.0 when there is none."""
        return max(self._until - now, 0.0)
