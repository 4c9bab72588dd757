"""What this host may spend of a budget that several hosts share, until it is told again.

Invariants: nothing is allowed before a part was given, nor after its end by a clock that goes on during suspend; a call
is allowed only while what all calls that are out would cost, each as much as the dearest of late, is left. So a host
spends more than its part only by what an answer costs beyond the dearest before it. Before the first answer has said
what it cost, one call at a time is out. Used by two threads.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from .budget import BudgetLimits
from .prices import Spent

__all__ = ["Allowance", "Needs"]

_REMEMBERED = 100
"""Answers of which the dearest is what the next one is expected to cost."""


class Needs(NamedTuple):
    """What was spent since this process began, what the dearest answer of late cost, the most that was asked for at
    once since the last look, and what the calls that are out are expected to cost."""

    spent: Spent
    dearest: Spent
    asked: Spent
    held: Spent


class Allowance:
    """A host's part of a shared budget. ``clock`` is CLOCK_BOOTTIME in seconds."""

    def __init__(
        self,
        limits: BudgetLimits,
        *,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self.limits = limits
        self.reached = ""
        """The limit that the fleet has reached, by its name; empty: none."""
        self.fleet: dict[str, float] = {}
        """What all hosts have spent or may be spending, by the names of the limits, as last read."""
        self._clock = clock
        self._limited = (
            min(limits.tokens_per_hour, limits.tokens_per_day) < math.inf,
            min(limits.money_per_hour, limits.money_per_day) < math.inf,
        )
        self._lock = threading.Lock()
        self._spent = Spent(0, 0.0)
        self._costs: deque[Spent] = deque(maxlen=_REMEMBERED)
        self._asked = Spent(0, 0.0)
        self._out = 0
        self._end = Spent(0, 0.0)
        self._until = -math.inf

    def allows(self) -> bool:
        """Whether another call may go out."""
        with self._lock:
            return self._allows()

    def take(self) -> bool:
        """Let another call go out, if it may; then it is answered by one :meth:`done`, after what it cost was said."""
        with self._lock:
            allowed = self._allows()
            self._out += allowed
            return allowed

    def done(self) -> None:
        """The call has ended."""
        with self._lock:
            self._out -= 1

    def _allows(self) -> bool:
        dearest = self._dearest()
        asked = _times(dearest, self._out + 1)
        self._asked = Spent(max(asked.tokens, self._asked.tokens), max(asked.money, self._asked.money))
        if self._clock() >= self._until or (self._out and not self._costs):
            return False
        return self._fits(asked, self._end) and all(
            spent < end
            for limited, spent, end in zip(self._limited, _two(self._spent), _two(self._end), strict=True)
            if limited
        )

    def _fits(self, more: Spent, end: Spent) -> bool:
        whole = zip(self._limited, _two(self._spent), _two(more), _two(end), strict=True)
        return all(spent + some <= end for limited, spent, some, end in whole if limited)

    def spend(self, cost: Spent) -> None:
        """Count what an answer cost; nothing of it may be unknown, or it counts as nothing."""
        with self._lock:
            self._spent = Spent(self._spent.tokens + cost.tokens, self._spent.money + cost.money)
            self._costs.append(cost)

    def needs(self) -> Needs:
        """What a new part must hold."""
        with self._lock:
            dearest = self._dearest()
            return Needs(self._spent, dearest, self._asked, _times(dearest, self._out))

    def forget_asked(self) -> None:
        """Look anew for the most that is asked for."""
        with self._lock:
            self._asked = Spent(0, 0.0)

    def lower(self, end: Spent) -> bool:
        """Spend no more than this since the process began, for it may be all that is counted. ``False``: calls that are
        out may cost more, and nothing is changed."""
        with self._lock:
            if not self._fits(_times(self._dearest(), self._out), end):
                return False
            self._end = Spent(min(end.tokens, self._end.tokens), min(end.money, self._end.money))
            return True

    def cut(self, end: Spent) -> None:
        """Let no call go out that would spend more than this, whatever is out."""
        with self._lock:
            self._end = Spent(min(end.tokens, self._end.tokens), min(end.money, self._end.money))

    def give(self, end: Spent, until: float) -> None:
        """From now on ``end`` may be spent since the process began, until this moment of the clock."""
        with self._lock:
            self._end, self._until = end, until

    def left(self) -> tuple[Spent, float]:
        """What may yet be spent, and for how many seconds."""
        with self._lock:
            left_s = max(self._until - self._clock(), 0.0)
            if not left_s:
                return Spent(0, 0.0), 0.0
            tokens, money = (
                max(end - spent, 0.0) for end, spent in zip(_two(self._end), _two(self._spent), strict=True)
            )
            return Spent(tokens, money), left_s

    def _dearest(self) -> Spent:
        return Spent(
            max((cost.tokens for cost in self._costs), default=0),
            max((cost.money for cost in self._costs), default=0.0),
        )


def _times(spent: Spent, times: int) -> Spent:
    return Spent(times * spent.tokens, times * spent.money)


def _two(spent: Spent) -> tuple[float, float]:
    return spent.tokens, spent.money
