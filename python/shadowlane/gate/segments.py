"""One bad part of the traffic that the whole averages away: each route, tenant, model and repeated question by itself.

Looking at many parts finds a bad one by chance, so what is reported is controlled for false discoveries: of the
segments that are named, at most the share ``gate.segment_fdr`` is named wrongly on average, whatever the parts have in
common (Benjamini and Yekutieli, Annals of Statistics 29 (2001)). The p-values are those of sequences that hold at any
time, so looking again is allowed (Johari, Koomen, Pekelis, Walsh, "Always Valid Inference", Operations Research 70
(2022)). Where a control runs, a segment is held against what the control shows of it, as far as that is known: the
control's mean has bounds of its own. What it has not answered there, and without any control the answers to one
question, is not looked at but for failures.

Invariant: a segment is a sum in the database; nothing here reads a row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..config import GateConfig
from .dependence import Design
from .selection import DELTA_S_MAX
from .sequences import Interval, Spread
from .targets import above_noise

__all__ = ["KINDS", "Finding", "SegmentSource", "SegmentSums", "found_bad", "same_segments", "segments_of"]

KINDS = ("route", "tenant", "model", "question")
_ALPHA = 0.05
"""Of the bounds that are shown."""
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
    """Pairs whose facts contradict each other."""
    read: int
    """Pairs whose facts were looked at."""

    def deltas(self, design: Design) -> Spread:
        """Of ΔS."""
        mean = self.delta / self.scored
        variance = max(self.squares / self.scored - mean**2, 0.0)
        return Spread.of_sums(mean, self.scored, variance, high=DELTA_S_MAX, design=design, together=1.0)


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
        self,
        shadow: str,
        since_ns: int,
        embedder: str,
        least: int,
        *,
        without: Sequence[str] = (),
        only: Collection[tuple[str, str]] | None = None,
        reverse: bool = False,
    ) -> Iterable[tuple[str, str, int, int, int, float, float, int, int]]: ...


def segments_of(
    store: SegmentSource,
    shadow: str,
    since_ns: int,
    embedder: str,
    least: int,
    without: Sequence[str],
    *,
    reverse: bool = False,
) -> tuple[SegmentSums, ...]:
    """The segments of a window with ``least`` copies or more; none of a kind that has only one. ``without``: routes
    that do not count; ``reverse``: prod's failures count, and not the shadow's."""
    rows = store.segment_sums(shadow, since_ns, embedder, least, without=without, reverse=reverse)
    sums = [SegmentSums(*row) for row in rows]
    several = {kind for kind in KINDS if sum(one.kind == kind for one in sums) > 1}
    return tuple(one for one in sums if one.kind in several)


def same_segments(
    store: SegmentSource,
    control: str,
    since_ns: int,
    embedder: str,
    only: Collection[tuple[str, str]],
    without: Sequence[str],
    *,
    reverse: bool = False,
) -> tuple[SegmentSums, ...]:
    """What the control has of the segments of these kinds and names, however little."""
    rows = store.segment_sums(control, since_ns, embedder, 1, without=without, only=only, reverse=reverse)
    return tuple(SegmentSums(*row) for row in rows)


def found_bad(
    segments: Sequence[SegmentSums],
    control: Sequence[SegmentSums] | None,
    gate: GateConfig,
    *,
    design: Design,
    together: float,
) -> tuple[list[Finding], int]:
    """The findings that hold together, worst first, and how many figures were looked at.

    ``control``: the same segments of the control's; ``None``: none runs. ``design`` and ``together``: how the whole
    window's values depend on each other.
    """
    floors = {(one.kind, one.name): one for one in control or ()}
    tried = []
    for one in segments:
        floor = floors.get((one.kind, one.name))
        if floor is not None or (control is None and one.kind != "question"):
            tried += _answers(one, floor, gate, design, together)
        if one.sent:
            failed = _rate(one.failed, one.sent, design, together)
            tried.append(_finding(one, "failed copies", failed, _Limit(gate.shadow_error_rate)))
    tried.sort(key=lambda finding: (finding.p, finding.target - finding.seen.lower))
    m = len(tried)
    shares = np.cumsum(1.0 / np.arange(1, m + 1)) if m else np.ones(1)
    kept = [k for k, finding in enumerate(tried, 1) if finding.p <= k * gate.segment_fdr / (m * shares[-1])]
    return tried[: max(kept, default=0)], m


def _answers(
    one: SegmentSums, floor: SegmentSums | None, gate: GateConfig, design: Design, together: float
) -> list[Finding]:
    """Mean ΔS and contradicted facts of one segment, where the control has them too (or none runs)."""
    found = []
    if one.scored and (floor is None or floor.scored):
        noise = None if floor is None else floor.deltas(design)
        limit = _Limit(gate.mean_delta_s, gate.mean_rise, noise)
        found.append(_finding(one, "mean ΔS", one.deltas(design), limit))
    if one.read and (floor is None or floor.read):
        noise = None if floor is None else _rate(floor.flips, floor.read, design, together)
        limit = _Limit(gate.fact_flip_rate, gate.rate_rise, noise)
        found.append(_finding(one, "contradicted facts", _rate(one.flips, one.read, design, together), limit))
    return found


def _rate(n: int, of: int, design: Design, together: float) -> Spread:
    rate = n / of
    return Spread.of_sums(rate, of, rate * (1 - rate), high=1.0, design=design, together=together)


@dataclass(frozen=True, slots=True)
class _Limit:
    """What a figure may be: as the whole, a target, and more where prod against itself comes near it."""

    target: float
    rise: float = 0.0
    noise: Spread | None = None
    """The control's; ``None``: it has no part in this."""

    def at(self, alpha: float) -> float:
        """The least that the figure may be, for sure: the control's own upper bound is its floor."""
        if self.noise is None:
            return self.target
        return above_noise(self.target, self.noise.mean + self.noise.radius(alpha / 2), self.rise)

    def lower(self, spread: Spread, alpha: float) -> float:
        """The figure's lower bound, which takes what risk is left."""
        return spread.mean - spread.radius(alpha if self.noise is None else alpha / 2, upper=False)


def _finding(one: SegmentSums, what: str, spread: Spread, limit: _Limit) -> Finding:
    seen = spread.interval(_ALPHA if limit.noise is None else _ALPHA / 2)
    return Finding(one, what, seen, limit.at(_ALPHA), _p_value(spread, limit))


def _p_value(spread: Spread, limit: _Limit) -> float:
    """The smallest risk at which the lower bound is beyond the target, at any time."""

    if limit.noise is None:
        return max(spread.risk(spread.mean - limit.target, upper=False), _LEAST_ALPHA)

    def beyond(alpha: float) -> bool:
        return limit.lower(spread, alpha) > limit.at(alpha)

    if spread.mean <= limit.target or not beyond(1.0):
        return 1.0
    if beyond(_LEAST_ALPHA):
        return _LEAST_ALPHA
    low, high = math.log(_LEAST_ALPHA), 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(math.exp(middle)) else (middle, high)
    return math.exp(high)
