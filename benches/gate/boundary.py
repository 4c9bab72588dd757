"""The sequences of three rules alone, on days exactly at their targets: how often each errs when looked at every hour.

No store and no verdict, so that there can be thousands of days; the values are those of :func:`.days.boundary`, the
bounds the gate's own. *Met* and *missed* are judged at the stated risk (5 % each), *rejected* at that of a REJECT,
which all rules share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from shadowlane.config import GateConfig
from shadowlane.gate.boundary import limit
from shadowlane.gate.paired import PairedQuantiles
from shadowlane.gate.repeats import Questions
from shadowlane.gate.rules import ALPHA, REJECT_ALPHA
from shadowlane.gate.stream import Stream
from shadowlane.gate.timeline import Timeline

from .days import Day, boundary

__all__ = ["OUTCOMES", "at_the_boundary"]

OUTCOMES = ("met", "missed", "rejected")
_P95 = 0.95
_Claims = Iterator[tuple[str, str]]
"""A rule and an outcome that its bounds claim."""


class _Scores:
    """ΔS and errors of one day, fed up to each look."""

    def __init__(self, day: Day) -> None:
        self._day, self._gate, self._fed = day, GateConfig(), 0
        self._questions, self._timeline = Questions(), Timeline()
        self._delta = Stream(0.0, 2.0, self._questions)
        self._errors = Stream()

    def look(self, until: int) -> _Claims:
        new = slice(self._fed, until)
        self._fed = until
        answered = ~self._day.failed[new]
        slots = self._questions.slots(self._day.question[new])
        self._delta.add(self._day.delta[new][answered], slots[answered])
        self._errors.add(self._day.failed[new].astype(np.float64))
        self._timeline.add((1e9 * self._day.at_s[new]).astype(np.int64))
        together = max(self._timeline.copies_a_minute, self._delta.design.runs)
        for key, target, spread in (
            ("mean_delta_s", self._gate.mean_delta_s, self._delta.spread()),
            ("shadow_errors", self._gate.shadow_error_rate, self._errors.spread(together)),
        ):
            some = spread.interval(ALPHA)
            if some.upper <= target:
                yield key, "met"
            if some.lower > target:
                yield key, "missed"
            if spread.interval(REJECT_ALPHA).lower > target:
                yield key, "rejected"


def _times(day: Day, until: int, elapsed: float) -> _Claims:
    answered = ~day.failed[:until]
    above, below, questions = (some[:until][answered] for some in (day.shadow_s, day.prod_s, day.question))
    pairs = PairedQuantiles.of(above, below, _P95, questions)
    target = 1 + GateConfig().p95_increase
    if pairs.refutes(target, limit(2 * ALPHA, elapsed), upper=True):
        yield "p95_latency", "met"
    if pairs.refutes(target, limit(2 * ALPHA, elapsed), upper=False):
        yield "p95_latency", "missed"
    if pairs.refutes(target, limit(2 * REJECT_ALPHA, elapsed), upper=False):
        yield "p95_latency", "rejected"


def at_the_boundary(
    kind: str, runs: int, looks: int, *, rate: float = 1.0, scores: bool = True
) -> dict[str, dict[str, float]]:
    """The share of ``runs`` days of this kind in which a rule was ever met, missed or rejected, by rule: the P95's, and
    with ``scores`` those of ΔS and errors."""
    ever: Counter[tuple[str, str]] = Counter()
    for seed in range(runs):
        day = boundary(kind, np.random.default_rng([9000, seed]), rate)
        of_scores, claims = _Scores(day), set()
        for look in range(1, looks + 1):
            until = int(np.searchsorted(day.at_s, 86_400.0 * look / looks))
            claims |= {*(of_scores.look(until) if scores else ()), *_times(day, until, look / looks)}
        ever.update(claims)
    keys = ("mean_delta_s", "shadow_errors", "p95_latency") if scores else ("p95_latency",)
    return {key: {outcome: ever[key, outcome] / runs for outcome in OUTCOMES} for key in keys}
