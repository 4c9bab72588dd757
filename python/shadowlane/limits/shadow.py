"""All that keeps a copy from one shadow: its budget, its provider's limits, its circuit breaker.

Invariants: asking (:meth:`ShadowLimits.refusal`) takes nothing; a permit (:meth:`ShadowLimits.admit`) is answered once,
by ``learn`` and then ``done``, or by ``cancel``; what a call teaches is taken from its status and headers, never from a
body, except for the tokens that it says it used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ..core import RateLimiter
from ..types import Outcome
from .aimd import REFUSALS, Aimd
from .breaker import Breaker
from .budget import Budget, Spent
from .headers import retry_after_s

__all__ = ["Permit", "ShadowLimits", "Units"]

_BROKEN = ("deadline", "connect_error", "transport_error")


class Permit(NamedTuple):
    """Whether a copy may go out: ``reason`` is empty, or why not. ``probe``: it is the half-open breaker's one call."""

    reason: str
    probe: bool = False


class Units(Protocol):
    """A cap that gives out units."""

    def try_acquire(self) -> bool:
        """Take one, if there is one."""
        ...


class ShadowLimits:
    """The limits of one shadow. ``qps`` is the most copies a second that it can get, ``cap`` its own cap, if any.

    ``clock`` is monotonic, ``wall`` the Unix time, both in seconds. Raises ValueError for numbers that make no sense.
    """

    def __init__(
        self,
        *,
        qps: float,
        min_qps: float = 0.1,
        breaker: Breaker | None = None,
        budget: Budget | None = None,
        cap: Units | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._wall = clock, wall
        self.aimd = Aimd(qps, minimum=min(min_qps, qps), wall=wall)
        self.breaker = breaker
        self.budget = budget
        self._cap = cap
        self.unmetered = 0
        """Answers that did not say what they used, while there was a budget."""
        # A lowered rate lets less pass at once, too: the provider has just said that it was too much.
        self._pace = RateLimiter(qps, max(1, int(qps / 10)))

    def refusal(self) -> str:
        """Why nothing may go out now; empty when something may. Takes nothing."""
        now = self._clock()
        if self.budget is not None and not self.budget.allow(self._wall()):
            return "budget"
        if self.aimd.paused_s(now) > 0:
            return "provider_limit"
        if self.breaker is not None and self.breaker.state(now) == "open":
            return "breaker_open"
        return ""

    def admit(self) -> Permit:
        """Ask for one call now. A permit without a reason must be answered."""
        if reason := self.refusal():
            return Permit(reason)
        now = self._clock()
        if self.aimd.slowed:
            self._pace.set_rate(self.aimd.unpaused)
            if not self._pace.try_acquire():
                return Permit("provider_limit")
        if self.breaker is None:
            return self._capped(Permit(""))
        probe = self.breaker.state(now) == "half_open"
        return self._capped(Permit("", probe)) if self.breaker.allow(now) else Permit("breaker_open")

    def _capped(self, permit: Permit) -> Permit:
        """Last, so that only what really goes out takes a unit of the shadow's own cap."""
        refused = ""
        if self.budget is not None and not self.budget.take():
            refused = "budget"  # a part of a shared one may have been lowered since it was asked first
        elif self._cap is not None and not self._cap.try_acquire():
            refused = "cap"
            self.done()
        if not refused:
            return permit
        self._forget(permit)
        return Permit(refused)

    def learn(self, permit: Permit, outcome: Outcome) -> None:
        """The end of a permitted call. ``outcome`` has its headers as received."""
        now = self._clock()
        self.aimd.observe(outcome.status, outcome.headers, now)
        if self.breaker is None or (self.breaker.state(now) != "closed" and not permit.probe):
            return  # a late result of a call from before the rest says nothing about the shadow after it
        limited = outcome.status in REFUSALS and (
            outcome.status != 503 or retry_after_s(outcome.headers, self._wall()) is not None
        )
        if limited:
            self._forget(permit)  # it lives, and has asked for less: that is the rate's matter
        else:
            self.breaker.record(outcome.reason not in _BROKEN and outcome.status < 500, now)

    def cancel(self, permit: Permit) -> None:
        """The permitted call was given up, and says nothing about the shadow."""
        self._forget(permit)
        self.done()

    def done(self) -> None:
        """A permitted call that was not given up is over: what it taught and what it cost was said."""
        if self.budget is not None:
            self.budget.done()

    def _forget(self, permit: Permit) -> None:
        if permit.probe and self.breaker is not None:
            self.breaker.cancel()

    def spend(self, model: str, usage: Mapping[str, int]) -> Spent:
        """Count what an answer used; nothing without a budget."""
        if self.budget is None:
            return Spent(0, 0.0)
        spent = self.budget.record(model, usage, self._wall())
        if not spent.tokens:
            self.unmetered += 1
        return spent

    def heard(self) -> tuple[float | None, ...]:
        """Changes when the shadow gets less from now on, and when its breaker closes."""
        return (*self.aimd.heard, self.breaker.opened_at if self.breaker is not None else None)

    def paused_s(self) -> float:
        """Seconds until the provider's pause ends; 0.0 when there is none."""
        return self.aimd.paused_s(self._clock())

    def pause(self, seconds: float) -> None:
        """Pause because another host of the fleet was asked to."""
        self.aimd.pause(seconds, self._clock())

    def state(self) -> dict[str, Any]:
        """Everything as plain values, for ``shadowlane status`` and for :meth:`restore`. Moments are Unix times."""
        now, wall = self._clock(), self._wall()
        paused = self.aimd.paused_s(now)
        state: dict[str, Any] = {
            "rate": self.aimd.unpaused,
            "slowed": self.aimd.slowed,
            "paused_until": round(wall + paused, 1) if paused else None,
            "breaker": None,
            "budget": None,
        }
        if self.breaker is not None:
            opens_in = self.breaker.opens_in(now)
            state["breaker"] = {
                "state": self.breaker.state(now),
                "probe_at": round(wall + opens_in, 1) if opens_in else None,
                "rest_s": self.breaker.rest_s,
            }
        if self.budget is not None:
            state["budget"] = self._budget_state(self.budget, wall)
        return state

    def _budget_state(self, budget: Budget, wall: float) -> dict[str, Any]:
        limits: dict[str, dict[str, float]] = {}
        for window in ("hour", "day"):
            spent = budget.spent(window, wall)
            for what, value in (("tokens", spent.tokens), ("money", spent.money)):
                limit = budget.limit(f"{what}_per_{window}")
                if limit != float("inf"):
                    name = f"{what}_per_{window}"
                    # Of all hosts, where they share it; a store of one's own knows less.
                    whole = max(value, budget.shared.fleet.get(name, 0.0)) if budget.shared is not None else value
                    limits[name] = {"spent": whole, "limit": limit}
        state: dict[str, Any] = {
            "reached": budget.reached(wall),
            "limits": limits,
            "unmetered": self.unmetered,
            "unpriced": sorted(budget.unpriced),
            "slice": None,
        }
        if budget.shared is not None:
            left, left_s = budget.shared.left()
            state["slice"] = {"tokens": left.tokens, "money": left.money, "left_s": round(left_s, 1)}
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where another worker's :meth:`state` was: its rate, its pause, its open breaker."""
        now, wall = self._clock(), self._wall()
        # A rate that nobody lowered was the most that the configuration allowed then, and asks for nothing now.
        rate = float(state["rate"]) if state["slowed"] else self.aimd.maximum
        self.aimd.restore(rate, float(state["paused_until"] or 0) - wall, now)
        breaker = state["breaker"]
        if self.breaker is not None and breaker and breaker["state"] != "closed":
            self.breaker.restore(float(breaker["rest_s"]), float(breaker["probe_at"] or 0) - wall, now)
