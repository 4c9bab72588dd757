"""What answers used, cost and said of themselves, prod against the shadow: tokens, money, models, ends, tools.

Invariant: sums compare the same pairs, those in which both sides say what is summed; what a cache served is counted and
left out of them, since such an answer costs what it would not cost again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..render.text import milliseconds, signed

__all__ = ["Accounts", "account_rows", "said"]

_TOOLS = {
    "same": "the same calls",
    "arguments": "the same tools with other arguments",
    "others": "other tools",
    "missing": "only prod calls",
    "extra": "only the shadow calls",
}


class Accounts:
    """Sums over the pairs in which both sides say, fed in the order of time. ``reverse``: increases are prod's above
    the shadow's."""

    def __init__(self, *, reverse: bool = False) -> None:
        self._reverse = reverse
        self._sums = {"tokens": [0.0, 0.0], "cost": [0.0, 0.0]}
        self._n = {"tokens": 0, "cost": 0}
        self._cached = self._retried = 0

    def add(self, columns: ScoreColumns) -> None:
        """The next rows."""
        self._cached += int(columns.cache_served.sum())
        self._retried += int((columns.tries > 1).sum())
        self._add("tokens", columns.prod_tokens, columns.tokens, columns.cache_served)
        self._add("cost", columns.prod_cost, columns.cost, columns.cache_served)

    def _add(
        self, name: str, prod: NDArray[np.float64], shadow: NDArray[np.float64], cached: NDArray[np.bool_]
    ) -> None:
        use = ~(np.isnan(prod) | np.isnan(shadow) | cached)
        self._n[name] += int(use.sum())
        self._sums[name][0] += float(prod[use].sum())
        self._sums[name][1] += float(shadow[use].sum())

    def data(self) -> dict[str, Any]:
        """``tokens`` and ``cost``, each with the pairs, both means an answer and the increase, or ``None``; how many
        pairs a cache served, and how many copies were sent more than once."""
        return {name: self._mean(name) for name in self._n} | {
            "cache_served": self._cached,
            "retried": self._retried,
        }

    def _mean(self, name: str) -> dict[str, Any] | None:
        n, (prod, shadow) = self._n[name], self._sums[name]
        if not n:
            return None
        more, base = (prod, shadow) if self._reverse else (shadow, prod)
        means = {"pairs": n, "prod": prod / n, "shadow": shadow / n, "reverse": self._reverse}
        return {**means, "increase": more / base - 1 if base else None}


def said(counts: Mapping[str, Sequence[tuple[str, str, int]]]) -> dict[str, Any]:
    """``models``, ``finish_reasons`` and ``tool_agreement``, JSON-ready, the most frequent first."""
    both = {
        name: [{"prod": prod, "shadow": shadow, "pairs": n} for prod, shadow, n in counts[key]]
        for name, key in (("models", "models"), ("finish_reasons", "finish"))
    }
    return {**both, "tool_agreement": {how: n for _, how, n in counts["tools"]}}


def account_rows(shadow: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What there is of it as titles and lines, for a person."""
    accounts, rows = shadow["accounts"], []
    rows += [("models", _both(one)) for one in shadow["models"]]
    first = shadow["latency"] and shadow["latency"]["ttfb"]
    if first:
        times = (
            f"{who} P50 {milliseconds(first[who]['p50'])}, P95 {milliseconds(first[who]['p95'])}"
            for who in ("prod", "shadow")
        )
        rows.append(("first byte", "; ".join(times)))
    if accounts["tokens"]:
        rows.append(("tokens", _change(accounts["tokens"], "{:,.0f}", "both say what they used")))
    if accounts["cost"]:
        rows.append(("cost", _change(accounts["cost"], "{:.4g}", "both models have a price")))
    if accounts["cache_served"]:
        rows.append(("cache", f"served {accounts['cache_served']} pairs, left out of tokens and cost"))
    if accounts["retried"]:
        rows.append(("retries", f"{accounts['retried']} copies were sent more than once"))
    rows += [("finish", _both(one)) for one in shadow["finish_reasons"]]
    if shadow["tool_agreement"]:
        agreed = (f"{_TOOLS.get(how, how)} in {n}" for how, n in shadow["tool_agreement"].items())
        rows.append(("tool use", ", ".join(agreed) + " pairs"))
    return rows


def _change(mean: Mapping[str, Any], form: str, which: str) -> str:
    prod, shadow = form.format(mean["prod"]), form.format(mean["shadow"])
    whose = "prod " if mean["reverse"] else ""
    change = "" if mean["increase"] is None else f" ({whose}{signed(mean['increase'])})"
    return f"prod {prod} an answer, shadow {shadow}{change}; {mean['pairs']} pairs in which {which}"


def _both(one: Mapping[str, Any]) -> str:
    prod, shadow = one["prod"] or "(not said)", one["shadow"] or "(not said)"
    both = f"both {prod}" if prod == shadow else f"prod {prod}, shadow {shadow}"
    return f"{both}: {one['pairs']} pairs"
