"""Budgets: how many tokens and how much money a shadow may cost in any hour and any day.

Invariants: what was recorded within the last hour or day is never undercounted (a slot of time leaves only as a whole);
a budget that is reached stays so until enough of it is old. Copies that are out when it is reached still cost: the
overshoot is at most what was in flight.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from .prices import Price, Prices, Spent

if TYPE_CHECKING:
    from .allowance import Allowance

__all__ = ["Budget", "BudgetLimits", "Price", "Spent"]

_SLOTS = 60
_HOUR_S, _DAY_S = 3600.0, 86400.0


class BudgetLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits; infinity is none. Money is in the prices' currency."""

    tokens_per_hour: float = math.inf
    tokens_per_day: float = math.inf
    money_per_hour: float = math.inf
    money_per_day: float = math.inf


class Budget:
    """Counts a shadow's usage against limits.

    ``prices`` by model, see :class:`.Prices`. ``now`` is in seconds; give the Unix time when what was spent is to
    outlive the process.
    Raises ValueError for a limit that is not positive, and for money limits without prices.
    """

    def __init__(self, limits: BudgetLimits, prices: Mapping[str, Price] | None = None) -> None:
        for name in limits.__struct_fields__:
            if not getattr(limits, name) > 0:
                raise ValueError(f"{name} = {getattr(limits, name)!r}: use more than 0, or leave it out")
        self._prices = Prices(prices)
        if not self._prices and min(limits.money_per_hour, limits.money_per_day) < math.inf:
            raise ValueError("money_per_hour and money_per_day need prices: give a price for each model, or for '*'")
        self._limits = limits
        self._windows = {"hour": _Window(_HOUR_S), "day": _Window(_DAY_S)}
        self.shared: Allowance | None = None
        """This host's part, where other hosts spend of the same budget."""
        self.unpriced = self._prices.unpriced
        """Models that no price names."""

    @property
    def limits(self) -> BudgetLimits:
        """What it was made with."""
        return self._limits

    def allow(self, now: float) -> bool:
        """Whether another copy may be sent."""
        return not self._reached_here(now) and (self.shared is None or self.shared.allows())

    def take(self) -> bool:
        """Send another copy, where it may be; then it is answered by one :meth:`done`, after :meth:`record`."""
        return self.shared is None or self.shared.take()

    def done(self) -> None:
        """A copy that was sent has ended."""
        if self.shared is not None:
            self.shared.done()

    def reached(self, now: float) -> str:
        """The limit that is reached, here or by all hosts that share it, by its name, or empty."""
        return self._reached_here(now) or (self.shared.reached if self.shared is not None else "")

    def _reached_here(self, now: float) -> str:
        for window in ("hour", "day"):
            spent = self.spent(window, now)
            for what, value in (("tokens", spent.tokens), ("money", spent.money)):
                name = f"{what}_per_{window}"
                if value >= getattr(self._limits, name):
                    return name
        return ""

    def limit(self, name: str) -> float:
        """A limit by its name, as :meth:`reached` gives it; infinity is none."""
        value: float = getattr(self._limits, name)
        return value

    def spent(self, window: str, now: float) -> Spent:
        """What was recorded within the last ``hour`` or ``day``."""
        return self._windows[window].total(now)

    def record(self, model: str, usage: Mapping[str, int], now: float) -> Spent:
        """Count an answer's ``usage`` (the names of OpenAI or Anthropic, or ``input_tokens`` and ``output_tokens`` with
        ``cached_tokens`` and ``cache_write_tokens`` among the former) and return what it cost."""
        cost = self._prices.cost(model, usage)
        if cost.tokens or cost.money:
            for window in self._windows.values():
                window.add(cost, now)
        if self.shared is not None:
            self.shared.spend(cost)
        return cost

    def load(self, slots: Iterable[tuple[float, float, float]]) -> None:
        """Take over what was spent before this process: (when, tokens, money), by rising time of the same clock."""
        for when, tokens, money in slots:
            for window in self._windows.values():
                window.add(Spent(tokens, money), when)

    def snapshot(self) -> dict[str, Any]:
        """The counts as plain values, for JSON."""
        return {name: window.rows() for name, window in self._windows.items()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take over the counts of a :meth:`snapshot`; ``now`` must then come from the same clock."""
        for name, window in self._windows.items():
            window.fill(snapshot.get(name, ()))


class _Window:
    """Sums over the last ``length_s`` seconds, in slots of a sixtieth of it."""

    def __init__(self, length_s: float) -> None:
        self._slot_s = length_s / _SLOTS
        self._slots: deque[tuple[int, float, float]] = deque()

    def add(self, spent: Spent, now: float) -> None:
        slot = math.floor(now / self._slot_s)
        if self._slots and self._slots[-1][0] >= slot:  # a clock that stepped back adds to the newest slot
            slot, tokens, money = self._slots.pop()
            spent = Spent(spent.tokens + tokens, spent.money + money)
        self._slots.append((slot, spent.tokens, spent.money))

    def total(self, now: float) -> Spent:
        # The slot that straddles the window's far edge still counts: never less than the truth.
        oldest = math.floor(now / self._slot_s) - _SLOTS
        while self._slots and self._slots[0][0] < oldest:
            self._slots.popleft()
        return Spent(sum(slot[1] for slot in self._slots), sum(slot[2] for slot in self._slots))

    def rows(self) -> list[list[float]]:
        return [list(slot) for slot in self._slots]

    def fill(self, rows: Any) -> None:
        self._slots = deque((int(slot), float(tokens), float(money)) for slot, tokens, money in rows)
