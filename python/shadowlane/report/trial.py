"""The lane's randomized trial over the gate's window, out of the store: what mirroring adds to the gateway's own P99.

``shadowlane status`` shows the same trial out of shared memory, by route and for one look
(:mod:`shadowlane.status.overhead`); here are all routes together, over every life of the lane in the window, for any
number of looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..config import Config
from ..gate import ALPHA, OVERHEAD, Direct, Trial, increase_cs

__all__ = ["overhead_block", "overhead_line"]


def overhead_block(config: Config, trial: Trial | None, why: str, direct: Direct | None = None) -> dict[str, Any]:
    """The trial's result, JSON-ready: the groups' sizes, ``added_share`` of the P99 with its any-time 95 %
    ``interval``, and why there is none; and ``direct``, how long the lane's own calls took in all but a share of the
    requests. What the counts do not give is ``None``."""
    taken, others = (0, 0) if trial is None else trial.n
    block: dict[str, Any] = {"taken": taken, "not_taken": others, "added_share": None, "interval": [None, None]}
    if trial is not None and min(taken, others):
        seen = increase_cs(trial, OVERHEAD)
        block["added_share"] = _finite(seen.estimate)
        block["interval"] = [seen.lower if seen.lower > -1 else None, _finite(seen.upper)]
        why = ""
    bound = None if direct is None else direct.bound(ALPHA)
    block["direct"] = None
    if direct is not None and bound is not None:
        block["direct"] = {"requests": direct.n, "at_most_ns": bound[0], "but_for": bound[1]}
    target = None if "overhead" in config.gate.disable else config.gate.overhead_p99
    return {**block, "target": target, "why": why, "note": trial.note if trial else ""}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def overhead_line(block: Mapping[str, Any]) -> str:
    """One line for a person."""
    calls = ""
    if block["direct"] is not None:
        but = 100 * block["direct"]["but_for"]
        calls = f"; its own calls take at most {block['direct']['at_most_ns'] / 1e3:.3g} µs in all but {but:.2g} %"
    if block["added_share"] is None:
        why = block["why"] or "not known yet, too few requests of both groups are timed"
        return f"mirroring adds to P99: {why}{calls}"
    low, high = (None if bound is None else f"{100 * bound:+.1f} %" for bound in block["interval"])
    bounds = f"{low or 'no lower bound yet'} to {high or 'no upper bound yet'}"
    return (
        f"mirroring adds to P99: {100 * block['added_share']:+.1f} % (95 % at any time: {bounds}), "
        f"{block['taken']} mirrored requests against {block['not_taken']} of the others"
        f"{calls}{'; ' if block['note'] else ''}{block['note']}"
    )
