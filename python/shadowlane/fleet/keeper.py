"""Keeps this host's share: asks the engine, writes what :class:`.Member` decides, and tells the control file.

Invariants: a share's end is counted from before the engine was asked; what was not surely written is not used; a
failure leaves the share as it is, to end by itself; the fleet's switch and pauses are taken over by every round that
could read. Calls of several threads come one after the other.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from ..errors import FleetError
from .engine import Engine
from .member import MICRO, Held, Member, Terms
from .pins import PinBoard
from .record import Pause, Record, decoded, encoded

__all__ = ["EVERY_S", "Keeper", "boottime", "set_switch"]

log = logging.getLogger("shadowlane.worker")

EVERY_S = 0.4
"""Between two rounds: with a busy machine's delays the switch and pauses are everywhere within a second."""
_TRIES = 4
_SAME_S = 1.0
_SMOOTH = 0.4


class _Control(Protocol):
    def lease(self, rate: float, burst: int, until_ns: int, *, number: int, epoch: int, goes_on: bool) -> None: ...
    def end_lease(self) -> None: ...
    def leased(self) -> tuple[int, int, float, int, float, int]: ...
    def set_fleet_off(self, off: bool) -> None: ...
    def fleet_off(self) -> bool: ...


class _Heard(NamedTuple):
    """A pause of the record: which one, and until when by this host's clock."""

    number: int
    until: float


def boottime() -> float:
    """Seconds that go on during suspend: a share ends for everybody at once, asleep or not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Keeper:
    """See the module. ``host`` names this life of the control file, ``name`` the machine, for people."""

    def __init__(
        self,
        engine: Engine,
        control: _Control,
        *,
        host: str,
        name: str,
        terms: Terms,
        pins: PinBoard | None = None,
        clock: Callable[[], float] = boottime,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._control = control
        self._pins = pins
        self.pins_changed = False
        """Whether a window begins elsewhere since a round learnt of a pin; who has heeded it sets it back."""
        self._terms = terms
        self._clock, self._wait = clock, wait
        self._member = Member(host, name, terms)
        self._heard: dict[str, _Heard] = {}
        self._wanted: tuple[float, int] | None = None
        self._demand = 0.0
        self._error = ""
        self._opens_in = 0.0
        self._hosts = 0
        self._rounds = 0
        self._lock = threading.Lock()

    def round(self, pauses: Mapping[str, float]) -> dict[str, float]:
        """One round; ``pauses`` are this host's, in seconds that are left. Returns those of the fleet that it does
        not have yet. Raises nothing: an engine that is away is said once, and in :meth:`state`."""
        with self._lock:
            return self._round(pauses)

    def _round(self, pauses: Mapping[str, float]) -> dict[str, float]:
        wanted = self._measure()
        try:
            for attempt in range(_TRIES):
                if self._try(wanted, pauses):
                    break
                self._wait(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - no secret
        except FleetError as error:
            if str(error) != self._error:
                log.warning(
                    "the fleet's engine: %s; this host goes on with its share until that ends, then it mirrors nothing",
                    error,
                    extra={"event": "fleet_away"},
                )
            self._error = str(error)
        else:
            if self._error:
                log.info("the fleet's engine answers again", extra={"event": "fleet_back"})
            self._error = ""
        now = self._clock()
        left = {name: heard.until - now for name, heard in self._heard.items()}
        return {name: seconds for name, seconds in left.items() if seconds > pauses.get(name, 0.0) + _SAME_S}

    def leave(self) -> None:
        """End the share and give it back, when this host sends nothing any more. Raises nothing."""
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        self._control.end_lease()
        try:
            for _ in range(_TRIES):
                before = self._engine.read()
                record = decoded(before.data) if before.data is not None else None
                after = self._member.without(record) if record is not None else None
                if after is None or self._engine.swap(before, after.version, encoded(after)):
                    return
        except FleetError as error:
            log.info("the fleet's share is not given back, it ends by itself: %s", error)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._engine.close()

    def state(self) -> dict[str, Any]:
        """For ``shadowlane status``: plain values."""
        return {
            "engine": self._engine.kind,
            "error": self._error,
            "hosts": self._hosts,
            "rate": self._terms.rate / MICRO,
            "burst": self._terms.burst,
            "opens_in_s": round(self._opens_in),
            "joined": self._rounds > 0,
        }

    def _measure(self) -> int:
        """What this host would send, smoothed, in millionths of a copy a second."""
        now, asked = self._clock(), self._control.leased()[5]
        if self._wanted is not None and now > self._wanted[0]:
            rate = max(asked - self._wanted[1], 0) / (now - self._wanted[0])
            self._demand += _SMOOTH * (rate - self._demand)
        self._wanted = (now, asked)
        return int(self._demand * MICRO)

    def _try(self, wanted: int, pauses: Mapping[str, float]) -> bool:
        """``False``: another host has written in between."""
        asked_at = self._clock()
        before = self._engine.read()
        now = self._clock()
        there = decoded(before.data) if before.data is not None else None
        record = self._member.look(there, before.life, now)
        self._opens_in = self._member.opens_in(record, now)
        self._hosts = len(record.hosts)
        changed = self._with_pins(self._with_switch(self._with_pauses(record, pauses, now)))
        if record is not there:
            return self._start(before, changed)
        number, epoch, _, _, left_s, _ = self._control.leased()
        plan = self._member.plan(changed, Held(number, epoch, left_s), wanted, now)
        if plan is None and changed is record:
            self._rounds += 1
            return True
        after = plan.record if plan else msgspec.structs.replace(changed, version=record.version + 1)
        after = self._with_all_pins(self._with_time_left(after, now))
        if not self._engine.swap(before, after.version, encoded(after)):
            return False
        if plan is not None:
            grant, until_ns = plan.grant, int((asked_at + self._terms.lease_s) * 1e9)
            self._control.lease(
                grant.rate / MICRO, grant.burst, until_ns, number=grant.number, epoch=after.epoch, goes_on=plan.goes_on
            )
        self._note(after)
        self._rounds += 1
        return True

    def _start(self, before: Any, record: Record) -> bool:
        """Write a new life of the record. Nothing is granted before it was seen for a lease time."""
        record = msgspec.structs.replace(record, version=(before.version or 0) + 1)
        log.warning(
            "the fleet's record begins anew (its engine was started again, lost it, or never had it): nothing is "
            "mirrored for %.0f s, until every share that was granted before is over",
            self._terms.lease_s,
            extra={"event": "fleet_anew"},
        )
        if not self._engine.swap(before, record.version, encoded(record)):
            return False
        self._note(record)
        self._opens_in = self._member.opens_in(record, self._clock())
        return True

    def _note(self, record: Record) -> None:
        self._member.wrote(record, self._clock())
        self._hosts = len(record.hosts)

    def _with_switch(self, record: Record) -> Record:
        """Take the fleet's switch over. Where nobody has said what it is, a host that is off says so."""
        if record.off is None:
            return msgspec.structs.replace(record, off=True) if self._control.fleet_off() else record
        if record.off != self._control.fleet_off():
            self._control.set_fleet_off(record.off)
            log.warning(
                "mirroring is switched %s for the fleet", "off" if record.off else "on", extra={"event": "fleet_switch"}
            )
        return record

    def _with_pins(self, record: Record) -> Record:
        """Learn which versions answered elsewhere, and say which answered here."""
        if self._pins is None:
            return record
        wanted, changed = self._pins.hear(record.pins)
        self.pins_changed |= changed
        return record if wanted is None else msgspec.structs.replace(record, pins=wanted)

    def _with_all_pins(self, record: Record) -> Record:
        """What is written anyway says all that is known."""
        return record if self._pins is None else msgspec.structs.replace(record, pins=self._pins.with_all(record.pins))

    def _with_pauses(self, record: Record, pauses: Mapping[str, float], now: float) -> Record:
        """Learn the fleet's pauses, and add those of this host that last longer."""
        for name, pause in record.pauses.items():
            known = self._heard.get(name)
            if known is None or known.number != pause.number:
                self._heard[name] = _Heard(pause.number, now + pause.seconds)
        self._heard = {name: heard for name, heard in self._heard.items() if name in record.pauses}
        mine = {
            name: seconds
            for name, seconds in pauses.items()
            if seconds > _SAME_S and now + seconds > (self._heard[name].until if name in self._heard else 0.0) + _SAME_S
        }
        over = {name for name, heard in self._heard.items() if heard.until <= now}
        if not mine and not over:
            return record
        number = record.version + 1
        kept = {name: pause for name, pause in record.pauses.items() if name not in over}
        kept |= {name: Pause(number, round(seconds, 1)) for name, seconds in mine.items()}
        return msgspec.structs.replace(record, pauses=kept)

    def _with_time_left(self, record: Record, now: float) -> Record:
        """What is left of known pauses is written anew with each version: a host or worker that comes later and sees
        one for the first time would begin it from its start."""
        pauses = dict(record.pauses)
        for name, heard in self._heard.items():
            if name in pauses and pauses[name].number == heard.number:
                pauses[name] = Pause(heard.number, round(heard.until - now, 1))
        return msgspec.structs.replace(record, pauses=pauses)


class PinKeeper:
    """For a worker that takes no share (a judge): hears of versions and says them. As :class:`Keeper` otherwise."""

    def __init__(self, engine: Engine, pins: PinBoard, wait: Callable[[float], None] = time.sleep) -> None:
        self._engine = engine
        self._pins = pins
        self._wait = wait
        self._error = ""
        self.pins_changed = False

    def round(self) -> None:
        """One round. Raises nothing: an engine that is away is said once."""
        try:
            for attempt in range(_TRIES):
                before = self._engine.read()
                record = decoded(before.data) if before.data is not None else _nothing(before.life)
                wanted, changed = self._pins.hear(record.pins)
                self.pins_changed |= changed
                if wanted is None:
                    break
                after = msgspec.structs.replace(record, pins=wanted, version=(before.version or 0) + 1)
                if self._engine.swap(before, after.version, encoded(after)):
                    break
                self._wait(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - no secret
        except FleetError as error:
            if str(error) != self._error:
                said = {"event": "fleet_away"}
                log.warning("the fleet's engine: %s; changed pins of other hosts are not heard", error, extra=said)
            self._error = str(error)
        else:
            if self._error:
                log.info("the fleet's engine answers again", extra={"event": "fleet_back"})
            self._error = ""

    def close(self) -> None:
        """Give the connection back."""
        self._engine.close()


def _nothing(life: str) -> Record:
    """A record in which nothing is granted yet."""
    return Member("", "", Terms(0, 0, 1, 0.0)).look(None, life, 0.0)


def set_switch(engine: Engine, off: bool) -> None:
    """Switch mirroring off or on for the whole fleet. Raises :class:`~shadowlane.errors.FleetError`."""
    for _ in range(16):
        before = engine.read()
        record = decoded(before.data) if before.data is not None else _nothing(before.life)
        record = msgspec.structs.replace(record, off=off, version=(before.version or 0) + 1)
        if engine.swap(before, record.version, encoded(record)):
            return
    raise FleetError("the fleet's record is written by others without end; try again")
