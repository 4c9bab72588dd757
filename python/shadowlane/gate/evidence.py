"""The evidence on a lane's shadows: out of the store's columns and the lane's counters, into the rules.

Invariant: nothing is read but sanitized columns and counters, and all of one verdict comes from one window.

``shadowlane status`` shows the lane's randomized trial out of shared memory, by route and for one look
(:mod:`shadowlane.status.overhead`); here are all routes together, over every life of the lane in the window, for any
number of looks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns, Timed
from ..config import Config
from .rules import Evidence, Sampling
from .selection import comparable, delta_values, failed_copies, repeated, sent
from .trial import Piece, Trial
from .verdict import Verdict, evaluate

__all__ = ["EvidenceSource", "evaluate_lane", "trial_of", "why_no_trial", "window_start"]

_HOUR_NS = 3600 * 10**9
_UNEVEN = 1.1
_NOTED_FROM = 100
_LEAVE_OUT = 'or leave this rule out: gate.disable = ["overhead"]'


class EvidenceSource(Protocol):
    """What the gate needs of the store."""

    def scores(self, shadow: str | None = None, since_ns: int | None = None) -> ScoreColumns: ...
    def latency(self, since_ns: int) -> list[Timed]: ...


def window_start(config: Config, now_ns: int) -> int:
    """Where the gate's window begins.

    It moves once an hour, not with every look: between two moves, looking again is free, since the intervals hold at
    any time from their start on.
    """
    return (now_ns - int(config.gate.window_hours * _HOUR_NS)) // _HOUR_NS * _HOUR_NS


def evaluate_lane(
    config: Config,
    status: Mapping[str, Any],
    store: EvidenceSource,
    *,
    shadow: str | None = None,
    now_ns: int | None = None,
) -> list[Verdict]:
    """The verdict on each shadow (or on one) over the last ``gate.window_hours``."""
    since = window_start(config, time.time_ns() if now_ns is None else now_ns)
    trial = trial_of(store.latency(since))
    control = store.scores("control", since) if "control" in config.arms() else None
    names = list(config.shadows) if shadow is None else [shadow]
    return [evaluate(config.gate, _evidence(name, status, store.scores(name, since), control, trial)) for name in names]


def _evidence(
    name: str,
    status: Mapping[str, Any],
    columns: ScoreColumns,
    control: ScoreColumns | None,
    trial: Trial | None,
) -> Evidence:
    scored = ~np.isnan(columns.delta_s)
    embedder = str(columns.embedder[scored][-1]) if scored.any() else ""
    again = repeated(columns)
    went, timed = sent(columns), comparable(columns)
    accounting, sampler = status["accounting"], status["sampler"]
    prod_failed = status["dropped"].get("prod_failed", 0)
    return Evidence(
        shadow=name,
        started_ns=columns.started_ns[went],
        errors=failed_copies(columns)[went],
        delta_s=delta_values(columns, embedder),
        chaotic=columns.state[columns.state != ""] == "chaotic",
        prod_ns=columns.prod_ns[timed].astype(np.float64),
        shadow_ns=columns.shadow_ns[timed].astype(np.float64),
        floor_delta_s=None if control is None else delta_values(control, embedder),
        floor_chaotic=None if control is None else control.state[control.state != ""] == "chaotic",
        flips=columns.flip[again],
        prod_flips=columns.prod_flip[again],
        floor_flips=None if control is None else _own_flips(control),
        sampling=Sampling(sampler["ratio"], sampler["eligible"], sampler["taken"]) if status["started"] else None,
        prod_failed=prod_failed if status["started"] else None,
        admitted=prod_failed + status["mirrored"] if status["started"] else None,
        trial=trial,
        no_trial=why_no_trial(sampler),
        accounting_holds=accounting["holds"] if accounting["known"] else None,
        accounting="; ".join(_own_lines(accounting["lines"], name)) if accounting["known"] else "",
        no_lane=status.get("no_lane", ""),
    )


def _own_flips(control: ScoreColumns) -> NDArray[np.bool_]:
    again = repeated(control)
    own: NDArray[np.bool_] = control.flip[again] & ~control.prod_flip[again]
    return own


def _own_lines(lines: list[str], name: str) -> list[str]:
    """The lane's line and this shadow's."""
    return [line for place, line in enumerate(lines) if place == 0 or line.startswith(f"{name}:")]


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
