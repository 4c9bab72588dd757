"""Rows for a person who looks: some of many, by what they are about; one exchange at all shadows; and what was said of
them.

Invariants: a search ends within its time, and says when it did not see all; what comes from outside goes in as a value;
a mark is written to a row that is there, or not at all.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from ..bands import ACCEPTED, CRITICAL, STABLE
from ..types import Mark
from .pruning import transaction
from .rows import BODY_COLUMNS, PAIR_COLUMNS, StoredPair, contents, from_row
from .schema import explained

__all__ = ["LOOK_EVERY", "FoundPairs", "Looks", "MarkCounts", "PairFilter", "Verdict", "condition"]

_COLUMNS = ", ".join(
    [f"pairs.{name}" for name in ("id", "stored_ns", *PAIR_COLUMNS)] + [f"bodies.{name}" for name in BODY_COLUMNS]
)
_WITH_BODIES = f"SELECT {_COLUMNS} FROM pairs LEFT JOIN bodies ON bodies.pair = pairs.id WHERE"  # noqa: S608
LOOK_EVERY = 4000
"""Instructions of SQLite's machine between two looks at the clock: some tens of microseconds."""
_BODIES = ", ".join(f"bodies.{name}" for name in BODY_COLUMNS)
_SEARCHED = tuple(BODY_COLUMNS.index(name) for name in ("request_body", "prod_text", "shadow_text"))

Verdict = Literal["", "accepted", "objected", "same", "prod_better", "shadow_better", "different", "inconsistent"]

_VERDICTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "accepted": ("NOT fact_flip AND delta_s <= ?", (ACCEPTED,)),
    "objected": ("fact_flip OR delta_s > ?", (ACCEPTED,)),
}
_FLIPS = {"fact": "fact_flip", "lambda": "lambda_flip = 1"}
_BANDS = {
    "fact_flip": ("fact_flip", ()),
    "stable": ("NOT fact_flip AND delta_s < ?", (STABLE,)),
    "transitional": ("NOT fact_flip AND delta_s >= ? AND delta_s < ?", (STABLE, CRITICAL)),
    "critical": ("NOT fact_flip AND delta_s >= ?", (CRITICAL,)),
    "unscored": ("NOT fact_flip AND delta_s IS NULL", ()),
}
_ORDERS = {
    # A contradicted fact is worse than any distance. An index read backwards: without a score comes last.
    "worst": "INDEXED BY pairs_by_distance {where} ORDER BY fact_flip DESC, delta_s DESC, pairs.id DESC",
    "newest": "INDEXED BY pairs_by_shadow {where} ORDER BY started_ns DESC, pairs.id DESC",
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
    """Reads of single rows, and their marks. ``_db`` is the store's connection, ``path`` its file, ``_stop`` what ends
    whatever is read."""

    _db: sqlite3.Connection
    _stop: Callable[[], bool] | None
    path: Path

    def find_pairs(self, wanted: PairFilter, *, limit: int, skip: int = 0, seconds: float = 0.5) -> FoundPairs:
        """The rows after the first ``skip``, ``limit`` at most, with their bodies."""
        deadline = time.monotonic() + seconds
        once = wanted.order == "worst"
        ids: list[int] = []
        times: dict[str, int] = {}
        whole, more = True, False
        with explained(self.path, "read"):
            try:
                with (
                    _until(self._db, deadline, self._stop),
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
            except _TimeIsOver:
                whole = False
            shown = [self._db.execute(f"{_WITH_BODIES} pairs.id = ?", (row,)).fetchone() for row in ids[skip:]]
        found = [from_row(row) for row in shown if row is not None]  # retention may have come between
        counted = [(row, times[row.pair.copy.req_hash] if once else 1) for row in found]
        return FoundPairs(counted, more, whole)

    def exchange(self, shadow_id: str) -> list[StoredPair]:
        """One exchange's rows, of every shadow that has one, with bodies where they are kept."""
        query = f"{_WITH_BODIES} pairs.shadow_id = ? ORDER BY pairs.shadow"
        with explained(self.path, "read"):
            return [from_row(row) for row in self._db.execute(query, (shadow_id,))]

    def save_mark(self, shadow_id: str, shadow: str, mark: Mark) -> bool:
        """Keep what a person says of a pair. Returns whether it is there."""
        query = "UPDATE pairs SET mark = ? WHERE shadow_id = ? AND shadow = ?"
        with explained(self.path, "write"), transaction(self._db):
            return self._db.execute(query, (mark, shadow_id, shadow)).rowcount == 1

    def mark_counts(self, shadow: str, since_ns: int = 0) -> MarkCounts:
        """How persons and scores agree, over all of a shadow's rows that anybody marked, those that retention deleted
        since among them."""
        counts = [0, 0, 0, 0, 0]
        query = (
            "SELECT CASE WHEN fact_flip THEN 1 WHEN delta_s IS NULL THEN 2 ELSE delta_s > ? END, mark = 'wrong', "
            "count(*) FROM {} WHERE shadow = ? AND started_ns >= ? AND mark <> '' GROUP BY 1, 2"
        )
        with explained(self.path, "read"):
            for table in ("pairs", "marks"):
                for judged, wrong, n in self._db.execute(query.format(table), (ACCEPTED, shadow, since_ns)):
                    counts[4 if judged == 2 else 2 * judged + wrong] += n
        return MarkCounts(*counts)


def condition(wanted: PairFilter) -> tuple[str, tuple[Any, ...]]:
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
        add("route_of(method, target) = ?", wanted.route)
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


def _matching(db: sqlite3.Connection, wanted: PairFilter, deadline: float) -> Generator[tuple[int, str], None, None]:
    """Number and request of each row that matches, in the order asked for. Raises :class:`_TimeIsOver`."""
    where, values = condition(wanted)
    order = _ORDERS[wanted.order].format(where=where)
    columns = "pairs.id, pairs.req_hash"
    if not wanted.text:
        yield from db.execute(f"SELECT {columns} FROM pairs {order}", values)  # noqa: S608
        return
    needle = wanted.text.casefold()
    query = f"SELECT {columns} FROM pairs {order}"  # noqa: S608
    for row, request in db.execute(query, values):
        if time.monotonic() > deadline:  # of what is done here SQLite's machine knows nothing: a body may take long
            raise _TimeIsOver
        stored = db.execute(f"SELECT {_BODIES} FROM bodies WHERE pair = ?", (row,)).fetchone()  # noqa: S608
        parts = contents(stored) if stored is not None else None
        if parts is not None and any(needle in _text(parts[place]) for place in _SEARCHED):
            yield row, request


def _text(part: bytes) -> str:
    return part.decode("utf-8", "replace").casefold()


class _TimeIsOver(Exception):
    pass


@contextlib.contextmanager
def _until(db: sqlite3.Connection, deadline: float, stop: Callable[[], bool] | None) -> Iterator[None]:
    """End a query whose time is over, or that is to stop."""
    db.set_progress_handler(lambda: time.monotonic() > deadline or (stop is not None and stop()), LOOK_EVERY)
    try:
        yield
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        raise _TimeIsOver from None
    finally:
        db.set_progress_handler(stop, LOOK_EVERY)
