"""Reads of many rows by their blocks where there are some (:mod:`.blocks`), and of the rows themselves elsewhere.

Invariant: what is given is what the rows alone would give, in the same order; which of both was read shows in nothing
but the time that it takes.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..columns import ScoreColumns
from .block_totals import PartTotals, totals_of
from .blocks import FORM, Block, DamagedBlockError, Part, block_sql, part_of, read_part, read_scores
from .engine import ALL, Database
from .queries import selected
from .rolling import blocks_of, intact
from .scores import hash_of, joined_columns, rows_beside, rows_of, score_columns, score_rows, taken
from .totals_codec import read_totals

__all__ = ["BlockReads"]

log = logging.getLogger("shadowlane.store")

_ROWS_AT_ONCE = 8192
_BOTH = "SELECT parts, scores FROM blocks WHERE id = ?"
_ENDS = (
    "SELECT (SELECT max(until_ns) FROM blocks WHERE shadow = ? AND form = ?), "
    "(SELECT max(started_ns) FROM pairs WHERE shadow = ?)"
)
_MOST_TOTALS = 1 << 11
"""Blocks whose totals are kept, so that a process that looks for days does not grow."""
_MOST_KEPT = 64
"""So many pieces of rows without a block: those of the newest hours, for each look some hundred milliseconds."""
_LATELY_NS = 2 * 3600 * 10**9
_TOTALS = "SELECT content FROM block_totals WHERE block = ?"
_PARTS = "SELECT parts FROM blocks WHERE id = ?"


class _Stretch(NamedTuple):
    """Rows of some time: of a block, or as rows."""

    from_ns: int
    until_ns: int
    block: Block | None


class BlockReads:
    """Columns of rows. ``_db`` is the store's database."""

    _db: Database
    _look_s: float
    """For so long a block that was intact counts as such: a look of several reads looks once."""
    _looked: dict[int, float]
    """When each block was intact, by its number."""
    _totals: dict[Block, PartTotals]
    """Of blocks that were read: no verdict of a judge, which alone changes a row in place, is in them."""
    _tail: dict[tuple[str, int, int], tuple[float, list[PartTotals]]]
    """Of rows of some time, and when they were made."""
    _damaged: set[int]
    """Blocks whose rows are read in their stead."""

    def pieces(
        self,
        shadow: str | None = None,
        since_ns: int | None = None,
        *,
        without: Sequence[str] = (),
        until_ns: int = ALL,
    ) -> Iterator[ScoreColumns]:
        """Scores, times and statuses as numpy columns, by rising ``started_ns``, some thousand rows at a time, but for
        the routes of ``without``; bodies are not touched. As with :meth:`iter_pairs`, close the iterator or read it to
        its end. ``until_ns``, of one shadow: where no more rows are wanted, which is where a block ends or none is.
        """
        with self._db.explained("read"):
            if shadow is None:
                wanted = selected(since_ns, shadow, without, dialect=self._db.dialect)
                yield from map(score_columns, score_rows(self._db, *wanted))
                return
            for some in self._stretches(shadow, since_ns, until_ns):
                yield from self._columns(shadow, some, without)

    def pieces_beside(
        self,
        shadow: str,
        other: str,
        since_ns: int | None = None,
        *,
        without: Sequence[str] = (),
        until_ns: int = ALL,
    ) -> Iterator[tuple[ScoreColumns, ScoreColumns]]:
        """The same, and beside each piece the rows of another shadow with the same ``shadow_id``, in any order."""
        with self._db.explained("read"):
            theirs = self._stretches(other, since_ns, ALL)
            for some in self._stretches(shadow, since_ns, until_ns):
                if some.block is None:
                    for rows in score_rows(self._db, *self._within(shadow, some, without)):
                        yield score_columns(rows), score_columns(rows_beside(self._db, rows, other))
                    continue
                for columns in self._columns(shadow, some, without):
                    yield columns, self._same(shadow, columns, other, theirs)

    def _rolled(self, shadow: str, since_ns: int | None) -> bool:
        """Whether a shadow's rows since then have blocks, but for those of the last hours and of odd places: for sums,
        which the database makes of rows in less time than rows can be read."""
        until, last = self._db.execute(_ENDS, (shadow, FORM, shadow)).fetchone()
        return until is not None and last is not None and until > max(since_ns or 0, last - _LATELY_NS)

    def _same(self, shadow: str, columns: ScoreColumns, other: str, theirs: Sequence[_Stretch]) -> ScoreColumns:
        """The rows of another shadow that answered these exchanges. Nearly always they have the same times."""
        first, last = int(columns.started_ns[0]), int(columns.started_ns[-1]) + 1
        found = []
        for some in theirs:
            if some.until_ns <= first or some.from_ns >= last:
                continue
            whole = (
                some if some.block is not None else _Stretch(max(some.from_ns, first), min(some.until_ns, last), None)
            )
            for beside in self._columns(other, whole, ()):
                found.append(taken(beside, np.isin(beside.exchange, columns.exchange)))
        known = np.concatenate([some.exchange for some in found]) if found else np.zeros(0, dtype=np.int64)
        missing = set(columns.exchange[~np.isin(columns.exchange, known)].tolist())
        if missing:
            where, values = self._within(shadow, _Stretch(first, last, None), ())
            query = f"SELECT shadow_id FROM pairs {where}"  # noqa: S608
            ids = [str(name) for (name,) in self._db.execute(query, values) if hash_of(name) in missing]
            found.append(score_columns(rows_of(self._db, ids, other)))
        return found[0] if len(found) == 1 else joined_columns(found)

    def _stretches(self, shadow: str, since_ns: int | None, until_ns: int) -> list[_Stretch]:
        """The time from ``since_ns`` on as blocks that are intact and what lies between them."""
        at = 0 if since_ns is None else since_ns
        found: list[_Stretch] = []
        rows_from = at
        for block in self._intact(shadow, at, until_ns):
            if found and block.first_ns < rows_from:
                continue  # two hosts made blocks of one time
            if block.first_ns > rows_from:
                found.append(_Stretch(rows_from, block.first_ns, None))
            found.append(_Stretch(max(block.first_ns, at), block.until_ns, block))
            rows_from = block.until_ns
        if rows_from < until_ns:
            found.append(_Stretch(rows_from, until_ns, None))
        return found

    def _intact(self, shadow: str, since_ns: int, until_ns: int) -> list[Block]:
        """The blocks that have rows of a time, and no others than they were made of."""
        found, now = [], time.monotonic()
        for block in blocks_of(self._db, shadow, since_ns, until_ns):
            if block.id in self._damaged:
                continue
            looked = self._looked.get(block.id)
            if looked is None or now - looked > self._look_s:
                if not intact(self._db, shadow, block):
                    self._looked.pop(block.id, None)
                    continue
                self._looked[block.id] = now
            found.append(block)
        return found

    def _columns(self, shadow: str, some: _Stretch, without: Sequence[str]) -> Iterator[ScoreColumns]:
        columns = self._block_columns(shadow, some, without)
        if columns is None:
            yield from map(score_columns, score_rows(self._db, *self._within(shadow, some, without)))
        elif len(columns):
            yield columns

    def _block_columns(self, shadow: str, some: _Stretch, without: Sequence[str]) -> ScoreColumns | None:
        if some.block is None:
            return None
        blobs = self._db.execute(_BOTH, (some.block.id,)).fetchone()
        if blobs is None:  # dropped meanwhile
            return None
        try:
            return read_scores(blobs[0], blobs[1], some.block.n, since_ns=some.from_ns, without=without)
        except DamagedBlockError:
            self._tell_damage(shadow, some.block)
            return None

    def _tell_damage(self, shadow: str, block: Block) -> None:
        self._looked.pop(block.id, None)
        if block.id not in self._damaged:
            self._damaged.add(block.id)
            log.warning(
                "a block of %d rows of %s is damaged: its rows are read, and the worker makes another; "
                "look at disk and memory",
                block.n,
                shadow,
            )

    def _within(self, shadow: str, some: _Stretch, without: Sequence[str]) -> tuple[str, tuple[object, ...]]:
        where, values = selected(some.from_ns, shadow, without, dialect=self._db.dialect)
        return (where, values) if some.until_ns == ALL else (f"{where} AND started_ns < ?", (*values, some.until_ns))

    def parts(self, shadow: str, since_ns: int | None, *, until_ns: int = ALL) -> Iterator[Part]:
        """What sums over a shadow's rows are made of, in the order of time, some thousand rows at a time."""
        at = 0 if since_ns is None else since_ns
        for some in self._stretches(shadow, since_ns, until_ns):
            part = self._block_part(shadow, some.block)
            if part is None:
                yield from self._part_rows(shadow, some._replace(until_ns=min(some.until_ns, until_ns)))
            else:
                yield part.within(at, until_ns)

    def totals(self, shadow: str, since_ns: int | None, *, until_ns: int = ALL) -> Iterator[PartTotals]:
        """The totals of a shadow's rows, in the order of time, some thousand rows at a time. Those of a whole block,
        and those of rows that have none, are made once a look."""
        at = 0 if since_ns is None else since_ns
        for some in self._stretches(shadow, since_ns, until_ns):
            block = some.block
            if block is not None and block.first_ns >= at and block.until_ns <= until_ns:
                known = self._totals.get(block)
                if known is None:
                    known = self._block_totals(shadow, block)
                    if known is None:
                        yield from self._row_totals(shadow, some)
                        continue
                    while len(self._totals) >= _MOST_TOTALS:
                        del self._totals[next(iter(self._totals))]
                    self._totals[block] = known
                yield known
                continue
            part = self._block_part(shadow, block)
            if part is None:
                yield from self._row_totals(shadow, some._replace(until_ns=min(some.until_ns, until_ns)))
            elif len((cut := part.within(at, until_ns))["started_ns"]):
                yield totals_of(cut)

    def _block_totals(self, shadow: str, block: Block) -> PartTotals | None:
        """As they were kept, or made of the block."""
        row = self._db.execute(_TOTALS, (block.id,)).fetchone()
        known = None if row is None else read_totals(bytes(row[0]))
        if known is not None:
            return known
        part = self._block_part(shadow, block)
        return None if part is None else totals_of(part)

    def _row_totals(self, shadow: str, some: _Stretch) -> Iterator[PartTotals]:
        """Of rows: known for as long as a block that was intact counts as such."""
        key, now = (shadow, some.from_ns, some.until_ns), time.monotonic()
        self._tail = {other: known for other, known in self._tail.items() if now - known[0] <= self._look_s}
        if key in self._tail:
            yield from self._tail[key][1]
            return
        found: list[PartTotals] = []
        for part in self._part_rows(shadow, some):
            totals = totals_of(part)
            yield totals
            if len(found) <= _MOST_KEPT:
                found.append(totals)
        if self._look_s and len(found) <= _MOST_KEPT:
            self._tail[key] = (now, found)

    def _block_part(self, shadow: str, block: Block | None) -> Part | None:
        blob = None if block is None else self._db.execute(_PARTS, (block.id,)).fetchone()
        if block is None or blob is None:  # the one of them: dropped meanwhile
            return None
        try:
            return read_part(blob[0], block.n)
        except DamagedBlockError:
            self._tell_damage(shadow, block)
            return None

    def _part_rows(self, shadow: str, some: _Stretch) -> Iterator[Part]:
        where, values = self._within(shadow, some, ())
        query = f"SELECT {block_sql(self._db.dialect, whole=False)} FROM pairs {where} ORDER BY started_ns, id"  # noqa: S608
        with contextlib.closing(self._db.stream(query, values)) as cursor:
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield part_of(rows)
