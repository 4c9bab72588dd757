"""The sections about limits: the cap and how it chooses, what a shadow may take, fail and cost.

Invariant: every value that passes here can be given to the classes of ``shadowlane.limits`` without an error.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

__all__ = [
    "BreakerConfig",
    "BudgetConfig",
    "LimitsConfig",
    "PriceConfig",
    "RetryConfig",
    "Section",
    "breaker_problem",
    "budget_problem",
    "limits_problem",
    "price_problem",
    "retry_problem",
]

WINDOW_COPIES = 512
"""The most copies that a window of ``cap_mode = "reservoir"`` may choose: they are held until it closes."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: a field that is not known is refused."""


class LimitsConfig(Section, frozen=True):
    """``[limits]``: the hard cap over all processes, the caps of routes and tenants under it, what stops mirroring
    before it costs a user, and what happens when the worker falls behind."""

    qps: float = 50.0
    burst: int = 50
    cap_mode: Literal["first", "reservoir"] = "first"
    """Who is taken when more come than the cap lets through. ``first``: first come, decided at admission.
    ``reservoir``: the worker holds copies for a window and then sends a uniform choice of each (route, tenant), which
    share the cap evenly; every sampled request goes through the ring for it."""
    window_s: float = 1.0
    """How long a window of ``cap_mode = "reservoir"`` is."""
    routes: dict[str, float] = msgspec.field(default_factory=dict)
    """``METHOD /path`` patterns and the most of each a second; the first that matches holds. The burst of a route, as
    of a tenant, is what comes in one second, and at least one request."""
    weights: dict[str, int] = msgspec.field(default_factory=dict)
    """``METHOD /path`` patterns and how many units of every cap one request costs; others cost 1."""
    tenant_key: str = ""
    """Whose request it is: ``header:NAME``, ``cookie:NAME`` or ``api_key``. Requests without it are one tenant
    together. Only a salted hash of it is kept."""
    tenant_qps: float = 0.0
    """The most of each tenant a second; 0: no such cap."""
    backpressure: Literal["drop_newest", "shed"] = "drop_newest"
    """``"drop_newest"``: a copy that finds the ring full is dropped. ``"shed"``: no copy is started above the mark."""
    shed_above: float = 0.8
    """With ``"shed"``: the fill of the process's ring, as a share, above which admission refuses."""
    prod_quota_floor: float = 0.2
    """When prod's own rate-limit headers say that less than this share is left, mirroring pauses until the reset.
    0 does not read them."""

    def shed_mark(self) -> float:
        """The fill above which admission refuses; 1 never does."""
        return self.shed_above if self.backpressure == "shed" else 1.0


class BreakerConfig(Section, frozen=True):
    """``[shadows.NAME.breaker]``: when a shadow that fails is left alone, see :class:`shadowlane.limits.Breaker`."""

    enabled: bool = True
    window: int = 40
    """Calls that are remembered."""
    minimum: int = 20
    """Calls before it may open."""
    ratio: float = 0.5
    """Share of failures that opens it."""
    open_s: float = 5.0
    max_open_s: float = 60.0
    closes_after: int = 1


class RetryConfig(Section, frozen=True):
    """``[shadows.NAME.retry]``: off unless ``attempts`` is above 1. A wait is at most min(max_s, base_s·2^n)."""

    attempts: int = 1
    base_s: float = 0.2
    max_s: float = 5.0


class BudgetConfig(Section, frozen=True):
    """``[shadows.NAME.budget]``: what a shadow may cost in any hour and any day; 0 is no limit."""

    tokens_per_hour: float = 0.0
    tokens_per_day: float = 0.0
    money_per_hour: float = 0.0
    """In the currency of ``[prices]``."""
    money_per_day: float = 0.0

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return any(getattr(self, name) for name in self.__struct_fields__)

    @property
    def by_money(self) -> bool:
        """Whether money is limited."""
        return bool(self.money_per_hour or self.money_per_day)


class PriceConfig(Section, frozen=True):
    """``[prices.MODEL]``: what a model costs, in any one currency for a million tokens."""

    input: float
    output: float
    cached_input: float | None = None
    """Input that the provider had cached; unset: as ``input``."""
    cache_write: float | None = None
    """Input that the provider puts into its cache (Anthropic); unset: as ``input``."""


def _bad(field: str, value: object, why: str) -> str:
    return f"{field} = {value!r}: {why}"


def limits_problem(limits: LimitsConfig) -> str | None:
    """The first thing that is wrong, as ``field = value: why; remedy``, or ``None``."""
    if not 0 < limits.qps <= 1e6:
        return _bad("qps", limits.qps, "use more than 0 and at most 1000000 copies a second")
    if not 1 <= limits.burst <= 1_000_000:
        return _bad("burst", limits.burst, "use 1 to 1000000")
    if not 0.05 <= limits.window_s <= 60:
        return _bad("window_s", limits.window_s, "use 0.05 to 60 seconds")
    if limits.cap_mode == "reservoir" and limits.qps * limits.window_s > WINDOW_COPIES:
        return _bad(
            "window_s",
            limits.window_s,
            f"a window would choose more than {WINDOW_COPIES} copies; use at most {WINDOW_COPIES / limits.qps:.3g} "
            "for this qps",
        )
    if limits.cap_mode == "reservoir" and limits.weights:
        return _bad("weights", limits.weights, 'cap_mode = "reservoir" counts copies; remove them, or use "first"')
    if not 0 < limits.shed_above < 1:
        return _bad("shed_above", limits.shed_above, "use more than 0 and less than 1, a share of the ring")
    if not 0 <= limits.prod_quota_floor < 1:
        return _bad("prod_quota_floor", limits.prod_quota_floor, "use a share from 0 (off) to below 1")
    return None


def breaker_problem(breaker: BreakerConfig) -> str | None:
    """As :func:`limits_problem`."""
    if not 1 <= breaker.minimum <= breaker.window <= 10_000:
        return _bad("minimum", breaker.minimum, f"use 1 to window = {breaker.window}, and a window of at most 10000")
    if not 0 < breaker.ratio <= 1:
        return _bad("ratio", breaker.ratio, "use more than 0 and at most 1")
    if not 0 < breaker.open_s <= breaker.max_open_s <= 86_400:
        return _bad("open_s", breaker.open_s, f"use more than 0 and at most max_open_s = {breaker.max_open_s}")
    if not 1 <= breaker.closes_after <= 1000:
        return _bad("closes_after", breaker.closes_after, "use 1 to 1000")
    return None


def retry_problem(retry: RetryConfig) -> str | None:
    """As :func:`limits_problem`."""
    if not 1 <= retry.attempts <= 10:
        return _bad("attempts", retry.attempts, "use 1 (no retries) to 10")
    if not 0 < retry.base_s <= retry.max_s <= 3600:
        return _bad("base_s", retry.base_s, f"use more than 0 and at most max_s = {retry.max_s}")
    return None


def budget_problem(budget: BudgetConfig, prices: dict[str, PriceConfig]) -> str | None:
    """As :func:`limits_problem`."""
    for name in budget.__struct_fields__:
        value = getattr(budget, name)
        if not (value >= 0 and math.isfinite(value)):
            return _bad(name, value, "use more than 0, or leave it out")
    if budget.by_money and not prices:
        name = "money_per_hour" if budget.money_per_hour else "money_per_day"
        return _bad(
            name, getattr(budget, name), "money needs prices; add [prices.MODEL], or [prices.'*'] for any model"
        )
    return None


def price_problem(model: str, price: PriceConfig) -> str | None:
    """As :func:`limits_problem`."""
    if not model:
        return "'': a price needs a model's name, or '*' for any"
    for name in price.__struct_fields__:
        value = getattr(price, name)
        if value is not None and not (value >= 0 and math.isfinite(value)):
            return _bad(name, value, "use 0 or more, for a million tokens")
    return None
