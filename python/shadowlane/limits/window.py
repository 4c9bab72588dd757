"""The choice of ``cap_mode = "reservoir"``: in each window a uniform sample of each stratum, however bursts come.

A stratum is what shares the cap as an equal: a (route, tenant). The cap's ``room`` is divided by max-min fairness
(Bertsekas & Gallager, Data Networks, 6.5.2): the level L solves Σ min(n_s, L) = room over the strata's counts n_s, so a
rare stratum keeps all it has, and the busy ones share the rest evenly.

Invariants: each item of a stratum is chosen with the same probability, its quota over its count (Algorithm L, and a
uniform choice out of a uniform sample is uniform); never more than ``room`` + number of strata items are held: the
level only falls within a window, so what a reservoir gives away it could never need again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable
from typing import Generic, TypeVar

from ..core import Reservoir

__all__ = ["Window", "levels"]

T = TypeVar("T")

_MOST_STRATA = 256
_OTHER = "other"


def levels(counts: list[int], room: int) -> float:
    """The level L of ``room`` places over strata of these counts; infinity when all fit."""
    left, level = float(room), math.inf
    ordered = sorted(counts)
    for index, count in enumerate(ordered):
        level = left / (len(ordered) - index)
        if count > level:
            return level
        left -= count
    return math.inf


class Window(Generic[T]):
    """One window: ``offer`` every item, then ``close`` with the number that may go. ``room`` is the most it may be."""

    def __init__(self, room: int, *, seed: int | None = None) -> None:
        self._room = max(room, 1)
        self._random = random.Random(seed)  # noqa: S311 - a sample, not a secret
        self._strata: dict[Hashable, Reservoir] = {}
        self._seen = 0

    @property
    def held(self) -> int:
        """How many items are held."""
        return sum(len(reservoir.items()) for reservoir in self._strata.values())

    def offer(self, stratum: Hashable, item: T) -> list[T]:
        """Show an item; what cannot be chosen any more comes back, it may be the item itself."""
        if stratum not in self._strata and len(self._strata) >= _MOST_STRATA:
            stratum = _OTHER
        self._seen += 1
        reservoir = self._strata.get(stratum)
        if reservoir is None:
            reservoir = Reservoir(self._room, self._random.getrandbits(64))
            self._strata[stratum] = reservoir
        out = reservoir.offer(item)
        refused: list[T] = [] if out is None else [out]
        if self._seen > self._room:
            refused += self._fit()
        return refused

    def _fit(self) -> list[T]:
        level = levels([reservoir.seen for reservoir in self._strata.values()], self._room)
        most = max(math.ceil(level), 1)
        return [item for reservoir in self._strata.values() for item in reservoir.shrink(most)]

    def close(self, room: int) -> tuple[list[T], list[T]]:
        """End the window: at most ``room`` items that are chosen, and the rest. The window is empty afterwards."""
        chosen: list[T] = []
        refused: list[T] = []
        strata = list(self._strata.values())
        counts = [reservoir.seen for reservoir in strata]
        level = levels(counts, max(room, 0))
        quotas = [count if level == math.inf else min(count, math.floor(level)) for count in counts]
        # What rounding left over goes to strata that have more, drawn without looking at the items.
        over = [index for index, count in enumerate(counts) if count > quotas[index]]
        for index in self._random.sample(over, min(len(over), max(room, 0) - sum(quotas))):
            quotas[index] += 1
        for reservoir, quota in zip(strata, quotas, strict=True):
            if quota:
                refused += reservoir.shrink(quota)
                chosen += reservoir.items()
            else:
                refused += reservoir.items()
        self._strata.clear()
        self._seen = 0
        return chosen, refused
