"""A fleet's accounting: what every host counted, what its users saw, what the database holds, and the equations.

Invariant: the sides of an equation come from different places (the client, a host's lane, the database), and none is
made from another one. Where a gateway was killed, what only it knew is bounded, and the bounds are the client's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["Equation", "FleetAccount", "HostAccount", "account_lines", "equations", "host_account"]

_BEFORE_THE_COIN = ("disabled", "loop", "method", "route", "request_too_large")
"""Reasons that are found before a request is one of those that the sampler could choose."""


class HostAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One host. ``answered`` and ``cut`` are the client's, ``rows`` the database's, the others its lane's."""

    name: str
    answered: int
    """Requests that its gateway answered to the last byte."""
    cut: int
    """Requests whose connection broke when it was killed."""
    killed: bool
    """Its gateway was killed: one call into the lane may have been cut off."""
    holds: bool
    """What ``shadowlane status`` says of its accounting."""
    seen: int
    open: int
    eligible: int
    taken: int
    dropped: dict[str, int]
    mirrored: int
    rows: int
    """Outcomes that are stored under the life of its lane."""

    @property
    def slack(self) -> int:
        """By how much two of its counters may differ."""
        return int(self.killed)


class FleetAccount(msgspec.Struct, frozen=True, kw_only=True):
    """All hosts, and what they share. ``rows`` and ``ids`` are rows and different ``shadow_id`` of the database."""

    hosts: list[HostAccount]
    rows: int
    ids: int
    qps: float
    burst: int
    seconds: float
    """From before the first request was sent until the last one was answered."""


class Equation(msgspec.Struct, frozen=True):
    """One line of the accounting, and whether it is so."""

    text: str
    holds: bool


def host_account(
    name: str, status: Mapping[str, Any], shadow: str, *, answered: int, cut: int, killed: bool
) -> HostAccount:
    """From ``shadowlane status --json`` of a host whose lane is at rest."""
    of_shadow = status["shadows"][shadow]
    return HostAccount(
        name=name,
        answered=answered,
        cut=cut,
        killed=killed,
        holds=bool(status["accounting"]["holds"] and status["accounting"]["known"]),
        seen=status["seen"],
        open=status["open"],
        eligible=status["sampler"]["eligible"],
        taken=status["sampler"]["taken"],
        dropped=dict(status["dropped"]),
        mirrored=status["mirrored"],
        rows=of_shadow["answered"] + sum(of_shadow["failed"].values()),
    )


def equations(fleet: FleetAccount) -> list[Equation]:
    """Every equation, host by host, then of the whole."""
    found = [equation for host in fleet.hosts for equation in _of_host(host)]
    mirrored = sum(host.mirrored for host in fleet.hosts)
    stored = sum(host.rows for host in fleet.hosts)
    found.append(
        Equation(
            f"fleet: mirrored {mirrored} = rows of all hosts {stored} = rows in the database {fleet.rows} = different "
            f"requests among them {fleet.ids}",
            mirrored == stored == fleet.rows == fleet.ids,
        )
    )
    admitted = sum(_admitted(host) for host in fleet.hosts)
    most = fleet.qps * fleet.seconds + fleet.burst
    found.append(
        Equation(
            f"fleet: admitted {admitted} in {fleet.seconds:.1f} s, that is {admitted / fleet.seconds:.2f} a second; "
            f"the cap ({fleet.qps:g} a second, a burst of {fleet.burst}) allows {most:.0f}",
            admitted <= most,
        )
    )
    return found


def _of_host(host: HostAccount) -> list[Equation]:
    dropped = sum(host.dropped.values())
    before = sum(host.dropped.get(reason, 0) for reason in _BEFORE_THE_COIN)
    out = host.dropped.get("sampled_out", 0)
    after = dropped - before - out
    name, slack = host.name, host.slack
    users = f"answered {host.answered}" + (f" .. {host.answered + host.cut}" if host.killed else "")
    return [
        Equation(
            f"{name}: {users} = seen {host.seen}; open {host.open}",
            host.answered <= host.seen <= host.answered + host.cut and host.open == 0,
        ),
        Equation(
            f"{name}: seen {host.seen} = mirrored {host.mirrored} + dropped {dropped}",
            host.seen == host.mirrored + dropped and host.holds,
        ),
        Equation(
            f"{name}: seen {host.seen} = not to be mirrored {before} + eligible {host.eligible}",
            abs(host.seen - before - host.eligible) <= slack,
        ),
        Equation(
            f"{name}: eligible {host.eligible} = sampled out {out} + taken {host.taken}",
            abs(host.eligible - out - host.taken) <= slack,
        ),
        Equation(
            f"{name}: taken {host.taken} = mirrored {host.mirrored} + dropped later {after}",
            abs(host.taken - host.mirrored - after) <= slack,
        ),
        Equation(f"{name}: mirrored {host.mirrored} = rows {host.rows}", host.mirrored == host.rows),
    ]


def _admitted(host: HostAccount) -> int:
    """What took a unit of the cap: what is mirrored, and what was dropped after that for another reason."""
    later = sum(host.dropped.get(reason, 0) for reason in ("client_disconnected", "prod_failed", "producer_died"))
    return host.mirrored + later


def account_lines(fleet: FleetAccount) -> list[str]:
    """A table: a column for each host, and their sum."""
    hosts = fleet.hosts
    rows: list[tuple[str, list[int]]] = [
        ("requests", [host.seen for host in hosts]),
        ("eligible", [host.eligible for host in hosts]),
        ("taken", [host.taken for host in hosts]),
        ("mirrored", [host.mirrored for host in hosts]),
        ("rows", [host.rows for host in hosts]),
        ("dropped", [sum(host.dropped.values()) for host in hosts]),
    ]
    reasons = {reason for host in hosts for reason, n in host.dropped.items() if n}
    by_reason = [(f"  {reason}", [host.dropped.get(reason, 0) for host in hosts]) for reason in reasons]
    rows += sorted(by_reason, key=lambda row: (-sum(row[1]), row[0]))
    table = [["", *(host.name for host in hosts), "fleet"]]
    table += [[name, *map(str, numbers), str(sum(numbers))] for name, numbers in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in table
    ]
