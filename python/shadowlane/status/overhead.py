"""What mirroring costs a request, measured by the lane itself: added P50, P95 and P99, each with a 95 % interval.

The sampler is a coin, so the requests that it takes are compared with requests that it could have taken: a randomized
trial that runs in production all the time. What makes it one, and where it ends, is in ``docs/parts/gate.md``.

Each quantile's interval is the distribution-free one from order statistics (David & Nagaraja, *Order Statistics*, 3rd
ed. 2003, §7.1): the ranks come from the binomial distribution. The two groups' intervals become the difference's, and
the ratio's, by the square-and-add method (Zou & Donner, "Construction of confidence limits about effect measures: a
general approach", Statistics in Medicine 27, 2008). It is the assignment that is random here, so the requests need not
be independent of one another; a slow minute is slow for both groups. The interval holds for one look, not for the
smallest of many; the gate judges one that holds for all (:mod:`shadowlane.gate.trial`).

Invariant: nothing is claimed that the counts do not carry: a bound that no rank gives is ``None``. Inside a bucket (at
most 1.6 % wide) counts are taken as evenly spread, in both groups alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALPHA", "QUANTILES", "Quantile", "overhead", "quantile", "render_overhead"]

ALPHA = 0.05
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_NO_ROOM = ("cap", "provider_limit", "budget", "backlog")
"""Reasons by which admission refuses what the coin chose."""
_REACH = 12.0
"""Standard deviations to each side of the binomial mean that hold all of its mass: beyond them is less than 1e-30."""

_Counts = NDArray[np.uint64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of one group, in seconds, and its interval. A bound that the counts do not give is ``None``."""

    estimate: float
    lower: float | None
    upper: float | None


def quantile(edges: _Counts, counts: _Counts, share: float, alpha: float = ALPHA) -> Quantile | None:
    """The ``share`` quantile of binned durations; ``None`` without data.

    ``edges`` (m + 1,) in ns, ascending, and ``counts`` (m,): what :func:`shadowlane._core.lane_times` gives.
    """
    n = int(counts.sum())
    if n == 0:
        return None
    low, high = _ranks(n, share, alpha)
    at = _at_ranks(edges, counts, np.array([max(low, 1), share * n + 0.5, min(high, n)], dtype=np.float64))
    return Quantile(
        estimate=float(at[1]),
        lower=float(at[0]) if low >= 1 else None,
        upper=float(at[2]) if high <= n else None,
    )


def _ranks(n: int, share: float, alpha: float) -> tuple[int, int]:
    """1-based ranks whose order statistics hold the quantile between them with probability at least ``1 - alpha``.

    0 and ``n + 1`` stand for "no such rank".
    """
    mean, reach = n * share, _REACH * math.sqrt(n * share * (1 - share)) + _REACH
    first, last = max(0, math.floor(mean - reach)), min(n, math.ceil(mean + reach))
    # Logarithms of neighbouring probabilities differ by log((n - k) / (k + 1) * odds): sums need no factorial.
    k = np.arange(first, last, dtype=np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log((n - k) / (k + 1)) + math.log(share / (1 - share)))])
    mass = np.exp(logs - logs.max())
    mass /= mass.sum()
    below = np.cumsum(mass)  # P(B <= first + i)
    above = np.cumsum(mass[::-1])[::-1]  # P(B >= first + i)
    # The largest r with P(B <= r - 1) <= alpha / 2, and the smallest s with P(B >= s) <= alpha / 2.
    low = first + int(np.searchsorted(below, alpha / 2, side="right"))
    few = np.flatnonzero(above <= alpha / 2)
    high = first + int(few[0]) if len(few) else n + 1
    return low, high


def _at_ranks(edges: _Counts, counts: _Counts, ranks: _Floats) -> _Floats:
    """Seconds at 1-based ranks, each count in the middle of its part of the bucket."""
    ends = np.cumsum(counts, dtype=np.float64)
    bucket = np.minimum(np.searchsorted(ends, ranks - 0.5, side="right"), np.flatnonzero(counts)[-1])
    inside = np.clip((ranks - 0.5 - (ends[bucket] - counts[bucket])) / counts[bucket], 0.0, 1.0)
    lower, upper = edges[bucket].astype(np.float64), edges[bucket + 1].astype(np.float64)
    seconds: _Floats = (lower + inside * (upper - lower)) / 1e9
    return seconds


def _difference(a: Quantile, b: Quantile) -> list[float | None]:
    """Bounds of ``a - b`` by squares of the distances to the bounds."""
    d = a.estimate - b.estimate
    low = high = None
    if a.lower is not None and b.upper is not None:
        low = d - math.hypot(a.estimate - a.lower, b.upper - b.estimate)
    if a.upper is not None and b.lower is not None:
        high = d + math.hypot(a.upper - a.estimate, b.estimate - b.lower)
    return [low, high]


def _logarithm(q: Quantile) -> Quantile | None:
    if q.estimate <= 0 or (q.lower is not None and q.lower <= 0):
        return None
    return Quantile(
        math.log(q.estimate),
        None if q.lower is None else math.log(q.lower),
        None if q.upper is None else math.log(q.upper),
    )


def _added(taken: Quantile, not_taken: Quantile) -> dict[str, Any]:
    """``taken`` against ``not_taken``: the difference in seconds, and as a share of the latter."""
    logs = _logarithm(taken), _logarithm(not_taken)
    share: float | None = None
    bounds: list[float | None] = [None, None]
    if logs[0] is not None and logs[1] is not None:
        share = taken.estimate / not_taken.estimate - 1
        bounds = [None if bound is None else math.expm1(bound) for bound in _difference(logs[0], logs[1])]
    return {
        "taken_s": taken.estimate,
        "not_taken_s": not_taken.estimate,
        "added_s": taken.estimate - not_taken.estimate,
        "interval_s": _difference(taken, not_taken),
        "added_share": share,
        "share_interval": bounds,
    }


def _compared(route: str, edges: _Counts, taken: _Counts, not_taken: _Counts) -> dict[str, Any]:
    block: dict[str, Any] = {"route": route, "taken": int(taken.sum()), "not_taken": int(not_taken.sum())}
    for name, share in QUANTILES.items():
        both = quantile(edges, taken, share), quantile(edges, not_taken, share)
        block[name] = None if both[0] is None or both[1] is None else _added(both[0], both[1])
    return block


def overhead(
    times: tuple[bytes, Sequence[tuple[str, bytes, bytes]]] | None, status: Mapping[str, Any]
) -> dict[str, Any]:
    """The trial's result, JSON-ready. ``times``: see :func:`shadowlane._core.lane_times`; ``None`` without a lane.

    ``all`` is the comparison over all routes, ``routes`` those of the named ones and, under ``""``, of all others; each
    has the groups' sizes and per quantile ``added_s`` with ``interval_s`` and ``added_share`` with ``share_interval``.
    ``randomized`` says whether it is a randomized trial, ``notes`` what one must know to read it. ``status``: the
    ``sampler`` and ``dropped`` of :func:`shadowlane._core.lane_status`.
    """
    edges = np.zeros(2, np.uint64)
    routes: list[tuple[str, _Counts, _Counts]] = []
    if times is not None:
        edges = np.frombuffer(times[0], np.uint64)
        routes = [(name, np.frombuffer(a, np.uint64), np.frombuffer(b, np.uint64)) for name, a, b in times[1]]
    nothing = np.zeros(len(edges) - 1, np.uint64)
    taken = sum((a for _, a, _ in routes), nothing)
    not_taken = sum((b for _, _, b in routes), nothing)
    seen = [(name, a, b) for name, a, b in routes if a.any() or b.any()]
    sampler = status["sampler"]
    return {
        "randomized": sampler["choice"] == "ratio" and sampler["ratio"] < 1,
        "notes": _notes(status),
        "resolution": 1 / 64,
        "all": _compared("*", edges, taken, not_taken),
        "routes": [_compared(name, edges, a, b) for name, a, b in seen],
    }


def _notes(status: Mapping[str, Any]) -> list[str]:
    sampler, dropped = status["sampler"], status["dropped"]
    notes = []
    if sampler["choice"] == "sticky":
        notes.append(
            "not a randomized trial of requests: sampling goes by a key, so the groups are different users, few of "
            "whom may make the difference; the intervals are too narrow"
        )
    elif sampler["choice"] == "sticky by body":
        notes.append(
            "not a randomized trial: sampling goes by a key in the body, so every eligible request is captured, and "
            "both groups carry that cost; what is compared is the copy into the ring only, between different users"
        )
    elif sampler["ratio"] >= 1:
        notes.append("no trial: every eligible request is taken, so there is nothing to compare with")
    elif sampler["ratio"] > 0.5:
        notes.append("the taken group is the larger one: read it only over a time in which the ratio did not change")
    refused = sum(dropped.get(reason, 0) for reason in _NO_ROOM)
    if refused:
        notes.append(f"{refused} requests met a limit; both groups leave out the moments at which there was no room")
    large = dropped.get("request_too_large", 0)
    if large:
        notes.append(
            f"{large} requests were too large: those that declare it are in neither group, so nothing is said of them; "
            "those that do not stay in the group that the coin gave them"
        )
    return notes


def render_overhead(result: Mapping[str, Any]) -> list[str]:
    """Lines for a person: whether it is a trial, then one line a quantile, for all routes and for each."""
    every = result["all"]
    if not every["taken"] and not every["not_taken"]:
        return [*result["notes"], "nothing timed yet"]
    kind = "a randomized trial" if result["randomized"] else "no randomized trial"
    lines = [f"{kind}: {every['taken']} taken requests, {every['not_taken']} of the others timed", *result["notes"]]
    named = [block for block in result["routes"] if block["route"]]
    # A lone "all others" would only repeat the line above it.
    blocks = [every, *(result["routes"] if named else [])]
    for block in blocks:
        name = {"*": "all routes", "": "other routes"}.get(block["route"], block["route"])
        for quantity in QUANTILES:
            lines.append(f"{name}, {quantity.upper()}: {_line(block[quantity])}")
    return lines


def _line(added: Mapping[str, Any] | None) -> str:
    if added is None:
        return "not enough requests in both groups"
    low, high = added["interval_s"]
    if low is None and high is None:
        bounds = "not bounded yet"
    else:
        bounds = f"{_signed(low, 'no lower bound')} to {_signed(high, 'no upper bound yet')}"
    share = added["added_share"]
    part = "" if share is None else f", {100 * share:+.2f} %"
    return f"{_signed(added['added_s'], '')} on {duration(added['not_taken_s'])}{part} (95 %: {bounds})"


def _signed(seconds: float | None, missing: str) -> str:
    if seconds is None:
        return missing
    return ("-" if seconds < 0 else "+") + duration(abs(seconds))


def duration(seconds: float) -> str:
    """Seconds for a person: ``12.3 µs``, ``4.56 ms``, ``1.20 s``."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"
