"""The numbers of a report, out of the store's columns. numpy in, plain JSON-ready values out.

Invariants: scores of different embedders are never averaged, so everything about ΔS is one block an embedder; a time
that ran into the deadline counts with the time that it took, so that a shadow which hangs cannot look fast.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bands import CRITICAL, STABLE
from ..columns import ScoreColumns
from ..gate.selection import DELTA_S_MAX, comparable, delta_values
from ..gate.sequences import mean_cs, minus

__all__ = ["HISTOGRAM_EDGES", "citations", "delta_blocks", "latency", "states"]

HISTOGRAM_EDGES: NDArray[np.float64] = np.linspace(0.0, 1.0, 41)
"""Bins of 0.025; what is above 1 counts in the last one."""

_RESAMPLES = 400
_RESAMPLED_PAIRS = 20_000
_ECDF_POINTS = 120
_SEED = 20240607


def delta_blocks(columns: ScoreColumns, control: ScoreColumns | None = None) -> list[dict[str, Any]]:
    """One block an embedder: n, mean with its any-time 95 % interval, median, P95, bands, histogram.

    ``control`` is prod against a second prod. Where it has scores of the same embedder, ``floor`` is their mean, and
    ``above_floor`` the excess of the mean over it, with an any-time 95 % interval of its own.
    """
    scored = ~np.isnan(columns.delta_s)
    blocks = []
    for name in np.unique(columns.embedder[scored]).tolist():
        values = delta_values(columns, name)
        interval = mean_cs(values, low=0.0, high=DELTA_S_MAX)
        noise = np.zeros(0) if control is None else delta_values(control, name)
        excess = None
        if len(noise):
            excess = minus(*(mean_cs(some, low=0.0, high=DELTA_S_MAX, alpha=0.025) for some in (values, noise)))
        blocks.append(
            {
                "embedder": name,
                "n": len(values),
                "mean": interval.estimate,
                "interval": [interval.lower, interval.upper],
                "median": float(np.median(values)),
                "p95": float(np.quantile(values, 0.95)),
                "bands": {
                    "stable": float(np.mean(values < STABLE)),
                    "transitional": float(np.mean((values >= STABLE) & (values < CRITICAL))),
                    "critical": float(np.mean(values >= CRITICAL)),
                },
                "histogram": {
                    "edges": [round(edge, 6) for edge in HISTOGRAM_EDGES.tolist()],
                    "counts": np.histogram(np.minimum(values, 1.0), HISTOGRAM_EDGES)[0].tolist(),
                },
                "floor": float(noise.mean()) if len(noise) else None,
                "floor_n": len(noise),
                "above_floor": None if excess is None else excess.estimate,
                "above_floor_interval": None if excess is None else [excess.lower, excess.upper],
            }
        )
    return sorted(blocks, key=lambda block: -block["n"])


def states(columns: ScoreColumns) -> dict[str, float]:
    """The share of each λ state among the pairs that have one; empty when none has."""
    named = columns.state[columns.state != ""]
    if len(named) == 0:
        return {}
    names, counts = np.unique(named, return_counts=True)
    return {name: n / len(named) for name, n in zip(names.tolist(), counts.tolist(), strict=True)}


def status_differences(columns: ScoreColumns) -> dict[str, int]:
    """Pairs in which the shadow answered with another status than prod, most frequent first: ``"200 → 302"`` to n."""
    differs = (columns.reason == "") & (columns.prod_status != columns.status)
    both = zip(columns.prod_status[differs].tolist(), columns.status[differs].tolist(), strict=True)
    return {f"{prod} → {shadow}": n for (prod, shadow), n in Counter(both).most_common()}


def citations(columns: ScoreColumns) -> dict[str, Any]:
    """Mean citation match and share of agreeing indexes, each ``None`` without data."""
    match = columns.citation_match[~np.isnan(columns.citation_match)]
    index = columns.index_agrees[~np.isnan(columns.index_agrees)]
    return {
        "match": float(match.mean()) if len(match) else None,
        "match_n": len(match),
        "index_agreement": float(index.mean()) if len(index) else None,
        "index_n": len(index),
        "fact_flips": int(columns.fact_flip.sum()),
    }


def facts(columns: ScoreColumns) -> dict[str, Any]:
    """In how many pairs facts were looked at, why not in the others, and what only one side says (mean shares)."""
    compared = ~np.isnan(columns.missing)
    unread = columns.unread[columns.unread != ""]
    return {
        "pairs": int((compared | (columns.unread != "")).sum()),
        "unread": {str(why): int((unread == why).sum()) for why in np.unique(unread)},
        "missing": float(columns.missing[compared].mean()) if compared.any() else None,
        "extra": float(columns.extra[compared].mean()) if compared.any() else None,
    }


def facts_line(block: Mapping[str, Any]) -> str:
    """One sentence: in how many pairs facts were not looked at, and why."""
    pairs, unread = block["pairs"], block["unread"]
    if not pairs:
        return "facts were looked at in no pair: none has two answers to compare"
    if not unread:
        return f"facts were looked at in all {pairs} pairs with two answers"
    why = ", ".join(f"{_WHY_UNREAD[reason]} {n}" for reason, n in unread.items())
    return f"facts were not looked at, or in part only, in {sum(unread.values())} of {pairs} pairs: {why}"


_WHY_UNREAD = {"language": "another language", "cut": "an answer cut off", "too long": "too long"}


def latency(columns: ScoreColumns) -> dict[str, Any] | None:
    """P50, P95, P99 of both in seconds, the P95's increase with a bootstrap interval, both ECDFs. ``None``: no pairs.

    The interval resamples pairs (percentile bootstrap, fixed seed), so it holds for one look; the gate uses an interval
    that holds at any time and is wider.
    """
    use = comparable(columns)
    if not use.any():
        return None
    prod, shadow = columns.prod_ns[use] / 1e9, columns.shadow_ns[use] / 1e9
    increase = _p95_increase(prod, shadow)
    return {
        "n": int(use.sum()),
        "deadlines": int((use & (columns.reason == "deadline")).sum()),
        "prod": _quantiles(prod),
        "shadow": _quantiles(shadow),
        "ttfb": {
            "prod": _quantiles(columns.prod_ttfb_ns[use] / 1e9),
            "shadow": _quantiles(columns.shadow_ttfb_ns[use] / 1e9),
        },
        "p95_increase": increase if math.isfinite(increase) else None,
        "p95_interval": _bootstrap(prod, shadow, _p95_increase) if math.isfinite(increase) else None,
        "ecdf": {"prod": _ecdf(prod), "shadow": _ecdf(shadow)},
    }


def _p95_increase(prod: NDArray[np.float64], shadow: NDArray[np.float64]) -> float:
    bottom = float(np.quantile(prod, 0.95))
    return float(np.quantile(shadow, 0.95)) / bottom - 1 if bottom > 0 else math.inf


def _bootstrap(
    prod: NDArray[np.float64],
    shadow: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
) -> list[float]:
    prod, shadow = prod[-_RESAMPLED_PAIRS:], shadow[-_RESAMPLED_PAIRS:]
    random = np.random.default_rng(_SEED)
    values = np.empty(_RESAMPLES)
    for index in range(_RESAMPLES):
        drawn = random.integers(0, len(prod), len(prod))
        values[index] = statistic(prod[drawn], shadow[drawn])
    return [float(value) for value in np.quantile(values, [0.025, 0.975])]


def _quantiles(seconds: NDArray[np.float64]) -> dict[str, float]:
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]).tolist()
    return {"p50": p50, "p95": p95, "p99": p99}


def _ecdf(seconds: NDArray[np.float64]) -> dict[str, Sequence[float]]:
    """Seconds at evenly spread shares: enough points to draw."""
    shares = np.linspace(0.0, 1.0, min(_ECDF_POINTS, max(2, len(seconds))))
    return {"shares": shares.tolist(), "seconds": np.quantile(seconds, shares).tolist()}
