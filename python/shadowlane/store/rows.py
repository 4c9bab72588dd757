"""Pairs to rows and back, by the table in :mod:`.columns`. Bodies, headers and texts are packed.

Invariant: what comes back equals what went in, except that text which is not valid Unicode (a lone surrogate) has
``?`` in its stead, that a score of NaN comes back as ``None`` and an integer beyond 63 bits as the largest of 63, and
that the fields in :data:`~shadowlane.store.columns.NOT_STORED` have their defaults.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ..types import Copy, GroupReading, JudgeVerdict, Outcome, Pair, Scores
from .columns import BODY_TABLE, PAIR_TABLE, Records, writer
from .packed import pack_all, unpack

__all__ = ["BODY_COLUMNS", "PAIR_COLUMNS", "StoredPair", "contents", "from_row", "to_bodies", "to_row"]

PAIR_COLUMNS = tuple(column.name for column in PAIR_TABLE)
BODY_COLUMNS = (*(column.name for column in BODY_TABLE), "packed")


class StoredPair(msgspec.Struct, frozen=True, kw_only=True):
    """A row as read. Without bodies, headers, bodies and texts of ``pair`` are empty."""

    id: int
    """Rises with the order of storing."""
    stored_ns: int
    pair: Pair
    bodies: bool
    """Whether bodies were asked for and are still there."""


to_row = writer(PAIR_TABLE)
"""The values of :data:`PAIR_COLUMNS` of a pair."""


def to_bodies(pairs: Iterable[Pair]) -> list[tuple[bytes, ...]]:
    """The values of :data:`BODY_COLUMNS` of each pair."""
    return [(*_NONE, packed) for packed in pack_all(_bodies(pair) for pair in pairs)]


_bodies = writer(BODY_TABLE)
_NONE = (b"",) * len(BODY_TABLE)


def contents(row: Sequence[bytes | None]) -> list[bytes] | None:
    """What :data:`~.columns.BODY_TABLE` holds, from the values of :data:`BODY_COLUMNS`; ``None`` when it is gone."""
    *own, packed = row
    if packed is not None:
        return unpack(packed)
    parts = [zlib.decompress(value) for value in own if value is not None]  # all or none are there
    return parts or None


def from_row(row: Sequence[Any]) -> StoredPair:
    """The inverse: ``id``, ``stored_ns``, :data:`PAIR_COLUMNS`, then nothing or :data:`BODY_COLUMNS` (NULL: gone)."""
    row_id, stored_ns, *values = row
    thin, thick = values[: len(PAIR_TABLE)], values[len(PAIR_TABLE) :]
    records: Records = {"copy": {}, "outcome": {}, "scores": {}, "group": {}, "judge": {}, "pair": {}}
    for column, value in zip(PAIR_TABLE, thin, strict=True):
        column.read(records, value)
    kept = contents(thick) if thick else None
    if kept is not None:
        for column, value in zip(BODY_TABLE, kept, strict=True):
            column.read(records, value)
    else:
        records["copy"].update(headers=(), body=b"", response_headers=(), response_body=b"")
    group, judge = records["group"], records["judge"]
    scores = Scores(
        **records["scores"],
        group=None if group["number"] is None else GroupReading(**group),
        judge=JudgeVerdict(**judge) if judge["verdict"] else None,
    )
    pair = Pair(copy=Copy(**records["copy"]), outcome=Outcome(**records["outcome"]), scores=scores, **records["pair"])
    return StoredPair(id=row_id, stored_ns=stored_ns, bodies=kept is not None, pair=pair)
