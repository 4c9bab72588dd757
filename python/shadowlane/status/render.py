"""A lane's status as aligned plain text: what is wrong first, so that it stands on the first screen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .fleet import fleet_lines, leader_lines
from .hosts import host_lines
from .lately import lately_lines
from .offload import offload_lines
from .overhead import render_overhead
from .routes import prod_lines, route_lines

__all__ = ["process", "render_status", "size", "sum_of"]


def sum_of(reasons: Mapping[str, int]) -> str:
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
        *_troubles(status),
        ("accounting", _holds(accounting)),
        *[("", line) for line in accounting["lines"]],
        ("worker", _worker(status)),
        *_titled("offload", list(offload_lines(status["offload"]))),
        *_endpoint(status["endpoint"]),
        *_telemetry(status["telemetry"]),
        *_alerting(status["alerting"]),
        *_receivers(status["receivers"]),
    ]
    for name, shadow in status["shadows"].items():
        rows += _titled(f"prod of {name}", prod_lines(shadow))
        rows += _titled(f"errors {name}", [one["text"] for one in shadow["refusals"]])
        rows += _titled(f"copies {name}", [*route_lines(shadow["routes"]), *lately_lines(shadow["lately"])])
    rows += [
        *[("limits", f"{name}: {text}") for name, text in _shadow_limits(status["limits"])],
        ("sampler", _sampler(status["sampler"])),
        ("cap", _cap(status["cap"], status["lease"])),
        *_titled("fleet", fleet_lines(status["fleet"], status["lease"], status["fleet_budgets"])),
        *_titled("leaders", leader_lines(status["leaders"])),
        *_titled("hosts", list(host_lines(status["hosts"]))),
        *[("", line) for line in _caps(status["cap"])],
        *_titled("overhead", render_overhead(status["overhead"])),
        ("configured", _configured(status["revisions"])),
        *[("ring", _ring(ring)) for ring in status["rings"]],
        *_titled("store", _store(status["store"])),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}".rstrip() for name, text in rows)


def _troubles(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What somebody should look at, before anything that is as it should be."""
    rows = [("ALERT", text) for text in status["alerts"]]
    if status["gateway_error"]:
        rows.append(("no lane", f"a gateway could not open it and mirrors nothing: {status['gateway_error']}"))
    if status["ringless"] or status["ring_error"]:
        rows.append(("no ring", f"{status['ringless']} processes mirror nothing: {status['ring_error']}"))
    rows += [("refused", text) for text in status.get("refused", ())]
    rows += [("older", text) for text in status["older"]]
    if status["unread"]:
        rows.append(("unread", status["unread"]))
    if status["corrupt"]:
        rows.append(("damaged", f"{status['corrupt']} frames, counted as dropped (producer_died)"))
    if status["faults"]:
        rows.append(("faults", f"{status['faults']} failures of our own in gateways, swallowed; please report them"))
    return rows


def _titled(title: str, lines: list[str]) -> list[tuple[str, str]]:
    return [("" if position else title, line) for position, line in enumerate(lines)]


def _caps(cap: Mapping[str, Any]) -> list[str]:
    """The configured caps under the lane's."""
    lines = [f"{pattern}: {qps:g} a second" for pattern, qps in cap["routes"].items()]
    lines += [f"{pattern}: a request costs {weight}" for pattern, weight in cap["weights"].items()]
    return lines + ([f"each tenant: {cap['tenant_qps']:g} a second"] if cap["tenant_qps"] else [])


def _mirroring(status: Mapping[str, Any]) -> str:
    if not status["started"]:
        if status["gateway_error"]:
            return "OFF: no gateway could open this lane"
        return (
            "this lane never started: start a gateway with shadowlane.asgi.ShadowMiddleware; if one runs, its log and "
            "shadowlane doctor say why"
        )
    if status["enabled"]:
        return "on"
    where = " for the whole fleet" if status["lease"] and status["lease"]["off"] else ""
    return f"OFF{where} (shadowlane on switches it on)"


def _holds(accounting: Mapping[str, Any]) -> str:
    if not accounting["holds"]:
        return "DOES NOT HOLD (a reset or foreign store, or an error of ours)"
    return "holds" if accounting["known"] else "holds for what can be read"


def _sampler(sampler: Mapping[str, Any]) -> str:
    revisions = sampler["revisions"]
    newest = revisions[-1] if revisions else sampler
    eligible, taken = newest["eligible"], newest["taken"]
    achieved = f", {100 * taken / eligible:.2f} % achieved" if eligible else ""
    what = "eligible requests" if sampler["choice"] == "ratio" else "eligible requests with a key"
    text = f"{taken} of {eligible} {what} taken; {100 * sampler['ratio']:.2f} % asked for{achieved}"
    for before in reversed(revisions[:-1]):
        text += f"; before, at {100 * before['ratio']:.2f} %: {before['taken']} of {before['eligible']}"
    return text


def _cap(cap: Mapping[str, Any], lease: Mapping[str, Any] | None) -> str:
    text = "{qps:g} copies a second, burst {burst}, {available:.1f} left now".format(**cap)
    if lease:
        text = "{qps:g} copies a second over all hosts, burst {burst}; {available:.1f} left here now".format(**cap)
    whole = cap["qps"] if lease is None else lease["rate"] if lease["left_s"] else 0.0
    if cap["rate"] < whole:
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
        if shadow.get("transport"):
            way = {"calls": ", in plain calls", "tasks": ", a task for each copy"}.get(shadow.get("way", ""), "")
            parts.append(f"sent by the {shadow['transport']} transport{way}")
        if parts:
            lines.append((name, "; ".join(parts)))
    return lines


def _budget(budget: Mapping[str, Any]) -> str:
    spent = ", ".join(
        f"{count['spent']:.6g} of {count['limit']:.6g} {name.replace('_', ' ')}"
        for name, count in budget["limits"].items()
    )
    text = f"BUDGET REACHED ({budget['reached']}), no more copies: {spent}" if budget["reached"] else f"budget {spent}"
    if slice_ := budget["slice"]:
        kinds = [kind for kind in ("tokens", "money") if any(name.startswith(kind) for name in budget["limits"])]
        shown = " and ".join(f"{slice_[kind]:.6g} {kind}" for kind in kinds)
        text += f" on all hosts, of which this one may spend {shown} within {slice_['left_s']:.1f} s"
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
        text = f"{process(worker)}, {beat}"
    else:
        text = "none is running"
    return f"{text}; the last one failed: {status['worker_error']}" if status["worker_error"] else text


def _telemetry(spans: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if spans is None:
        return []
    return [("telemetry", f"{spans['sent']} spans sent, {spans['waiting']} waiting, lost {sum_of(spans['lost'])}")]


def _endpoint(endpoint: Mapping[str, str] | None) -> list[tuple[str, str]]:
    if endpoint is None:
        return []
    return [("endpoint", "OFF, see above" if endpoint["error"] else f"http://{endpoint['listen']}")]


def _alerting(alerting: Mapping[str, Any]) -> list[tuple[str, str]]:
    text = "{firing} firing, {waiting} waiting; {sent} sent, {failed} tries failed, {dropped} given up"
    return [("alerts to", f"{name}: {text.format(**one)}") for name, one in alerting.items()]


def _receivers(receivers: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for kind, one in receivers.items():
        text = f"{one['received']} = offered {one['offered']} + skipped {sum_of(one['skipped'])}"
        text += f" + rejected {sum_of(one['rejected'])}" if kind == "otlp" else ""
        turned_away = {status: n for status, n in one["answers"].items() if status != "200"}
        text += f"; turned away {sum_of(turned_away)}" if turned_away else ""
        rows.append(("received", f"{kind}: {text}; {'listening' if one['up'] else 'NONE LISTENS'}"))
    return rows


def process(one: Mapping[str, Any]) -> str:
    """``process 7``; its number means nothing here when it runs in another container."""
    return f"process {one['pid']}" if one["same_namespace"] else f"process {one['pid']} of another pid namespace"


def _configured(revisions: Mapping[str, str]) -> str:
    gateway, worker = (revisions[who] or "none" for who in ("gateway", "worker"))
    return f"revision {revisions['given']} here; gateways {gateway}, worker {worker}"


def _ring(ring: Mapping[str, Any]) -> str:
    fill = 100 * ring["used"] / ring["bytes"] if ring["bytes"] else 0.0
    life = "alive" if ring["alive"] else "gone"
    return (
        f"{ring['ring']}: {process(ring)} ({life}), {fill:.1f} % of {size(ring['bytes'])} full, "
        f"mirrored {ring['mirrored']}, acknowledged {ring['acked']}, open {ring['open']}"
    )


def _store(store: Mapping[str, Any]) -> list[str]:
    if store["error"]:
        return [store["error"]]
    if not store["exists"]:
        return [f"{store['path']}: not made yet; the worker makes it"]
    lines = [f"{store['path']}: {store['rows']} pairs of this lane's life, {size(store['bytes'])}"]
    if store["blocks"]:
        lines.append(store["blocks"])
    if store["damaged_blocks"]:
        lines.append(f"{store['damaged_blocks']} blocks were damaged, and are made anew: look at disk and memory")
    for name, fold in store["folds"].items():
        ago = max(0, time.time_ns() - fold["until_ns"]) // 60_000_000_000
        lines.append(
            f"a verdict on {name} goes on from {fold['rows']:,} rows that the worker has folded, up to {ago} min ago "
            f"({size(fold['bytes'])})"
        )
    return lines


def size(n: int) -> str:
    """Bytes for a person: ``512 B``, ``16.0 MiB``."""
    value, unit = float(n), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{int(value)} {unit}" if unit == "B" else f"{value:.1f} {unit}"
