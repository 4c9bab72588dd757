"""Sums over consecutive values, in bounded room: what the dependence of values in time is measured from.

Invariant: there are never more than :data:`MOST_BLOCKS` sums. While there are no more values, each is a block of its
own; after that neighbouring blocks become one, and again, so that blocks shorter than that are not seen any more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_BLOCKS", "Blocks"]

_Floats = NDArray[np.float64]

MOST_BLOCKS = 1 << 16
_FIRST_ROOM = 256
_OF_ONE_STEP = 3
"""Second differences that a single step of the mean can reach."""


class Blocks:
    """The block sums of one series, fed in the order of time."""

    def __init__(self, most: int | None = None) -> None:
        most = MOST_BLOCKS if most is None else most
        self.n = 0
        self.length = 1
        """How many values a block holds: a power of two."""
        self._most = most
        self._sums = np.zeros(min(_FIRST_ROOM, most))
        self._count = 0
        self._open, self._open_n = 0.0, 0
        self._last = np.zeros(0)
        self._jumps = 0.0
        self._largest = np.zeros(0)

    def add(self, values: _Floats) -> None:
        """The next values (m,)."""
        self._add_jumps(values)
        self.n += len(values)
        while len(values):
            if self._open_n or len(values) < self.length:
                room = self.length - self._open_n
                part, values = values[:room], values[room:]
                self._open += float(part.sum())
                self._open_n += len(part)
                if self._open_n == self.length:
                    self._push(np.array([self._open]))
                    self._open, self._open_n = 0.0, 0
            else:
                whole = min(len(values) // self.length, self._most - self._count)
                part, values = values[: whole * self.length], values[whole * self.length :]
                self._push(part.reshape(whole, self.length).sum(axis=1))

    def _push(self, sums: _Floats) -> None:
        end = self._count + len(sums)
        if end > len(self._sums):
            room = np.zeros(min(max(2 * len(self._sums), end), self._most))
            room[: self._count] = self._sums[: self._count]
            self._sums = room
        self._sums[self._count : end] = sums
        self._count = end
        if end == self._most:
            self._count //= 2
            self._sums[: self._count] = self._sums[0:end:2] + self._sums[1:end:2]
            self.length *= 2

    def in_use(self) -> dict[str, _Floats]:
        """By field, what is in use of the room that it has."""
        return {"_sums": self._sums[: self._count]}

    def _add_jumps(self, values: _Floats) -> None:
        """Second differences of single values, which blocks may soon not show any more."""
        values = np.concatenate([self._last, values])
        self._last = values[-2:]
        squares = np.diff(values, 2) ** 2
        self._jumps += float(squares.sum())
        largest = np.concatenate([self._largest, squares])
        if len(largest) > _OF_ONE_STEP:
            largest = np.partition(largest, -_OF_ONE_STEP)[-_OF_ONE_STEP:]
        self._largest = np.sort(largest)

    def sums(self, length: int) -> _Floats:
        """The sums of whole blocks of ``length`` values, which is a multiple of :attr:`length`."""
        step = length // self.length
        whole = self._count // step
        several: _Floats = self._sums[: whole * step].reshape(whole, step).sum(axis=1)
        return several

    def variance(self, length: int) -> _Floats:
        """The second differences of those sums, squared and scaled: their mean is the variance of a sum of ``length``
        values, over ``length``."""
        squares: _Floats = np.diff(self.sums(length), 2) ** 2 / (6 * length)
        return squares

    def variance_without_steps(self, length: int) -> float:
        """Their mean; a mean that changed at once, at one moment, is left out."""
        if length == 1:
            count = self.n - 2 - len(self._largest)
            return (self._jumps - float(self._largest.sum())) / (6 * count) if count > 0 else 0.0
        squares = np.sort(self.variance(length))[:-_OF_ONE_STEP]
        return float(squares.mean()) if len(squares) else 0.0
