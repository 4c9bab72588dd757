"""How long requests took: the lane's histograms at some moments, as rows of counts, and the differences between them.

A row holds the sums of one life of the lane up to its moment, so that writing it again, or never, loses and doubles
nothing: what happened in a time is the difference of two rows. Invariant: a row holds the edges of its buckets, so
that it can be read where no lane is, and by a release with other buckets.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..columns import Timed

__all__ = ["GET_ROWS", "PUT_ROW", "between", "pack", "unpack"]

_Counts = NDArray[np.int64]

PUT_ROW = (
    "INSERT INTO times (lane_id, hour, choice, ratio, at_ns, counts) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (lane_id, hour, choice, ratio) DO UPDATE SET at_ns = excluded.at_ns, counts = excluded.counts"
)
# With the rows of a time, the last one before it of each lane: where it begins.
GET_ROWS = (
    "SELECT lane_id, hour >= :hour, choice, ratio, counts FROM times AS one WHERE hour >= :hour OR at_ns = "
    "(SELECT max(at_ns) FROM times WHERE lane_id = one.lane_id AND hour < :hour) ORDER BY lane_id, at_ns"
)


def pack(edges: _Counts, taken: _Counts, not_taken: _Counts) -> bytes:
    """The counts (m,) of the buckets between ``edges`` (m + 1,), in ns, for the store."""
    some = np.flatnonzero((taken > 0) | (not_taken > 0))
    table = np.stack([edges[some], edges[some + 1], taken[some], not_taken[some]])
    return zlib.compress(table.astype("<i8").tobytes(), 1)


def unpack(blob: bytes) -> tuple[_Counts, _Counts, _Counts, _Counts]:
    """``lower``, ``upper``, ``taken``, ``not_taken``: see :class:`~shadowlane.columns.Timed`."""
    lower, upper, taken, not_taken = np.frombuffer(zlib.decompress(blob), "<i8").reshape(4, -1).astype(np.int64)
    return lower, upper, taken, not_taken


def between(rows: Iterable[tuple[str, bool, str, float, bytes]]) -> Iterator[Timed]:
    """What was timed from row to row: ``(lane_id, wanted, choice, ratio, counts)``, the rows of a lane in the order of
    time. A row that is not wanted is only where the next one begins; a lane's first row begins at nothing.
    """
    before: Timed | None = None
    for lane_id, wanted, choice, ratio, blob in rows:
        lower, upper, taken, not_taken = unpack(blob)
        now = Timed(
            lane_id=lane_id, choice=choice, ratio=ratio, lower=lower, upper=upper, taken=taken, not_taken=not_taken
        )
        if wanted:
            yield now if before is None or before.lane_id != lane_id else _since(now, before)
        before = now


def _since(now: Timed, before: Timed) -> Timed:
    _, here, there = np.intersect1d(now.lower, before.lower, assume_unique=True, return_indices=True)
    taken, not_taken = now.taken.copy(), now.not_taken.copy()
    taken[here] -= before.taken[there]
    not_taken[here] -= before.not_taken[there]
    # Never below: a ring that something wrote over is left out of the sums, with all that it had counted.
    return msgspec.structs.replace(now, taken=np.maximum(taken, 0), not_taken=np.maximum(not_taken, 0))
