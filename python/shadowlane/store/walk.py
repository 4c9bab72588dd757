"""Rows from the first to the last, some at a time: for what reads a whole store and may take long.

Invariants: no read is open between two pieces, so that a worker's write-ahead log shrinks and retention goes on; each
row is given once at most, in the order of storing, and none that was stored after the walk began; what is held does not
grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .engine import Database
from .found import PairFilter, condition
from .rows import BODY_COLUMNS, PAIR_COLUMNS, StoredPair, from_row

__all__ = ["Walked", "Walks"]

_AT_ONCE = 256
_ROW = ", ".join(f"pairs.{name}" for name in ("id", "stored_ns", *PAIR_COLUMNS))
# By their numbers alone: an index on what is asked for would have each piece look at all rows of a shadow.
_THIN = f"SELECT {_ROW} FROM pairs {{}} WHERE"  # noqa: S608
_THICK = (
    f"SELECT {_ROW}, {', '.join(f'bodies.{name}' for name in BODY_COLUMNS)} "  # noqa: S608
    "FROM pairs {} {} WHERE"
)


class Walked(NamedTuple):
    """A piece of a walk."""

    rows: list[StoredPair]
    """Those that are wanted, in the order of storing; there may be none."""
    done: int
    """Of :attr:`of` numbers of rows, how many have been looked at."""
    of: int


class Walks:
    """Reads of many rows. ``_db`` is the store's database."""

    _db: Database

    def walk(self, wanted: PairFilter, *, with_bodies: bool = True) -> Iterator[Walked]:
        """The rows of a filter but for its ``text`` and ``order``, with bodies where they are kept."""
        where, values = condition(wanted, self._db.dialect)
        rows = (_THICK if with_bodies else _THIN).format(self._db.dialect.not_indexed, self._db.dialect.beside)
        what = f"{rows} pairs.id BETWEEN ? AND ? AND {where.removeprefix('WHERE ')}"
        with self._db.explained("read"):
            first, last = self._ends(wanted)
            for start in range(first, last + 1, _AT_ONCE):
                end = min(start + _AT_ONCE - 1, last)
                found = self._db.execute(f"{what} ORDER BY pairs.id", (start, end, *values)).fetchall()
                yield Walked([from_row(row) for row in found], end - first + 1, last - first + 1)

    def _ends(self, wanted: PairFilter) -> tuple[int, int]:
        """The first and the last number of the rows of its time."""
        parts, values = "started_ns >= ?", [wanted.since_ns]
        if wanted.until_ns:
            parts, values = f"{parts} AND started_ns < ?", [*values, wanted.until_ns]
        bounded = f" WHERE {parts}" if wanted.since_ns or wanted.until_ns else ""
        row = self._db.execute(f"SELECT min(id), max(id) FROM pairs{bounded}", values if bounded else ())  # noqa: S608
        first, last = row.fetchone()
        return (1, 0) if first is None else (int(first), int(last))

    def largest_groups(self, wanted: PairFilter, limit: int) -> list[tuple[int, int]]:
        """The paraphrase groups that most rows are of: ``(number, rows)``, ``limit`` at most."""
        where, values = condition(wanted, self._db.dialect)
        query = (
            f"SELECT group_id, count(*) AS n FROM pairs {where} AND group_id IS NOT NULL "  # noqa: S608
            "GROUP BY group_id ORDER BY n DESC, group_id LIMIT ?"
        )
        with self._db.explained("read"):
            return [(int(group), int(n)) for group, n in self._db.execute(query, (*values, limit))]
