"""What the store says of the copies, as samples: counts of this life of the lane, and histograms of all rows.

Invariant: the counts are read between two looks at the lane, as ``shadowlane status`` does, so that a correct lane
never looks wrong; the sums of rows only rise, whatever retention deletes (:mod:`shadowlane.store.observed`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from ..columns import HostSeen
from ..status.hosts import hosts_of
from ..status.lane import LaneStatus
from ..store.observed import BOUNDS, Observed
from ..types import ShadowCounts
from .families import Bucket, Families

__all__ = ["RowSource", "StoreReading", "add_copies", "add_hosts", "add_rows", "read_store"]

_HISTOGRAMS = {
    "latency": "shadowlane_shadow_latency_seconds",
    "prod_latency": "shadowlane_prod_latency_seconds",
    "first_byte": "shadowlane_shadow_first_byte_seconds",
    "prod_first_byte": "shadowlane_prod_first_byte_seconds",
    "slot_wait": "shadowlane_slot_wait_seconds",
    "delta_s": "shadowlane_semantic_delta",
    "anchored": "shadowlane_anchored_semantic_delta",
    "citation_match": "shadowlane_citation_match_ratio",
    "coverage": "shadowlane_coverage_ratio",
}
_BY_WORD = {
    "status": "shadowlane_responses_total",
    "band": "shadowlane_pairs_total",
    "lambda": "shadowlane_lambda_states_total",
    "tools": "shadowlane_tool_agreements_total",
}
_SUMS_BY_WORD = {"tokens": "shadowlane_tokens_total", "cost": "shadowlane_cost_total"}
_SUMS = {
    "fact_flip": ("shadowlane_fact_flips_total",),
    "strange_calls": ("shadowlane_strange_tool_calls_total",),
    "index_differs": ("shadowlane_index_differences_total",),
    "lambda_flip": ("shadowlane_lambda_flips_total", "shadow"),
    "prod_lambda_flip": ("shadowlane_lambda_flips_total", "prod"),
}
_COLLAPSES = {"collapse": "shadow", "prod_collapse": "prod"}


class RowSource(Protocol):
    """What is needed of the store."""

    def counts(self, lane_id: str | None = None) -> dict[str, ShadowCounts]: ...
    def bases(self, lane_id: str | None = None) -> dict[str, int]: ...
    def observed(self) -> list[Observed]: ...
    def bytes_used(self) -> int: ...
    def hosts(self) -> list[HostSeen]: ...


class StoreReading(NamedTuple):
    """What a store said at one moment."""

    counts: dict[str, ShadowCounts]
    bases: dict[str, int]
    observed: list[Observed]
    bytes: int
    hosts: list[HostSeen]


def read_store(store: RowSource, lane_id: str) -> StoreReading:
    """All that metrics are made of. Raises :class:`~shadowlane.errors.StoreError`."""
    return StoreReading(
        store.counts(lane_id), store.bases(lane_id), store.observed(), store.bytes_used(), store.hosts()
    )


def add_hosts(families: Families, seen: Sequence[HostSeen], since_ns: int) -> None:
    """How many hosts write to the store, where several may."""
    if seen:
        states = Counter(host["state"] for host in hosts_of(seen, since_ns))
        for state in ("heard", "silent", "ended", "unreadable"):
            families.add("shadowlane_store_hosts", states[state], state)


def add_copies(
    families: Families,
    reading: StoreReading,
    arms: Iterable[str],
    before: LaneStatus,
    now: LaneStatus,
    *,
    held: int | None = None,
) -> bool:
    """What became of the copies; ``before`` and ``now`` are the lane before and after the store was read; ``held``: how
    many a judge has, whose copies come from no ring of its own. Returns whether every copy is accounted for."""
    holds = True
    for name in arms:
        count = reading.counts.get(name, ShadowCounts())
        base = reading.bases.get(name, before.acked)
        stored = count.answered + sum(count.failed.values())
        # Before its worker has registered it nothing is mirrored to it, and what waits falls, as no counter may.
        mirrored = max(now.mirrored - base, 0) if name in reading.bases else 0
        in_flight = max(now.mirrored - base - stored, 0)
        if held is not None:
            mirrored, in_flight = stored + held, held
        families.add("shadowlane_copies_mirrored_total", mirrored, name)
        families.add("shadowlane_copies_in_flight", in_flight, name)
        families.add("shadowlane_copies_stored_total", count.answered, name, "answered", "")
        for reason, n in sorted(count.failed.items()):
            families.add("shadowlane_copies_stored_total", n, name, "failed", reason)
        holds &= held is not None or before.acked <= base + stored <= now.mirrored
    families.add("shadowlane_store_used_bytes", reading.bytes)
    return holds


def add_rows(families: Families, observed: Sequence[Observed], arms: Iterable[str]) -> None:
    """Histograms and counts of the rows of the configured arms; one without rows has none."""
    by_series = {(shadow, name): list(some) for (shadow, name), some in groupby(observed, lambda one: one[:2])}
    for shadow in arms:
        for series, name in _HISTOGRAMS.items():
            if found := by_series.get((shadow, series)):
                families.histogram(name, _buckets(series, found), sum(one.total for one in found), shadow)
        for series, name in _BY_WORD.items():
            for one in by_series.get((shadow, series), ()):
                families.add(name, one.n, shadow, one.key)
        for series, name in _SUMS_BY_WORD.items():
            for one in by_series.get((shadow, series), ()):
                families.add(name, one.total, shadow, one.key)
        for series, side in _COLLAPSES.items():
            for one in by_series.get((shadow, series), ()):
                families.add("shadowlane_collapses_total", one.n, shadow, side, one.key)
        # Events that did not happen yet are zero, so that the first one is an increase.
        for series, (name, *labels) in _SUMS.items():
            total = sum(one.total for one in by_series.get((shadow, series), ()))
            families.add(name, total, shadow, *labels)
        sent = by_series.get((shadow, "sent"), [])
        families.add("shadowlane_sends_total", sum(one.total for one in sent), shadow)
        families.add("shadowlane_retries_total", sum(one.total - one.n for one in sent), shadow)


def _buckets(series: str, found: Sequence[Observed]) -> list[Bucket]:
    """All buckets of the series. Of another release's bounds, a count goes to the first that holds it."""
    bounds = [*BOUNDS[series], float("inf")]
    by_bound: dict[float, Observed] = {}
    for one in found:
        bound = next(bound for bound in bounds if float(one.key) <= bound)
        before = by_bound.get(bound)
        newest = one if before is None or one.exemplar_ns >= before.exemplar_ns else before
        by_bound[bound] = newest._replace(n=one.n + (before.n if before else 0))
    return [_bucket("+Inf" if bound == bounds[-1] else repr(bound), by_bound.get(bound)) for bound in bounds]


def _bucket(bound: str, one: Observed | None) -> Bucket:
    if one is None:
        return Bucket(bound, 0)
    labels: Mapping[str, str] = {"shadow_id": one.exemplar_id, "trace_id": one.exemplar_trace}
    said = {name: value for name, value in labels.items() if value}
    return Bucket(bound, one.n, said, one.exemplar, one.exemplar_ns / 1e9)
