"""One host's part in the fleet's record: when a share is over, and what it may take next.

Invariants, with which Σ rate·t + burst holds over all hosts in any window:

- A share counts as in use until it is surely over: until its host has said that it uses a later one, or until this host
  has itself seen it in the record for the share's whole length, by its own clock, plus :data:`DRIFT`. Its user counts
  from before it asked, so from before anybody could see it. No moment of another machine's clock is read, so clocks
  that are wrong or jump do no harm; only how fast they run matters.
- What may be in use and what is granted is at most the whole, in rate and in burst.
- After the engine lost something, or may have, nothing is granted until what was granted before is surely over.

A burst that moves from one host to another comes empty: see ``rust/lane/src/lease.rs``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from .record import Grant, Host, Record
from .shares import NOTHING, Share, divided

__all__ = ["DRIFT", "MICRO", "Held", "Member", "Plan", "Terms"]

DRIFT = 0.02
"""The most by which two hosts' clocks may differ in how fast they run. NTP keeps it below 0.001 (RFC 5905, figure
28)."""

MICRO = 1_000_000
"""Rates are whole numbers of millionths, so that sums are exact."""

_RENEW_AT = 0.6
"""Of the lease: with less than that left it is renewed."""
_CHANGE = 0.1
"""Of a share: smaller changes wait for the renewal."""


class Terms(NamedTuple):
    """What this host is configured to: the fleet's rate and burst, the heaviest request, how long a share holds."""

    rate: int
    burst: int
    weight: int
    lease_s: float


class Held(NamedTuple):
    """The share that this host's control file has: its number and epoch (0: none), and how long it holds yet."""

    number: int
    epoch: int
    left_s: float


class Plan(NamedTuple):
    """What to write. When that was done: the share to begin, and whether the last one goes on in it."""

    record: Record
    grant: Grant
    goes_on: bool


class Member:
    """A host as the fleet knows it. ``host`` is another one after each new control file; ``name`` is for people."""

    def __init__(self, host: str, name: str, terms: Terms) -> None:
        self.host = host
        self._name = name
        self._terms = terms
        self._seen: dict[tuple[str, int], float] = {}
        self._epoch = (0, 0.0)
        self._version = 0

    def look(self, record: Record | None, engine: str, now: float) -> Record:
        """Take note of what was read at ``now``, in seconds of this host's clock. Returns what to go on from: the
        same, or a new life of the record when the engine lost something, or may have, or another one answers."""
        lost = (
            record is None
            or record.engine != engine
            or (record.epoch == self._epoch[0] and record.version < self._version)
        )
        if lost:
            return Record(
                epoch=secrets.randbits(62) + 1,
                version=record.version if record is not None else 0,
                engine=engine,
                off=record.off if record is not None else None,
                pauses=record.pauses if record is not None else {},
                pins=record.pins if record is not None else {},
            )
        assert record is not None
        if record.epoch != self._epoch[0]:
            self._epoch, self._seen = (record.epoch, now), {}
        self._version = record.version
        there = {(host, grant.number) for host, entry in record.hosts.items() for grant in entry.grants}
        self._seen = {key: self._seen.get(key, now) for key in there}
        return record

    def wrote(self, record: Record, now: float) -> None:
        """The engine has taken this record: it is seen."""
        self.look(record, record.engine, now)

    def opens_in(self, record: Record, now: float) -> float:
        """Seconds until shares may be granted in this life of the record."""
        if record.opened or record.epoch != self._epoch[0]:
            return 0.0 if record.opened else _surely(self._terms.lease_s)
        return max(self._epoch[1] + _surely(self._terms.lease_s) - now, 0.0)

    def plan(self, record: Record, held: Held, wanted: int, now: float) -> Plan | None:
        """The next version of the record with a share for this host; ``None`` when there is nothing to change.
        ``wanted`` is what the host would send, in millionths of a copy a second."""
        if record.epoch != self._epoch[0]:
            return None  # a new life is written, and seen, before anything is granted in it
        if not record.opened:
            if self.opens_in(record, now) > 0:
                return None
            record = msgspec.structs.replace(record, opened=True, hosts={})
        mine = record.hosts.get(self.host)
        hosts = self._living(record, now)
        kept = tuple(g for g in (mine.grants if mine else ()) if (g.number, record.epoch) == (held.number, held.epoch))
        share = self._share(record, hosts, kept[0] if kept else None, wanted)
        if not self._is_due(mine, kept, share, held, wanted):
            return None
        terms = self._terms
        grant = Grant(record.version + 1, share.rate, share.burst, terms.lease_s)
        hosts[self.host] = Host(self._name, terms.rate, terms.burst, terms.weight, wanted, (*kept, grant))
        return Plan(msgspec.structs.replace(record, version=grant.number, hosts=hosts), grant, bool(kept))

    def without(self, record: Record) -> Record | None:
        """The next version of the record without this host; ``None`` when it is not in it. Its share must have
        ended."""
        if self.host not in record.hosts:
            return None
        hosts = {name: host for name, host in record.hosts.items() if name != self.host}
        return msgspec.structs.replace(record, version=record.version + 1, hosts=hosts)

    def _living(self, record: Record, now: float) -> dict[str, Host]:
        """The other hosts, each with the shares that may be in use yet."""
        hosts = {}
        for name, host in record.hosts.items():
            grants = tuple(g for g in host.grants if now - self._seen[name, g.number] < _surely(g.lease_s))
            if name != self.host and grants:
                hosts[name] = msgspec.structs.replace(host, grants=grants)
        return hosts

    def _share(self, record: Record, others: dict[str, Host], kept: Grant | None, wanted: int) -> Share:
        terms = self._terms
        # While a change of the configuration comes to the hosts one by one, the smallest holds.
        rate = min(terms.rate, *(host.rate for host in others.values())) if others else terms.rate
        burst = min(terms.burst, *(host.burst for host in others.values())) if others else terms.burst
        weight = max(terms.weight, *(host.weight for host in others.values())) if others else terms.weight
        wants = {name: host.wanted for name, host in others.items()} | {self.host: wanted}
        dues = divided(wants, Share(rate, burst), weight, record.version // (4 * len(wants)))
        last, due = Share(kept.rate, kept.burst) if kept else NOTHING, dues[self.host]
        used = {name: _used(host.grants) for name, host in others.items()}
        short = any(_is_short(used[name], dues[name]) for name in used)
        # A little less than what it has is no reason to change, or two hosts would pass the same unit to and fro.
        if not short and due.rate and due.rate * (1 + _CHANGE) > last.rate > due.rate:
            due = Share(last.rate, max(due.burst, last.burst))
        free = Share(
            rate - sum(share.rate for share in used.values()), burst - sum(share.burst for share in used.values())
        )
        share = Share(min(due.rate, free.rate), min(due.burst, free.burst))
        return share if share.rate > 0 and share.burst >= weight else NOTHING

    def _is_due(self, mine: Host | None, kept: tuple[Grant, ...], share: Share, held: Held, wanted: int) -> bool:
        terms = self._terms
        if mine is None or not kept or held.left_s < _RENEW_AT * terms.lease_s:
            return True
        now = Share(kept[0].rate, kept[0].burst)
        # What this host does not use any more is another's as soon as it has said so.
        if _used(mine.grants) != now or (mine.rate, mine.burst, mine.weight) != terms[:3]:
            return True
        if abs(share.rate - now.rate) > _CHANGE * now.rate or (share == NOTHING) != (now == NOTHING):
            return True
        return abs(wanted - mine.wanted) > max(0.25 * mine.wanted, _CHANGE / 2 * terms.rate)


def _surely(lease_s: float) -> float:
    """After how long a share that was seen is over, whoever has it."""
    return lease_s * (1 + DRIFT)


def _is_short(used: Share, due: Share) -> bool:
    """Whether a host has clearly less than its due."""
    return used.rate < (1 - _CHANGE) * due.rate or (used.burst == 0 and due.burst > 0)


def _used(grants: Iterable[Grant]) -> Share:
    """What a host may be using at most."""
    grants = list(grants)
    return Share(max((g.rate for g in grants), default=0), max((g.burst for g in grants), default=0))
