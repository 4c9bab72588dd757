"""What accounts for a shadow's pairs beside their scores: first bytes, waiting, tokens, costs, error rates, versions.

Invariants: prod's and the shadow's figures are of the same requests, or there are none; what is held does not grow with
the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..types import NOT_SENT, PinSeen
from .sample import PairedSample, Sample
from .segments import SegmentSums
from .selection import first_bytes
from .stream import Stream

__all__ = ["BURNS", "AccountFold", "Accounts", "Burn", "burns_of"]

_SECOND_NS = 10**9
_MS = 10**6

BURNS = (("1 h", 3600, "5 min", 300, 14.4), ("6 h", 21_600, "30 min", 1800, 6.0), ("3 d", 259_200, "6 h", 21_600, 1.0))
"""Long and short windows in seconds, and how many times too fast the error budget burns in both: Google, "The Site
Reliability Workbook" (2018), chapter 5, table 5-8."""


@dataclass(frozen=True, slots=True)
class Burn:
    """Copies of a long and a short window up to now, and those that the shadow failed."""

    long: str
    short: str
    factor: float
    in_long: tuple[int, int]
    in_short: tuple[int, int]

    def share(self, budget: float) -> float:
        """How fast it burns in both windows, as a multiple of what is too fast."""
        rates = [failed / n if n else 0.0 for n, failed in (self.in_long, self.in_short)]
        return min(rates) / budget / self.factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What the rules read."""

    first_bytes: PairedSample = field(default_factory=PairedSample)
    """The shadow's and prod's time to the first byte, in ns."""
    whole_answers: bool = False
    """Whether the first byte's time is the last one's everywhere: then nobody measured it."""
    waits: Sample = field(default_factory=lambda: Sample(1))
    """How long copies waited for a slot, in ns."""
    late: Stream = field(default_factory=Stream)
    """For each whether that was longer than ``gate.slot_wait_ms``."""
    tokens: PairedSample = field(default_factory=PairedSample)
    """Of turns that no cache served, so that both sides did the same work."""
    cost: PairedSample = field(default_factory=PairedSample)
    """The same by ``[prices]``."""
    cached: int = 0
    """Pairs that are left out of tokens and costs because a cache served a side."""
    prices: bool = False
    """Whether there are prices."""
    burns: tuple[Burn, ...] = ()
    pins: tuple[PinSeen, ...] = ()
    segments: tuple[SegmentSums, ...] = ()
    """Parts of the traffic."""
    control_segments: tuple[SegmentSums, ...] | None = None
    """The same parts of the control's; ``None``: none runs."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """What pins must say, by name; those of ``[pins]`` that may say anything have an empty text."""


class AccountFold:
    """Accounts made of pieces of rows, in the order of time. ``slot_wait_ms``: what is a long wait."""

    def __init__(self, slot_wait_ms: float) -> None:
        self._longest = slot_wait_ms * _MS
        self._first_bytes, self._waits, self._late = PairedSample(), Sample(1), Stream()
        self._tokens, self._cost = PairedSample(), PairedSample()
        self._apart, self._cached = False, 0

    def add(self, columns: ScoreColumns, questions: NDArray[np.int64], inside: NDArray[np.bool_]) -> None:
        """The next rows, the question of each, and which lie before the end of a window of quantiles."""
        first, prod, shadow = first_bytes(columns)
        first &= inside
        times = (some[first].astype(np.float64) for some in (shadow, prod))
        self._first_bytes.add(columns.exchange[first], *times, questions=questions[first])
        self._apart |= bool(((prod < columns.prod_ns) | (shadow < columns.shadow_ns))[first].any())
        slots = (columns.tries > 0) | (columns.waited_ns > 0)
        waited = columns.waited_ns[slots].astype(np.float64)
        self._waits.add(columns.exchange[slots], waited)
        self._late.add((waited > self._longest).astype(np.float64))
        said = ~np.isnan(columns.tokens) & ~np.isnan(columns.prod_tokens)
        self._cached += int((said & columns.cache_served).sum())
        said &= ~columns.cache_served
        self._use(self._tokens, columns, questions, said, columns.tokens, columns.prod_tokens)
        priced = said & ~np.isnan(columns.cost) & ~np.isnan(columns.prod_cost)
        self._use(self._cost, columns, questions, priced, columns.cost, columns.prod_cost)

    @staticmethod
    def _use(
        sample: PairedSample,
        columns: ScoreColumns,
        questions: NDArray[np.int64],
        has: NDArray[np.bool_],
        *used: NDArray[np.float64],
    ) -> None:
        sample.add(columns.exchange[has], *(some[has] for some in used), questions=questions[has])

    def accounts(
        self,
        *,
        prices: bool,
        burns: tuple[Burn, ...],
        pins: Sequence[PinSeen],
        expected: Mapping[str, str],
        segments: tuple[tuple[SegmentSums, ...], tuple[SegmentSums, ...] | None],
    ) -> Accounts:
        """With what is known beside the rows."""
        return Accounts(
            first_bytes=self._first_bytes,
            whole_answers=bool(len(self._first_bytes)) and not self._apart,
            waits=self._waits,
            late=self._late,
            tokens=self._tokens,
            cost=self._cost,
            cached=self._cached,
            prices=prices,
            burns=burns,
            pins=tuple(pins),
            segments=segments[0],
            control_segments=segments[1],
            expected=expected,
        )


class FailureSource(Protocol):
    """What counts failures."""

    def failure_counts(
        self,
        shadow: str,
        since_ns: Sequence[int],
        not_sent: Sequence[str],
        *,
        without: Sequence[str] = (),
        reverse: bool = False,
    ) -> list[tuple[int, int]]: ...


def burns_of(
    store: FailureSource,
    shadow: str,
    now_ns: int,
    not_before_ns: int,
    *,
    without: Sequence[str] = (),
    reverse: bool = False,
) -> tuple[Burn, ...]:
    """How the error budget burns now, by copies that began at ``not_before_ns`` or later, but for the routes of
    ``without``; ``reverse``: by prod's failures."""
    lengths = [length for _, long, _, short, _ in BURNS for length in (long, short)]
    since = [max(now_ns - length * _SECOND_NS, not_before_ns) for length in lengths]
    counts = store.failure_counts(shadow, since, NOT_SENT, without=without, reverse=reverse)
    return tuple(
        Burn(long, short, factor, counts[2 * i], counts[2 * i + 1])
        for i, (long, _, short, _, factor) in enumerate(BURNS)
    )
