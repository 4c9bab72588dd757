"""Keeps this process's slices of the fleet's budgets: asks the engine, writes what :class:`.Spender` decides, and tells
the allowances.

Invariants: a slice's end is counted from before the engine was asked; what was not surely written is not given; before
anything smaller is written, no more than that is spent; a failure leaves slices as they are, to end by themselves.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ..errors import FleetError
from ..limits import Allowance, BudgetLimits
from ..limits.prices import Spent
from .budget import Earlier, Spender, Wanted
from .engine import Engine
from .keeper import boottime
from .ledger import LIMITS, NOTHING, Amount, Ledger, decoded, encoded

__all__ = ["LEDGER", "BudgetKeeper"]

log = logging.getLogger("shadowlane.worker")

LEDGER = ":budgets"
"""Behind the fleet's name: no fleet can be called so."""
_TRIES = 4
_SMOOTH = 0.3
_RATE_OVER_S = 0.2


class BudgetKeeper:
    """See the module. ``process`` names this process among all of the fleet, ``name`` the machine, for people;
    ``store`` and ``earlier`` say what its store tells of the time before it, by shadow."""

    def __init__(
        self,
        engine: Engine,
        allowances: Mapping[str, Allowance],
        *,
        process: str,
        name: str,
        lease_s: float,
        store: str = "",
        earlier: Mapping[str, Sequence[Earlier]] | None = None,
        clock: Callable[[], float] = boottime,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._allowances = dict(allowances)
        self._lease_s = lease_s
        self._clock, self._wait = clock, wait
        limits = {shadow: _plain(one.limits) for shadow, one in self._allowances.items()}
        self._spender = Spender(process, name, limits, lease_s, store=store, earlier=earlier, now=clock())
        self._rates: dict[str, Amount] = {}
        self._spent: dict[str, Amount] = {}
        self._looked = clock()
        self._until = -math.inf
        self._error = ""
        self._opens_in = 0.0
        self._processes = 0
        self._lock = threading.Lock()

    def round(self) -> None:
        """Take, renew or give back what is due. Raises nothing: an engine that is away is said once, and in
        :meth:`state`."""
        with self._lock:
            try:
                self._round()
            except FleetError as error:
                if str(error) != self._error:
                    log.warning(
                        "the fleet's engine: %s; shadows with a budget get copies until this host's slice ends",
                        error,
                        extra={"event": "fleet_budgets_away"},
                    )
                self._error = str(error)
            else:
                if self._error:
                    log.info("the fleet's engine answers again for budgets", extra={"event": "fleet_budgets_back"})
                self._error = ""

    def leave(self) -> None:
        """Say what was spent and give the rest back, when nothing is spent any more. Raises nothing."""
        with self._lock:
            for allowance in self._allowances.values():
                allowance.cut(Spent(0, 0.0))
            try:
                for _ in range(_TRIES):
                    if self._left():
                        return
                    self._wait(random.uniform(0, 0.05))  # noqa: S311 - no secret
            except FleetError as error:
                log.info("the fleet's budgets: this host's slice is not given back and counts as spent: %s", error)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._engine.close()

    def state(self) -> dict[str, Any]:
        """For ``shadowlane status``: plain values."""
        return {"error": self._error, "processes": self._processes, "opens_in_s": round(self._opens_in)}

    def _round(self) -> None:
        for attempt in range(_TRIES):
            if self._try(self._measured()):
                break
            self._wait(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - no secret
        for allowance in self._allowances.values():
            allowance.forget_asked()

    def _measured(self) -> dict[str, Wanted]:
        now, wanted = self._clock(), {}
        passed = now - self._looked
        for shadow, allowance in self._allowances.items():
            needs = allowance.needs()
            spent = _amount(needs.spent)
            if passed >= _RATE_OVER_S:
                more = spent.beyond(self._spent.get(shadow, NOTHING))
                rate = self._rates.get(shadow, NOTHING)
                self._rates[shadow] = Amount(
                    rate.tokens + _SMOOTH * (more.tokens / passed - rate.tokens),
                    rate.money + _SMOOTH * (more.money / passed - rate.money),
                )
                self._spent[shadow] = spent
            rate = self._rates.get(shadow, NOTHING)
            wanted[shadow] = Wanted(spent, rate, _amount(needs.dearest), _amount(needs.asked), _amount(needs.held))
        if passed >= _RATE_OVER_S:
            self._looked = now
        return wanted

    def _try(self, wanted: Mapping[str, Wanted]) -> bool:
        """``False``: another host has written in between, or this one has sent more."""
        asked_at = self._clock()
        before = self._engine.read()
        now = self._clock()
        there = decoded(before.data) if before.data is not None else None
        ledger = self._spender.look(there, before.life, now)
        self._see(ledger, wanted, now)
        if ledger is not there:
            return self._begin(before, ledger)
        plan = self._spender.plan(ledger, wanted, max(self._until - now, 0.0), now)
        if plan is None:
            return True
        ends = {shadow: Spent(end.tokens, end.money) for shadow, end in (plan.ends or {}).items()}
        if not all(self._allowances[shadow].lower(end) for shadow, end in ends.items()):
            return False  # calls went out meanwhile: what they may cost must be kept
        self._spender.trying(plan.ledger)
        if not self._engine.swap(before, plan.ledger.version, encoded(plan.ledger)):
            return False
        self._spender.wrote(plan.ledger, self._clock())
        if plan.ends is not None:
            self._until = asked_at + self._lease_s
            for shadow, end in ends.items():
                self._allowances[shadow].give(end, self._until)
        self._see(plan.ledger, wanted, now)
        return True

    def _see(self, ledger: Ledger, wanted: Mapping[str, Wanted], now: float) -> None:
        """Tell the allowances what is in the ledger: no more than that may be spent."""
        mine = ledger.slices.get(self._spender.process)
        self._opens_in = self._spender.opens_in(ledger, now)
        self._processes = len(ledger.slices)
        for shadow, allowance in self._allowances.items():
            end = mine.parts[shadow].end if mine is not None and shadow in mine.parts else NOTHING
            allowance.cut(Spent(end.tokens, end.money))
            allowance.fleet = self._spender.spent(ledger, shadow, now)
            allowance.reached = self._spender.reached(ledger, shadow, wanted[shadow].dearest, now)

    def _begin(self, before: Any, ledger: Ledger) -> bool:
        """Write a new life of the ledger. Nothing is given out before it was seen for a lease."""
        ledger = msgspec.structs.replace(ledger, version=ledger.version + 1)
        self._spender.trying(ledger)
        if not self._engine.swap(before, ledger.version, encoded(ledger)):
            return False
        self._spender.wrote(ledger, self._clock())
        self._opens_in = self._spender.opens_in(ledger, self._clock())
        return True

    def _left(self) -> bool:
        before = self._engine.read()
        now = self._clock()
        there = decoded(before.data) if before.data is not None else None
        if there is None or self._spender.look(there, before.life, now) is not there:
            return True
        wanted = {shadow: Wanted(_amount(one.needs().spent)) for shadow, one in self._allowances.items()}
        after = self._spender.without(there, wanted, now)
        return after is None or self._engine.swap(before, after.version, encoded(after))


def _amount(spent: Spent) -> Amount:
    return Amount(spent.tokens, spent.money)


def _plain(limits: BudgetLimits) -> tuple[float, float, float, float]:
    """0 for none: JSON knows no infinity."""
    tokens_hour, tokens_day, money_hour, money_day = (
        value if (value := getattr(limits, name)) < math.inf else 0.0 for name in LIMITS
    )
    return tokens_hour, tokens_day, money_hour, money_day
