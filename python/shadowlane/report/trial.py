"""The lane's randomized trial over the gate's window, out of the store: what mirroring adds to the gateway's own P99.

``shadowlane status`` shows the same trial out of shared memory, by route and for one look (:mod:`.overhead`); here are
all routes together, over every life of the lane in the window, for any number of looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import Config
from ..gate import OVERHEAD, Piece, Trial, increase_interval
from ..store import Timed

__all__ = ["overhead_block", "overhead_line", "trial_of", "why_no_trial"]

_UNEVEN = 1.1
_NOTED_FROM = 100
_LEAVE_OUT = 'or leave this rule out: gate.disable = ["overhead"]'


def trial_of(timed: Sequence[Timed]) -> Trial | None:
    """The pieces that a coin decided, over common buckets; ``None`` when there is none."""
    pieces = [piece for piece in timed if piece.choice == "ratio" and len(piece.lower)]
    if not pieces:
        return None
    edges = np.unique(np.concatenate([some for piece in pieces for some in (piece.lower, piece.upper)]))
    return Trial(edges.astype(np.float64), tuple(_spread(piece, edges) for piece in pieces), _note(pieces))


def _note(pieces: Sequence[Timed]) -> str:
    """Up to a ratio of one half the coin makes both groups equally large; what makes them unequal is a cap that bites,
    since it lets the evenly spread taken ones through more often than the others."""
    even = [piece for piece in pieces if piece.ratio <= 0.5]
    taken, others = (sum(int(piece.taken.sum()) for piece in even), sum(int(piece.not_taken.sum()) for piece in even))
    if taken < _NOTED_FROM or taken <= _UNEVEN * others:
        return ""
    return (
        "a cap often had no room, so busy minutes may weigh more among the mirrored requests than among the others; "
        "lower sampling.ratio, or raise the cap"
    )


def _spread(piece: Timed, edges: NDArray[np.int64]) -> Piece:
    taken, not_taken = np.zeros((2, len(edges) - 1))
    place = np.searchsorted(edges, piece.lower)
    taken[place], not_taken[place] = piece.taken, piece.not_taken
    return Piece(taken, not_taken)


def why_no_trial(sampler: Mapping[str, Any]) -> str:
    """Why a lane that samples so has no trial, with the remedy; empty when it has one. ``sampler``: the status's."""
    if sampler["choice"] != "ratio":
        return (
            "cannot be judged: sampling goes by a key, so mirrored requests and the others are different users'; set "
            f'sampling.mode = "ratio", {_LEAVE_OUT}'
        )
    if sampler["ratio"] >= 1:
        return (
            "cannot be judged: every eligible request is mirrored (sampling.ratio = 1), so none is left to compare "
            f"with; set sampling.ratio below 1 (0.9 will do), {_LEAVE_OUT}"
        )
    return ""


def overhead_block(config: Config, trial: Trial | None, why: str) -> dict[str, Any]:
    """The trial's result, JSON-ready: the groups' sizes, ``added_share`` of the P99 with its any-time 95 %
    ``interval``, and why there is none. What the counts do not give is ``None``."""
    taken, others = (0, 0) if trial is None else trial.n
    block: dict[str, Any] = {"taken": taken, "not_taken": others, "added_share": None, "interval": [None, None]}
    if trial is not None and min(taken, others):
        seen = increase_interval(trial, OVERHEAD)
        block["added_share"] = _finite(seen.estimate)
        block["interval"] = [seen.lower if seen.lower > -1 else None, _finite(seen.upper)]
        why = ""
    target = None if "overhead" in config.gate.disable else config.gate.overhead_p99
    return {**block, "target": target, "why": why, "note": trial.note if trial else ""}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def overhead_line(block: Mapping[str, Any]) -> str:
    """One line for a person."""
    if block["added_share"] is None:
        return f"mirroring adds to P99: {block['why'] or 'not known yet, too few requests of both groups are timed'}"
    low, high = (None if bound is None else f"{100 * bound:+.1f} %" for bound in block["interval"])
    bounds = f"{low or 'no lower bound yet'} to {high or 'no upper bound yet'}"
    return (
        f"mirroring adds to P99: {100 * block['added_share']:+.1f} % (95 % at any time: {bounds}), "
        f"{block['taken']} mirrored requests against {block['not_taken']} of the others"
        f"{'; ' if block['note'] else ''}{block['note']}"
    )
