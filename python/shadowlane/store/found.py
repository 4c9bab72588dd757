"""Rows for a person who looks: some of many, by what they are about; one exchange at all shadows; and what was said of
them.

Invariants: a search ends within its time, and says when it did not see all; what comes from outside goes in as a value;
a mark is written to a row that is there, or not at all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import Any, Literal, NamedTuple

import msgspec

from ..bands import ACCEPTED, CRITICAL, STABLE
from ..types import Mark
from .engine import Database, Dialect, TimeIsOver
from .rows import BODY_COLUMNS, PAIR_COLUMNS, StoredPair, contents, from_row

__all__ = ["FoundPairs", "Looks", "MarkCounts", "PairFilter", "Verdict", "condition"]

_COLUMNS = ", ".join(
    [f"pairs.{name}" for name in ("id", "stored_ns", *PAIR_COLUMNS)] + [f"bodies.{name}" for name in BODY_COLUMNS]
)
_WITH_BODIES = f"SELECT {_COLUMNS} FROM pairs {{}} WHERE"  # noqa: S608
_BODIES = ", ".join(f"bodies.{name}" for name in BODY_COLUMNS)
_SEARCHED = tuple(BODY_COLUMNS.index(name) for name in ("request_body", "prod_text", "shadow_text"))

Verdict = Literal["", "accepted", "objected", "same", "prod_better", "shadow_better", "different", "inconsistent"]

_VERDICTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "accepted": ("fact_flip = 0 AND delta_s <= ?", (ACCEPTED,)),
    "objected": ("fact_flip = 1 OR delta_s > ?", (ACCEPTED,)),
}
_FLIPS = {"fact": "fact_flip = 1", "lambda": "lambda_flip = 1"}
_BANDS = {
    "fact_flip": ("fact_flip = 1", ()),
    "stable": ("fact_flip = 0 AND delta_s < ?", (STABLE,)),
    "transitional": ("fact_flip = 0 AND delta_s >= ? AND delta_s < ?", (STABLE, CRITICAL)),
    "critical": ("fact_flip = 0 AND delta_s >= ?", (CRITICAL,)),
    "unscored": ("fact_flip = 0 AND delta_s IS NULL", ()),
}
_ORDERS = {
    # A contradicted fact is worse than any distance. An index read backwards: without a score comes last.
    "worst": ("pairs_by_distance", "fact_flip DESC, delta_s DESC NULLS LAST, pairs.id DESC"),
    "newest": ("pairs_by_shadow", "started_ns DESC, pairs.id DESC"),
}


class PairFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a shadow; what is empty is not asked."""

    shadow: str
    """Empty: of all of them."""
    since_ns: int = 0
    until_ns: int = 0
    """Only rows that began before it; 0: up to the newest."""
    route: str = ""
    tenant: str = ""
    model: str = ""
    """As prod's answer or the shadow's names it."""
    band: Literal["", "fact_flip", "stable", "transitional", "critical", "unscored"] = ""
    reason: str = ""
    """Why there is no answer; ``answered``: there is one."""
    text: str = ""
    """Somewhere in the request or in an answer, whatever its case."""
    mark: Literal["", "fine", "wrong", "none", "any"] = ""
    verdict: Verdict = ""
    """``accepted`` or ``objected`` to by the rules and ΔS; the others are the judge's."""
    flip: Literal["", "fact", "lambda"] = ""
    """A contradicted fact, or a λ that changed on a repeated question."""
    order: Literal["worst", "newest"] = "worst"
    """``worst``: contradicted facts, then by falling ΔS, one row of a request."""


class FoundPairs(NamedTuple):
    """What a search gave."""

    rows: list[tuple[StoredPair, int]]
    """Each with how many more rows of the same request were passed over before the last one was found."""
    more: bool
    """Whether there are rows after them."""
    whole: bool
    """Whether the search saw all that it had to; otherwise its time was over."""


class MarkCounts(NamedTuple):
    """What persons said of a shadow's pairs, beside what the rules and ΔS say."""

    accepted_fine: int
    accepted_wrong: int
    objected_fine: int
    objected_wrong: int
    unscored: int


class Looks:
    """Reads of single rows, and their marks. ``_db`` is the store's database."""

    _db: Database

    def find_pairs(self, wanted: PairFilter, *, limit: int, skip: int = 0, seconds: float = 0.5) -> FoundPairs:
        """The rows after the first ``skip``, ``limit`` at most, with their bodies."""
        deadline = time.monotonic() + seconds
        once = wanted.order == "worst"
        ids: list[int] = []
        times: dict[str, int] = {}
        whole, more = True, False
        with self._db.explained("read"):
            try:
                with (
                    self._db.until(deadline),
                    contextlib.closing(_matching(self._db, wanted, deadline)) as rows,
                ):
                    for row, request in rows:
                        times[request] = times.get(request, 0) + 1
                        if once and times[request] > 1:
                            continue
                        if len(ids) == skip + limit:
                            more = True
                            break
                        ids.append(row)
            except TimeIsOver:
                whole = False
            query = f"{_WITH_BODIES.format(self._db.dialect.beside)} pairs.id = ?"
            shown = [self._db.execute(query, (row,)).fetchone() for row in ids[skip:]]
        found = [from_row(row) for row in shown if row is not None]  # retention may have come between
        counted = [(row, times[row.pair.copy.req_hash] if once else 1) for row in found]
        return FoundPairs(counted, more, whole)

    def exchange(self, shadow_id: str) -> list[StoredPair]:
        """One exchange's rows, of every shadow that has one, with bodies where they are kept."""
        query = f"{_WITH_BODIES.format(self._db.dialect.beside)} pairs.shadow_id = ? ORDER BY pairs.shadow"
        with self._db.explained("read"):
            return [from_row(row) for row in self._db.execute(query, (shadow_id,))]

    def save_mark(self, shadow_id: str, shadow: str, mark: Mark) -> bool:
        """Keep what a person says of a pair. Returns whether it is there."""
        query = "UPDATE pairs SET mark = ? WHERE shadow_id = ? AND shadow = ?"
        with self._db.explained("write"), self._db.transaction():
            return self._db.execute(query, (mark, shadow_id, shadow)).rowcount == 1

    def mark_counts(self, shadow: str, since_ns: int = 0) -> MarkCounts:
        """How persons and scores agree, over all of a shadow's rows that anybody marked, those that retention deleted
        since among them."""
        counts = [0, 0, 0, 0, 0]
        query = (
            "SELECT CASE WHEN fact_flip = 1 THEN 1 WHEN delta_s IS NULL THEN 2 WHEN delta_s > ? THEN 1 ELSE 0 END, "
            "mark = 'wrong', count(*) FROM {} WHERE shadow = ? AND started_ns >= ? AND mark <> '' GROUP BY 1, 2"
        )
        # Few rows are marked: their index alone is read, and not that of all rows of the time.
        marked = f"pairs {self._db.dialect.indexed.format('pairs_marked')}"
        with self._db.explained("read"):
            for table in (marked, "marks"):
                for judged, wrong, n in self._db.execute(query.format(table), (ACCEPTED, shadow, since_ns)):
                    counts[4 if judged == 2 else 2 * judged + wrong] += n
        return MarkCounts(*counts)


def condition(wanted: PairFilter, dialect: Dialect) -> tuple[str, tuple[Any, ...]]:
    """As SQL, and its values; not :attr:`PairFilter.text`, which bodies have to be looked through for."""
    parts: list[str] = ["started_ns >= ?"]
    values: list[Any] = [wanted.since_ns]

    def add(part: str, *some: Any) -> None:
        parts.append(f"({part})")
        values.extend(some)

    if wanted.shadow:
        add("shadow = ?", wanted.shadow)
    if wanted.until_ns:
        add("started_ns < ?", wanted.until_ns)
    if wanted.route:
        add(f"{dialect.route} = ?", wanted.route)
    if wanted.tenant:
        add("tenant = ?", wanted.tenant)
    if wanted.model:
        add("prod_model = ? OR model = ?", wanted.model, wanted.model)
    if wanted.band:
        part, some = _BANDS[wanted.band]
        add(part, *some)
    if wanted.reason:
        add("reason = ?", "" if wanted.reason == "answered" else wanted.reason)
    if wanted.mark:
        add(*{"none": ("mark = ''",), "any": ("mark <> ''",)}.get(wanted.mark, ("mark = ?", wanted.mark)))
    if wanted.verdict:
        part, some = _VERDICTS.get(wanted.verdict, ("judge = ?", (wanted.verdict,)))
        add(part, *some)
    if wanted.flip:
        add(_FLIPS[wanted.flip])
    return "WHERE " + " AND ".join(parts), tuple(values)


def _matching(db: Database, wanted: PairFilter, deadline: float) -> Generator[tuple[int, str], None, None]:
    """Number and request of each row that matches, in the order asked for. Raises :class:`.TimeIsOver`."""
    where, values = condition(wanted, db.dialect)
    index, order = _ORDERS[wanted.order]
    indexed = db.dialect.indexed.format(index)
    query = f"SELECT pairs.id, pairs.req_hash FROM pairs {indexed} {where} ORDER BY {order}"  # noqa: S608
    needle = wanted.text.casefold()
    with contextlib.closing(db.stream(query, values)) as found:
        for row, request in found:
            if not needle:
                yield row, request
                continue
            if time.monotonic() > deadline:  # of what is done here the database knows nothing: a body may take long
                raise TimeIsOver
            stored = db.execute(f"SELECT {_BODIES} FROM bodies WHERE pair = ?", (row,)).fetchone()  # noqa: S608
            parts = contents(stored) if stored is not None else None
            if parts is not None and any(needle in _text(parts[place]) for place in _SEARCHED):
                yield row, request


def _text(part: bytes) -> str:
    return part.decode("utf-8", "replace").casefold()
