"""What a lane does in a second, out of two looks at counters that only grow.

Invariant: a rate is of one life of the lane; where counters went back, or a second look is missing, there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Counts", "Rates"]


@dataclass(frozen=True, slots=True)
class Counts:
    """A lane's counters at one moment."""

    at_s: float
    """By a clock that does not jump."""
    lane_id: str
    seen: int
    mirrored: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    stored: Mapping[str, int] = field(default_factory=dict)
    """By arm: answered and failed copies."""

    @classmethod
    def of(cls, status: Mapping[str, Any], at_s: float) -> Counts:
        """Of what ``collect_status`` gave at ``at_s``."""
        arms = status["shadows"].items()
        stored = {name: arm["answered"] + sum(arm["failed"].values()) for name, arm in arms}
        return cls(at_s, status["lane_id"], status["seen"], status["mirrored"], dict(status["dropped"]), stored)


class Rates:
    """Keeps the last looks; says how much a second there was between the oldest that it keeps and the newest."""

    def __init__(self, over_s: float = 10.0) -> None:
        """``over_s``: about how long a rate looks back, in seconds, so that it can be read."""
        self._over_s = over_s
        self._looks: list[Counts] = []

    def add(self, counts: Counts) -> None:
        """The next look. One at another life of the lane, or at counters that went back, is a first one."""
        last = self._looks[-1] if self._looks else None
        if last is not None and (last.lane_id != counts.lane_id or last.seen > counts.seen):
            self._looks.clear()
        self._looks.append(counts)
        while len(self._looks) > 2 and counts.at_s - self._looks[1].at_s >= self._over_s:
            self._looks.pop(0)

    def seen(self) -> float | None:
        """Requests a second; ``None``: not known yet."""
        return self._rate(lambda look: look.seen)

    def mirrored(self) -> float | None:
        """Mirrored requests a second."""
        return self._rate(lambda look: look.mirrored)

    def dropped(self, reason: str) -> float | None:
        """Requests a second that were not mirrored for this reason."""
        return self._rate(lambda look: look.dropped.get(reason, 0))

    def stored(self, arm: str) -> float | None:
        """An arm's outcomes a second."""
        return self._rate(lambda look: look.stored.get(arm, 0))

    def _rate(self, count: Any) -> float | None:
        if len(self._looks) < 2:
            return None
        first, last = self._looks[0], self._looks[-1]
        seconds = last.at_s - first.at_s
        # A store that was pruned or replaced counts less than before.
        return max(count(last) - count(first), 0) / seconds if seconds > 0 else None
