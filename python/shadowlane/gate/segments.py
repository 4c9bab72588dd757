"""One bad part of the traffic that the whole averages away: each route, tenant, model and repeated question by itself.

Looking at many parts finds a bad one by chance, so what is reported is controlled for false discoveries: of the
segments that are named, at most the share ``gate.segment_fdr`` is named wrongly on average, whatever the parts have in
common (Benjamini and Yekutieli, Annals of Statistics 29 (2001)). The p-values are those of sequences that hold at any
time, so looking again is allowed (Johari, Koomen, Pekelis, Walsh, "Always Valid Inference", Operations Research 70
(2022)). What one question's answers differ by is no fault where no control shows how prod's own do: then only failures
are looked at question by question.

Invariant: a segment is a sum in the database; nothing here reads a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..config import GateConfig
from .dependence import Design
from .sequences import Interval, Spread

__all__ = ["KINDS", "Finding", "SegmentSource", "SegmentSums", "found_bad", "segments_of"]

KINDS = ("route", "tenant", "model", "question")
_DELTA_S_MAX = 2.0
_LEAST_ALPHA = 1e-12
_BISECTIONS = 40
_SHOWN_NAME = 60


@dataclass(frozen=True, slots=True)
class SegmentSums:
    """One part of a shadow's window, and of the control's."""

    kind: str
    name: str
    sent: int
    failed: int
    scored: int
    delta: float
    """Σ ΔS."""
    squares: float
    """Σ ΔS²."""
    flips: int
    """Scored pairs whose facts contradict each other."""

    @property
    def mean(self) -> float:
        """Mean ΔS; NaN without scores."""
        return self.delta / self.scored if self.scored else math.nan


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of one segment that is beyond its target."""

    segment: SegmentSums
    what: str
    seen: Interval
    target: float
    p: float

    def __str__(self) -> str:
        name = (
            self.segment.name if len(self.segment.name) <= _SHOWN_NAME else self.segment.name[: _SHOWN_NAME - 1] + "…"
        )
        bounds = f"{self.seen.estimate:.3f} ({self.seen.lower:.3f} to {self.seen.upper:.3f}; at most {self.target:.3g})"
        return f"{self.segment.kind} {name}: {self.what} {bounds} in {self.seen.n}"


class SegmentSource(Protocol):
    """What sums the store's rows by their parts."""

    def segment_sums(
        self, shadow: str, since_ns: int, embedder: str, least: int, *, without: Sequence[str] = ()
    ) -> Iterable[tuple[str, str, int, int, int, float, float, int]]: ...


def segments_of(
    store: SegmentSource, shadow: str, since_ns: int, embedder: str, least: int, without: Sequence[str]
) -> tuple[SegmentSums, ...]:
    """The segments of a window with ``least`` copies or more; none of a kind that has only one. ``without``: routes
    that do not count."""
    sums = [SegmentSums(*row) for row in store.segment_sums(shadow, since_ns, embedder, least, without=without)]
    several = {kind for kind in KINDS if sum(one.kind == kind for one in sums) > 1}
    return tuple(one for one in sums if one.kind in several)


def found_bad(
    segments: Sequence[SegmentSums],
    control: Sequence[SegmentSums],
    gate: GateConfig,
    *,
    design: Design,
    together: float,
) -> tuple[list[Finding], int]:
    """The findings that hold together, worst first, and how many figures were looked at.

    ``design`` and ``together``: how the whole window's values depend on each other.
    """
    floors = {(one.kind, one.name): one for one in control}
    tried = [
        finding
        for one in segments
        for finding in _figures(one, floors.get((one.kind, one.name)), gate, design, together)
    ]
    tried.sort(key=lambda finding: (finding.p, finding.target - finding.seen.lower))
    m = len(tried)
    shares = np.cumsum(1.0 / np.arange(1, m + 1)) if m else np.ones(1)
    kept = [k for k, finding in enumerate(tried, 1) if finding.p <= k * gate.segment_fdr / (m * shares[-1])]
    return tried[: max(kept, default=0)], m


def _figures(
    one: SegmentSums, floor: SegmentSums | None, gate: GateConfig, design: Design, together: float
) -> list[Finding]:
    """Mean ΔS, contradicted facts and failures of one segment, against what the whole may be."""
    found = []
    if one.scored and (one.kind != "question" or floor is not None):
        variance = max(one.squares / one.scored - one.mean**2, 0.0)
        noise = floor.mean if floor is not None and floor.scored else 0.0
        spread = _spread(one.mean, one.scored, variance, _DELTA_S_MAX, design, 1.0)
        found.append(_finding(one, "mean ΔS", spread, _limit(gate.mean_delta_s, noise, gate.mean_rise)))
        noise = floor.flips / floor.scored if floor is not None and floor.scored else 0.0
        spread = _rate(one.flips, one.scored, design, together)
        found.append(_finding(one, "contradicted facts", spread, _limit(gate.fact_flip_rate, noise, gate.rate_rise)))
    if one.sent:
        spread = _rate(one.failed, one.sent, design, together)
        found.append(_finding(one, "failed copies", spread, gate.shadow_error_rate))
    return found


def _limit(target: float, floor: float, rise: float) -> float:
    """As for the whole: where prod against itself comes near a target, that is what a segment may be."""
    return max(target, floor + min(rise, target)) if floor > target / 2 else target


def _rate(n: int, of: int, design: Design, together: float) -> Spread:
    rate = n / of
    return _spread(rate, of, rate * (1 - rate), 1.0, design, together)


def _spread(mean: float, n: int, variance: float, high: float, design: Design, together: float) -> Spread:
    """Squared errors of running predictions are the variance's, and a logarithm's more."""
    errors = variance * (n + math.log(n) + 1.0) / high**2 + 0.25
    return Spread(mean, n, 0.0, high, high, (errors, errors), design, together)


def _finding(one: SegmentSums, what: str, spread: Spread, target: float) -> Finding:
    return Finding(one, what, spread.interval(), target, _p_value(spread, target))


def _p_value(spread: Spread, target: float) -> float:
    """The smallest risk at which the lower bound is beyond the target, at any time."""
    room = spread.mean - target
    if room <= 0 or spread.radius(1.0, upper=False) >= room:
        return 1.0
    low, high = math.log(_LEAST_ALPHA), 0.0
    if spread.radius(_LEAST_ALPHA, upper=False) < room:
        return _LEAST_ALPHA
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if spread.radius(math.exp(middle), upper=False) < room else (middle, high)
    return math.exp(high)
