"""The rows furthest apart, one of each question.

Invariant: no paraphrase group, and no request outside of one, comes twice; bodies are read of the rows that are given
back and of no other.
"""

from __future__ import annotations

from typing import Any

from .engine import Database
from .rows import BODY_COLUMNS, PAIR_COLUMNS, StoredPair, from_row

__all__ = ["furthest_apart"]

_COLUMNS = ", ".join(
    [f"pairs.{name}" for name in ("id", "stored_ns", *PAIR_COLUMNS)] + [f"bodies.{name}" for name in BODY_COLUMNS]
)
_ROW = f"SELECT {_COLUMNS} FROM pairs {{}} WHERE pairs.id = ?"  # noqa: S608


def furthest_apart(
    db: Database, where: str, values: tuple[Any, ...], limit: int, *, only_kept: bool
) -> list[tuple[StoredPair, int]]:
    """Contradicted facts first, then by falling ΔS; each with how many scored rows its question has."""
    kept, first, also = ("", "", "")
    if only_kept:  # bodies are kept of few of many rows: an engine that does not see it looks them up for every row
        same = db.dialect.bodies
        kept, first, also = f"JOIN bodies ON {same}", "bodies CROSS JOIN", f"AND {same}"
    query = db.dialect.furthest.format(kept=kept, first=first, also=also, where=where)
    found = []
    for row_id, _, times in db.execute(query, (*values, limit)).fetchall():
        row = db.execute(_ROW.format(db.dialect.beside), (row_id,)).fetchone()
        if row is not None:  # retention may have come between
            found.append((from_row(row), int(times)))
    return found
