"""What metrics are made of: counts, sums and histograms of each shadow's rows, kept in their own transaction.

A series has a count and a sum for each key: a histogram's keys are the upper bounds of its buckets (each row counts in
one of them), another's are the words that it counts. Each bucket keeps its newest row as an exemplar.

Invariant: they only rise, whatever retention deletes and whoever is killed: a row that is stored is counted, and once.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ..types import STRANGE_CALLS, Pair

__all__ = ["ADD_OBSERVED", "BOUNDS", "GET_OBSERVED", "Observed", "Tally"]

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_WAIT = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_DELTA = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 1.0, 1.5, 2.0)
_SHARE = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

BOUNDS: dict[str, tuple[float, ...]] = {
    "latency": _LATENCY,
    "prod_latency": _LATENCY,
    "first_byte": _LATENCY,
    "prod_first_byte": _LATENCY,
    "slot_wait": _WAIT,
    "delta_s": _DELTA,
    "anchored": _DELTA,
    "citation_match": _SHARE,
    "coverage": _SHARE,
}
_KEYS = {series: (*map(repr, bounds), "+Inf") for series, bounds in BOUNDS.items()}
"""The histograms, and the upper bounds of their buckets but for the last one, which has none. Times are in seconds."""

ADD_OBSERVED = (
    "INSERT INTO observed (shadow, series, key, n, total, exemplar, exemplar_id, exemplar_trace, exemplar_ns) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (shadow, series, key) DO UPDATE SET "
    "n = observed.n + excluded.n, total = observed.total + excluded.total, "
    "exemplar = excluded.exemplar, exemplar_id = excluded.exemplar_id, "
    "exemplar_trace = excluded.exemplar_trace, exemplar_ns = excluded.exemplar_ns"
)
GET_OBSERVED = (
    "SELECT shadow, series, key, n, total, exemplar, exemplar_id, exemplar_trace, exemplar_ns FROM observed "
    "ORDER BY shadow, series"
)


class Observed(NamedTuple):
    """One key of one series of a shadow. Without an exemplar its id is empty."""

    shadow: str
    series: str
    key: str
    n: int
    total: float
    exemplar: float
    exemplar_id: str
    exemplar_trace: str
    exemplar_ns: int


class Tally:
    """The sums of one batch of rows."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0])
        self._exemplars: dict[tuple[str, str, str], tuple[float, str, str, int]] = {}

    def add(self, pair: Pair) -> None:
        """A row that is stored with this batch."""
        shadow, copy = pair.outcome.shadow, pair.copy
        row, trace, at_ns = copy.shadow_id, _trace_of(pair), copy.started_ns
        sums, exemplars = self._sums, self._exemplars
        for series, value in _measured(pair):
            key = (shadow, series, _KEYS[series][bisect.bisect_left(BOUNDS[series], value)])
            known = sums[key]
            known[0] += 1
            known[1] += value
            exemplars[key] = (value, row, trace, at_ns)
        for series, word, value in _counted(pair):
            known = sums[shadow, series, word]
            known[0] += 1
            known[1] += value

    def rows(self) -> Iterator[Observed]:
        """For :data:`ADD_OBSERVED`."""
        for key, (n, total) in self._sums.items():
            value, row, trace, at_ns = self._exemplars.get(key, (0.0, "", "", 0))
            yield Observed(*key, int(n), total, value, row, trace, at_ns)


def _trace_of(pair: Pair) -> str:
    """Prod's trace, where the gateway or its caller has one."""
    return pair.copy.traceparent[3:35]


def _measured(pair: Pair) -> list[tuple[str, float]]:
    """What goes into histograms: both sides' times of the same answered copies, and the scores that there are."""
    copy, outcome, scores = pair.copy, pair.outcome, pair.scores
    found: list[tuple[str, float]] = []
    if not outcome.reason:
        found.append(("latency", outcome.duration_ns / 1e9))
        if copy.duration_ns:  # else nobody told it
            found.append(("prod_latency", copy.duration_ns / 1e9))
        found.append(("first_byte", outcome.ttfb_ns / 1e9))
        if copy.ttfb_ns:
            found.append(("prod_first_byte", copy.ttfb_ns / 1e9))
    if outcome.tries or outcome.waited_ns:
        found.append(("slot_wait", outcome.waited_ns / 1e9))
    for series, value in (
        ("delta_s", scores.delta_s),
        ("anchored", scores.anchored),
        ("citation_match", scores.citation_match),
        ("coverage", scores.coverage),
    ):
        if value is not None and math.isfinite(value):
            found.append((series, value))
    return found


def _counted(pair: Pair) -> Iterator[tuple[str, str, float]]:
    """What is counted by a word of a fixed set, and summed up."""
    outcome, scores, group = pair.outcome, pair.scores, pair.scores.group
    if outcome.status:
        known = 100 <= outcome.status <= 599  # RFC 9110 §15: a shadow must not make as many keys as it likes
        yield "status", str(outcome.status) if known else "other", 1.0
    if outcome.tries:
        yield "sent", "", outcome.tries
    if outcome.reason:
        return
    yield "band", scores.band, 1.0
    for series, word in (
        ("lambda", scores.state),
        ("collapse", scores.collapse),
        ("prod_collapse", scores.prod_collapse),
        ("tools", scores.tools),
    ):
        if word:
            yield series, word, 1.0
    for series, happened in (
        ("fact_flip", scores.fact_flip),
        ("lambda_flip", group is not None and group.flip),
        ("prod_lambda_flip", group is not None and group.prod_flip),
        ("index_differs", scores.index_agrees is False),
    ):
        if happened:
            yield series, "", 1.0
    if strange := outcome.findings.get(STRANGE_CALLS, 0):
        yield "strange_calls", "", strange
    if not scores.cache_served:  # as the gate's rules on them: like for like
        for series, prod, used in (
            ("tokens", scores.prod_tokens, scores.tokens),
            ("cost", scores.prod_cost, scores.cost),
        ):
            if prod is not None and used is not None and math.isfinite(prod + used):
                yield series, "prod", prod
                yield series, "shadow", used
