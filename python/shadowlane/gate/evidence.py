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

from ..columns import DIRECT, Timed
from ..config import Config
from ..providers.refusals import Refusal, counted, refusal_line
from .direct import Direct
from .fold import RowFold, RowSource, fold_rows
from .rules import Evidence, Sampling, Window
from .trial import Piece, Trial
from .verdict import Verdict, evaluate

__all__ = [
    "EvidenceSource",
    "direct_of",
    "evaluate_lane",
    "last_change",
    "trial_of",
    "why_no_trial",
    "window_start",
]

_HOUR_NS = 3600 * 10**9
_NO_ROOM = ("cap", "ring_full", "reservoir", "provider_limit", "budget")
"""Reasons for which a taken request was not mirrored that know how busy the lane was."""
_UNEVEN = 1.1
_NOTED_FROM = 100
_LEAVE_OUT = 'or leave this rule out: gate.disable = ["overhead"]'


class EvidenceSource(RowSource, Protocol):
    """What the gate needs of the store."""

    def latency(self, since_ns: int) -> list[Timed]: ...
    def pins(self, shadow: str, since_ns: int) -> list[tuple[str, int, int]]: ...
    def window_restarted(self, shadow: str) -> int | None: ...
    def refusals(
        self, shadow: str, since_ns: int | None, newest: int | None = None
    ) -> list[tuple[int, str, str, str, str, int]]: ...


def window_start(config: Config, now_ns: int) -> int:
    """Where the gate's window begins, when nothing else lets it begin later.

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
    """The verdict on each shadow (or on one) over the last ``gate.window_hours``, or since its window began anew."""
    now = time.time_ns() if now_ns is None else now_ns
    return [
        evaluate(config.gate, _evidence(config, name, status, store, now))
        for name in (config.shadows if shadow is None else [shadow])
    ]


def _evidence(config: Config, name: str, status: Mapping[str, Any], store: EvidenceSource, now: int) -> Evidence:
    since, why = (window_start(config, now), "") if status.get("no_lane") else _began(config, name, store, now)
    control = "control" if "control" in config.arms() else ""
    window_ns = None if status.get("no_lane") else int(config.gate.window_hours * _HOUR_NS)
    rows = fold_rows(store, name, since, control=control, window_ns=window_ns)
    timed = store.latency(since)
    accounting, sampler, started = status["accounting"], status["sampler"], status["started"]
    prod_failed = status["dropped"].get("prod_failed", 0)
    return Evidence(
        shadow=name,
        window=_window(config, status, rows, since, now, why),
        timeline=rows.timeline,
        series=rows.scores.series(),
        times=rows.times,
        tails=rows.scores.tails,
        sampling=_sampling(status) if started else None,
        prod_failed=prod_failed if started else None,
        admitted=prod_failed + status["mirrored"] if started else None,
        trial=trial_of(timed),
        direct=direct_of(timed),
        no_trial=why_no_trial(sampler),
        accounting_holds=accounting["holds"] if accounting["known"] else None,
        accounting="; ".join(_own_lines(accounting["lines"], name)) if accounting["known"] else "",
        no_lane=status.get("no_lane", ""),
        never_asked=_refused(config, name, store, since) if rows.never_asked else "",
    )


def _refused(config: Config, name: str, store: EvidenceSource, since: int) -> str:
    """What the shadow said, and the remedy, where it was never asked rightly."""
    found = counted((Refusal(*one) for one in store.refusals(name, since)), 1)
    return "; ".join(refusal_line(one, name, config.arms()[name]) for one in found) or "see shadowlane report"


def _began(config: Config, name: str, store: EvidenceSource, now: int) -> tuple[int, str]:
    """Where a shadow's window begins, and why later than the configured hours ago; empty: it does not."""
    since, why = window_start(config, now), ""
    restarted = store.window_restarted(name)
    if restarted is not None and restarted > since:
        since, why = restarted, "restarted by hand"
    changed = last_change(store.pins(name, since))
    if changed is not None:
        since, why = changed, "another version answers since then"
    return since, why


def last_change(pins: Sequence[tuple[str, int, int]]) -> int | None:
    """When a version was last exchanged for another: a pin (``"model_rev 7"``, first, last) of a kind that begins when
    every earlier one of its kind has ended. Versions that take turns are one. ``None``: never.
    """
    changes = []
    for kind in {pin.partition(" ")[0] for pin, _, _ in pins}:
        ended = None
        for _, first, last in sorted((pin for pin in pins if pin[0].partition(" ")[0] == kind), key=lambda pin: pin[1]):
            if ended is not None and first > ended:
                changes.append(first)
            ended = last if ended is None else max(ended, last)
    return max(changes, default=None)


def _window(config: Config, status: Mapping[str, Any], rows: RowFold, since: int, now: int, why: str) -> Window:
    if status.get("no_lane") or not rows.rows:
        return Window(since_ns=since, why=why)  # a file is over, whatever its times are
    began = max(since, rows.first_ns)
    hours = max((now - began) / _HOUR_NS, 1e-6)
    return Window(min(1.0, hours / config.gate.window_hours), hours, since, why)


def _sampling(status: Mapping[str, Any]) -> Sampling:
    sampler = status["sampler"]
    lost = {reason: n for reason, n in status["dropped"].items() if reason in _NO_ROOM and n}
    return Sampling(sampler["ratio"], sampler["eligible"], sampler["taken"], lost)


def direct_of(timed: Sequence[Timed]) -> Direct | None:
    """How long the lane's own calls took, over common buckets; ``None`` when nobody measured it."""
    pieces = [piece for piece in timed if piece.choice == DIRECT and len(piece.lower)]
    if not pieces:
        return None
    edges = np.unique(np.concatenate([some for piece in pieces for some in (piece.lower, piece.upper)]))
    counts = sum((_spread(piece, edges).taken for piece in pieces), np.zeros(len(edges) - 1))
    return Direct(edges.astype(np.float64), counts)


def _own_lines(lines: list[str], name: str) -> list[str]:
    """The lane's line and this shadow's."""
    return [line for index, line in enumerate(lines) if index == 0 or line.startswith(f"{name}:")]


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
    index = np.searchsorted(edges, piece.lower)
    taken[index], not_taken[index] = piece.taken, piece.not_taken
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
