"""How far the worker has come with the blocks (:mod:`.blocks`) of a store that has many rows and none.

Invariant: what is asked of the database does not grow with the rows; how many there are is told by their numbers, which
are no fewer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .blocks import BLOCK_ROWS, FORM
from .engine import Database

__all__ = ["BEGUN", "DAMAGED", "Backlog", "Backlogs", "begun"]

BEGUN = "blocks_begun"
"""In ``meta``, while blocks are missing: when that began (Unix time in ns), and the rows in blocks then."""
DAMAGED = "blocks_damaged"
"""In ``meta``: how many blocks were damaged, and dropped."""
_PACKED = "SELECT coalesce(sum(n), 0) FROM blocks WHERE form = ?"
_ROWS = "SELECT (SELECT max(id) FROM pairs), (SELECT min(id) FROM pairs)"
_MANY = 8 * BLOCK_ROWS


class Backlog(NamedTuple):
    """Rows that are to be in blocks."""

    rows: int
    """All of them, or somewhat more."""
    packed: int
    """Those that are in blocks."""
    left_s: float | None
    """How long the others take at the speed so far; ``None``: not known yet."""

    @property
    def many(self) -> bool:
        """Whether there are more than a worker that keeps up leaves."""
        return self.rows - self.packed > _MANY

    def __str__(self) -> str:
        left = "" if self.left_s is None else f", about {max(1, round(self.left_s / 60))} min left"
        share = min(100 * self.packed // max(self.rows, 1), 99)
        return f"{share} % of {self.rows:,} rows are in blocks{left}; the others are read as rows, which takes longer"


def begun(db: Database, now_ns: int) -> str:
    """What stands under :data:`BEGUN` from now on."""
    return f"{now_ns} {_packed(db)}"


def _packed(db: Database) -> int:
    return int(db.execute(_PACKED, (FORM,)).fetchone()[0])


class Backlogs:
    """Reads of it. ``_db`` is the store's database."""

    _db: Database
    _clock_ns: Callable[[], int] = time.time_ns

    def backlog(self) -> Backlog | None:
        """Where the worker stands; ``None``: it has made all blocks that it can."""
        with self._db.explained("read"):
            known = self._known()
            if BEGUN not in known:
                return None
            packed = _packed(self._db)
            last, first = self._db.execute(_ROWS).fetchone()
        since, before = (int(word) for word in known[BEGUN].split())
        rows = 0 if last is None else int(last) - int(first) + 1
        took, done = (self._clock_ns() - since) / 1e9, packed - before
        return Backlog(rows, packed, took * max(rows - packed, 0) / done if done > 0 and took > 0 else None)

    def damaged_blocks(self) -> int:
        """How many blocks were found damaged, and dropped: rows are read in their stead until there are others."""
        with self._db.explained("read"):
            return int(self._known().get(DAMAGED, 0))

    def _known(self) -> Mapping[str, str]:
        return dict(self._db.execute("SELECT key, value FROM meta WHERE key IN (?, ?)", (BEGUN, DAMAGED)).fetchall())
