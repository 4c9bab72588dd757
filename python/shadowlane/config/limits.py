"""The sections about limits: the cap and how it chooses, what a shadow may take, fail and cost.

Invariant: every value that passes here can be given to the classes of ``shadowlane.limits`` without an error.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from .bounds import DAY_S, SHARE, Bound

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
    "retry_problem",
]

WINDOW_COPIES = 512
"""The most copies that a window of ``cap_mode = "reservoir"`` may choose: they are held until it closes."""


_ROUTE_QPS = Bound(0, 1e6, above=True, unit="requests a second")
_FILL = Bound(0, 1, above=True, below=True, share=True, unit="of the ring")
_FLOOR = Bound(0, 1, below=True, share=True, remedy="use a share from 0 (off) to below 1")
_BUDGET = Bound(0, 1e15, remedy="use more than 0, or leave it out")
_PRICE = Bound(0, 1e15, remedy="use 0 or more, for a million tokens")


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: a field that is not known is refused."""


class LimitsConfig(Section, frozen=True):
    """``[limits]``: the hard cap over all processes, the caps of routes and tenants under it, what stops mirroring
    before it costs a user, and what happens when the worker falls behind."""

    qps: Annotated[float, Bound(0, 1e6, above=True, unit="copies a second")] = 50.0
    """Hard cap over all processes of the host, in copies a second."""
    burst: Annotated[int, Bound(1, 1_000_000)] = 50
    """Copies that may come at once under the cap."""
    cap_mode: Literal["first", "reservoir"] = "first"
    """Who is taken when more come than the cap lets through. ``first``: first come, decided at admission.
    ``reservoir``: the worker holds copies for a window and then sends a uniform choice of each (route, tenant), which
    share the cap evenly; every sampled request goes through the ring for it."""
    window_s: Annotated[float, Bound(0.05, 60, unit="seconds")] = 1.0
    """How long a window of ``cap_mode = "reservoir"`` is."""
    routes: Annotated[dict[str, float], _ROUTE_QPS] = msgspec.field(default_factory=dict)
    """``METHOD /path`` patterns and the most of each a second; the first that matches holds. The burst of a route, as
    of a tenant, is what comes in one second, and at least one request."""
    weights: Annotated[dict[str, int], Bound(1, 1_000_000)] = msgspec.field(default_factory=dict)
    """``METHOD /path`` patterns and how many units of every cap one request costs; others cost 1."""
    tenant_key: str = ""
    """Whose request it is: ``header:NAME``, ``cookie:NAME`` or ``api_key``. Requests without it are one tenant
    together. Only a salted hash of it is kept."""
    tenant_qps: Annotated[float, Bound(0, 1e6, remedy="use 0 (no cap) to 1000000 requests a second")] = 0.0
    """The most of each tenant a second; 0: no such cap."""
    backpressure: Literal["drop_newest", "shed"] = "drop_newest"
    """``"drop_newest"``: a copy that finds the ring full is dropped. ``"shed"``: no copy is started above the mark."""
    shed_above: Annotated[float, _FILL] = 0.8
    """With ``"shed"``: the fill of the process's ring, as a share, above which admission refuses."""
    prod_quota_floor: Annotated[float, _FLOOR] = 0.2
    """When prod's own rate-limit headers say that less than this share is left, mirroring pauses until the reset.
    0 does not read them."""

    def shed_mark(self) -> float:
        """The fill above which admission refuses; 1 never does."""
        return self.shed_above if self.backpressure == "shed" else 1.0


class BreakerConfig(Section, frozen=True):
    """``[shadows.NAME.breaker]``: when a shadow that fails is left alone, see :class:`shadowlane.limits.Breaker`."""

    enabled: bool = True
    """``false``: a shadow that fails is asked all the same."""
    window: Annotated[int, Bound(1, 10_000)] = 40
    """Calls that are remembered."""
    minimum: Annotated[int, Bound(1, 10_000)] = 20
    """Calls before it may open."""
    ratio: Annotated[float, SHARE] = 0.5
    """Share of failures that opens it."""
    open_s: Annotated[float, Bound(0, DAY_S, above=True, unit="seconds")] = 5.0
    """How long it stays open at first, in seconds; each failed trial doubles it."""
    max_open_s: Annotated[float, Bound(0, DAY_S, above=True, unit="seconds")] = 60.0
    """The longest it stays open between two trials."""
    closes_after: Annotated[int, Bound(1, 1000)] = 1
    """Trials in a row that must succeed before it closes."""


class RetryConfig(Section, frozen=True):
    """``[shadows.NAME.retry]``: off unless ``attempts`` is above 1. A wait is at most min(max_s, base_s·2^n)."""

    attempts: Annotated[int, Bound(1, 10, remedy="use 1 (no retries) to 10")] = 1
    """Calls of one copy, the first included; 1: no retries."""
    base_s: Annotated[float, Bound(0, 3600, above=True, unit="seconds")] = 0.2
    """Upper end of the first wait, which is drawn from 0 to it (full jitter)."""
    max_s: Annotated[float, Bound(0, 3600, above=True, unit="seconds")] = 5.0
    """Upper end of every later wait."""


class BudgetConfig(Section, frozen=True):
    """``[shadows.NAME.budget]``: what a shadow may cost in any hour and any day; 0 is no limit. With ``[fleet]``,
    on all hosts together."""

    tokens_per_hour: Annotated[float, _BUDGET] = 0.0
    """Tokens in any hour."""
    tokens_per_day: Annotated[float, _BUDGET] = 0.0
    """Tokens in any 24 hours."""
    money_per_hour: Annotated[float, _BUDGET] = 0.0
    """In the currency of ``[prices]``."""
    money_per_day: Annotated[float, _BUDGET] = 0.0
    """Money in any 24 hours."""

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

    input: Annotated[float, _PRICE]
    """Tokens that go in."""
    output: Annotated[float, _PRICE]
    """Tokens that come out."""
    cached_input: Annotated[float | None, _PRICE] = None
    """Input that the provider had cached; unset: as ``input``."""
    cache_write: Annotated[float | None, _PRICE] = None
    """Input that the provider puts into its cache (Anthropic); unset: as ``input``."""


def _bad(field: str, value: object, why: str) -> str:
    return f"{field} = {value!r}: {why}"


def limits_problem(limits: LimitsConfig) -> str | None:
    """What does not go together, as ``field = value: why; remedy``, or ``None``."""
    if limits.cap_mode == "reservoir" and limits.qps * limits.window_s > WINDOW_COPIES:
        return _bad(
            "window_s",
            limits.window_s,
            f"a window would choose more than {WINDOW_COPIES} copies; use at most {WINDOW_COPIES / limits.qps:.3g} "
            "for this qps",
        )
    if limits.cap_mode == "reservoir" and limits.weights:
        return _bad("weights", limits.weights, 'cap_mode = "reservoir" counts copies; remove them, or use "first"')
    return None


def breaker_problem(breaker: BreakerConfig) -> str | None:
    """As :func:`limits_problem`."""
    if breaker.minimum > breaker.window:
        return _bad("minimum", breaker.minimum, f"use 1 to window = {breaker.window}")
    if breaker.open_s > breaker.max_open_s:
        return _bad("open_s", breaker.open_s, f"use more than 0 and at most max_open_s = {breaker.max_open_s}")
    return None


def retry_problem(retry: RetryConfig) -> str | None:
    """As :func:`limits_problem`."""
    if retry.base_s > retry.max_s:
        return _bad("base_s", retry.base_s, f"use more than 0 and at most max_s = {retry.max_s}")
    return None


def budget_problem(budget: BudgetConfig, prices: dict[str, PriceConfig]) -> str | None:
    """As :func:`limits_problem`."""
    if budget.by_money and not prices:
        name = "money_per_hour" if budget.money_per_hour else "money_per_day"
        return _bad(
            name, getattr(budget, name), "money needs prices; add [prices.MODEL], or [prices.'*'] for any model"
        )
    return None
