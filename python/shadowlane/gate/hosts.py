"""What all hosts that write to one store counted, put together for the rules that go by counters and by no rows.

Invariants: sums are of one setting of the sampling each, since counts of several say nothing about any; a host that is
gone keeps its part while its last word lies in the window; whose word is old, or whose configuration is another one, is
named beside the sums and counts in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ..columns import SILENT_S, CopyCounts, HostCounts, HostSeen, Setting, host_names
from .rules import HostSample, Sampling

__all__ = ["NO_ROOM", "Counted", "counted_over", "own_counts"]

NO_ROOM = ("cap", "ring_full", "reservoir", "provider_limit", "budget", "backlog")
"""Reasons for which a taken request was not mirrored that know how busy the lane was."""
_SHOWN = 3
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of all hosts in one window."""

    hosts: tuple[str, ...]
    words: str
    """How many hosts, which of them were not heard lately, and which are of another configuration or release."""
    names: Mapping[str, str]
    """The host of each life of a lane, by the first twelve characters of its name."""
    sampling: Sampling | None
    prod_failed: int
    admitted: int
    failed_at: str
    """The host that has most of prod's failures, and how many, in words; empty: no single one has."""
    accounting_holds: bool | None
    """``None``: no host says what became of its copies."""
    accounting: str


def own_counts(status: Mapping[str, Any], host: str = "this host") -> HostCounts:
    """What the lane that was asked counts, of its status."""
    settings = [{k: v for k, v in one.items() if k != "number"} for one in status["sampler"]["revisions"]]
    accounting = status["accounting"]
    copies = {
        name: CopyCounts(
            mirrored=one["mirrored"],
            answered=one["answered"],
            failed=one["failed"],
            in_flight=one["in_flight"],
            holds=one["holds"] is not False,
        )
        for name, one in status["shadows"].items()
    }
    return HostCounts(
        host=host,
        lane=status["lane"],
        lane_id=status["lane_id"],
        seen=status["seen"],
        open=status["open"],
        mirrored=status["mirrored"],
        dropped=status["dropped"],
        settings=tuple(msgspec.convert(one, Setting) for one in settings),
        adds_up=accounting["lane_holds"] if accounting["known"] else None,
        shadows=copies if accounting["known"] else {},
    )


def counted_over(seen: Sequence[HostSeen], own: HostCounts | None, shadow: str, since_ns: int, now_ns: int) -> Counted:
    """The counts of the window that began at ``since_ns``. ``own``: those of the lane that was asked, now, which stand
    in place of what it wrote last; ``None``: it is no host."""
    found = [one for one in seen if one.at_ns >= since_ns and (own is None or one.counts.lane_id != own.lane_id)]
    if own is not None:
        mine = next((one.counts for one in seen if one.counts.lane_id == own.lane_id), None)
        if mine is not None:
            own = msgspec.structs.replace(own, host=mine.host, release=mine.release, alike=mine.alike)
        found.append(HostSeen(own, now_ns, 0.0))
    names = host_names(found)
    failed: Counter[str] = Counter()
    for one in found:
        failed[names[one.counts.lane_id]] += one.counts.dropped.get("prod_failed", 0)
    total = sum(failed.values())
    hosts = tuple(sorted(set(names.values())))
    most, n = failed.most_common(1)[0] if failed else ("", 0)
    holds, line = _accounting(found, names, shadow)
    return Counted(
        hosts=hosts,
        words=_words(found, names, hosts),
        names={lane_id[:12]: name for lane_id, name in names.items()},
        sampling=_sampling(found, names, since_ns),
        prod_failed=total,
        admitted=total + sum(one.counts.mirrored for one in found),
        failed_at=f", {n} of them at {most}" if len(hosts) > 1 and total and n > _MOST * total else "",
        accounting_holds=holds,
        accounting=line,
    )


def _words(found: Sequence[HostSeen], names: Mapping[str, str], hosts: Sequence[str]) -> str:
    words = f"; over {len(hosts)} host{'s' if len(hosts) != 1 else ''}"
    last: dict[str, HostSeen] = {}
    for one in found:
        name = names[one.counts.lane_id]
        if name not in last or one.age_s < last[name].age_s:
            last[name] = one
    silent = {name: one.age_s for name, one in last.items() if one.age_s > SILENT_S and not one.counts.ended}
    if silent:
        oldest = sorted(silent, key=lambda name: (-silent[name], name))
        words += f"; {_shown(oldest)} not heard for {max(silent.values()):.0f} s, counted as they were then"
    unread = sorted(name for name, one in last.items() if not one.readable)
    if unread:
        words += f"; what {_shown(unread)} counted cannot be read here, and is missing"
    for what, of in (("configuration", "alike"), ("release", "release")):
        said = {name: value for name, one in last.items() if (value := getattr(one.counts, of))}
        usual = Counter(said.values()).most_common(1)
        others = sorted(name for name, value in said.items() if value != usual[0][0])
        if others:
            words += f"; another {what} on {_shown(others)}"
    return words


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


_Key = tuple[str, float, float, int]


def _sampling(found: Sequence[HostSeen], names: Mapping[str, str], since_ns: int) -> Sampling | None:
    """Each setting that was in force on some host in the window; the one that most hosts have now comes last, that is
    on the outside."""
    parts: dict[_Key, list[tuple[str, Setting]]] = {}
    in_force: dict[_Key, set[str]] = {}
    for one in found:
        settings = one.counts.settings
        for position, setting in enumerate(settings):
            key = (setting.choice, setting.ratio, setting.qps, setting.burst)
            last = position == len(settings) - 1
            if last and not one.counts.ended:
                in_force.setdefault(key, set()).add(names[one.counts.lane_id])
            elif not setting.eligible or (not last and settings[position + 1].since_ns <= since_ns):
                continue
            parts.setdefault(key, []).append((names[one.counts.lane_id], setting))
    if not parts:
        return None
    began = {key: max(setting.since_ns for _, setting in some) for key, some in parts.items()}
    order = sorted(parts, key=lambda key: (len(in_force.get(key, ())), began[key]))
    *others, main = order
    earlier = []
    for key in sorted(others, key=began.__getitem__):
        where = _shown(sorted(in_force[key])) if key in in_force else ""
        sample = _sampled(key, parts[key])
        if sample.eligible:
            earlier.append(replace(sample, where=where))
    return replace(_sampled(main, parts[main]), earlier=tuple(earlier))


def _sampled(key: _Key, parts: Sequence[tuple[str, Setting]]) -> Sampling:
    lost: Counter[str] = Counter()
    for _, setting in parts:
        lost.update({reason: n for reason, n in setting.dropped.items() if reason in NO_ROOM and n})
    return Sampling(
        ratio=key[1],
        eligible=sum(setting.eligible for _, setting in parts),
        taken=sum(setting.taken for _, setting in parts),
        lost=dict(lost),
        qps=key[2],
        # By a key the share of a host's requests goes by who they are of: only the coin's is exact on each.
        hosts=tuple(HostSample(name, one.eligible, one.taken) for name, one in parts) if key[0] == "ratio" else (),
    )


def _accounting(found: Sequence[HostSeen], names: Mapping[str, str], shadow: str) -> tuple[bool | None, str]:
    """Whether every host's counters add up, and the sums of their equations."""
    told = [one.counts for one in found if one.counts.adds_up is not None]
    if not told:
        return None, ""
    dropped = sum(sum(one.dropped.values()) for one in told)
    seen, mirrored, still = (sum(getattr(one, of) for one in told) for of in ("seen", "mirrored", "open"))
    line = f"seen {seen} = mirrored {mirrored} + dropped {dropped}; open {still}"
    copies = [one.shadows[shadow] for one in told if shadow in one.shadows]
    if copies:
        failed = sum(sum(one.failed.values()) for one in copies)
        line += (
            f"; {shadow}: mirrored {sum(one.mirrored for one in copies)} = answered "
            f"{sum(one.answered for one in copies)} + failed {failed} + in flight "
            f"{sum(one.in_flight for one in copies)}"
        )
    broken = [one for one in told if not one.adds_up or not all(copy.holds for copy in one.shadows.values())]
    if broken:
        line += f"; it does not hold on {_shown(sorted({names[one.lane_id] for one in broken}))}"
    return not broken, line
