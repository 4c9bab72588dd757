"""What accounts for a shadow's pairs beside their scores: first bytes, waiting, tokens, costs, error rates, versions.

Invariant: prod's and the shadow's figures are of the same requests, or there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..config import PinConfig
from .selection import NOT_SENT, comparable
from .series import question_of
from .window import PinSeen

__all__ = ["BURNS", "Accounts", "Burn", "accounts_of", "burns_of"]

_SECOND_NS = 10**9

BURNS = (("1 h", 3600, "5 min", 300, 14.4), ("6 h", 21_600, "30 min", 1800, 6.0), ("3 d", 259_200, "6 h", 21_600, 1.0))
"""Long and short windows in seconds, and how many times too fast the error budget burns in both: Google, "The Site
Reliability Workbook" (2018), chapter 5, table 5-8."""


def _none() -> NDArray[np.float64]:
    return np.zeros(0)


def _no_questions() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Burn:
    """Copies of a long and a short window up to now, and those that the shadow failed."""

    long: str
    short: str
    factor: float
    in_long: tuple[int, int]
    in_short: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Arrays are in the order of time, and pair by pair where there are two."""

    prod_ttfb_ns: NDArray[np.float64] = field(default_factory=_none)
    shadow_ttfb_ns: NDArray[np.float64] = field(default_factory=_none)
    whole_answers: bool = False
    """Whether the first byte's time is the last one's everywhere: then nobody measured it."""
    waited_ns: NDArray[np.float64] = field(default_factory=_none)
    """(n,) how long each copy waited for a slot."""
    tokens: NDArray[np.float64] = field(default_factory=_none)
    prod_tokens: NDArray[np.float64] = field(default_factory=_none)
    token_questions: NDArray[np.int64] = field(default_factory=_no_questions)
    cost: NDArray[np.float64] = field(default_factory=_none)
    prod_cost: NDArray[np.float64] = field(default_factory=_none)
    cost_questions: NDArray[np.int64] = field(default_factory=_no_questions)
    cached: int = 0
    """Pairs with costs that are left out because a cache served a side."""
    prices: bool = False
    """Whether there are prices."""
    burns: tuple[Burn, ...] = ()
    pins: tuple[PinSeen, ...] = ()
    expected: Mapping[str, str] = field(default_factory=dict)
    """What pins must say, by name; those of ``[pins]`` that may say anything have an empty text."""


class FailureSource(Protocol):
    """What counts failures."""

    def failure_counts(
        self, shadow: str, since_ns: Sequence[int], not_sent: Sequence[str]
    ) -> list[tuple[int, int]]: ...


def burns_of(store: FailureSource, shadow: str, now_ns: int, not_before_ns: int) -> tuple[Burn, ...]:
    """How the error budget burns now, by copies that began at ``not_before_ns`` or later."""
    lengths = [length for _, long, _, short, _ in BURNS for length in (long, short)]
    since = [max(now_ns - length * _SECOND_NS, not_before_ns) for length in lengths]
    counts = store.failure_counts(shadow, since, NOT_SENT)
    return tuple(
        Burn(long, short, factor, counts[2 * i], counts[2 * i + 1])
        for i, (long, _, short, _, factor) in enumerate(BURNS)
    )


def accounts_of(
    columns: ScoreColumns,
    *,
    prices: bool,
    burns: tuple[Burn, ...],
    pins: Sequence[PinSeen],
    configured: Mapping[str, PinConfig],
) -> Accounts:
    """The accounts of one shadow's window."""
    first = comparable(columns) & (columns.status > 0) & (columns.prod_ttfb_ns > 0) & (columns.shadow_ttfb_ns > 0)
    apart = (columns.prod_ttfb_ns < columns.prod_ns) | (columns.shadow_ttfb_ns < columns.shadow_ns)
    slots = (columns.tries > 0) | (columns.waited_ns > 0)
    said = ~np.isnan(columns.tokens) & ~np.isnan(columns.prod_tokens)
    priced = ~np.isnan(columns.cost) & ~np.isnan(columns.prod_cost)
    alike = priced & ~columns.cache_served
    questions = question_of(columns)
    return Accounts(
        prod_ttfb_ns=columns.prod_ttfb_ns[first].astype(np.float64),
        shadow_ttfb_ns=columns.shadow_ttfb_ns[first].astype(np.float64),
        whole_answers=bool(first.any() and not apart[first].any()),
        waited_ns=columns.waited_ns[slots].astype(np.float64),
        tokens=columns.tokens[said],
        prod_tokens=columns.prod_tokens[said],
        token_questions=questions[said],
        cost=columns.cost[alike],
        prod_cost=columns.prod_cost[alike],
        cost_questions=questions[alike],
        cached=int((priced & columns.cache_served).sum()),
        prices=prices,
        burns=burns,
        pins=tuple(pins),
        expected={name: pin.expected for name, pin in configured.items()},
    )
