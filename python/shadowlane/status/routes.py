"""A shadow's copies by route, and what it said to those that it refused: for ``status``, ``report`` and ``doctor``.

Invariant: all words are sanitized ones out of the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..config import ShadowConfig
from ..providers.refusals import Refusal, counted, refusal_data
from ..store import ProdSeen

__all__ = [
    "NEWEST",
    "STOOD_IN",
    "TOLD",
    "RouteSource",
    "failing_route",
    "prod_lines",
    "route_lines",
    "routes_of",
]

STOOD_IN = "[control] answered in prod's stead"
TOLD = "telemetry told of prod's side"

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
    def prod_seen(self, shadow: str, since_ns: int | None, newest: int | None = None) -> ProdSeen: ...


def routes_of(
    store: RouteSource, name: str, arm: ShadowConfig, since_ns: int | None, newest: int | None = None
) -> dict[str, Any]:
    """``routes``: the eight with most copies, each with its share and its failed ones; ``refusals``: the five most
    frequent, each with the shadow's words, the number of copies and the remedy; ``stood_in``, ``told``, ``untimed``: in
    how many copies prod's side is not what a gateway sees (:class:`~shadowlane.store.tallies.ProdSeen`)."""
    routes = store.route_counts(name, since_ns, newest)
    every = sum(copies for _, copies, _ in routes)
    found = counted(Refusal(*one) for one in store.refusals(name, since_ns, newest))
    return {
        "routes": [
            {"route": route, "copies": copies, "failed": failed, "share": copies / every}
            for route, copies, failed in routes[:_MOST]
        ],
        "refusals": [refusal_data(one, name, arm) for one in found],
        **store.prod_seen(name, since_ns, newest)._asdict(),
    }


def route_lines(routes: Sequence[Mapping[str, Any]]) -> list[str]:
    """``77.0 %  GET /healthz: 100 copies, 100 failed``, one line a route."""
    return [
        f"{100 * one['share']:5.1f} %  {one['route']}: {one['copies']} copies"
        + (f", {one['failed']} failed" if one["failed"] else "")
        for one in routes
    ]


def prod_lines(seen: Mapping[str, Any]) -> list[str]:
    """What "prod" is, where that is not what a gateway sees of it; ``seen`` has members of
    :class:`~shadowlane.store.ProdSeen`."""
    lines = []
    if n := seen.get("stood_in", 0):
        lines.append(f"{STOOD_IN} in {n} copies: who mirrored them saw no answer of prod's")
    if n := seen.get("told", 0):
        lines.append(f"{TOLD} in {n} copies: its headers, status and first byte are not known")
    if n := seen.get("untimed", 0):
        lines.append(f"how long prod took is not known in {n} copies: no rule on latency counts them")
    return lines


def failing_route(routes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The route with most copies of those of which the shadow failed at least half, when it has enough of them."""
    bad = [one for one in routes if one["copies"] >= _FEW and one["failed"] >= _FAILING * one["copies"]]
    return max(bad, key=lambda one: int(one["copies"]), default=None)
