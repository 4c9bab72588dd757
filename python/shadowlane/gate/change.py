"""What a sudden change is looked for in: sums by steps of time, for ΔS, contradicted facts and failures.

Invariant: what is held does not grow with the rows: at most :data:`MOST_STEPS` steps, whose length doubles when there
would be more. Steps begin at multiples of their length since 1970, so that they are the same from look to look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from .series import joined, reading

__all__ = ["MOST_STEPS", "SERIES", "STEP_NS", "ChangeFold", "Steps", "Watched"]

_Floats = NDArray[np.float64]

STEP_NS = 60 * 10**9
MOST_STEPS = 1 << 12
"""Nearly three days of minutes."""
_LEAST_VALUES = 8
"""A step has so many values on average, that its mean is nearly Gaussian."""
_LEAST_PAIRED = 0.1
"""Where the control answered fewer of the requests, it says too little."""

SERIES = {
    "mean_delta_s": ("ΔS", "mean_rise"),
    "contradicted_facts": ("contradicted facts", "rate_rise"),
    "shadow_errors": ("failures", "shadow_error_rate"),
}
"""By key of the rule on the same values: what it is, and the field of ``[gate]`` by which it may rise."""


class Steps:
    """How many values there were in each step of time, and their sum; in any order."""

    def __init__(self, most: int | None = None) -> None:
        self.n = 0
        self.step_ns = STEP_NS
        self.first = 0
        """The number of the first step, since 1970."""
        self.counts: _Floats = np.zeros(0)
        self.sums: _Floats = np.zeros(0)
        self._most = MOST_STEPS if most is None else most

    def add(self, at_ns: NDArray[np.int64], values: _Floats) -> None:
        """Values (m,), and when each was (m,)."""
        if not len(values):
            return
        low, high = int(at_ns.min()), int(at_ns.max())
        if self.n:
            low = min(low, self.first * self.step_ns)
            high = max(high, (self.first + len(self.counts)) * self.step_ns - 1)
        while high // self.step_ns - low // self.step_ns >= self._most:
            self._take(self.of_length(2))
        first, last = low // self.step_ns, high // self.step_ns
        before = self.first - first if self.n else 0
        room = before, last - first + 1 - before - len(self.counts)
        at = at_ns // self.step_ns - first
        both = (np.ones(len(values)), self.counts), (values, self.sums)
        self.counts, self.sums = (
            np.pad(old, room) + np.bincount(at, new, minlength=last - first + 1) for new, old in both
        )
        self.first = first
        self.n += len(values)

    def of_length(self, times: int) -> Steps:
        """The same in steps that are so many ``times`` as long."""
        longer = Steps(self._most)
        longer.n, longer.step_ns, longer.first = self.n, times * self.step_ns, self.first // times
        before = self.first - times * longer.first
        room = before, -(before + len(self.counts)) % times
        longer.counts, longer.sums = (
            np.pad(some, room).reshape(-1, times).sum(axis=1) for some in (self.counts, self.sums)
        )
        return longer

    def _take(self, other: Steps) -> None:
        self.step_ns, self.first, self.counts, self.sums = other.step_ns, other.first, other.counts, other.sums

    def long_enough(self) -> Steps:
        """The same in the shortest steps that have :data:`_LEAST_VALUES` values on average, where they have any."""
        steps = self
        while len(steps.counts) > 1 and self.n < _LEAST_VALUES * int((steps.counts > 0).sum()):
            steps = steps.of_length(2)
        return steps


@dataclass(frozen=True, slots=True)
class Watched:
    """The steps of one of :data:`SERIES`."""

    key: str
    steps: Steps
    paired: bool
    """Whether they are the shadow's values less the control's at the same requests, which both rise and fall with."""


class ChangeFold:
    """The steps of all series, made of pieces of rows. ``embedder``: whose ΔS counts."""

    def __init__(self, embedder: str) -> None:
        self._embedder = embedder
        self._own = {key: Steps() for key in SERIES}
        self._above = {key: Steps() for key in SERIES if key != "shadow_errors"}

    def add(self, columns: ScoreColumns, control: ScoreColumns | None) -> None:
        """The next rows, and the control's of the same requests in any order."""
        for key, own in self._own.items():
            values, has = reading(key, columns, self._embedder)
            own.add(columns.started_ns[has], values[has])
            if control is None or key not in self._above:
                continue
            floor, floor_has = reading(key, control, self._embedder)
            mine, theirs = joined(columns, has, control, floor_has)
            self._above[key].add(columns.started_ns[mine], values[mine] - floor[theirs])

    def watched(self) -> tuple[Watched, ...]:
        """The series that have values; above the control's where it answered enough of the same requests."""
        found = []
        for key, own in self._own.items():
            above = self._above.get(key)
            paired = above is not None and above.n >= max(1.0, _LEAST_PAIRED * own.n)
            steps = above if paired and above is not None else own
            if steps.n:
                found.append(Watched(key, steps, paired))
        return tuple(found)
