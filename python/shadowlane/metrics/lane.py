"""What the control file, the rings and ``worker.json`` say, as samples.

Invariant: every counter here lies in shared memory and outlives gateways and workers, so it falls only when the lane is
made anew; what a dead worker last said of its limits is not shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..status.lane import LaneStatus
from ..status.limits import alerting_of, budgets_of, fleet_of, leaders_of, limits_of
from ..store.observed import BOUNDS
from ..types import REASONS
from ..worker.state import read_state
from .families import Bucket, Families

__all__ = ["add_lane", "add_limits", "add_offload", "add_receivers", "add_times"]

_CALLS = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2)
_BREAKER = ("closed", "half_open", "open")

_Counts = NDArray[np.uint64]


def add_lane(families: Families, lane: LaneStatus, *, started: bool) -> None:
    """Counters and gauges of the lane as a whole."""
    add = families.add
    add("shadowlane_lane_started", started)
    add("shadowlane_lane_enabled", lane.enabled)
    add("shadowlane_requests_seen_total", lane.seen)
    add("shadowlane_requests_open", lane.open)
    add("shadowlane_requests_mirrored_total", lane.mirrored)
    for reason in REASONS:
        add("shadowlane_requests_dropped_total", lane.dropped.get(reason, 0), reason)
    add("shadowlane_requests_eligible_total", lane.sampler.eligible)
    add("shadowlane_requests_sampled_total", lane.sampler.taken)
    add("shadowlane_sampling_ratio", lane.sampler.ratio)
    add("shadowlane_frames_acknowledged_total", lane.acked)
    add("shadowlane_frames_corrupt_total", lane.corrupt)
    add("shadowlane_faults_total", lane.faults)
    add("shadowlane_backlog_frames", max(lane.mirrored - lane.acked, 0))
    alive = sum(ring.alive for ring in lane.rings)
    add("shadowlane_rings", alive, "alive")
    add("shadowlane_rings", len(lane.rings) - alive, "dead")
    add("shadowlane_rings_refused", len(lane.refused))
    add("shadowlane_ring_size_bytes", sum(ring.bytes for ring in lane.rings))
    add("shadowlane_ring_used_bytes", sum(ring.used for ring in lane.rings))
    fills = (ring.used / ring.bytes for ring in lane.rings if ring.bytes)
    add("shadowlane_ring_fill_ratio", max(fills, default=0.0))
    add("shadowlane_processes_without_ring", lane.ringless)
    add("shadowlane_cap_rate", lane.cap.qps)
    add("shadowlane_cap_rate_in_force", lane.cap.rate)
    add("shadowlane_cap_burst", lane.cap.burst)
    add("shadowlane_cap_available", lane.cap.available)
    add("shadowlane_paused_seconds", lane.cap.paused_s)
    if lane.lease is not None:
        add("shadowlane_fleet_share_rate", lane.lease.rate if lane.lease.left_s else 0.0)
        add("shadowlane_fleet_share_burst", lane.lease.burst if lane.lease.left_s else 0.0)
        add("shadowlane_fleet_share_seconds", lane.lease.left_s)
        add("shadowlane_fleet_wanted_total", lane.lease.wanted)
        add("shadowlane_fleet_off", lane.lease.off)
    add("shadowlane_worker_up", lane.worker.alive)
    if lane.worker.heartbeat_age_s is not None:
        add("shadowlane_worker_heartbeat_age_seconds", lane.worker.heartbeat_age_s)


def add_times(families: Families, directory: Path) -> None:
    """How long requests took in the gateway, and the lane's own calls."""
    edges, routes = _core.lane_times(str(directory))
    for pattern, *groups in routes:
        for group, counts in zip(("taken", "not_taken"), groups, strict=True):
            _add_binned(
                families,
                "shadowlane_gateway_latency_seconds",
                edges,
                counts,
                BOUNDS["latency"],
                pattern or "other",
                group,
            )
    _add_binned(families, "shadowlane_gateway_calls_seconds", *_core.lane_direct(str(directory)), _CALLS)


def _add_binned(
    families: Families, name: str, edges: bytes, counts: bytes, bounds: tuple[float, ...], *labels: str
) -> None:
    """The lane's narrow buckets put together to a few: each belongs to the bucket that holds its middle."""
    ends, n = np.frombuffer(edges, np.uint64).astype(np.float64) / 1e9, np.frombuffer(counts, np.uint64)
    middles = (ends[:-1] + ends[1:]) / 2
    sums = np.bincount(np.searchsorted(bounds, middles), weights=n, minlength=len(bounds) + 1)
    shown = [*map(repr, bounds), "+Inf"]
    buckets = [Bucket(bound, int(some)) for bound, some in zip(shown, sums, strict=True)]
    families.histogram(name, buckets, float(middles @ n), *labels)


def add_limits(families: Families, directory: Path, lane: LaneStatus) -> bool:
    """The limits, and how alerts stand, as the living worker last wrote them. Returns whether they could be read."""
    if not lane.worker.alive:
        return True
    state = read_state(directory)
    limits, trouble = limits_of(state, lane.lane_id)
    for name, shadow in ({} if limits is None else limits["shadows"]).items():
        _add_shadow(families, name, shadow)
    if fleet := fleet_of(state, alive=True):
        families.add("shadowlane_fleet_hosts", fleet["hosts"])
        families.add("shadowlane_fleet_engine_up", not fleet["error"])
    if budgets := budgets_of(state, alive=True):
        families.add("shadowlane_fleet_budget_workers", budgets["processes"])
        families.add("shadowlane_fleet_budget_engine_up", not budgets["error"])
    for task, leader in leaders_of(state, alive=True).items():
        families.add("shadowlane_leader", leader["here"] and leader["left_s"] > 0, task)
        families.add("shadowlane_leader_token", leader["token"], task)
        families.add("shadowlane_leader_seconds", leader["left_s"], task)
    for name, receiver in alerting_of(state, alive=True).items():
        for figure in ("firing", "waiting"):
            families.add(f"shadowlane_alerts_{figure}", receiver[figure], name)
        families.add("shadowlane_alerts_sent_total", receiver["sent"], name)
        families.add("shadowlane_alerts_failed_total", receiver["failed"], name)
        families.add("shadowlane_alerts_given_up_total", receiver["dropped"], name)
    return not trouble


def add_offload(families: Families, offload: Mapping[str, Any] | None) -> None:
    """The stream between forwarding hosts and judges, as the worker last saw it; nothing where there is none."""
    if offload is None or not offload["known"]:
        return
    stream, total = offload["stream"], offload["stream"]["total"]
    for name, value in (
        ("length", stream["length"]),
        ("with_judges", stream["pending"]),
        ("judges", stream["judges"]),
        ("oldest_seconds", stream["age_s"]),
        ("held", offload["held"]),
        ("works", not offload["error"]),
        ("forwarded_total", total["forwarded"]),
        ("judged_total", total["judged"]),
        ("set_aside_total", total["set_aside"]),
        ("foreign_total", stream["foreign"]),
        ("set_aside_kept", stream["kept_aside"]),
        ("taken_over_total", offload["taken_over"]),
        ("lost_total", stream["lost"]),
        ("missing", offload["missing"]),
    ):
        families.add(f"shadowlane_offload_{name}", value)


def add_receivers(families: Families, receivers: Mapping[str, Mapping[str, Any]]) -> None:
    """What became of what ``shadowlane otlp`` and ``shadowlane sink`` were sent."""
    for kind, one in receivers.items():
        for name in ("up", "received", "offered"):
            families.add(f"shadowlane_receiver_{name}" + ("" if name == "up" else "_total"), one[name], kind)
        for name in ("skipped", "rejected", "answers"):
            for label, n in sorted(one[name].items()):
                families.add(f"shadowlane_receiver_{name}_total", n, kind, label)


def _add_shadow(families: Families, name: str, shadow: Mapping[str, Any]) -> None:
    add = families.add
    add("shadowlane_shadow_rate", shadow["rate"], name)
    add("shadowlane_shadow_slowed", shadow["slowed"], name)
    add("shadowlane_shadow_paused_seconds", max((shadow["paused_until"] or 0.0) - time.time(), 0.0), name)
    add("shadowlane_calls_out", shadow["out"], name)
    add("shadowlane_copies_waiting", shadow["waiting"], name)
    if breaker := shadow["breaker"]:
        for state in _BREAKER:
            add("shadowlane_breaker_state", breaker["state"] == state, name, state)
        add("shadowlane_breaker_rest_seconds", breaker["rest_s"], name)
    if budget := shadow["budget"]:
        add("shadowlane_budget_reached", bool(budget["reached"]), name)
        add("shadowlane_budget_unmetered", budget["unmetered"], name)
        for limit, count in _finite(budget["limits"]):
            add("shadowlane_budget_spent", count["spent"], name, limit)
            add("shadowlane_budget_limit", count["limit"], name, limit)
        if slice_ := budget["slice"]:
            for unit in ("tokens", "money"):
                add("shadowlane_budget_slice", slice_[unit], name, unit)
            add("shadowlane_budget_slice_seconds", slice_["left_s"], name)


def _finite(limits: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, Mapping[str, float]]]:
    yield from ((limit, count) for limit, count in limits.items() if np.isfinite(count["limit"]))
