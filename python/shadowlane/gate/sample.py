"""Values in bounded room: those whose order statistics are wanted, which sums do not give.

Invariant: no more than :data:`MOST_ROWS` rows are kept, in the order of time. Where there were more, those are kept
whose hash lies in a share of all hashes: a uniform sample, which knows nothing of the values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .repeats import mixed

__all__ = ["MOST_ROWS", "PairedSample", "Sample"]

_Floats = NDArray[np.float64]

MOST_ROWS = 1 << 18
"""With so many, a P95 of times that vary by two thirds is known to half a percent."""
_FIRST_ROOM = 1024
_EXACT = (1 << 52) - 1
"""So many whole numbers a float64 tells apart."""


class Sample:
    """Rows of ``width`` values."""

    def __init__(self, width: int, most: int | None = None) -> None:
        most = MOST_ROWS if most is None else most
        self.n = 0
        """How many rows there were."""
        self.halvings = 0
        """Kept is one row in 2 to the power of this."""
        self._most = most
        self._values = np.zeros((width, min(_FIRST_ROOM, most)))
        self._keys = np.zeros(self._values.shape[1], dtype=np.int64)
        self._kept = 0

    def add(self, keys: NDArray[np.int64], *values: _Floats) -> None:
        """The next rows, each with a number of its own (m,), and ``width`` arrays (m,). Raises ValueError where the
        lengths differ."""
        if {len(some) for some in values} != {len(keys)}:
            raise ValueError(
                f"{[len(some) for some in values]} values, {len(keys)} keys; give one of each for every row"
            )
        self.n += len(keys)
        for start in range(0, len(keys), self._most):
            part = slice(start, start + self._most)
            self._add(keys[part], np.stack([some[part] for some in values]))

    def _add(self, keys: NDArray[np.int64], values: _Floats) -> None:
        taken = self._taken(keys)
        while self._kept + int(taken.sum()) > self._most:
            self.halvings += 1
            stay = np.flatnonzero(self._taken(self._keys[: self._kept]))
            self._values[:, : len(stay)], self._keys[: len(stay)] = self._values[:, stay], self._keys[stay]
            self._kept = len(stay)
            taken = self._taken(keys)
        end = self._kept + int(taken.sum())
        if end > len(self._keys):
            room = min(max(2 * len(self._keys), end), self._most)
            self._values = np.pad(self._values, ((0, 0), (0, room - len(self._keys))))
            self._keys = np.pad(self._keys, (0, room - len(self._keys)))
        self._values[:, self._kept : end], self._keys[self._kept : end] = values[:, taken], keys[taken]
        self._kept = end

    def _taken(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        taken: NDArray[np.bool_] = mixed(keys) & np.uint64((1 << self.halvings) - 1) == 0
        return taken

    def in_use(self) -> dict[str, NDArray[np.generic]]:
        """By field, what is in use of the room that it has."""
        return {"_values": self._values[:, : self._kept], "_keys": self._keys[: self._kept]}

    def __len__(self) -> int:
        return self._kept

    def column(self, index: int) -> _Floats:
        """(k,) the kept rows' values of one kind."""
        return self._values[index, : self._kept]

    @property
    def note(self) -> str:
        """What was bounded; empty: nothing."""
        return f"a uniform sample of one in {2**self.halvings} of {self.n}" if self.halvings else ""

    @property
    def counted(self) -> str:
        """How many pairs there were, and what was bounded."""
        return f"{self.n} pairs" + (f" ({self.note})" if self.note else "")


class PairedSample(Sample):
    """Two values of each request, the shadow's ``above`` and prod's or the control's ``below``, with the question that
    both answer."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__(3, most)

    @classmethod
    def of(cls, above: _Floats, below: _Floats, questions: NDArray[np.int64] | None = None) -> PairedSample:
        """All pairs (n,) at once. Raises ValueError where the lengths differ."""
        sample = cls()
        sample.add(np.arange(len(below), dtype=np.int64), above, below, questions=questions)
        return sample

    def add(self, keys: NDArray[np.int64], *values: _Floats, questions: NDArray[np.int64] | None = None) -> None:
        """The next pairs, each with a number of its own (m,): ``above`` and ``below`` (m,), and which question each
        answers (m,), negative where that is not known (default: nowhere). Raises ValueError where the lengths differ.
        """
        asked = np.full(len(keys), -1) if questions is None else np.where(questions >= 0, questions & _EXACT, -1)
        super().add(keys, *values, asked.astype(np.float64))

    @property
    def above(self) -> _Floats:
        """(k,) the shadow's."""
        return self.column(0)

    @property
    def below(self) -> _Floats:
        """(k,) prod's, or the control's."""
        return self.column(1)

    @property
    def questions(self) -> NDArray[np.int64]:
        """(k,) equal numbers for equal questions, negative ones where none is known."""
        return self.column(2).astype(np.int64)
