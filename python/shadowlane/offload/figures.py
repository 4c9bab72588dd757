"""What a forwarding host counts and times beside its copies, for the gate, which runs where the store is.

Invariant: what travels are sums so far of one life of a lane, each in the place of the one before it: reading them
late, twice or not at all changes nothing but how new they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from .. import __version__

__all__ = ["HOSTS", "TIMES", "Figures", "HostTimes", "Times", "counts_of", "read_counts", "read_times"]

HOSTS, TIMES = "hosts", "times"
"""The kinds: counters by source; times by lane, hour and setting."""
_HOUR_NS = 3_600 * 10**9
_COUNTERS = ("seen", "open", "mirrored", "dropped", "acked", "sampler")


class Figures(Protocol):
    """What the stream keeps of them, by kind and name."""

    def put_figures(self, kind: str, name: str, value: bytes) -> None: ...
    def figures(self, kind: str) -> dict[str, bytes]: ...
    def drop_figures(self, kind: str, names: list[str]) -> None: ...


class Times(NamedTuple):
    """One row of :meth:`shadowlane.store.SqliteStore.save_latency`."""

    lane_id: str
    at_ns: int
    choice: str
    ratio: float
    counts: bytes


class HostTimes:
    """Keeps a host's times on the stream as a store keeps them: for :class:`shadowlane.worker.overhead`'s recorder."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def save_latency(self, lane_id: str, at_ns: int, choice: str, ratio: float, counts: bytes) -> None:
        """In place of what was there of the same hour, choice and ratio."""
        name = f"{lane_id}|{at_ns // _HOUR_NS}|{choice}|{ratio!r}"
        self._figures.put_figures(TIMES, name, msgspec.msgpack.encode(Times(lane_id, at_ns, choice, ratio, counts)))


def read_times(figures: Figures, now_ns: int) -> tuple[list[Times], list[str]]:
    """All times, and the names of those that are over: their hour is, and the one after it."""
    found, over = [], []
    for name, value in figures.figures(TIMES).items():
        try:
            times = msgspec.msgpack.decode(value, type=Times)
        except (msgspec.DecodeError, ValueError):
            over.append(name)
            continue
        found.append(times)
        if now_ns - times.at_ns > 2 * _HOUR_NS:
            over.append(name)
    return found, over


def counts_of(lane_status: Mapping[str, Any], told_ns: int, alike: str) -> bytes:
    """What the gate needs of a host's counters; ``told_ns`` is another one each time, so that a host is known to go on.
    ``alike``: see :meth:`shadowlane.config.Config.alike`."""
    return msgspec.json.encode(
        {name: lane_status[name] for name in _COUNTERS} | {"told_ns": told_ns, "release": __version__, "alike": alike}
    )


def read_counts(figures: Figures) -> dict[str, Any]:
    """The counters of each source; what cannot be read is left out."""
    found = {}
    for source, value in figures.figures(HOSTS).items():
        try:
            found[source] = msgspec.json.decode(value, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError):
            continue
    return found
