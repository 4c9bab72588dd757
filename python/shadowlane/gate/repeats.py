"""Which question a value answers, and sums over the answers to each, in bounded room.

Invariant: no more than :data:`MOST_QUESTIONS` are known. Where there are more, those whose hash lies in a share of all
hashes are, half of them at each time that room is wanted (distinct sampling: Gibbons, VLDB 2001): a question is known
from its first answer on or not at all, so that sums over those that are known, over their share, are unbiased.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_QUESTIONS", "Questions", "Repeats", "mixed"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

MOST_QUESTIONS = 1 << 15


@dataclass(slots=True)
class Questions:
    """The questions that are known: each has a slot, a number from 0."""

    most: int = field(default_factory=lambda: MOST_QUESTIONS)
    halvings: int = 0
    """Known is one question in 2 to the power of this."""
    _keys: _Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Ascending, with the slot of each beside it."""
    _slots: _Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _series: list[Repeats] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of all questions, how many are known."""
        return 0.5**self.halvings

    def __len__(self) -> int:
        return len(self._keys)

    def repeats(self) -> Repeats:
        """Sums over the answers to each question, of one more series."""
        self._series.append(Repeats())
        return self._series[-1]

    def slots(self, keys: _Ints) -> _Ints:
        """The slot of each question (m,); -1 where it is not known. Negative ``keys`` are no questions."""
        known = (keys >= 0) & self._kept(keys)
        new = np.setdiff1d(keys[known], self._keys)
        self._insert(new)
        while len(self) > self.most:
            self._halve()
            known &= self._kept(keys)
        found = np.full(len(keys), -1, dtype=np.int64)
        found[known] = self._slots[np.searchsorted(self._keys, keys[known])]
        return found

    def _insert(self, new: _Ints) -> None:
        at = np.searchsorted(self._keys, new)
        fresh = np.arange(len(self), len(self) + len(new), dtype=np.int64)
        self._keys, self._slots = np.insert(self._keys, at, new), np.insert(self._slots, at, fresh)

    def _halve(self) -> None:
        self.halvings += 1
        kept = self._kept(self._keys)
        # Slots are dense again: the kept ones keep their order.
        order = np.sort(self._slots[kept])
        self._keys, self._slots = self._keys[kept], np.searchsorted(order, self._slots[kept])
        for some in self._series:
            some.keep(order)

    def _kept(self, keys: _Ints) -> NDArray[np.bool_]:
        kept: NDArray[np.bool_] = mixed(keys) & np.uint64((1 << self.halvings) - 1) == 0
        return kept


class Repeats:
    """How many answers each question has in one series, their sum, and the sum of their squares: by slot."""

    def __init__(self) -> None:
        self.sizes: _Floats = np.zeros(0)
        self.sums: _Floats = np.zeros(0)
        self.squares: _Floats = np.zeros(0)

    def add(self, slots: _Ints, values: _Floats) -> None:
        """The next values (m,), each with its question's slot, or -1."""
        known = slots >= 0
        slots, values = slots[known], values[known]
        if not len(slots):
            return
        self.sizes = _added(self.sizes, slots, np.ones(len(slots)))
        self.sums = _added(self.sums, slots, values)
        self.squares = _added(self.squares, slots, values**2)

    def keep(self, slots: _Ints) -> None:
        """Only these slots (ascending) stay, and are numbered anew."""
        slots = slots[slots < len(self.sizes)]
        self.sizes, self.sums, self.squares = self.sizes[slots], self.sums[slots], self.squares[slots]


def _added(before: _Floats, slots: _Ints, values: _Floats) -> _Floats:
    sums: _Floats = np.bincount(slots, values, minlength=len(before)).astype(np.float64, copy=False)
    sums[: len(before)] += before
    return sums


def mixed(keys: _Ints) -> NDArray[np.uint64]:
    """Bits that look random, of numbers that may count from 0: splitmix64 (Steele, Lea, Flood, 2014)."""
    z = keys.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return bits
