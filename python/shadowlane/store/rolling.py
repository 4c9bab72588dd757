"""Makes blocks (:mod:`.blocks`) of rows that are over, one at a time, and drops those that are no copies any more.

Invariants: a block is put only when its rows are those that were read, in a transaction of its own, so that a process
which is killed anywhere leaves none or a whole one; what is asked of the store at once is bounded, and nobody who
writes waits for more than the putting.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from .block_totals import totals_of
from .blocks import BLOCK_ROWS, FORM, Block, block_sql, read_part, sound, to_blobs
from .engine import ALL, Database
from .totals_codec import packed_totals

__all__ = ["CLOSED_NS", "blocks_of", "drop_damaged", "drop_judged", "drop_lost", "intact", "made", "put"]

_HOUR_NS = 3600 * 10**9
CLOSED_NS = 300 * 10**9
"""Rows that began so long ago are over: an answer, its redelivery and most verdicts of a judge have come."""
_TOO_MANY = 8 * BLOCK_ROWS
"""So many rows of one and the same time stay rows."""
_ROWS_AT_ONCE = 2048
"""Rows as Python objects take much more room than the arrays that they become."""
_CHECKED = 32
"""Blocks that are looked at in one call."""
# Not before the first block: there retention deletes rows, and what it left would become a block again and again.
_GAP = (
    "SELECT lo, hi, first FROM (SELECT lo, hi, (SELECT min(started_ns) FROM pairs WHERE pairs.shadow = ? "  # noqa: S608
    "AND started_ns >= lo AND started_ns < hi) AS first FROM ("
    f"SELECT until_ns AS lo, lead(first_ns, 1, {ALL}) OVER (ORDER BY first_ns) AS hi FROM blocks WHERE shadow = ? "
    f"UNION ALL SELECT 0, {ALL} WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE shadow = ?)) AS ends) AS gaps "
    "WHERE first IS NOT NULL ORDER BY lo LIMIT 1"
)
_IN = "pairs.shadow = ? AND started_ns >= ? AND started_ns < ?"
_NTH = f"SELECT started_ns FROM pairs WHERE {_IN} ORDER BY started_ns LIMIT 1 OFFSET ?"  # noqa: S608
_NEXT = "SELECT min(started_ns) FROM pairs WHERE shadow = ? AND started_ns > ?"
_PUT = (
    "INSERT INTO blocks (shadow, first_ns, until_ns, n, total_ns, form, bytes, parts, scores) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (shadow, first_ns) DO NOTHING"
)
_KEPT = (
    "SELECT id, first_ns, until_ns, n, total_ns FROM blocks WHERE shadow = ? AND form = ? AND until_ns > ? "
    "AND first_ns < ? ORDER BY first_ns, until_ns"
)
_COUNT = f"SELECT count(*), coalesce(sum(started_ns - ?), 0) FROM pairs WHERE {_IN}"  # noqa: S608
_SOME = "SELECT id, first_ns, until_ns, n, total_ns, shadow, form, bytes FROM blocks WHERE id > ? ORDER BY id LIMIT ?"
_PUT_TOTALS = "INSERT INTO block_totals (block, content) SELECT id, ? FROM blocks WHERE shadow = ? AND first_ns = ?"
_CONTENTS = (
    "SELECT id, bytes, parts, scores, content FROM blocks LEFT JOIN block_totals ON block = id "
    "WHERE id > ? AND form = ? ORDER BY id LIMIT 1"
)
_OF_ROW = (
    "FROM blocks WHERE shadow = ? AND first_ns <= (SELECT started_ns FROM pairs WHERE shadow_id = ? AND shadow = ?) "
    "AND until_ns > (SELECT started_ns FROM pairs WHERE shadow_id = ? AND shadow = ?)"
)


class Made(NamedTuple):
    """A block that is not put yet."""

    shadow: str
    first_ns: int
    until_ns: int
    n: int
    total_ns: int
    parts: bytes
    scores: bytes
    totals: bytes


def blocks_of(db: Database, shadow: str, since_ns: int, until_ns: int) -> list[Block]:
    """A shadow's blocks of a time that this release reads, in the order of time."""
    return [Block(*row) for row in db.execute(_KEPT, (shadow, FORM, since_ns, until_ns))]


def intact(db: Database, shadow: str, block: Block) -> bool:
    """Whether the rows are those that the block was made of."""
    found = db.execute(_COUNT, (block.first_ns, shadow, block.first_ns, block.until_ns)).fetchone()
    return (int(found[0]), int(found[1])) == (block.n, block.total_ns)


def made(db: Database, shadow: str, now_ns: int) -> Made | None:
    """The oldest block that is missing; ``None``: none is."""
    gap = db.execute(_GAP, (shadow,) * 3).fetchone()
    if gap is None:
        return None
    _, high, first = (int(value) for value in gap)
    until = min(high, (first // _HOUR_NS + 1) * _HOUR_NS)
    full = db.execute(_NTH, (shadow, first, until, BLOCK_ROWS)).fetchone()
    if full is not None:
        until = int(full[0])
        if until == first:  # more rows than a block has, of one time
            after = db.execute(_NEXT, (shadow, first)).fetchone()[0]
            until = min(high, first + 1 if after is None else int(after))
    if until > now_ns - CLOSED_NS:
        return None
    n, total = (int(value) for value in db.execute(_COUNT, (first, shadow, first, until)).fetchone())
    if n > _TOO_MANY:
        return Made(shadow, first, until, n, total, b"", b"", b"")
    columns = block_sql(db.dialect, whole=True)
    query = f"SELECT {columns} FROM pairs WHERE {_IN} ORDER BY started_ns, id"  # noqa: S608
    with contextlib.closing(db.stream(query, (shadow, first, until))) as cursor:
        read, parts, scores = to_blobs(iter(lambda: cursor.fetchmany(_ROWS_AT_ONCE), []))
    if not 0 < read == n:
        return None
    return Made(shadow, first, until, n, total, parts, scores, packed_totals(totals_of(read_part(parts, n))))


def put(db: Database, block: Made) -> int:
    """Put a block, within the caller's transaction, unless its rows are others now: the bytes that it takes."""
    known = Block(0, block.first_ns, block.until_ns, block.n, block.total_ns)
    if not intact(db, block.shadow, known):
        return 0
    size = len(block.parts) + len(block.scores) + len(block.totals)
    form = FORM if size else -FORM
    put = db.execute(_PUT, (*block[:5], form, size, block.parts, block.scores))
    if put.rowcount != 1:
        return 0
    if size:
        db.execute(_PUT_TOTALS, (block.totals, block.shadow, block.first_ns))
    return size


def drop_lost(db: Database, after_id: int) -> tuple[int, int]:
    """Drop what is no copy any more among some blocks behind the one of this number, within the caller's transaction:
    the number of the last that was looked at (0: there are no more), and the bytes that are free."""
    freed, last, looked = 0, 0, 0
    for *known, shadow, form, size in db.execute(_SOME, (after_id, _CHECKED)).fetchall():
        block, looked = Block(*known), looked + 1
        last = block.id
        if abs(form) != FORM or not intact(db, shadow, block):
            db.execute("DELETE FROM blocks WHERE id = ?", (block.id,))
            freed += int(size)
    return (last if looked == _CHECKED else 0), freed


def drop_damaged(db: Database, after_id: int) -> tuple[int, int | None]:
    """Drop the next block behind the one of this number if its contents are not what was put, within the caller's
    transaction: its number (0: there are no more), and the bytes that are free (``None``: it is whole)."""
    found = db.execute(_CONTENTS, (after_id, FORM)).fetchone()
    if found is None:
        return 0, None
    number, size, *contents = found
    if all(sound(bytes(some)) for some in contents if some is not None):
        return int(number), None
    db.execute("DELETE FROM blocks WHERE id = ?", (number,))
    return int(number), int(size)


def drop_judged(db: Database, shadow_id: str, shadow: str) -> int:
    """Drop the block of a row whose verdict is another now, within the caller's transaction: the bytes that are
    free."""
    values = (shadow, *(shadow_id, shadow) * 2)
    freed: Any = db.execute(f"SELECT coalesce(sum(bytes), 0) {_OF_ROW}", values).fetchone()[0]
    if freed:
        db.execute(f"DELETE {_OF_ROW}", values)
    return int(freed)
