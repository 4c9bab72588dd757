"""Kept folds: what whoever reads many rows has made of them so far, so that the next one reads only the rows after it.

What a state is, its keeper alone knows: here it is bytes, under a key that says everything that decides what is in it.
Invariant: a state counts only while the rows of its time, and those of the shadow that was read beside it, are those
that it was made of, told by their number and the sum of their times, as a block's (:mod:`.blocks`). Nothing has to tell
a state that a row came late or went.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..columns import KeptFold
from .block_reads import BlockReads
from .engine import ALL, Database

__all__ = ["KeptFolds", "drop_left", "put_fold"]

_KNOWN = (
    "SELECT id, since_ns, until_ns, control, n, total_ns, control_n, control_total_ns FROM folds "
    "WHERE shadow = ? AND name = ? AND until_ns <= ? ORDER BY until_ns DESC"
)
_NEW = (
    "SELECT max(blocks.id), sum(n), sum(CASE WHEN blocks.id > ? THEN n ELSE 0 END), "
    "count(CASE WHEN blocks.id > ? AND until_ns <= kept THEN 1 END) FROM blocks LEFT JOIN "
    "(SELECT shadow AS whose, max(until_ns) AS kept FROM folds GROUP BY shadow) AS known ON whose = blocks.shadow "
    "GROUP BY blocks.shadow"
)
_STATE = "SELECT state FROM folds WHERE id = ?"
_NEWEST = "SELECT shadow, until_ns, max(n), sum(bytes) FROM folds GROUP BY shadow, until_ns ORDER BY until_ns"
# Two sums: one of nanoseconds would leave 64 bits where there are many rows.
_COUNT = (
    "SELECT count(*), coalesce(sum(started_ns >> 20), 0), coalesce(sum(started_ns & 1048575), 0) "
    "FROM pairs WHERE shadow = ? AND started_ns >= ? AND started_ns < ?"
)
_COLUMNS = (
    "shadow", "name", "since_ns", "until_ns", "control", "n", "total_ns", "control_n", "control_total_ns", "made_ns",
    "bytes", "state",
)  # fmt: skip
_PUT = (
    f"INSERT INTO folds ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (shadow, name, until_ns) DO NOTHING"
)
_AGAIN = "SELECT coalesce(sum(bytes), 0) FROM folds WHERE shadow = ? AND name = ? AND until_ns = ?"
_AGAIN_GONE = "DELETE FROM folds WHERE shadow = ? AND name = ? AND until_ns = ?"
_MOST = 2
"""States of one name: where a late row takes the newest, there is one of before it."""
_OLD = (
    "shadow = ? AND name = ? AND until_ns < (SELECT min(until_ns) FROM (SELECT until_ns FROM folds "
    "WHERE shadow = ? AND name = ? ORDER BY until_ns DESC LIMIT ?) AS newest)"
)
_MODULUS = 1 << 61
_LEFT_NS = 2 * 3600 * 10**9
"""A state that nobody brings forward any more is dropped after this, and any other after a day."""
_STALE_NS = 26 * 3600 * 10**9


class KeptFolds(BlockReads):
    """Reads of them. ``_db`` is the store's database."""

    _db: Database

    def rows_in(self, shadow: str, since_ns: int, until_ns: int) -> tuple[int, int]:
        """Which rows a shadow has in a time, as blocks that are intact say, and an index beside them: see
        :attr:`~shadowlane.columns.KeptFold.rows`."""
        n = total = 0
        with self._db.explained("read"):
            for some in self._stretches(shadow, since_ns, until_ns):
                block = some.block
                if block is not None and block.first_ns >= since_ns and block.until_ns <= until_ns:
                    n, total = n + block.n, total + block.total_ns + block.n * (block.first_ns - since_ns)
                    continue
                first, last = max(some.from_ns, since_ns), min(some.until_ns, until_ns)
                found = self._db.execute(_COUNT, (shadow, first, last)).fetchone()
                count, high, low = (int(value) for value in found)
                n, total = n + count, total + (high << 20) + low - count * since_ns
        return n, total % _MODULUS

    def rolled_until(self, shadow: str, since_ns: int) -> int | None:
        """Where the last block of a shadow's rows since then ends; ``None``: there is none."""
        with self._db.explained("read"):
            return max((block.until_ns for block in self._intact(shadow, since_ns, ALL)), default=None)

    def folds_due(self, after_id: int, share: int) -> tuple[int, bool]:
        """The number of the newest block, and whether so much came behind that of another number that folds should be
        brought forward: of some shadow one row to so many (``share``), or rows of a time that folds have."""
        with self._db.explained("read"):
            found = self._db.execute(_NEW, (after_id, after_id)).fetchall()
        newest = max((int(row[0]) for row in found), default=0)
        return newest, any(again or (new and int(new) * share >= int(n)) for _, n, new, again in found)

    def fold_states(self) -> dict[str, tuple[int, int, int]]:
        """By shadow: of the newest state how many rows are in it and where it ends (Unix time in ns), and the bytes of
        all its states."""
        found: dict[str, tuple[int, int, int]] = {}
        with self._db.explained("read"):
            for shadow, until, n, size in self._db.execute(_NEWEST).fetchall():
                before = found.get(shadow, (0, 0, 0))[2]
                found[shadow] = int(n), int(until), before + int(size)
        return found

    def kept_until(self, shadow: str, name: str, *, until_ns: int = ALL) -> tuple[int, tuple[int, int]] | None:
        """Where the newest state of a name ends that counts, and its rows; ``None``: there is none."""
        found = self._kept(shadow, name, until_ns)
        return None if found is None else found[1:]

    def kept_fold(self, shadow: str, name: str, *, until_ns: int = ALL) -> tuple[int, bytes] | None:
        """The newest state of a name that counts, of rows before ``until_ns``: where it ends, and what it is."""
        found = self._kept(shadow, name, until_ns)
        if found is None:
            return None
        with self._db.explained("read"):
            row = self._db.execute(_STATE, (found[0],)).fetchone()
        return None if row is None else (found[1], bytes(row[0]))  # None: dropped meanwhile

    def _kept(self, shadow: str, name: str, until_ns: int) -> tuple[int, int, tuple[int, int]] | None:
        with self._db.explained("read"):
            known = self._db.execute(_KNOWN, (shadow, name, until_ns)).fetchall()
        for number, since, until, control, *sums in known:
            n, total, control_n, control_total = (int(value) for value in sums)
            mine, theirs = (n, total), (control_n, control_total)
            if self.rows_in(shadow, since, until) != mine:
                continue
            if control and self.rows_in(control, since, until) != theirs:
                continue
            return int(number), int(until), mine
        return None


def put_fold(db: Database, kept: KeptFold, now_ns: int) -> int:
    """Put a state and drop what is older, within the caller's transaction: by how many bytes more is kept."""
    values = (
        *kept[:5], *kept.rows, *kept.control_rows, now_ns, len(kept.state), kept.state,
    )  # fmt: skip
    key = kept.shadow, kept.name
    freed = int(db.execute(_AGAIN, (*key, kept.until_ns)).fetchone()[0])
    if freed:  # of other rows: it does not count any more
        db.execute(_AGAIN_GONE, (*key, kept.until_ns))
    put = db.execute(_PUT, values)
    grown = len(kept.state) if put.rowcount == 1 else 0
    return grown - freed - _dropped(db, _OLD, (*key, *key, _MOST))


def drop_left(db: Database, used: Iterable[tuple[str, str]], now_ns: int) -> int:
    """Drop states that nobody brings forward, but for those of these shadows and names, within the caller's
    transaction: the bytes that are free."""
    known = set(used)
    left = db.execute("SELECT id, shadow, name FROM folds WHERE made_ns < ?", (now_ns - _LEFT_NS,)).fetchall()
    stale = db.execute("SELECT id FROM folds WHERE made_ns < ?", (now_ns - _STALE_NS,)).fetchall()
    gone = {row[0] for row in left if (row[1], row[2]) not in known} | {row[0] for row in stale}
    return sum(_dropped(db, "id = ?", (number,)) for number in sorted(gone))


def _dropped(db: Database, where: str, values: tuple[object, ...]) -> int:
    freed = int(db.execute(f"SELECT coalesce(sum(bytes), 0) FROM folds WHERE {where}", values).fetchone()[0])  # noqa: S608
    if freed:
        db.execute(f"DELETE FROM folds WHERE {where}", values)  # noqa: S608
    return freed
