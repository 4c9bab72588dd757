"""What all pages show at one moment: the verdicts, and the figures of the gate's window, arm by arm.

Invariants: the verdicts are those that ``/gate`` gives, evaluated by the same code; the figures are of the same window;
what cannot be read is said, and raises nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..bands import CRITICAL, STABLE
from ..config import Config
from ..config.shown import shown_url
from ..errors import ShadowlaneError, describe
from ..gate import verdict_data
from ..gate.accounts import burns_of
from ..gate.dependence import INDEPENDENT
from ..gate.segments import SegmentSums
from ..gate.sequences import Interval, rate_cs
from ..gate.window import window_start
from ..report.source import PairSource
from ..report.stats import RowStats
from ..report.verdicts import reading
from ..serve.lane import Evaluated, LaneView
from ..store import MarkCounts
from .series import Series

__all__ = ["ArmFigures", "Segment", "Snapshot", "snapshot_of"]

log = logging.getLogger("shadowlane.dashboard")

_LEAST_SEGMENT = 5
_MOST_SEGMENTS = 12
"""Of a kind; the rest is in the rule on segments."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One route, tenant, model or question."""

    kind: str
    name: str
    sent: int
    failed: Interval
    delta: Interval | None
    flips: int


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm's figures of the window."""

    name: str
    url: str
    pairs: int
    answered: int
    delta_s: list[dict[str, Any]]
    latency: dict[str, Any] | None
    states: dict[str, float]
    failed: dict[str, int]
    http: dict[str, int]
    flips: Interval | None
    errors: Interval | None
    match: float | None
    accounts: dict[str, Any]
    series: dict[str, list[Any]]
    segments: tuple[Segment, ...]
    burns: tuple[tuple[str, float, float], ...]
    """Window, how many times faster than allowed the budget burns in it, and from how many times on it is too fast."""
    marks: MarkCounts
    reverse: bool
    """Whether the arm is the baseline, and prod the candidate."""
    verdict: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment. Without ``arms``, ``error`` says why."""

    at_ns: int
    since_ns: int
    status: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    arms: dict[str, ArmFigures] = field(default_factory=dict)
    apart: Mapping[str, Any] | None = None
    """How far several shadows are apart, see :mod:`shadowlane.gate.arms`."""
    error: str = ""


def snapshot_of(lane: LaneView) -> Snapshot:
    """The lane now, in the time that it takes."""
    evaluated = lane.evaluate()
    config, now = lane.config, evaluated.at_ns
    since = window_start(config, now)
    if evaluated.error:
        return Snapshot(now, since, error=evaluated.error)
    try:
        with reading(config, evaluated.status, lane.closed) as store:
            arms = _arms(config, evaluated, store, since)
    except ShadowlaneError as error:
        return Snapshot(now, since, error=str(error))
    except Exception as error:
        log.error("the figures cannot be computed: %s", describe(error))
        return Snapshot(now, since, error=f"an error of ours: {describe(error)}; please report it")
    targets = {"mean_delta_s": config.gate.mean_delta_s, "stable": STABLE, "critical": CRITICAL}
    return Snapshot(now, since, evaluated.status, targets, arms, evaluated.arms)


def _arms(config: Config, evaluated: Evaluated, store: PairSource, since: int) -> dict[str, ArmFigures]:
    read: dict[str, tuple[RowStats, Series]] = {}
    firsts = [first for name in config.arms() if (first := store.first_ns(name)) is not None]
    begun = max(since, min(firsts, default=since))  # a young lane's charts begin with it
    for name, arm in config.arms().items():
        rows, series = RowStats(reverse=arm.direction == "reverse"), Series(begun, evaluated.at_ns)
        for columns in store.pieces(name, since):
            rows.add(columns)
            series.add(columns)
        read[name] = rows, series
    verdicts = {verdict.shadow: verdict_data(verdict) for verdict in evaluated.verdicts}
    control = read["control"][0] if "control" in read else None
    return {
        name: _arm(config, name, rows, control, series, store, evaluated.at_ns, since, verdicts.get(name))
        for name, (rows, series) in read.items()
    }


def _arm(
    config: Config,
    name: str,
    rows: RowStats,
    control: RowStats | None,
    series: Series,
    store: PairSource,
    now: int,
    since: int,
    verdict: dict[str, Any] | None,
) -> ArmFigures:
    looked, reverse = rows.facts()["pairs"], config.arms()[name].direction == "reverse"
    failed = sum(rows.failed.values())
    return ArmFigures(
        name=name,
        url=shown_url(config.arms()[name].url),
        pairs=rows.pairs,
        answered=rows.answered,
        delta_s=rows.deltas.data(None if name == "control" or control is None else control.deltas),
        latency=rows.latency.data(bounds=False),
        states=rows.states(),
        failed=dict(rows.failed.most_common()),
        http={str(status): n for status, n in rows.http.most_common()},
        flips=rate_cs(rows.citations()["fact_flips"], looked) if looked else None,
        errors=rate_cs(failed, rows.pairs) if rows.pairs else None,
        match=rows.citations()["match"],
        accounts=rows.accounts.data(),
        series=series.data(),
        segments=_segments(store, name, since, reverse),
        burns=_burns(config, store, name, now, since, reverse),
        marks=store.mark_counts(name),
        reverse=reverse,
        verdict=verdict,
    )


def _segments(store: PairSource, name: str, since: int, reverse: bool) -> tuple[Segment, ...]:
    """The largest of each kind that has more than one. ``reverse``: failed are those that prod failed."""
    embedder = store.last_embedder(name, since)
    kinds: dict[str, list[Segment]] = {}
    for row in store.segment_sums(name, since, embedder, _LEAST_SEGMENT, reverse=reverse):
        one = SegmentSums(*row)
        several = kinds.setdefault(one.kind, [])
        if len(several) < _MOST_SEGMENTS:
            delta = one.deltas(INDEPENDENT).interval() if one.scored else None
            several.append(Segment(one.kind, one.name, one.sent, rate_cs(one.failed, one.sent), delta, one.flips))
    return tuple(segment for several in kinds.values() if len(several) > 1 for segment in several)


def _burns(
    config: Config, store: PairSource, name: str, now: int, since: int, reverse: bool
) -> tuple[tuple[str, float, float], ...]:
    budget = config.gate.shadow_error_rate
    found = []
    for burn in burns_of(store, name, now, since, reverse=reverse):
        for window, (n, failed) in ((burn.long, burn.in_long), (burn.short, burn.in_short)):
            found.append((window, failed / n / budget if n else 0.0, burn.factor))
    return tuple(found)
