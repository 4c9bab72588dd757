"""Which versions answered, of every pin, as all hosts of a fleet saw them: a changed pin begins the window on all.

What hosts hand on is no change but what changes are made of: for each value of a pin, when its first and its last
answer began, as the rows of a store have it. Two hosts' words are joined by the smaller first and the larger last. That
is commutative, associative and idempotent, so hosts that were cut off, two that saw other versions at once, and what is
said twice or in another order all come to the same (a join semilattice: Shapiro, Preguiça, Baquero, Zawirski,
"Conflict-free Replicated Data Types", SSS 2011), and no host's word has to be the last one.

Invariants: a host writes only what would change where a window begins, or what nobody has said yet; the record stays
small, whatever hosts see: a pin of more than :data:`MOST` values is no version, and is handed on no more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from .record import Pins, Sighting

__all__ = ["MOST", "REFRESH_NS", "PinBoard", "Sighted", "joined"]

MOST = 20
"""Values of one pin that are handed on. With more it names requests, and no version."""
REFRESH_NS = 60 * 10**9
"""A last answer that is so much later than the record's is written even where it changes nothing now."""


class Sighted(NamedTuple):
    """One value of one pin of a shadow, and when its first and its last answer began, Unix time."""

    shadow: str
    pin: str
    value: str
    first_ns: int
    last_ns: int


def joined(one: Pins, other: Pins) -> Pins:
    """What two hosts know together."""
    found = {shadow: {pin: dict(values) for pin, values in pins.items()} for shadow, pins in one.items()}
    for shadow, pins in other.items():
        for pin, values in pins.items():
            mine = found.setdefault(shadow, {}).setdefault(pin, {})
            for value, seen in values.items():
                known = mine.get(value, seen)
                mine[value] = Sighting(min(known.first_ns, seen.first_ns), max(known.last_ns, seen.last_ns))
    return found


class PinBoard:
    """What this host knows. ``change`` gives, of a shadow's pins, what of them says where its window begins, to be
    compared; ``keep_ns`` is the length of the window. Calls may come from any thread.
    """

    def __init__(self, change: Callable[[Iterable[Sighted]], Any], *, keep_ns: int) -> None:
        self._change = change
        self._keep_ns = keep_ns
        self._lock = threading.Lock()
        self._known: Pins = {}
        self._said: dict[str, Any] = {}
        """By shadow where its window begins, as this host knows."""

    def saw(self, sighted: Iterable[Sighted]) -> bool:
        """What answered here. Returns whether others should hear of it at once."""
        new: Pins = {}
        for one in sighted:
            values = new.setdefault(one.shadow, {}).setdefault(one.pin, {})
            known = values.get(one.value, Sighting(one.first_ns, one.last_ns))
            values[one.value] = Sighting(min(known.first_ns, one.first_ns), max(known.last_ns, one.last_ns))
        with self._lock:
            before, self._known = self._known, self._trimmed(joined(self._known, new))
            return self._has_changed() or _any_new(self._known, before)

    def hear(self, theirs: Pins) -> tuple[Pins | None, bool]:
        """What the record says. Returns what to write in its stead (``None``: it is well as it is), and whether a
        window of this host begins elsewhere now."""
        with self._lock:
            whole = self._trimmed(joined(theirs, self._known))
            self._known = whole
            changed = self._has_changed()
            return (whole if self._is_due(theirs, whole) else None), changed

    def with_all(self, theirs: Pins) -> Pins:
        """The record's and this host's, for one who writes it anyway."""
        with self._lock:
            return self._trimmed(joined(theirs, self._known))

    def sighted(self, shadow: str | None = None) -> list[Sighted]:
        """What is known (of one shadow), in the order of the first answers; pins that are no versions are left out."""
        with self._lock:
            return _listed(self._known, shadow)

    def _has_changed(self) -> bool:
        said = {shadow: self._change(_listed(self._known, shadow)) for shadow in self._known}
        changed = any(said[shadow] != self._said.get(shadow) for shadow in said)
        self._said = said
        return changed

    def _is_due(self, theirs: Pins, whole: Pins) -> bool:
        for shadow, pins in whole.items():
            there = theirs.get(shadow, {})
            for pin, values in pins.items():
                said = there.get(pin, {})
                if len(said) > MOST and len(values) > MOST:
                    continue
                for value, seen in values.items():
                    known = said.get(value)
                    if known is None or seen.first_ns < known.first_ns or seen.last_ns - known.last_ns > REFRESH_NS:
                        return True
            if self._change(_listed(whole, shadow)) != self._change(_listed(theirs, shadow)):
                return True
        return False

    def _trimmed(self, pins: Pins) -> Pins:
        """Without what is older than a window, and of a pin with too many values only so many that it shows."""
        found: Pins = {}
        for shadow, by_pin in pins.items():
            newest = max((seen.last_ns for values in by_pin.values() for seen in values.values()), default=0)
            kept: dict[str, dict[str, Sighting]] = {}
            for pin, values in by_pin.items():
                young = {value: seen for value, seen in values.items() if seen.last_ns >= newest - self._keep_ns}
                if len(young) > MOST + 1:
                    order = sorted(young, key=lambda value: (-young[value].last_ns, value))
                    young = {value: young[value] for value in order[: MOST + 1]}
                if young:
                    kept[pin] = young
            if kept:
                found[shadow] = kept
        return found


def _any_new(now: Pins, before: Pins) -> bool:
    """Whether some version is one that was not known."""
    for shadow, pins in now.items():
        for pin, values in pins.items():
            there: Mapping[str, Sighting] = before.get(shadow, {}).get(pin, {})
            if len(values) <= MOST and not values.keys() <= there.keys():
                return True
    return False


def _listed(pins: Pins, shadow: str | None = None) -> list[Sighted]:
    found = [
        Sighted(name, pin, value, seen.first_ns, seen.last_ns)
        for name, by_pin in pins.items()
        if shadow in (None, name)
        for pin, values in by_pin.items()
        if len(values) <= MOST
        for value, seen in values.items()
    ]
    return sorted(found, key=lambda one: (one.first_ns, one[:3]))
