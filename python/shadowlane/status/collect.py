"""The lane's state now: counters, rings, cap, sampler, worker, and the accounting of every request and copy.

Invariant: the accounting compares two counters of different origin, the rings' and the store's, read in an order in
which a correct lane can never look wrong: what is acknowledged, then what is stored, then what is mirrored.
Needs the base installation only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import _core
from ..capture.received import read_received
from ..config import Config, lane_directory
from ..config.worker_file import running_revision, worker_config
from ..errors import StoreError
from ..files import may_exist
from ..store import ProdSeen, find_store
from ..types import ShadowCounts
from ..worker.counted import copies_of
from ..worker.state import gateway_error, last_error, read_state
from .hosts import hosts_of
from .lane import LaneStatus, as_json, read_lane, read_settled, unstarted
from .limits import alerting_of, budgets_of, endpoint_of, fleet_of, fleet_pins_of, leaders_of, limits_of, spans_of
from .offload import hosts_counted, offload_accounting, offload_alerts, offload_of
from .overhead import overhead
from .render import sum_of
from .routes import NEWEST, routes_of

__all__ = ["collect_status"]

_NOTHING: dict[str, Any] = {"routes": [], "refusals": [], **ProdSeen()._asdict()}
"""Of a shadow without rows."""
_CONNECT_S = 2
"""For a server that keeps the pairs: who asks for the status waits, and the lane itself is there without it."""


def collect_status(config: Config, *, flips: bool = True) -> dict[str, Any]:
    """What ``shadowlane status --json`` prints.

    The core's ``lane_status`` plus ``lane`` (the name), ``started``, ``shadows``, ``accounting``, ``overhead``,
    ``store``, ``revisions`` (of the configurations that this command, gateways and worker have), ``endpoint`` (where
    the worker listens, and why it does not; ``None``: it has none), ``telemetry`` (spans sent, waiting and lost;
    ``None``: none are made), ``offload`` (the stream between forwarding hosts and judges, as the worker last saw it;
    ``None``: this host does all itself), ``alerting`` (by receiver: what is told now, waits,
    and became of the rest; empty: the worker tells nobody), ``fleet`` (what the worker knows of its fleet; ``None``:
    there is none, or no worker), ``fleet_budgets`` (how it shares the shadows' budgets; ``None``: it does not),
    ``leaders`` (by task who does what is done once for all workers of the store; empty: no other one writes to it),
    ``hosts`` (what each host that writes to the store counted, as it last said; empty: no other one does),
    ``fleet_pins`` (by shadow the versions that the fleet's hosts saw), and
    ``worker_error`` and ``limits`` (the state of each shadow's rate, breaker and budget, as its worker last said it;
    ``None`` before one
    did), ``receivers`` (by ``otlp`` and ``sink``: whether one lives, and what became of what it was sent; empty: none
    ever ran). A lane that never started has zeros and ``started: false``. Without ``flips`` the λ flips of the window
    are not counted, which takes most of the time where there are many rows: for who reads them anyway. Raises
    :class:`~shadowlane.errors.LaneError` when its directory exists and is not safe to read.
    """
    directory = lane_directory(config)
    started = may_exist(directory / "control.shm") or directory.is_symlink()
    before = read_lane(directory) if started else unstarted(config)
    store, counts, bases = _read_store(config, before.lane_id, flips=flips)
    now, balanced = read_settled(directory) if started else (before, True)
    shadows: dict[str, Any] = {}
    for name, copies in copies_of(config.arms(), counts, bases, before.acked, now.mirrored).items():
        shadows[name] = {
            "mirrored": copies.mirrored,
            "answered": copies.answered,
            "failed": copies.failed,
            "in_flight": copies.in_flight,
            "holds": None if store["error"] else copies.holds,
            **store["copies"].get(name, {**_NOTHING, "lately": None}),
        }
    limits, status = config.limits, as_json(now)
    state = read_state(directory) if started else None
    offload = offload_of(config, state, now.lane_id)
    accounting = {
        "holds": balanced and all(shadow["holds"] is not False for shadow in shadows.values()),
        "lane_holds": balanced,
        "known": started and not store["error"],
        "lines": _lines(now, shadows),
    }
    if offload is not None:
        accounting = offload_accounting(offload, now, shadows, accounting)
        if offload["role"] == "judge":
            status |= hosts_counted(state)
    in_force, trouble = limits_of(state, now.lane_id)
    revisions = _revisions(config, directory, state, status)
    endpoint = endpoint_of(state, alive=bool(status["worker"]["alive"]))
    alerting = alerting_of(state, alive=bool(status["worker"]["alive"]))
    hosts = store.pop("hosts")
    del store["copies"]
    return {
        **status,
        "cap": {
            **status["cap"],
            "routes": dict(limits.routes),
            "weights": dict(limits.weights),
            "tenant_qps": limits.tenant_qps,
        },
        "overhead": overhead(_core.lane_times(str(directory)) if started else None, status),
        "lane": config.lane.name,
        "started": started,
        "shadows": shadows,
        "accounting": accounting,
        "offload": offload,
        "worker_error": last_error(directory) if started else "",
        "gateway_error": gateway_error(directory),
        "limits": in_force,
        "store": store,
        "revisions": revisions,
        "endpoint": endpoint,
        "telemetry": spans_of(state, alive=bool(status["worker"]["alive"])),
        "alerting": alerting,
        "receivers": read_received(directory, now.lane_id) if started else {},
        "fleet": fleet_of(state, alive=bool(status["worker"]["alive"])),
        "fleet_budgets": budgets_of(state, alive=bool(status["worker"]["alive"])),
        "leaders": leaders_of(state, alive=bool(status["worker"]["alive"])),
        "hosts": hosts,
        "fleet_pins": fleet_pins_of(state),
        "alerts": [
            *_alerts(store["flips"]),
            *([trouble] if trouble else []),
            *([f"the worker's HTTP endpoint is off: {endpoint['error']}"] if endpoint and endpoint["error"] else []),
            *[f"alerts to {name}: {one['error']}" for name, one in alerting.items() if one["error"]],
            *offload_alerts(offload),
            *_stale(revisions),
        ],
    }


def _revisions(
    config: Config, directory: Path, state: Mapping[str, Any] | None, status: Mapping[str, Any]
) -> dict[str, str]:
    """Which configuration is which: this command's own, living gateways', a living worker's; empty: none lives."""
    running = state.get("revision", "") if state is not None and status["worker"]["alive"] else ""
    return {
        "given": worker_config(config, directory).revision(),
        "gateway": running_revision(directory) if any(ring["alive"] for ring in status["rings"]) else "",
        "worker": running if isinstance(running, str) else "",
    }


def _stale(revisions: Mapping[str, str]) -> list[str]:
    given, gateway, worker = revisions["given"], revisions["gateway"], revisions["worker"]
    lines = []
    if gateway and worker and gateway != worker:
        lines.append(f"the worker runs configuration {worker}, the gateways {gateway}: it is handing over")
    if given != (running := gateway or worker or given):
        lines.append(f"this configuration ({given}) is not what runs ({running}): restart the gateways to apply it")
    return lines


def _read_store(
    config: Config, lane_id: str, *, flips: bool
) -> tuple[dict[str, Any], dict[str, ShadowCounts], dict[str, int]]:
    info: dict[str, Any] = {"path": config.store.shown, "exists": True, "rows": 0, "bytes": 0, "error": ""}
    info |= {"blocks": "", "damaged_blocks": 0, "folds": {}, "flips": {}, "copies": {}, "hosts": []}
    try:
        found = find_store(config.store, connect_s=_CONNECT_S)
        if found is None:
            return {**info, "exists": False}, {}, {}
        with found as store:
            counts, bases = store.counts(lane_id), store.bases(lane_id)
            info["bytes"] = store.bytes_used()
            backlog = store.backlog()
            info["blocks"] = str(backlog) if backlog is not None and backlog.many else ""
            info["damaged_blocks"] = store.damaged_blocks()
            info["folds"] = {
                name: dict(zip(("rows", "until_ns", "bytes"), state, strict=True))
                for name, state in store.fold_states().items()
                if name in config.shadows
            }
            since = time.time_ns() - int(config.gate.window_hours * 3600e9)
            info["hosts"] = hosts_of(store.hosts(), since)
            if flips:
                info["flips"] = {name: _flips(store.flips(name, since)) for name in config.shadows}
            info["copies"] = {
                name: {**routes_of(store, name, arm, since, NEWEST), "lately": store.lately(name, NEWEST)}
                for name, arm in config.arms().items()
            }
            info["rows"] = sum(count.answered + sum(count.failed.values()) for count in counts.values())
    except StoreError as error:
        info["error"] = str(error)
        return info, {}, {}
    return info, counts, bases


def _flips(counted: tuple[int, int, int]) -> dict[str, int]:
    """The shadow's λ flips on repeated questions within the gate's window, those that prod shared, and the last one."""
    return {"flips": counted[0], "shared": counted[1], "last_ns": counted[2]}


def _alerts(flips: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What somebody should look at, one line each."""
    return [
        f"λ of {name} flipped {found['flips'] - found['shared']} times on repeated questions where prod's did not; "
        "see shadowlane report"
        for name, found in flips.items()
        if found["flips"] > found["shared"]
    ]


def _lines(status: LaneStatus, shadows: Mapping[str, Any]) -> list[str]:
    """The equations in words: first the lane's, then each shadow's."""
    dropped = sum_of(status.dropped)
    lines = [f"seen {status.seen} = mirrored {status.mirrored} + dropped {dropped}; open {status.open}"]
    for name, shadow in shadows.items():
        lines.append(
            f"{name}: mirrored {shadow['mirrored']} = answered {shadow['answered']} "
            f"+ failed {sum_of(shadow['failed'])} + in flight {shadow['in_flight']}"
        )
    return lines
