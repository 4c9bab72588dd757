"""The partitions of ``pairs`` and ``bodies`` in PostgreSQL: one for the rows of a day.

The day is the one that a row's ``shadow_id`` names: a UUIDv7 begins with its milliseconds (RFC 9562, section 5.7), so
that its text rises with time, and a day is a range of texts. The unique key ``(shadow_id, shadow)`` thus holds the
column that partitions go by, as PostgreSQL asks for: of two deliveries of a copy one is a row, whatever time the other
one says. Bodies lie in the partition of their rows' day.

Invariants: whatever text a ``shadow_id`` is, it has a place: ids before the first day are in one partition, those from
:data:`FAR` on in another one, and a day between them gets its partition when it is needed. There is no default
partition, so that a new one is attached without a look at the others' rows.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from .postgres_database import PostgresDatabase

__all__ = [
    "AHEAD_DAYS",
    "BEFORE",
    "DAY_NS",
    "FAR",
    "LATER",
    "DayGoneError",
    "Days",
    "Partition",
    "attach",
    "bound",
    "day_of",
    "make_days",
    "partitions",
]

DAY_NS = 86_400 * 10**9
FAR = (date(2100, 1, 1) - date(1970, 1, 1)).days
"""Ids of this day and later ones are in one partition: no clock says it, so such an id tells no time."""
BEFORE, LATER = "before", "later"
AHEAD_DAYS = 3
"""So many days have their partition before they begin."""
_MOST = 60
"""About so many partitions hold the rows that are not too old: with a longer retention each is of several days."""
_DAY_MS = 86_400_000
_LIST = (
    "SELECT relname, pg_get_expr(relpartbound, pg_class.oid) FROM pg_inherits "
    "JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass('pairs')"
)
_BOUND = re.compile(r"FROM \((?:'([^']*)'|MINVALUE)\) TO \((?:'([^']*)'|MAXVALUE)\)")
_FIRST = date(1970, 1, 1)


class DayGoneError(Exception):
    """A row's partition was dropped since it was last looked for."""


class Partition(NamedTuple):
    """Of ``pairs``, and the one of ``bodies`` with the same name and bounds."""

    name: str
    """Behind ``pairs_`` and ``bodies_``: the first day, :data:`BEFORE` or :data:`LATER`."""
    low: str
    """The first ``shadow_id``; empty: there is none."""
    high: str | None
    """The first one behind it; ``None``: there is none."""

    @property
    def until_ns(self) -> int | None:
        """When its last day ends (Unix time); ``None``: it is none of days."""
        return None if not self.low or self.high is None else int(self.high.replace("-", ""), 16) * 10**6


def bound(day: int) -> str:
    """What the ids of a day (since 1970, UTC) begin with, or are behind."""
    text = f"{day * _DAY_MS:012x}"
    return f"{text[:8]}-{text[8:]}"


def day_of(shadow_id: str) -> int:
    """The last day whose bound is not behind an id, whatever text that is."""
    return bisect_right(range(FAR + 1), shadow_id, key=bound) - 1


def partitions(run: Callable[[str], Any]) -> list[Partition]:
    """Those that there are, by rising ids; ``run`` asks the database."""
    found = []
    for name, bounds in run(_LIST).fetchall():
        read = _BOUND.search(bounds)
        if read is not None:
            found.append(Partition(str(name).removeprefix("pairs_"), read[1] or "", read[2]))
    return sorted(found, key=lambda one: one.low)


def make_days(run: Callable[[str], Any], days: Collection[int], *, span: int = 1) -> list[Partition]:
    """Make the partitions that some days lack, in the caller's transaction, which alone does so: all that there are
    then. A new one is of ``span`` days, but for those that others have."""
    known = partitions(run)
    for day in sorted(days):
        at = bisect_right([one.low for one in known], bound(day))
        before = known[at - 1] if at else None
        if before is not None and (before.high is None or bound(day) < before.high):
            continue
        low = max(bound(day // span * span), before.high or "" if before else "")
        high = bound((day // span + 1) * span)
        high = min(high, known[at].low) if at < len(known) else high
        made = Partition((_FIRST + timedelta(days=day_of(low))).strftime("%Y%m%d"), low, high)
        attach(run, made)
        known.insert(at, made)
    return known


def attach(run: Callable[[str], Any], one: Partition, *, make: bool = True) -> None:
    """Make the tables of a partition, or take those of its name, as partitions. Nobody waits for it but who does the
    same (https://www.postgresql.org/docs/current/sql-altertable.html, ATTACH PARTITION)."""
    low = f"'{one.low}'" if one.low else "MINVALUE"
    high = "MAXVALUE" if one.high is None else f"'{one.high}'"
    for table, key in (("pairs", "id"), ("bodies", "pair")):
        if make:
            like = f"LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE"
            run(f"CREATE TABLE {table}_{one.name} ({like}, PRIMARY KEY ({key}))")
        run(f"ALTER TABLE {table} ATTACH PARTITION {table}_{one.name} FOR VALUES FROM ({low}) TO ({high})")


class Days:
    """The partitions of an open store. It belongs to the thread of its database."""

    def __init__(self, db: PostgresDatabase, max_age_ns: int) -> None:
        self._db = db
        self._span = max(1, -(-max_age_ns // (_MOST * DAY_NS)))
        self._known: list[Partition] = []

    def forget(self) -> None:
        """Look again at which there are."""
        self._known = []

    def all(self) -> list[Partition]:
        """Those that there are now, by rising ids."""
        self._known = partitions(self._db.execute)
        return self._known

    def make_for(self, ids: Iterable[str]) -> None:
        """Every one of these ids has its partition then; one that is known costs nothing."""
        some = list(ids)
        if self._outside(some):
            self.all()
            self._make({day_of(one) for one in self._outside(some)})

    def make_ahead(self, now_ns: int) -> bool:
        """Today and the days to come have theirs then. Returns whether one was made."""
        today = now_ns // DAY_NS
        before = len(self.all())
        self._make({day_of(one) for one in self._outside([bound(today + n) for n in range(AHEAD_DAYS + 1)])})
        return len(self._known) > before

    def _outside(self, ids: list[str]) -> list[str]:
        if not ids or (self._holds(min(ids)) is not None and self._holds(min(ids)) is self._holds(max(ids))):
            return []
        return [one for one in ids if self._holds(one) is None]

    def _holds(self, shadow_id: str) -> Partition | None:
        at = bisect_right(self._known, shadow_id, key=lambda one: one.low) - 1
        if at < 0:
            return None
        found = self._known[at]
        return found if found.high is None or shadow_id < found.high else None

    def _make(self, days: Collection[int]) -> None:
        if not days:
            return
        with self._db.transaction():
            self._db.execute("SELECT pg_advisory_xact_lock(?, ?)", self._db.lock("days"))
            known = make_days(self._db.execute, days, span=self._span)
        self._known = known
