"""One process's part in the fleet's budgets: what is spent, what may yet be, and what it may take next.

Invariants, with which in any hour and any day all hosts together spend no more than the budget, and what answers cost
beyond what was expected of them (:mod:`shadowlane.limits.allowance`):

- What a process may spend counts as spent until that process has itself said what it did spend. Where it is gone, a
  slice that was seen unchanged for its whole length and :data:`~.member.DRIFT` is over, and was spent, whole.
- What was spent counts until it was seen for the whole window, by the clock of who takes it out. Ages are written on,
  so that who comes later does not begin from the start.
- A process says how much it has spent since it began, and what of that is counted is in the ledger beside it: a message
  that comes late or twice changes nothing.
- After the engine lost something, or may have, each host adds what it had read there, and nothing is given out until
  slices of before are over.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from .ledger import DAY_S, HOUR_S, LIMITS, NOTHING, Amount, Ledger, Part, Slice, Slot, added, compacted
from .member import DRIFT

__all__ = ["BudgetPlan", "Earlier", "Spender", "Wanted"]

_RENEW_AT = 0.6
_AHEAD = 4.0
"""Times what was spent in a lease: that much a slice holds."""
_LEAST, _IDLE = 1000, 200
"""Parts of a limit: with less left than one of the first kind it is reached; an idle process has one of the second."""
_WINDOWS = {"hour": HOUR_S * (1 + DRIFT), "day": DAY_S * (1 + DRIFT)}
_MANY = 10_000

_Limits = tuple[float, float, float, float]


class Wanted(NamedTuple):
    """Of one budget, what a process has spent since it began, what it spends a second, what its dearest answer of late
    cost, the most that it wanted at once, and what its calls that are out may cost."""

    spent: Amount
    rate: Amount = NOTHING
    dearest: Amount = NOTHING
    asked: Amount = NOTHING
    held: Amount = NOTHING


class Earlier(NamedTuple):
    """What a store tells of the time before: how long ago it was spent, and what."""

    age_s: float
    spent: Amount


class BudgetPlan(NamedTuple):
    """What to write, and up to where the process may spend once that was done; ``None``: nothing is given."""

    ledger: Ledger
    ends: dict[str, Amount] | None


class Spender:
    """A process as the ledger knows it: ``process`` is another one in each process, ``name`` the machine, for people.
    ``limits`` by shadow, in the order of :data:`~.ledger.LIMITS`, 0 for none; ``store`` names the store whose rows
    ``earlier`` was read from at ``now``."""

    def __init__(
        self,
        process: str,
        name: str,
        limits: Mapping[str, _Limits],
        lease_s: float,
        *,
        store: str = "",
        earlier: Mapping[str, Sequence[Earlier]] | None = None,
        now: float = 0.0,
    ) -> None:
        self.process = process
        self._name = name
        self._limits = dict(limits)
        self._lease_s = lease_s
        self._store, self._earlier, self._began = store, dict(earlier or {}), now
        self._epoch, self._since, self._version = 0, 0.0, 0
        self._last: Ledger | None = None
        self._before: Ledger | None = None
        """What was known of the life before this one."""
        self._slots: dict[tuple[str, int], tuple[float, float]] = {}
        """(age, when it was first seen)."""
        self._slices: dict[tuple[str, int], float] = {}
        self._stores: dict[str, tuple[float, float]] = {}
        self._ends: dict[str, Amount] = {}
        """At least so much of what this process has spent was counted, should its slice be gone."""
        self._tried = 0
        """The version that was written last, with or without an answer."""

    def look(self, ledger: Ledger | None, engine: str, now: float) -> Ledger:
        """Take note of what was read at ``now``, in seconds of this host's clock. Returns what to go on from: the same,
        or a new life of the ledger."""
        if (
            ledger is None
            or ledger.engine != engine
            or (ledger.epoch == self._epoch and ledger.version < self._version)
        ):
            return self._anew(ledger, engine, now)
        if ledger.epoch != self._epoch:
            self._meet(ledger, now)
        elif ledger.opened and self._last is not None and not self._last.opened:
            self._slices = {}  # those of the older life are settled by who lives, for a lease from now
            self._forget_what_is_lost(ledger)
        self._version = ledger.version
        self._last = ledger
        there = {(process, one.number) for process, one in ledger.slices.items()}
        self._slices = {key: self._slices.get(key, now) for key in there}
        self._slots = {
            (shadow, slot.number): self._slots.get((shadow, slot.number), (slot.age_s, now))
            for shadow, slots in ledger.spent.items()
            for slot in slots
        }
        self._stores = {name: self._stores.get(name, (age, now)) for name, age in ledger.stores.items()}
        mine = ledger.slices.get(self.process)
        for shadow, part in mine.parts.items() if mine is not None else ():
            known = self._ends.get(shadow, part.end)
            self._ends[shadow] = part.end if ledger.version >= self._tried else _least(part.end, known)
        return ledger

    def _meet(self, ledger: Ledger, now: float) -> None:
        """Another life of the ledger."""
        if self._last is not None:
            self._before = self._aged(self._last, now)
            if ledger.opened:
                self._forget_what_is_lost(ledger)
        self._epoch, self._since = ledger.epoch, now
        self._slots, self._slices, self._stores = {}, {}, {}

    def _forget_what_is_lost(self, ledger: Ledger) -> None:
        """It has opened with less than this host knew: what this process had said last may not be counted."""
        if self._before is not None and _rank(self._before) > ledger.base:
            self._ends = {}

    def _anew(self, ledger: Ledger | None, engine: str, now: float) -> Ledger:
        known = [one for one in (ledger, self._aged(self._last, now) if self._last else None) if one is not None]
        base = max(known, key=_rank, default=None)
        return Ledger(
            epoch=secrets.randbits(62) + 1,
            version=max((one.version for one in known), default=0),
            engine=engine,
            nth=max((one.nth for one in known), default=0) + 1,
            base=_rank(base) if base is not None else (0, 0),
            slices=base.slices if base is not None else {},
            spent=base.spent if base is not None else {},
            stores=base.stores if base is not None else {},
        )

    def trying(self, ledger: Ledger) -> None:
        """This is being written; whether it was, nobody may say."""
        self._tried = ledger.version
        mine = ledger.slices.get(self.process)
        for shadow, part in mine.parts.items() if mine is not None else ():
            self._ends[shadow] = _least(part.end, self._ends.get(shadow, NOTHING))

    def wrote(self, ledger: Ledger, now: float) -> None:
        """The engine has taken this ledger: it is seen."""
        self.look(ledger, ledger.engine, now)

    def opens_in(self, ledger: Ledger, now: float) -> float:
        """Seconds until slices may be given out in this life of the ledger."""
        whole = self._lease_s * (1 + DRIFT)
        if ledger.opened or ledger.epoch != self._epoch:
            return 0.0 if ledger.opened else whole
        return max(self._since + whole - now, 0.0)

    def spent(self, ledger: Ledger, shadow: str, now: float) -> dict[str, float]:
        """What all have spent, or may be spending, by the names of the limits."""
        return self._used(self._aged(ledger, now).spent.get(shadow, ()), shadow, ledger.slices)

    def plan(self, ledger: Ledger, wanted: Mapping[str, Wanted], left_s: float, now: float) -> BudgetPlan | None:
        """The next version of the ledger with a slice for this process, of which it holds one for ``left_s`` seconds
        yet; ``None`` when there is nothing to change."""
        if ledger.epoch != self._epoch:
            return None  # a new life is written, and seen, before anything is given out in it
        aged = self._aged(ledger, now)
        opening = not aged.opened
        if opening:
            known = self._with_store(self._inherited(aged), now)
            if known is not aged:
                return BudgetPlan(self._numbered(known), None)
            if self.opens_in(ledger, now) > 0:
                return None
            aged = msgspec.structs.replace(aged, opened=True)
        number = aged.version + 1
        aged = self._with_store(aged, now)
        aged = self._without_the_gone(aged, number, now, keep_all=opening)
        mine = aged.slices.get(self.process)
        spent = dict(aged.spent)
        for shadow, want in wanted.items():
            spent[shadow] = added(spent.get(shadow, ()), number, want.spent.beyond(self._settled(mine, shadow)))
        others = {process: one for process, one in aged.slices.items() if process != self.process}
        parts = {
            shadow: self._part(
                shadow, want, self._used(spent[shadow], shadow, others), others, self._left(mine, shadow, want)
            )
            for shadow, want in wanted.items()
        }
        if not self._is_due(mine, parts, wanted, left_s):
            return None
        slices = {**others, self.process: Slice(self._name, self._store, number, self._lease_s, parts)}
        spent = {shadow: compacted(slots, *_WINDOWS.values()) for shadow, slots in spent.items()}
        after = msgspec.structs.replace(
            aged, version=number, slices=slices, spent={shadow: slots for shadow, slots in spent.items() if slots}
        )
        return BudgetPlan(after, {shadow: part.end for shadow, part in parts.items()})

    def reached(self, ledger: Ledger, shadow: str, dearest: Amount, now: float) -> str:
        """The limit that all hosts together have reached, by its name; empty: none."""
        others = {process: one for process, one in ledger.slices.items() if process != self.process}
        used = self._used(self._aged(ledger, now).spent.get(shadow, ()), shadow, others)
        limits = self._least_limits(shadow, others)
        for name, limit in limits.items():
            if limit - used[name] < max(_of(dearest, name), limit / _LEAST):
                return name
        return ""

    def without(self, ledger: Ledger, wanted: Mapping[str, Wanted], now: float) -> Ledger | None:
        """The next version of the ledger without this process, which has ended to spend; ``None`` when there is nothing
        that it could say."""
        mine = ledger.slices.get(self.process)
        if ledger.epoch != self._epoch or not ledger.opened:
            return None
        aged = self._aged(ledger, now)
        number = aged.version + 1
        spent = dict(aged.spent)
        more = {shadow: want.spent.beyond(self._settled(mine, shadow)) for shadow, want in wanted.items()}
        if mine is None and not any(more.values()):
            return None
        for shadow, amount in more.items():
            spent[shadow] = added(spent.get(shadow, ()), number, amount)
        slices = {process: one for process, one in aged.slices.items() if process != self.process}
        stores = {**aged.stores, self._store: 0.0} if self._store else aged.stores
        return msgspec.structs.replace(aged, version=number, slices=slices, spent=spent, stores=stores)

    # ---- parts of a plan

    def _settled(self, mine: Slice | None, shadow: str) -> Amount:
        """What of this process's spending the slots hold."""
        if mine is not None and shadow in mine.parts:
            return mine.parts[shadow].settled
        return self._ends.get(shadow, NOTHING)

    @staticmethod
    def _left(mine: Slice | None, shadow: str, want: Wanted) -> Amount:
        """What of the last slice the calls that are out may need: it is counted, and they cannot be called back."""
        if mine is None or shadow not in mine.parts:
            return NOTHING
        return _least(want.held, mine.parts[shadow].end.beyond(want.spent))

    def _part(
        self, shadow: str, want: Wanted, used: Mapping[str, float], others: Mapping[str, Slice], kept: Amount
    ) -> Part:
        limits = self._least_limits(shadow, others)
        gives = []
        for kind in ("tokens", "money"):
            free = {name: limit - used[name] for name, limit in limits.items() if name.startswith(kind)}
            if not free:
                gives.append(_of(kept, kind))
                continue
            tight = min(free, key=lambda name: free[name])
            left, limit, dearest = max(free[tight], 0.0), limits[tight], _of(want.dearest, kind)
            ahead = _AHEAD * _of(want.rate, kind) * self._lease_s
            whole = max(ahead, 2 * _of(want.asked, kind), limit / _IDLE, dearest)
            give = whole if whole <= left / 2 else max(left / 2, min(left, max(dearest, limit / _IDLE)))
            gives.append(max(give if give >= max(dearest, limit / _LEAST) else 0.0, _of(kept, kind)))
        return Part(want.spent, want.spent + Amount(*gives), self._limits[shadow])

    def _is_due(
        self, mine: Slice | None, parts: Mapping[str, Part], wanted: Mapping[str, Wanted], left_s: float
    ) -> bool:
        if mine is None or left_s < _RENEW_AT * self._lease_s or mine.parts.keys() != parts.keys():
            return True
        for shadow, part in parts.items():
            before = mine.parts[shadow]
            if before.limits != part.limits:
                return True
            want = wanted[shadow]
            short = (want.spent + want.asked).beyond(before.end)
            left = before.end.beyond(want.spent)
            if (short.tokens and part.open.tokens > 1.25 * left.tokens) or (
                short.money and part.open.money > 1.25 * left.money
            ):
                return True
        return False

    def _least_limits(self, shadow: str, others: Mapping[str, Slice]) -> dict[str, float]:
        """While a change of the configuration comes to the hosts one by one, the smallest holds."""
        said = [self._limits[shadow], *(one.parts[shadow].limits for one in others.values() if shadow in one.parts)]
        least = {name: min(limits[at] or math.inf for limits in said) for at, name in enumerate(LIMITS)}
        return {name: limit for name, limit in least.items() if limit < math.inf}

    def _used(self, slots: Sequence[Slot], shadow: str, slices: Mapping[str, Slice]) -> dict[str, float]:
        used = {}
        open_parts = [one.parts[shadow].open for one in slices.values() if shadow in one.parts]
        for name in LIMITS:
            window = _WINDOWS[name.rpartition("_")[2]]
            young = sum(_of(slot.spent, name) for slot in slots if slot.age_s < window)
            used[name] = young + sum(_of(part, name) for part in open_parts)
        return used

    def _without_the_gone(self, ledger: Ledger, number: int, now: float, *, keep_all: bool) -> Ledger:
        """Slices that are over, whose processes did not say what they spent, are spent."""
        slices, spent, stores = {}, dict(ledger.spent), dict(ledger.stores)
        for process, one in ledger.slices.items():
            seen_s = now - self._slices[process, one.number]
            if keep_all or process == self.process or seen_s < one.lease_s * (1 + DRIFT):
                slices[process] = one
                continue
            for shadow, part in one.parts.items():
                spent[shadow] = added(spent.get(shadow, ()), number, part.open)
            if one.store:
                stores[one.store] = 0.0
        return msgspec.structs.replace(ledger, slices=slices, spent=spent, stores=stores)

    def _inherited(self, ledger: Ledger) -> Ledger:
        """What this host knows of the life before is newer than what the new one began with."""
        before = self._before
        if before is None or _rank(before) <= ledger.base:
            return ledger
        return msgspec.structs.replace(
            ledger,
            version=max(ledger.version, before.version),
            base=_rank(before),
            slices=before.slices,
            spent=before.spent,
            stores=before.stores,
        )

    def _with_store(self, ledger: Ledger, now: float) -> Ledger:
        """Rows of a store that the ledger has never met are counted once."""
        if not self._store or self._store in ledger.stores:
            return ledger
        if any(one.store == self._store for one in ledger.slices.values()):
            return ledger
        spent = dict(ledger.spent)
        number = -(ledger.version + 1) * _MANY
        for shadow, rows in self._earlier.items():
            slots = list(spent.get(shadow, ()))
            for row in rows:
                age_s = row.age_s + max(now - self._began, 0.0)
                number += 1
                slots.append(Slot(number, age_s, age_s, row.spent))
            spent[shadow] = compacted(slots, *_WINDOWS.values())
        spent = {shadow: slots for shadow, slots in spent.items() if slots}
        return msgspec.structs.replace(ledger, spent=spent, stores={**ledger.stores, self._store: 0.0})

    def _numbered(self, ledger: Ledger) -> Ledger:
        return msgspec.structs.replace(ledger, version=ledger.version + 1)

    def _aged(self, ledger: Ledger, now: float) -> Ledger:
        """Ages as they are now, as far as this host knows."""
        spent = {
            shadow: tuple(self._older(slot, self._slots.get((shadow, slot.number)), now) for slot in slots)
            for shadow, slots in ledger.spent.items()
        }
        stores = {}
        for name, age in ledger.stores.items():
            known, when = self._stores.get(name, (age, now))
            if (age := max(age, _floor(known + now - when))) < _WINDOWS["day"]:
                stores[name] = age
        return msgspec.structs.replace(ledger, spent=spent, stores=stores)

    @staticmethod
    def _older(slot: Slot, seen: tuple[float, float] | None, now: float) -> Slot:
        if seen is None:
            return slot
        more = _floor(seen[0] + now - seen[1]) - slot.age_s
        return Slot(slot.number, slot.begun_s + more, slot.age_s + more, slot.spent) if more > 0 else slot


def _rank(ledger: Ledger) -> tuple[int, int]:
    """Later content is of a later life, or of a later version in it. One that has not opened holds what it began
    with."""
    return (ledger.nth, ledger.version) if ledger.opened else ledger.base


def _floor(seconds: float) -> float:
    return math.floor(seconds * 10) / 10


def _least(one: Amount, other: Amount) -> Amount:
    return Amount(min(one.tokens, other.tokens), min(one.money, other.money))


def _of(amount: Amount, name: str) -> float:
    return amount.tokens if name.startswith("tokens") else amount.money
