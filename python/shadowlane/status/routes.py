"""A shadow's copies by route, and what it said to those that it refused: for ``status``, ``report`` and ``doctor``.

Invariant: all words are sanitized ones out of the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..config import ShadowConfig
from ..providers.refusals import Refusal, counted, refusal_data

__all__ = ["NEWEST", "STOOD_IN", "RouteSource", "failing_route", "route_lines", "routes_of", "stood_in_lines"]

STOOD_IN = "[control] answered in prod's stead"

NEWEST = 5000
"""Of how many copies ``status`` and ``doctor`` tell."""
_MOST = 8
_FAILING, _FEW = 0.5, 20


class RouteSource(Protocol):
    """What is needed of the store."""

    def route_counts(
        self, shadow: str, since_ns: int | None, newest: int | None = None
    ) -> list[tuple[str, int, int]]: ...
    def refusals(
        self, shadow: str, since_ns: int | None, newest: int | None = None
    ) -> list[tuple[int, str, str, str, str, int]]: ...
    def stood_in(self, shadow: str, since_ns: int | None, newest: int | None = None) -> int: ...


def routes_of(
    store: RouteSource, name: str, arm: ShadowConfig, since_ns: int | None, newest: int | None = None
) -> dict[str, Any]:
    """``routes``: the eight with most copies, each with its share and its failed ones; ``refusals``: the five most
    frequent, each with the shadow's words, the number of copies and the remedy; ``stood_in``: in how many copies
    ``[control]`` answered in prod's stead."""
    routes = store.route_counts(name, since_ns, newest)
    every = sum(copies for _, copies, _ in routes)
    found = counted(Refusal(*one) for one in store.refusals(name, since_ns, newest))
    return {
        "routes": [
            {"route": route, "copies": copies, "failed": failed, "share": copies / every}
            for route, copies, failed in routes[:_MOST]
        ],
        "refusals": [refusal_data(one, name, arm) for one in found],
        "stood_in": store.stood_in(name, since_ns, newest),
    }


def route_lines(routes: Sequence[Mapping[str, Any]]) -> list[str]:
    """``77.0 %  GET /healthz: 100 copies, 100 failed``, one line a route."""
    return [
        f"{100 * one['share']:5.1f} %  {one['route']}: {one['copies']} copies"
        + (f", {one['failed']} failed" if one["failed"] else "")
        for one in routes
    ]


def stood_in_lines(copies: int) -> list[str]:
    """Whose answers those of "prod" are, where that is not prod."""
    if not copies:
        return []
    return [f"{STOOD_IN} in {copies} copies: who mirrored them saw no answer of prod's"]


def failing_route(routes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The route with most copies of those of which the shadow failed at least half, when it has enough of them."""
    bad = [one for one in routes if one["copies"] >= _FEW and one["failed"] >= _FAILING * one["copies"]]
    return max(bad, key=lambda one: int(one["copies"]), default=None)
