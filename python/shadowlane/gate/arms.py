"""Several shadows on one sample: what each does, and how far each lies from each other at the same requests.

Every shadow gets the same copies, so that two of them are a pair at each request: what makes a request long or hard is
in neither's favour. The bounds are those of the gate's rules and hold at every look; the risk of one measure is shared
out among the pairs of arms, so that all its intervals hold together.

Invariant: all figures are of one window, which begins when the last of the arms' windows did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..config import Config
from .evidence import EvidenceSource, wrong_routes
from .paired import quantile_ratio
from .ratios import sum_increase
from .rules import ALPHA
from .sample import PairedSample, Sample
from .selection import comparable, failed_copies, sent
from .sequences import Interval
from .series import SeriesFold, joined, question_of
from .stream import Stream
from .targets import SCORE_RULES
from .timeline import Timeline
from .window import fleet_pins, start_of

__all__ = ["Arm", "Arms", "Difference", "arms_data", "compare_arms"]

_HOUR_NS = 3600 * 10**9
_P95 = 0.95
_SCORES = ("mean_delta_s", "anchored_delta_s", "critical", "contradicted_facts", "no_chaos", "citations")
"""The rules whose values are compared between arms."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One shadow's own figures; NaN: none has a value."""

    name: str
    copies: int
    """That were sent."""
    failed: float
    """Share of them."""
    delta_s: float
    fact_flips: float
    """Share of the scored pairs."""
    p95_s: float
    tokens: float
    """On average."""
    cost: float


@dataclass(frozen=True, slots=True)
class Difference:
    """``arm`` less ``than``, at the requests that both answered: less is better in every measure."""

    arm: str
    than: str
    key: str
    name: str
    kind: str
    """``plain``, ``share`` (a difference of two shares) or ``increase`` (a ratio less 1)."""
    interval: Interval

    @property
    def better(self) -> str:
        """Which arm surely is; empty: not known."""
        return self.arm if self.interval.upper < 0.0 else self.than if self.interval.lower > 0.0 else ""


@dataclass(frozen=True, slots=True)
class Arms:
    """All shadows of a lane beside each other."""

    since_ns: int
    hours: float
    arms: tuple[Arm, ...]
    differences: tuple[Difference, ...]


class _Mean:
    """Sums of values, fed piece by piece."""

    def __init__(self) -> None:
        self.n = 0
        self._total = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        self.n += len(values)
        self._total += float(values.sum())

    @property
    def value(self) -> float:
        return self._total / self.n if self.n else math.nan


class _Own:
    """One arm's figures, fed piece by piece."""

    def __init__(self, embedder: str) -> None:
        self._embedder = embedder
        self.first_ns: int | None = None
        self._copies, self._failed, self._facts = 0, 0, 0
        self._delta, self._tokens, self._cost = _Mean(), _Mean(), _Mean()
        self._times = Sample(1)

    def add(self, columns: ScoreColumns) -> None:
        if not len(columns):
            return
        self.first_ns = int(columns.started_ns[0]) if self.first_ns is None else self.first_ns
        self._copies += int(sent(columns).sum())
        self._failed += int(failed_copies(columns).sum())
        scored = ~np.isnan(columns.delta_s) & (columns.embedder == self._embedder)
        self._facts += int((columns.fact_flip & scored).sum())
        self._delta.add(columns.delta_s[scored])
        self._tokens.add(columns.tokens[_used(columns, columns.tokens)])
        self._cost.add(columns.cost[_used(columns, columns.cost)])
        use = comparable(columns)
        self._times.add(columns.exchange[use], columns.shadow_ns[use].astype(np.float64))

    def arm(self, name: str) -> Arm:
        times = self._times.column(0)
        return Arm(
            name,
            self._copies,
            self._failed / self._copies if self._copies else math.nan,
            self._delta.value,
            self._facts / self._delta.n if self._delta.n else math.nan,
            float(np.quantile(times, _P95)) / 1e9 if len(times) else math.nan,
            self._tokens.value,
            self._cost.value,
        )


class _Beside:
    """One arm's rows beside those of another at the same requests, fed piece by piece."""

    def __init__(self, embedder: str, window_ns: int) -> None:
        self._window_ns = window_ns
        self._first_ns: int | None = None
        self._scores = SeriesFold(embedder, with_control=True)
        self._failures = Stream(-1.0, 1.0)
        self._timeline = Timeline()
        self._times, self._tokens, self._cost = PairedSample(), PairedSample(), PairedSample()

    def add(self, mine: ScoreColumns, other: ScoreColumns) -> None:
        if not len(mine):
            return
        self._first_ns = int(mine.started_ns[0]) if self._first_ns is None else self._first_ns
        inside = mine.started_ns < self._first_ns + self._window_ns
        self._scores.add(mine, other, inside)
        rows, others = joined(mine, sent(mine), other, sent(other))
        self._timeline.add(mine.started_ns[rows])
        failed = failed_copies(mine)[rows].astype(np.float64) - failed_copies(other)[others]
        self._failures.add(failed)
        timed = comparable(mine) & inside, comparable(other)
        self._pair(self._times, mine, other, timed, (mine.shadow_ns, other.shadow_ns))
        for sample, values in ((self._tokens, (mine.tokens, other.tokens)), (self._cost, (mine.cost, other.cost))):
            self._pair(sample, mine, other, (_used(mine, values[0]), _used(other, values[1])), values)

    @staticmethod
    def _pair(
        sample: PairedSample,
        mine: ScoreColumns,
        other: ScoreColumns,
        has: tuple[NDArray[np.bool_], NDArray[np.bool_]],
        values: tuple[NDArray[Any], NDArray[Any]],
    ) -> None:
        rows, others = joined(mine, has[0], other, has[1])
        above, below = values[0][rows].astype(np.float64), values[1][others].astype(np.float64)
        sample.add(mine.exchange[rows], above, below, questions=question_of(mine)[rows])

    def differences(self, arm: str, than: str, alpha: float, elapsed: float) -> Iterable[Difference]:
        series = self._scores.series()
        runs = series["mean_delta_s"].values.design.runs
        rare = max(self._timeline.copies_a_minute, runs)
        for target in SCORE_RULES:
            excess = series[target.key].excess
            if target.key in _SCORES and excess is not None:
                kind = "share" if target.share else "plain"
                interval = excess.spread(rare if target.rare else 1.0).interval(alpha)
                yield Difference(arm, than, target.key, target.name, kind, interval)
        if len(self._failures):
            interval = self._failures.spread(rare).interval(alpha)
            yield Difference(arm, than, "shadow_errors", "failed", "share", interval)
        if len(self._times):
            times = self._times
            ratio = quantile_ratio(
                times.above, times.below, _P95, questions=times.questions, alpha=alpha, elapsed=elapsed
            )
            increase = Interval(ratio.estimate - 1.0, ratio.lower - 1.0, ratio.upper - 1.0, ratio.n)
            yield Difference(arm, than, "p95_latency", "P95 latency", "increase", increase)
        for key, used in (("tokens", self._tokens), ("cost", self._cost)):
            if len(used):
                interval = sum_increase(used.above, used.below, used.questions, alpha=alpha)
                yield Difference(arm, than, key, key, "increase", interval)


def _used(columns: ScoreColumns, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows whose use counts: an answer from a cache costs little whoever gives it."""
    used: NDArray[np.bool_] = ~np.isnan(values) & ~columns.cache_served
    return used


def compare_arms(
    config: Config, store: EvidenceSource, now_ns: int, status: Mapping[str, Any] | None = None
) -> Arms | None:
    """All shadows of a lane side by side in the gate's window; ``None`` where there is only one. Routes on which one of
    them was never asked rightly count for none. ``status`` says which versions the hosts of a fleet saw."""
    names = list(config.shadows)
    if len(names) < 2:
        return None
    since = max(
        start_of(config, name, store, now_ns, fleet=fleet_pins(status or {}, name)).counted_ns for name in names
    )
    wrong = (route for name in names for route, _ in wrong_routes(store.refused_routes(name, since)))
    without = sorted(set(wrong))
    embedder = next(filter(None, (store.last_embedder(name, since) for name in names)), "")
    own = {name: _Own(embedder) for name in names}
    for name, fold in own.items():
        for columns in store.pieces(name, since, without=without):
            fold.add(columns)
    window_ns = int(config.gate.window_hours * _HOUR_NS)
    first = min((fold.first_ns for fold in own.values() if fold.first_ns is not None), default=now_ns)
    elapsed = min(1.0, max(now_ns - first, 1) / window_ns)
    pairs = list(combinations(names, 2))
    found: list[Difference] = []
    for than, arm in pairs:
        beside = _Beside(embedder, window_ns)
        for mine, other in store.pieces_beside(arm, than, since, without=without):
            beside.add(mine, other)
        found += beside.differences(arm, than, ALPHA / len(pairs), elapsed)
    return Arms(since, (now_ns - first) / _HOUR_NS, tuple(fold.arm(name) for name, fold in own.items()), tuple(found))


def arms_data(arms: Arms | None, decisions: Mapping[str, str]) -> dict[str, Any] | None:
    """The same, JSON-ready, with each arm's verdict; ``None``: there is only one. What is not finite is ``None``."""
    if arms is None:
        return None
    figures = ("copies", "failed", "delta_s", "fact_flips", "p95_s", "tokens", "cost")
    return {
        "since_ns": arms.since_ns,
        "hours": arms.hours,
        "arms": [
            {"name": arm.name, **{name: _finite(getattr(arm, name)) for name in figures}}
            | {"verdict": decisions.get(arm.name)}
            for arm in arms.arms
        ],
        "differences": [
            {"arm": one.arm, "than": one.than, "key": one.key, "name": one.name, "kind": one.kind}
            | {name: _finite(getattr(one.interval, name)) for name in ("estimate", "lower", "upper")}
            | {"pairs": one.interval.n, "better": one.better or None}
            for one in arms.differences
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
