"""The stream between forwarding hosts and judges as this host's worker last saw it, and the accounts over all hosts.

Invariant: what stands in one equation was read by the server at one moment, or in an order in which it can only look
right: a forwarding host counts what it acknowledged before it asks what the server took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..config import Config
from .lane import LaneStatus, SamplerStatus, SamplingRevision

__all__ = ["hosts_counted", "offload_accounting", "offload_alerts", "offload_lines", "offload_of"]

_SOURCES_SHOWN = 20


class _Accounts(msgspec.Struct):
    base: int = 0
    forwarded: int = 0
    judged: int = 0
    set_aside: int = 0


class _Stream(msgspec.Struct):
    length: int = 0
    pending: int = 0
    age_s: float = 0.0
    lost: int = 0
    foreign: int = 0
    kept_aside: int = 0
    judges: int = 0
    total: _Accounts = msgspec.field(default_factory=_Accounts)
    sources: dict[str, _Accounts] = msgspec.field(default_factory=dict)


class _Host(msgspec.Struct):
    """What a forwarding host counts; ``sampler`` as in its own status."""

    seen: int
    open: int
    mirrored: int
    dropped: dict[str, int]
    sampler: SamplerStatus


class _Worker(msgspec.Struct):
    stream: _Stream = msgspec.field(default_factory=_Stream)
    error: str = ""
    source: str = ""
    acked: int = 0
    held: int = 0
    judged: int = 0
    set_aside: int = 0
    taken_over: int = 0
    hosts: dict[str, _Host] = msgspec.field(default_factory=dict)


def offload_of(config: Config, state: Mapping[str, Any] | None, lane_id: str) -> dict[str, Any] | None:
    """What ``status --json`` shows of it; ``None`` where this host does all itself. ``known``: a worker of this life of
    the lane has seen the stream."""
    role = config.worker.role
    if role == "all":
        return None
    said = state.get("offload") if state is not None and state.get("lane_id") == lane_id else None
    try:
        read = msgspec.convert(said, _Worker) if said else _Worker()
        known = bool(said)
    except msgspec.ValidationError:  # of another release, which limits_of names
        read, known = _Worker(), False
    own, stream = read.stream.sources.get(read.source, _Accounts()), read.stream
    if role == "judge":
        total = stream.total
        missing = total.forwarded - total.judged - total.set_aside - stream.lost - stream.length
    else:
        missing = max(read.acked - own.base - own.forwarded, 0)
    plain: dict[str, Any] = msgspec.to_builtins(read)
    del plain["hosts"]  # shown as sums, where those of one host stand
    return {"role": role, "known": known, **plain, "own": msgspec.to_builtins(own), "missing": missing}


def offload_accounting(
    offload: Mapping[str, Any], lane: LaneStatus, shadows: dict[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The accounting of a host with a part of the work: its rings against the stream, or the stream against what became
    of its copies. The shadows' part of ``shadows`` is filled in anew: a forwarding host has no rows, a judge no rings.
    """
    judges = offload["role"] == "judge"
    for shadow in shadows.values():
        held = offload["held"] if judges else 0
        stored = shadow["answered"] + sum(shadow["failed"].values()) if judges else 0
        shadow.update(mirrored=stored + held, in_flight=held, holds=None)
    lines = list(_judge_lines(offload)) if judges else [before["lines"][0], *_forward_lines(offload, lane)]
    holds = before["lane_holds"] and not offload["missing"]
    return {**before, "holds": holds, "known": before["known"] and offload["known"], "lines": lines}


def hosts_counted(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the forwarding hosts count, put together, under the names of a lane's status; empty when none said so.

    Settings of the sampling that are alike on several hosts are one; the one that began last is in force.
    """
    try:
        said = state.get("offload", {}).get("hosts", {}) if state is not None else {}
        hosts = list(msgspec.convert(said, dict[str, _Host]).values())
    except (AttributeError, msgspec.ValidationError):
        return {}
    if not hosts:
        return {}
    settings: dict[tuple[Any, ...], SamplingRevision] = {}
    began: dict[tuple[Any, ...], int] = {}
    for one in (revision for host in hosts for revision in host.sampler.revisions):
        key = (one.choice, one.ratio, one.qps, one.burst)
        known = settings.get(key)
        began[key] = max(began.get(key, 0), one.since_ns)
        settings[key] = one if known is None else _together(known, one)
    revisions = [settings[key] for key in sorted(settings, key=lambda key: began[key])]
    last = max((host.sampler for host in hosts), key=lambda one: max((r.since_ns for r in one.revisions), default=0))
    sampler = msgspec.structs.replace(
        last,
        eligible=sum(host.sampler.eligible for host in hosts),
        taken=sum(host.sampler.taken for host in hosts),
        revisions=[msgspec.structs.replace(one, number=n) for n, one in enumerate(revisions, 1)],
    )
    return {
        "seen": sum(host.seen for host in hosts),
        "open": sum(host.open for host in hosts),
        "mirrored": sum(host.mirrored for host in hosts),
        "dropped": _sums(host.dropped for host in hosts),
        "sampler": msgspec.to_builtins(sampler),
    }


def _together(one: SamplingRevision, other: SamplingRevision) -> SamplingRevision:
    return msgspec.structs.replace(
        one,
        since_ns=min(one.since_ns, other.since_ns),
        eligible=one.eligible + other.eligible,
        taken=one.taken + other.taken,
        dropped=_sums((one.dropped, other.dropped)),
    )


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for reason, n in one.items():
            total[reason] = total.get(reason, 0) + n
    return total


def _forward_lines(offload: Mapping[str, Any], lane: LaneStatus) -> Iterator[str]:
    own, missing = offload["own"], offload["missing"]
    mirrored = lane.mirrored - own["base"]
    lost = f" + LOST BY THE SERVER {missing}" if missing else ""
    waits = max(mirrored - own["forwarded"] - missing, 0)
    yield f"this host: mirrored {mirrored} = forwarded {own['forwarded']} + in the rings {waits}{lost}"
    yield f"of those: judged {own['judged']}, set aside {own['set_aside']}, {_open(own)} not yet"


def _judge_lines(offload: Mapping[str, Any]) -> Iterator[str]:
    stream, missing = offload["stream"], offload["missing"]
    total = stream["total"]
    text = (
        f"all hosts: forwarded {total['forwarded']} = judged {total['judged']} + set aside {total['set_aside']} + "
        f"lost {stream['lost']} + in the stream {stream['length']}"
    )
    yield text + (f" + MISSING {missing}" if missing else "")
    busiest = sorted(stream["sources"].items(), key=lambda item: (-item[1]["forwarded"], item[0]))
    for name, one in busiest[:_SOURCES_SHOWN]:
        done = f"judged {one['judged']}, set aside {one['set_aside']}"
        yield f"{name}: forwarded {one['forwarded']}, {done}, {_open(one)} not yet"


def _open(one: Mapping[str, int]) -> int:
    return one["forwarded"] - one["judged"] - one["set_aside"]


def offload_lines(offload: Mapping[str, Any] | None) -> Iterator[str]:
    """For a person: where the copies are."""
    if offload is None:
        return
    if not offload["known"]:
        yield f"role {offload['role']}: no worker has seen the stream yet"
        return
    stream = offload["stream"]
    oldest = f", the oldest for {stream['age_s']:.0f} s" if stream["length"] else ""
    judges = "1 judge" if stream["judges"] == 1 else f"{stream['judges'] or 'NO'} judges"
    text = f"role {offload['role']}; {stream['length']} copies in the stream{oldest}, {stream['pending']} with {judges}"
    if offload["role"] == "judge":
        text += f"; this judge has {offload['held']}, judged {offload['judged']}, took over {offload['taken_over']}"
    yield text
    aside = stream["total"]["set_aside"] + stream["foreign"]
    if aside:
        yield f"{aside} messages were set aside, {stream['kept_aside']} of them are kept"


def offload_alerts(offload: Mapping[str, Any] | None) -> Iterator[str]:
    """What somebody should look at, one line each."""
    if offload is None:
        return
    if offload["error"]:
        yield f"the stream cannot be used: {offload['error']}"
    if offload["missing"]:
        yield (
            f"the stream's accounts miss {offload['missing']} copies: was its server restarted without its data, or "
            "did something else write to the stream?"
        )
    if offload["stream"]["lost"]:
        yield f"{offload['stream']['lost']} copies were deleted from the stream before they were judged"
    if offload["set_aside"]:
        yield f"this judge set {offload['set_aside']} messages aside since it started: its log has the reasons"
