"""What the hosts of a fleet have spent of their shadows' budgets, and what each of them may be spending.

It is one document under a version, beside the record of :mod:`.record` and kept by the same engines. A budget is known
by the shadow's name, and its windows are the last hour and the last 24 hours. Like the record it holds no moment of any
clock: ages go on by the clock of whoever writes, from when that one first saw them.

Invariants: only who has read version v may write version v + 1; ages are never more than the truth, but for how fast
clocks run.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..errors import FleetError

__all__ = [
    "DAY_S",
    "FORM",
    "HOUR_S",
    "LIMITS",
    "NOTHING",
    "Amount",
    "Ledger",
    "Part",
    "Slice",
    "Slot",
    "added",
    "compacted",
    "decoded",
    "encoded",
]

FORM = 1
HOUR_S, DAY_S = 3600.0, 86400.0
_SLOT_S, _LATE_SLOT_S = 120.0, 1800.0
LIMITS = ("tokens_per_hour", "tokens_per_day", "money_per_hour", "money_per_day")


class Amount(msgspec.Struct, frozen=True, array_like=True):
    """Tokens, and money in the currency of ``[prices]``."""

    tokens: float
    money: float

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.money + other.money)

    def beyond(self, other: Amount) -> Amount:
        """What it is more than another, and nothing below zero."""
        return Amount(max(self.tokens - other.tokens, 0), max(self.money - other.money, 0.0))

    def __bool__(self) -> bool:
        return self.tokens > 0 or self.money > 0


NOTHING = Amount(0, 0.0)


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """What was spent within some minutes: ``age_s`` is that of the youngest of it, ``begun_s`` of the oldest.
    ``number`` tells slots apart."""

    number: int
    begun_s: float
    age_s: float
    spent: Amount


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A process's part of one budget, since the process began: ``settled`` is in the slots, up to ``end`` it may spend.
    ``limits`` are what it is configured to, in the order of :data:`LIMITS`; 0 is none."""

    settled: Amount
    end: Amount
    limits: tuple[float, float, float, float]

    @property
    def open(self) -> Amount:
        """What may be spent and is in no slot."""
        return self.end.beyond(self.settled)


class Slice(msgspec.Struct, frozen=True):
    """What a process may be spending, by shadow, for ``lease_s`` seconds at most from before it asked. ``number`` is
    the version that it was written with, ``store`` the store whose earlier rows are counted."""

    name: str
    store: str
    number: int
    lease_s: float
    parts: dict[str, Part]


class Ledger(msgspec.Struct, frozen=True):
    """The whole. ``epoch`` names its life and ``nth`` counts lives; ``base`` is the life and version that its content
    comes from. ``opened``: slices of an older life have ended. ``engine`` is the server's life that wrote it.
    ``stores``: those whose earlier rows are counted, with the seconds since a process that has it was there."""

    epoch: int
    version: int
    engine: str
    nth: int = 1
    base: tuple[int, int] = (0, 0)
    opened: bool = False
    slices: dict[str, Slice] = msgspec.field(default_factory=dict)
    spent: dict[str, tuple[Slot, ...]] = msgspec.field(default_factory=dict)
    stores: dict[str, float] = msgspec.field(default_factory=dict)
    form: int = FORM


def added(slots: tuple[Slot, ...], number: int, amount: Amount) -> tuple[Slot, ...]:
    """Slots, the oldest first, with what was spent up to now."""
    if not amount:
        return slots
    if slots and slots[-1].begun_s < _SLOT_S:
        last = slots[-1]
        return (*slots[:-1], Slot(number, last.begun_s, 0.0, last.spent + amount))
    return (*slots, Slot(number, 0.0, 0.0, amount))


def compacted(slots: Iterable[Slot], hour_s: float, day_s: float) -> tuple[Slot, ...]:
    """The oldest first, without what is out of every window, and coarser where only the day counts."""
    kept: list[Slot] = []
    for slot in sorted(slots, key=lambda slot: -slot.age_s):
        if slot.age_s >= day_s:
            continue
        last = kept[-1] if kept else None
        if last is not None and slot.age_s >= hour_s and last.begun_s - slot.age_s < _LATE_SLOT_S:
            kept[-1] = Slot(slot.number, max(last.begun_s, slot.begun_s), slot.age_s, last.spent + slot.spent)
        else:
            kept.append(slot)
    return tuple(kept)


def encoded(ledger: Ledger) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(ledger)


def decoded(data: bytes) -> Ledger:
    """What was stored. Raises :class:`~shadowlane.errors.FleetError` when it is no ledger of this release."""
    try:
        ledger = msgspec.json.decode(data, type=Ledger)
    except msgspec.DecodeError as error:
        raise FleetError(
            f"what is stored for the fleet's budgets is no ledger of shadowlane's ({error}); choose another fleet.name"
        ) from None
    if ledger.form != FORM:
        raise FleetError(
            f"the ledger of the fleet's budgets is of form {ledger.form} and this release writes form {FORM}: finish "
            "the change of release, or give the new one another fleet.name"
        )
    return ledger
