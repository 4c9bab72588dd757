"""The record that the hosts of a fleet share: who may send how much, the switch, the pauses, which versions answered.

It is one small document under a version. Invariant: only who has read version v may write version v + 1, and the engine
sees to it; so every decision is taken in one function (:mod:`.member`), whatever the engine.

No share, switch or pause goes by a moment of a clock: how old something is, each host tells by its own clock from when
it first saw it. Versions have the moments of their answers, as the rows of a store have them.
"""

from __future__ import annotations

import msgspec

from ..errors import FleetError

__all__ = ["FORM", "Grant", "Host", "Pause", "Pins", "Record", "Sighting", "decoded", "encoded"]

FORM = 1
"""Of the record: another one for any change of what a field means."""


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """A share that a host may be using: ``rate`` in millionths of a copy a second, for ``lease_s`` seconds at most from
    before it was asked for. ``number`` is the version that it was written with."""

    number: int
    rate: int
    burst: int
    lease_s: float


class Host(msgspec.Struct, frozen=True):
    """A host: what it is configured to, what it would send (millionths of a copy a second), and all shares that it
    may be using, the oldest first."""

    name: str
    rate: int
    burst: int
    weight: int
    wanted: int
    grants: tuple[Grant, ...]


class Pause(msgspec.Struct, frozen=True, array_like=True):
    """Nothing goes to a shadow (or, under the name ``""``, to any) for ``seconds`` from when this ``number`` was
    written."""

    number: int
    seconds: float


class Sighting(msgspec.Struct, frozen=True, array_like=True):
    """When the first and the last answer began that had a value of a pin, Unix time by the clocks of the hosts that saw
    them."""

    first_ns: int
    last_ns: int


Pins = dict[str, dict[str, dict[str, Sighting]]]
"""By shadow, by pin, by value."""


class Record(msgspec.Struct, frozen=True):
    """The whole. ``epoch`` names its life: it ends when the engine may have lost something. ``opened``: shares of an
    older life have ended for sure. ``engine`` is the server's life that wrote it. ``off``: the switch; ``None``:
    nobody said."""

    epoch: int
    version: int
    engine: str
    opened: bool = False
    off: bool | None = None
    hosts: dict[str, Host] = msgspec.field(default_factory=dict)
    pauses: dict[str, Pause] = msgspec.field(default_factory=dict)
    pins: Pins = msgspec.field(default_factory=dict)
    form: int = FORM


def encoded(record: Record) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(record)


def decoded(data: bytes) -> Record:
    """What was stored. Raises :class:`~shadowlane.errors.FleetError` when it is no record of this release."""
    try:
        record = msgspec.json.decode(data, type=Record)
    except msgspec.DecodeError as error:
        raise FleetError(
            f"what is stored under the fleet's name is no record of shadowlane's ({error}); choose another fleet.name"
        ) from None
    if record.form != FORM:
        raise FleetError(
            f"the fleet's record is of form {record.form} and this release writes form {FORM}: hosts of both releases "
            "cannot share one; finish the change of release, or give the new one another fleet.name"
        )
    return record
