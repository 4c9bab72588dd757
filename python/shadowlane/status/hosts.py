"""The hosts that write to this lane's store, as each last said what it counts there: for people, and who watches them.

Invariant: nothing here is added to what this host counts itself; the gate puts them together
(:mod:`shadowlane.gate.hosts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..columns import SILENT_S, HostSeen, host_names
from .check import Check

__all__ = ["host_checks", "host_lines", "hosts_of"]

_SHOWN = 20
_AMISS = ("silent", "unreadable")
_SUMS = ("seen", "mirrored", "prod_failed")
_COUNTED = "seen {seen}, mirrored {mirrored}, prod failed {prod_failed}"


def hosts_of(seen: Sequence[HostSeen], since_ns: int) -> list[dict[str, Any]]:
    """Each host that was heard since then: ``host``, ``lane``, ``state`` (``heard``, ``silent``, ``ended``,
    ``unreadable``), ``age_s`` (since it was heard last), and the sums over its lives: ``seen``, ``mirrored``,
    ``prod_failed``. Empty where only one writes to the store, or none has said anything."""
    found: dict[str, dict[str, Any]] = {}
    some = [one for one in seen if one.at_ns >= since_ns]
    names = host_names(some)
    for counts, _, age_s, readable in sorted(some, key=lambda one: -one.age_s):
        name = names[counts.lane_id]
        host = found.setdefault(name, {"host": name, "lane": counts.lane, "seen": 0, "mirrored": 0, "prod_failed": 0})
        heard = "ended" if counts.ended else "silent" if age_s > SILENT_S else "heard"
        host["state"] = heard if readable else "unreadable"
        host["age_s"] = round(age_s, 1)
        host["seen"] += counts.seen
        host["mirrored"] += counts.mirrored
        host["prod_failed"] += counts.dropped.get("prod_failed", 0)
    return [found[name] for name in sorted(found)]


def host_lines(hosts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each, those that were not heard lately first."""
    if not hosts:
        return
    yield f"{len(hosts)} write to the store: {_COUNTED.format(**{what: sum(h[what] for h in hosts) for what in _SUMS})}"
    order = sorted(hosts, key=lambda host: (host["state"] not in _AMISS, host["host"]))
    for host in order[:_SHOWN]:
        text = {
            "heard": "heard",
            "silent": "NOT HEARD since",
            "ended": "ended",
            "unreadable": "CANNOT BE READ, written",
        }
        yield f"{host['host']}: {_COUNTED.format(**host)}; {text[host['state']]} {host['age_s']:.0f} s ago"
    if len(hosts) > _SHOWN:
        yield f"and {len(hosts) - _SHOWN} more"


def host_checks(hosts: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Whether all of them were heard lately."""
    silent = [host["host"] for host in hosts if host["state"] == "silent"]
    if silent:
        text = f"{len(silent)} of {len(hosts)} that write to the store were not heard lately: {', '.join(silent[:5])}"
        yield Check("hosts", "warn", text, "look at their workers; what they counted stays in the verdict's window")
    unread = [host["host"] for host in hosts if host["state"] == "unreadable"]
    if unread:
        text = f"what {', '.join(unread[:5])} counted cannot be read: another release wrote it, or it is damaged"
        yield Check("hosts", "warn", text, "run one release on all hosts; till then their counts are missing")
    if hosts and not silent and not unread:
        yield Check("hosts", "ok", f"{len(hosts)} write to the store, and their counts are in the verdict")
