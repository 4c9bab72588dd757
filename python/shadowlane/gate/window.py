"""Where the gate's window begins: the configured hours ago, or later, where something began anew since.

Invariant: a pair of another version than the one that answers now is in no verdict; nor is one of a shadow's first
answers, while it was cold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..config import Config
from ..types import PinSeen

__all__ = [
    "MOST_VERSIONS",
    "Change",
    "FleetPin",
    "Start",
    "fleet_pins",
    "last_change",
    "start_of",
    "window_start",
    "with_fleet",
]

FleetPin = tuple[str, str, int, int]
"""A pin's name, its value, and the times of its first and last answer on any host of a fleet."""

_HOUR_NS = 3600 * 10**9
MOST_VERSIONS = 100
"""A pin with more values in one window says no version: it may be the name of a request."""
_WARM_UP = 20
"""WFGY Problem Map, cache_warmup_invalidation: a shadow is warmed with 20 to 40 questions before it is judged."""


class PinSource(Protocol):
    """What the window needs of the store."""

    def pins(self, shadow: str, since_ns: int) -> list[PinSeen]: ...
    def window_restarted(self, shadow: str) -> int | None: ...
    def restart_reason(self, shadow: str) -> str: ...
    def first_ns(self, shadow: str) -> int | None: ...
    def after_answers(self, shadow: str, since_ns: int, answers: int) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Change:
    """A version that was exchanged for another."""

    at_ns: int
    pin: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"pin {self.pin} changed from {_shown(self.before)} to {_shown(self.after)}"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a shadow's window begins."""

    since_ns: int
    why: str
    """Why later than the configured hours ago; empty: it does not."""
    counted_ns: int
    """From when on pairs count: later than the beginning where the shadow was cold."""
    warmup: int
    """So many first answers do not count."""
    pins: tuple[PinSeen, ...] = ()
    """What answered since then."""


def window_start(config: Config, now_ns: int) -> int:
    """Where the gate's window begins, when nothing else lets it begin later.

    It moves once an hour, not with every look: between two moves, looking again is free, since the intervals hold at
    any time from their start on.
    """
    return (now_ns - int(config.gate.window_hours * _HOUR_NS)) // _HOUR_NS * _HOUR_NS


def start_of(
    config: Config,
    shadow: str,
    store: PinSource,
    now_ns: int,
    *,
    whole: bool = False,
    fleet: Collection[FleetPin] = (),
) -> Start:
    """The window of one shadow. ``whole``: of a file, which is the window, whatever its times are. ``fleet``: which
    versions the hosts of the fleet saw, so that a change begins the window here before a pair of this store has it."""
    since, why = 0 if whole else window_start(config, now_ns), ""
    restarted = None if whole else store.window_restarted(shadow)
    if restarted is not None and restarted > since:
        since, why = restarted, store.restart_reason(shadow)
    pins = store.pins(shadow, since)
    seen = with_fleet(pins, fleet, since)
    # What a file's answers happen to say of themselves is not asked for.
    changed = last_change([pin for pin in seen if not whole or pin[0] in config.pins], config.pins)
    if changed is not None:
        since, why = changed.at_ns, str(changed)
        pins = store.pins(shadow, since)
    cold = bool(why) or (store.first_ns(shadow) or 0) >= since
    warmup = (0 if whole else _WARM_UP) if config.gate.warmup_pairs is None else config.gate.warmup_pairs
    if not cold or not warmup:
        return Start(since, why, since, 0, tuple(pins))
    counted = store.after_answers(shadow, since, warmup)
    return Start(since, why, now_ns + 1 if counted is None else counted, warmup, tuple(pins))


def with_fleet(pins: Sequence[PinSeen], fleet: Collection[FleetPin], since_ns: int) -> Sequence[PinSeen]:
    """What the store says of versions since then, and what the fleet's hosts say, together."""
    if not fleet:
        return pins
    found = {(name, value): (first, last, n) for name, value, first, last, n in pins}
    for name, value, first, last in fleet:
        if last >= since_ns:
            first = max(first, since_ns)
            known = found.get((name, value), (first, last, 0))
            found[name, value] = min(known[0], first), max(known[1], last), known[2]
    return sorted(((*pin, *seen) for pin, seen in found.items()), key=lambda pin: (pin[2], pin[:2]))


def last_change(pins: Sequence[PinSeen], rolling: Collection[str] = ()) -> Change | None:
    """The last time at which a version was exchanged for another: a value that begins when every earlier one of its pin
    has ended. Versions that take turns are one, and more than :data:`MOST_VERSIONS` are none. ``None``: never.

    Of a pin in ``rolling`` the old version may answer beside the new one for a while, as replicas are exchanged one by
    one: it has ended when it has been silent for longer than both answered. The change is then its last answer.
    """
    changes: list[Change] = []
    for name in dict.fromkeys(pin[0] for pin in pins):
        mine = sorted((pin for pin in pins if pin[0] == name), key=lambda pin: pin[2])
        if len(mine) > MOST_VERSIONS:
            continue
        end = max(pin[3] for pin in mine)
        old = mine[0]  # of the earlier ones, that which answered last
        for new in mine[1:]:
            value, first = new[1], new[2]
            if first > old[3]:
                changes.append(Change(first, name, old[1], value))
            elif name in rolling and end - old[3] > old[3] - first:
                changes.append(Change(old[3] + 1, name, old[1], value))
            old = max(old, new, key=lambda pin: pin[3])
    return max(changes, key=lambda change: change.at_ns, default=None)


def _shown(value: str) -> str:
    return value if len(value) <= 40 else value[:39] + "…"


def fleet_pins(status: Mapping[str, Any], shadow: str) -> list[FleetPin]:
    """What a lane's status says of the versions that its fleet saw of a shadow; empty without a fleet."""
    return [(pin, value, first, last) for pin, value, first, last in status.get("fleet_pins", {}).get(shadow, ())]
