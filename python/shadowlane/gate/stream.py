"""One rule's values as they come: everything that its interval is made of, in bounded room.

Invariant: sums are exact, whatever the number of values; what is bounded is how finely their dependence is measured
(:mod:`.blocks`, :mod:`.repeats`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .blocks import Blocks
from .dependence import Design, effect_of_repeats, effect_of_runs, variance_of
from .repeats import Questions
from .sequences import Errors, Spread

__all__ = ["Stream"]


class Stream:
    """Values in [``low``, ``high``], fed in the order of time; ``questions``: those that they may answer."""

    def __init__(self, low: float = 0.0, high: float = 1.0, questions: Questions | None = None) -> None:
        self._errors = Errors(low, high)
        self._blocks = Blocks()
        self._questions = questions
        self._repeats = None if questions is None else questions.repeats()

    @classmethod
    def of(
        cls,
        values: NDArray[np.float64],
        *,
        low: float = 0.0,
        high: float = 1.0,
        questions: NDArray[np.int64] | None = None,
    ) -> Stream:
        """All ``values`` (n,) at once; ``questions`` (n,) says what each answers, negative: not known. Raises
        ValueError for a value outside, or NaN."""
        known = None if questions is None else Questions()
        stream = cls(low, high, known)
        stream.add(values, None if known is None or questions is None else known.slots(questions))
        return stream

    def add(self, values: NDArray[np.float64], slots: NDArray[np.int64] | None = None) -> None:
        """The next values (m,), and the slot of each one's question (:meth:`.repeats.Questions.slots`). Raises
        ValueError for a value outside, or NaN."""
        self._errors.add(values)
        self._blocks.add(values)
        if self._repeats is not None and slots is not None:
            self._repeats.add(slots, values)

    def __len__(self) -> int:
        return self._errors.n

    @property
    def mean(self) -> float:
        """NaN without values."""
        return self._errors.mean

    @property
    def total(self) -> float:
        """The sum of the values."""
        return self._errors.total

    @property
    def design(self) -> Design:
        """How much dependence costs."""
        n, squares = self._errors.n, self._errors.squares
        if not n:
            return Design()
        runs = effect_of_runs(self._blocks, variance_of(n, self.mean, squares))
        if self._repeats is None or self._questions is None:
            return Design(runs)
        return Design(runs, effect_of_repeats(self._repeats, n, self.mean, squares, self._questions.share))

    @property
    def note(self) -> str:
        """What was bounded; empty: nothing."""
        if self._questions is None or not self._questions.halvings:
            return ""
        return f"how often questions repeat is told by one question in {2**self._questions.halvings}"

    def spread(self, together: float = 1.0) -> Spread:
        """What the interval of their mean is made of; ``together``: how many values an unlikely event comes with."""
        return Spread.of_errors(self._errors, design=self.design, together=together)
