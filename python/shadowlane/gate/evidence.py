"""The evidence on a lane's shadows: out of the store's columns and the lane's counters, into the rules.

Invariant: nothing is read but sanitized columns and counters, and all of one verdict comes from one window.

``shadowlane status`` shows the lane's randomized trial out of shared memory, by route and for one look
(:mod:`shadowlane.status.overhead`); here are all routes together, over every life of the lane in the window, for any
number of looks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..columns import DIRECT, HostSeen, Timed
from ..config import Config
from ..providers.refusals import Refusal, counted, refusal_line
from ..types import route_of
from .accounts import FailureSource, burns_of
from .control import ControlRows
from .direct import Direct
from .drift import PastSource, drift_of
from .earlier import earlier_plan
from .fold import RowFold, RowPlan, RowSource, plan_rows
from .hosts import NO_ROOM, Counted, counted_over, own_counts
from .kept import Plan, folded
from .rules import Evidence, Sampling, Window
from .sample import Sample
from .segments import SegmentSource, SegmentSums, segments_of
from .trial import Piece, Trial
from .verdict import Verdict, evaluate
from .window import PinSource, Start, fleet_pins, start_of, window_start

__all__ = [
    "EvidenceSource",
    "direct_of",
    "evaluate_lane",
    "lane_plans",
    "trial_of",
    "why_no_trial",
    "window_start",
    "wrong_routes",
]

_CONTROL = "control"
_FEW_REFUSED = 20
"""Copies of a route: when so many were all refused, what is asked there is at fault, and not one odd request."""
_HOUR_NS = 3600 * 10**9
_OF_HOST = "; of this host's requests alone: no host that writes to the store has said yet what it counts"
_UNEVEN = 1.1
_NOTED_FROM = 100
_LEAVE_OUT = 'or leave this rule out: gate.disable = ["overhead"]'


class EvidenceSource(RowSource, PinSource, PastSource, FailureSource, SegmentSource, Protocol):
    """What the gate needs of the store."""

    def latency(self, since_ns: int) -> list[Timed]: ...
    def hosts(self) -> list[HostSeen]: ...
    def refused_routes(self, shadow: str, since_ns: int | None) -> list[tuple[str, int, int]]: ...
    def refusals(
        self, shadow: str, since_ns: int | None, newest: int | None = None
    ) -> list[tuple[int, str, str, str, str, int]]: ...


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
    controls: dict[bool, ControlRows] = {}
    if _CONTROL in config.arms():
        controls = {reverse: ControlRows(store, _CONTROL, reverse=reverse) for reverse in (False, True)}
    return [
        evaluate(config.gate, _evidence(config, name, status, store, now, controls.get(_is_reverse(config, name))))
        for name in (config.shadows if shadow is None else [shadow])
    ]


def _is_reverse(config: Config, name: str) -> bool:
    return config.shadows[name].direction == "reverse"


def _evidence(
    config: Config,
    name: str,
    status: Mapping[str, Any],
    store: EvidenceSource,
    now: int,
    control: ControlRows | None,
) -> Evidence:
    whole, reverse = bool(status.get("no_lane")), _is_reverse(config, name)
    start, wrong, plan = _planned(config, name, status, store, now)
    without, embedder = list(plan.without), plan.embedder
    rows = folded(store, plan)
    earlier = Sample(1)  # where a control runs, it shows what is usual
    if embedder and control is None and not whole:
        earlier = folded(store, earlier_plan(config, name, store, start, embedder))
    timed = store.latency(start.since_ns)
    parts: tuple[SegmentSums, ...] = ()
    if not rows.never_asked:
        least = config.gate.segment_pairs
        parts = segments_of(store, name, start.counted_ns, embedder, least, without, reverse=reverse)
    same = None
    if control is not None:
        rows.scores.take_floors(control.floors(start.counted_ns, embedder, without))
        same = control.segments(start.counted_ns, embedder, without, parts)
    counters = _counters(config, name, status, store, start.since_ns, now, timed)
    return Evidence(
        shadow=name,
        reverse=reverse,
        **counters,
        window=_window(config, rows, start, now, whole=whole),
        timeline=rows.timeline,
        series=rows.scores.series(),
        times=rows.times,
        tails=rows.scores.tails,
        trial=trial_of(timed),
        direct=direct_of(timed),
        no_trial=why_no_trial(status["sampler"]),
        accounts=rows.accounts.accounts(
            prices=bool(config.prices),
            burns=burns_of(store, name, now, start.since_ns if start.why else 0, without=without, reverse=reverse),
            pins=start.pins,
            segments=(parts, same),
            expected={pin: some.expected for pin, some in config.pins.items()},
        ),
        drift=drift_of(config, name, store, now, rows.drift, earlier, whole=whole),
        changes=rows.change.watched(),
        no_lane=status.get("no_lane", ""),
        never_asked=_refused(config, name, store, start.since_ns) if rows.never_asked else "",
        asked_wrongly="; ".join(
            f"{route} ({n} copies): {_refused(config, name, store, start.counted_ns, route)}" for route, n in wrong
        ),
    )


def _planned(
    config: Config, name: str, status: Mapping[str, Any], store: EvidenceSource, now: int
) -> tuple[Start, list[tuple[str, int]], RowPlan]:
    """A shadow's window, the routes that do not count in it with their copies, and what is folded of its rows."""
    whole = bool(status.get("no_lane"))
    start = start_of(config, name, store, now, whole=whole, fleet=fleet_pins(status, name))
    wrong = wrong_routes(store.refused_routes(name, start.counted_ns))
    plan = plan_rows(
        store,
        name,
        start.counted_ns,
        control=_CONTROL if _CONTROL in config.arms() else "",
        slot_wait_ms=config.gate.slot_wait_ms,
        without=[route for route, _ in wrong],
        window_ns=None if whole else int(config.gate.window_hours * _HOUR_NS),
        reverse=_is_reverse(config, name),
    )
    return start, wrong, plan


def lane_plans(config: Config, status: Mapping[str, Any], store: EvidenceSource, now_ns: int) -> list[Plan[Any]]:
    """Everything that :func:`evaluate_lane` folds at that time, for whoever folds it beforehand."""
    found: list[Plan[Any]] = []
    for name in config.shadows:
        start, _, plan = _planned(config, name, status, store, now_ns)
        found.append(plan)
        if plan.control:
            reverse = _is_reverse(config, name)
            floors = ControlRows(store, plan.control, reverse=reverse)
            found.append(floors.plan(plan.since_ns, plan.embedder, plan.without))
        elif plan.embedder:
            found.append(earlier_plan(config, name, store, start, plan.embedder))
    return found


def _counters(
    config: Config,
    name: str,
    status: Mapping[str, Any],
    store: EvidenceSource,
    since_ns: int,
    now_ns: int,
    timed: Sequence[Timed],
) -> dict[str, Any]:
    """What goes by counters and by no rows: those of the lane that was asked, or, where several hosts write to the
    store, of all of them."""
    accounting, started = status["accounting"], status["started"]
    prod_failed = status["dropped"].get("prod_failed", 0)
    shared, judge = config.store.on_server and not status.get("no_lane"), config.worker.role == "judge"
    found: dict[str, Any] = {
        "sampling": _sampling(status, since_ns) if started else None,
        "prod_failed": prod_failed if started else None,
        "admitted": prod_failed + status["mirrored"] if started else None,
        "accounting_holds": accounting["holds"] if accounting["known"] else None,
        "accounting": "; ".join(_own_lines(accounting["lines"], name)) if accounting["known"] else "",
        "counted": _OF_HOST if shared and started and not judge else "",
    }
    if not shared or not (seen := store.hosts()):
        return found
    own = own_counts(status) if started and not judge else None
    counted = counted_over(seen, own, name, since_ns, now_ns)
    found |= {
        "sampling": counted.sampling,
        "prod_failed": counted.prod_failed,
        "admitted": counted.admitted,
        "failed_at": counted.failed_at,
        "counted": counted.words,
        "timed": _timed_at(timed, counted),
    }
    if counted.accounting_holds is not None and not judge:  # a judge has the stream's, which is of all hosts
        found |= {
            "accounting_holds": counted.accounting_holds and found["accounting_holds"] is not False,
            "accounting": counted.accounting,
        }
    return found


def _timed_at(timed: Sequence[Timed], counted: Counted) -> str:
    """On how many hosts requests were timed; a life of a lane that says no host is one of its own."""
    lanes = {piece.lane_id.partition(":")[0] for piece in timed if len(piece.lower)}
    hosts = {counted.names.get(lane[:12], lane) for lane in lanes}
    return f"; over {len(hosts)} host{'s' if len(hosts) != 1 else ''}" if hosts else ""


def wrong_routes(routes: Sequence[tuple[str, int, int]]) -> list[tuple[str, int]]:
    """Routes on which the shadow was never asked rightly, and their copies, of ``(route, copies, refused)``: all their
    copies were refused, on others not all were. Few copies may be refused for what they ask."""
    if all(copies == refused for _, copies, refused in routes):
        return []  # then it was never asked rightly at all
    return [(route, copies) for route, copies, refused in routes if copies == refused and copies >= _FEW_REFUSED]


def _refused(config: Config, name: str, store: EvidenceSource, since: int, route: str = "") -> str:
    """What the shadow said (on a route), and the remedy, where it was never asked rightly."""
    said = (Refusal(*one) for one in store.refusals(name, since))
    found = counted((one for one in said if not route or route_of(one.method, one.target) == route), 1)
    return "; ".join(refusal_line(one, name, config.arms()[name]) for one in found) or "see shadowlane report"


def _window(config: Config, rows: RowFold, start: Start, now: int, *, whole: bool) -> Window:
    if whole:
        # A file is over, whatever its times are.
        return Window(since_ns=start.since_ns, why=start.why, warmup=start.warmup)
    # It runs since the first row that counts.
    first = max(start.since_ns, rows.first_ns) if rows.rows else now
    hours = max((now - first) / _HOUR_NS, 1e-6)
    elapsed = min(1.0, hours / config.gate.window_hours)
    return Window(elapsed, hours, start.since_ns, start.why, start.warmup)


def _sampling(status: Mapping[str, Any], since_ns: int) -> Sampling | None:
    """Each setting of the sampling that was in force in the window, with what was counted while it was."""
    revisions = status["sampler"]["revisions"]
    if not revisions:
        return None
    ends = [following["since_ns"] for following in revisions[1:]]
    before = [one for one, end in zip(revisions, ends, strict=False) if end > since_ns and one["eligible"]]
    return replace(_sampled(revisions[-1]), earlier=tuple(_sampled(one) for one in before))


def _sampled(revision: Mapping[str, Any]) -> Sampling:
    lost = {reason: n for reason, n in revision["dropped"].items() if reason in NO_ROOM and n}
    return Sampling(revision["ratio"], revision["eligible"], revision["taken"], lost, revision["qps"])


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
