"""When copies began: which hours of the day, over how long, how many at a time. Fed in the order of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Timeline"]

_MINUTE_NS = 60 * 10**9
_HOUR_NS = 3600 * 10**9


class Timeline:
    """Starts of copies, in the room of a few numbers."""

    def __init__(self) -> None:
        self.n = 0
        self.first_ns = 0
        """0 without copies."""
        self.last_ns = 0
        self._hours = np.zeros(24, dtype=bool)
        self._minute, self._in_minute = 0, 0
        self._squares = 0.0

    @classmethod
    def of(cls, started_ns: NDArray[np.int64]) -> Timeline:
        """All starts (n,) at once."""
        timeline = cls()
        timeline.add(started_ns)
        return timeline

    def add(self, started_ns: NDArray[np.int64]) -> None:
        """The next starts (m,), ascending."""
        if not len(started_ns):
            return
        self.first_ns = self.first_ns if self.n else int(started_ns[0])
        self.last_ns = int(started_ns[-1])
        self.n += len(started_ns)
        self._hours[np.unique(started_ns // _HOUR_NS % 24)] = True
        minutes, counts = np.unique(started_ns // _MINUTE_NS, return_counts=True)
        if int(minutes[0]) == self._minute:
            counts[0] += self._in_minute
        else:
            self._squares += float(self._in_minute) ** 2
        self._squares += float(np.sum(counts[:-1].astype(np.float64) ** 2))
        self._minute, self._in_minute = int(minutes[-1]), int(counts[-1])

    @property
    def hours(self) -> int:
        """Of the day (UTC), how many had a copy."""
        return int(self._hours.sum())

    @property
    def span_hours(self) -> float:
        """From the first to the last."""
        return (self.last_ns - self.first_ns) / _HOUR_NS

    @property
    def copies_a_minute(self) -> float:
        """In how large a company the average copy began, by minutes."""
        return (self._squares + float(self._in_minute) ** 2) / self.n if self.n else 1.0
