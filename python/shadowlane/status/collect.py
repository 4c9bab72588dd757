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
from ..config import Config, lane_directory
from ..errors import StoreError
from ..store import open_store
from ..types import ShadowCounts
from ..worker.state import last_error, read_state
from .overhead import overhead, render_overhead

__all__ = ["choice_of", "collect_status", "render_status"]

_TRIES = 20


def collect_status(config: Config) -> dict[str, Any]:
    """What ``shadowlane status --json`` prints.

    The core's ``lane_status`` plus ``lane`` (the name), ``started``, ``shadows``, ``accounting``, ``overhead``,
    ``store``, ``worker_error`` and ``limits`` (the state of each shadow's rate, breaker and budget, as its worker last
    said it; ``None`` before one did). A lane that never started has zeros and ``started: false``. Raises
    :class:`~shadowlane.errors.LaneError` when its directory exists and is not safe to read.
    """
    directory = lane_directory(config)
    started = (directory / "control.shm").exists() or directory.is_symlink()
    before = _core.lane_status(str(directory)) if started else _empty(config, directory)
    store, counts, bases = _read_store(config, before["lane_id"])
    status, balanced = (_settled(directory)) if started else (before, True)
    shadows: dict[str, Any] = {}
    for name in config.arms():
        count = counts.get(name, ShadowCounts())
        # A shadow that no worker registered yet gets what is not acknowledged when one does.
        base = bases.get(name, before["acked"])
        stored = count.answered + sum(count.failed.values())
        shadows[name] = {
            "mirrored": status["mirrored"] - base,
            "answered": count.answered,
            "failed": dict(count.failed),
            "in_flight": status["mirrored"] - base - stored,
            "holds": None if store["error"] else before["acked"] <= base + stored <= status["mirrored"],
        }
    limits = config.limits
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
        "accounting": {
            "holds": balanced and all(shadow["holds"] is not False for shadow in shadows.values()),
            "lane_holds": balanced,
            "known": started and not store["error"],
            "lines": _lines(status, shadows),
        },
        "worker_error": last_error(directory) if started else "",
        "limits": _limits(read_state(directory), status["lane_id"]) if started else None,
        "store": store,
        "alerts": _alerts(store["flips"]),
    }


def _settled(directory: Path) -> tuple[dict[str, Any], bool]:
    """The lane's counters, read again while requests are being counted in between, and whether they add up."""
    for _ in range(_TRIES):
        status = _core.lane_status(str(directory))
        if status["seen"] == status["mirrored"] + sum(status["dropped"].values()):
            return status, True
    return status, False


def _read_store(config: Config, lane_id: str) -> tuple[dict[str, Any], dict[str, ShadowCounts], dict[str, int]]:
    path = config.store.path
    info: dict[str, Any] = {"path": str(path), "exists": path.exists(), "rows": 0, "bytes": 0, "error": "", "flips": {}}
    if not info["exists"]:
        return info, {}, {}
    try:
        with open_store(config.store, read_only=True) as store:
            counts, bases = store.counts(lane_id), store.bases(lane_id)
            info["bytes"] = store.bytes_used()
            since = time.time_ns() - int(config.gate.window_hours * 3600e9)
            info["flips"] = {name: _flips(store.flips(name, since)) for name in config.shadows}
            info["rows"] = sum(count.answered + sum(count.failed.values()) for count in counts.values())
    except StoreError as error:
        info["error"] = str(error)
        return info, {}, {}
    return info, counts, bases


def _limits(state: Mapping[str, Any] | None, lane_id: str) -> dict[str, Any] | None:
    """The worker's state, when it is of this life of the lane."""
    if state is None or state.get("lane_id") != lane_id:
        return None
    arms = state.get("arms", {})
    limits = state.get("limits", {})
    return {
        **limits,
        "shadows": {name: {**shadow, **arms.get(name, {})} for name, shadow in limits.get("shadows", {}).items()},
    }


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


def _empty(config: Config, directory: Path) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "lane_id": "",
        "enabled": True,
        "seen": 0,
        "mirrored": 0,
        "dropped": {},
        "open": 0,
        "acked": 0,
        "corrupt": 0,
        "faults": 0,
        "rings": [],
        "ringless": 0,
        "ring_error": "",
        "cap": {
            "qps": config.limits.qps,
            "burst": config.limits.burst,
            "available": float(config.limits.burst),
            "rate": config.limits.qps,
            "paused_s": 0.0,
            "paused_reason": "",
        },
        "sampler": {"choice": choice_of(config), "ratio": config.sampling.ratio, "eligible": 0, "taken": 0},
        "worker": {"pid": 0, "alive": False, "heartbeat_age_s": None},
    }


def choice_of(config: Config) -> str:
    """How a gateway of this configuration would choose, in the core's words."""
    if config.sampling.mode == "ratio":
        return "ratio"
    return "sticky by body" if config.sampling.key.startswith("json:") else "sticky"


def _lines(status: Mapping[str, Any], shadows: Mapping[str, Any]) -> list[str]:
    """The equations in words: first the lane's, then each shadow's."""
    dropped = _sum(status["dropped"])
    lines = [f"seen {status['seen']} = mirrored {status['mirrored']} + dropped {dropped}; open {status['open']}"]
    for name, shadow in shadows.items():
        lines.append(
            f"{name}: mirrored {shadow['mirrored']} = answered {shadow['answered']} + failed {_sum(shadow['failed'])} "
            f"+ in flight {shadow['in_flight']}"
        )
    return lines


def _sum(reasons: Mapping[str, int]) -> str:
    """``7 (cap 4, sampled_out 3)``, the largest first, without zeros."""
    some = sorted(((n, name) for name, n in reasons.items() if n), key=lambda item: (-item[0], item[1]))
    total = str(sum(n for n, _ in some))
    return f"{total} ({', '.join(f'{name} {n}' for n, name in some)})" if some else total


def render_status(status: Mapping[str, Any]) -> str:
    """The status as aligned plain text."""
    accounting = status["accounting"]
    rows = [
        ("lane", f"{status['lane']}, {status['directory']}"),
        ("mirroring", _mirroring(status)),
        ("accounting", _holds(accounting)),
        *[("", line) for line in accounting["lines"]],
        ("sampler", _sampler(status["sampler"])),
        ("cap", _cap(status["cap"])),
        *[("", line) for line in _caps(status["cap"])],
        *[("limits", f"{name}: {text}") for name, text in _shadow_limits(status["limits"])],
        *_titled("overhead", render_overhead(status["overhead"])),
        ("worker", _worker(status)),
        *[("ring", _ring(ring)) for ring in status["rings"]],
    ]
    if status["ringless"] or status["ring_error"]:
        rows.append(("no ring", f"{status['ringless']} processes mirror nothing: {status['ring_error']}"))
    rows += [("refused", text) for text in status.get("refused", ())]
    if status["corrupt"]:
        rows.append(("damaged", f"{status['corrupt']} frames, counted as dropped (producer_died)"))
    if status["faults"]:
        rows.append(("faults", f"{status['faults']} failures of our own in gateways, swallowed; please report them"))
    rows.append(("store", _store(status["store"])))
    rows += [("ALERT", text) for text in status["alerts"]]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}".rstrip() for name, text in rows)


def _titled(title: str, lines: list[str]) -> list[tuple[str, str]]:
    return [(title if place == 0 else "", line) for place, line in enumerate(lines)]


def _caps(cap: Mapping[str, Any]) -> list[str]:
    """The configured caps under the lane's."""
    lines = [f"{pattern}: {qps:g} a second" for pattern, qps in cap["routes"].items()]
    lines += [f"{pattern}: a request costs {weight}" for pattern, weight in cap["weights"].items()]
    return lines + ([f"each tenant: {cap['tenant_qps']:g} a second"] if cap["tenant_qps"] else [])


def _mirroring(status: Mapping[str, Any]) -> str:
    if not status["started"]:
        return "this lane never started: start a gateway with shadowlane.asgi.ShadowMiddleware"
    return "on" if status["enabled"] else "OFF (shadowlane on switches it on)"


def _holds(accounting: Mapping[str, Any]) -> str:
    if not accounting["holds"]:
        return "DOES NOT HOLD (a reset or foreign store, or an error of ours)"
    return "holds" if accounting["known"] else "holds for what can be read"


def _sampler(sampler: Mapping[str, Any]) -> str:
    eligible, taken = sampler["eligible"], sampler["taken"]
    achieved = f", {100 * taken / eligible:.2f} % achieved" if eligible else ""
    what = "eligible requests" if sampler["choice"] == "ratio" else "eligible requests with a key"
    return f"{taken} of {eligible} {what} taken; {100 * sampler['ratio']:.2f} % asked for{achieved}"


def _cap(cap: Mapping[str, Any]) -> str:
    text = "{qps:g} copies a second, burst {burst}, {available:.1f} left now".format(**cap)
    if cap["rate"] < cap["qps"]:
        text += f"; slowed to {cap['rate']:.3g} a second, as the shadows' providers ask"
    if cap["paused_s"]:
        text += f"; PAUSED for {cap['paused_s']:.0f} s ({cap['paused_reason']})"
    return text


def _shadow_limits(limits: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """One line for each shadow with something to say."""
    lines = []
    for name, shadow in (limits or {}).get("shadows", {}).items():
        parts = []
        if (shadow["paused_until"] or 0) > time.time():
            parts.append(f"paused by its provider until {_clock(shadow['paused_until'])}")
        if shadow["slowed"]:
            parts.append(f"at most {shadow['rate']:.3g} copies a second, as its provider asks")
        breaker, budget = shadow["breaker"], shadow["budget"]
        if breaker and breaker["state"] != "closed":
            probe = f", next probe at {_clock(breaker['probe_at'])}" if breaker["probe_at"] else ""
            parts.append(f"circuit breaker {breaker['state'].replace('_', '-')}{probe}")
        if budget:
            parts += [_budget(budget)]
        if shadow.get("waiting") or shadow.get("out"):
            parts.append(f"{shadow['out']} calls out, {shadow['waiting']} waiting")
        if shadow.get("retries"):
            parts.append(f"{shadow['retries']} retries")
        if parts:
            lines.append((name, "; ".join(parts)))
    return lines


def _budget(budget: Mapping[str, Any]) -> str:
    spent = ", ".join(
        f"{count['spent']:.6g} of {count['limit']:.6g} {name.replace('_', ' ')}"
        for name, count in budget["limits"].items()
    )
    text = f"BUDGET REACHED ({budget['reached']}), no more copies: {spent}" if budget["reached"] else f"budget {spent}"
    if budget["unmetered"]:
        text += f"; {budget['unmetered']} answers did not say what they used"
    if budget["unpriced"]:
        text += f"; no price for {', '.join(budget['unpriced'])}: counted as the dearest"
    return text


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))


def _worker(status: Mapping[str, Any]) -> str:
    worker = status["worker"]
    age = worker["heartbeat_age_s"]
    if worker["alive"]:
        beat = "no heartbeat yet" if age is None else f"heartbeat {age:.1f} s ago"
        text = f"process {worker['pid']}, {beat}"
    else:
        text = "none is running"
    return f"{text}; the last one failed: {status['worker_error']}" if status["worker_error"] else text


def _ring(ring: Mapping[str, Any]) -> str:
    fill = 100 * ring["used"] / ring["bytes"] if ring["bytes"] else 0.0
    life = "alive" if ring["alive"] else "gone"
    return (
        f"{ring['ring']}: process {ring['pid']} ({life}), {fill:.1f} % of {size(ring['bytes'])} full, "
        f"mirrored {ring['mirrored']}, acknowledged {ring['acked']}, open {ring['open']}"
    )


def _store(store: Mapping[str, Any]) -> str:
    if store["error"]:
        return store["error"]  # type: ignore[no-any-return]
    if not store["exists"]:
        return f"{store['path']}: not made yet; the worker makes it"
    return f"{store['path']}: {store['rows']} pairs of this lane's life, {size(store['bytes'])}"


def size(n: int) -> str:
    """Bytes for a person: ``512 B``, ``16.0 MiB``."""
    value, unit = float(n), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{int(value)} {unit}" if unit == "B" else f"{value:.1f} {unit}"
