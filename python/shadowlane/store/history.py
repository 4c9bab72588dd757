"""What the gate asks of rows beside one window's columns: when a shadow was new, which versions answered, how often it
failed lately, and how ΔS was in windows before.

Invariant: everything is summed up in the database; of rows, one number each is read at most.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..types import MOST_PIN_VALUES, PinSeen
from . import block_sums
from .block_reads import BlockReads
from .engine import Database
from .observed import GET_OBSERVED, Observed
from .segments import MOST_SEGMENTS, SegmentRow, segment_rows
from .tallies import FAILED, NEVER_SENT, PROD_FAILED, without_routes

__all__ = ["History"]

_RECORDED = ("model_rev", "index_hash", "prod_index_hash")
_CHUNK = 8192


class History(BlockReads):
    """Reads of a store's past. ``_db`` is its database."""

    _db: Database

    def pins(self, shadow: str, since_ns: int) -> list[PinSeen]:
        """What said which version answered since ``since_ns``: the model, the index, prod's index, and the pins of
        ``[pins]``; in the order of their first answers. Values that nobody sent are left out, and so are those of one
        pin beyond :data:`~shadowlane.types.MOST_PIN_VALUES`."""
        with self._db.explained("read"):
            return _seen(self._versions(shadow, since_ns))

    def _versions(self, shadow: str, since_ns: int) -> Iterable[block_sums.Versions]:
        if self._rolled(shadow, since_ns):
            return block_sums.versions(self.totals(shadow, since_ns))
        columns = ", ".join((*_RECORDED, "pins"))
        query = (
            f"SELECT {columns}, min(started_ns), max(started_ns), count(*) FROM pairs "  # noqa: S608
            f"WHERE shadow = ? AND started_ns >= ? GROUP BY {columns}"
        )
        return self._db.execute(query, (shadow, since_ns))

    def lately(self, shadow: str, newest: int) -> dict[str, Any]:
        """Of a shadow's newest copies: how many were ``sent``, how many of them ``again``, the P95 of their wait for a
        slot (``wait_p95_s``; ``None``: no copy says), the sums of what both sides used where both say and no cache
        served (``tokens`` and ``cost``, each ``[prod, shadow]`` or ``None``), and the newest value of each pin
        (``pins``)."""
        rows = "(SELECT * FROM pairs WHERE shadow = ? ORDER BY started_ns DESC LIMIT ?) AS newest"
        both = "cache_served = 0 AND answer_{0} IS NOT NULL AND prod_{0} IS NOT NULL"
        sums = ", ".join(
            f"sum({side}_{what}) FILTER (WHERE {both.format(what)})"
            for what in ("tokens", "cost")
            for side in ("prod", "answer")
        )
        with self._db.explained("read"):
            query = f"SELECT count(*) FILTER (WHERE tries > 0), count(*) FILTER (WHERE tries > 1), {sums} FROM {rows}"  # noqa: S608
            sent, again, *used = self._db.execute(query, (shadow, newest)).fetchone()
            query = f"SELECT waited_ns FROM {rows} WHERE tries > 0 ORDER BY 1 LIMIT 1 OFFSET ?"  # noqa: S608
            wait = self._db.execute(query, (shadow, newest, int(0.95 * sent))).fetchone() if sent else None
            columns = ", ".join((*_RECORDED, "pins"))
            query = f"SELECT {columns} FROM {rows} GROUP BY {columns} ORDER BY max(started_ns)"  # noqa: S608
            pins: dict[str, str] = {}
            for *values, own in self._db.execute(query, (shadow, newest)):
                said = dict(zip(_RECORDED, values, strict=True)) | msgspec.json.decode(own, type=dict[str, str])
                pins |= {pin: value for pin, value in said.items() if value}
        return {
            "sent": int(sent),
            "again": int(again),
            "wait_p95_s": None if wait is None else wait[0] / 1e9,
            "tokens": None if used[0] is None else used[:2],
            "cost": None if used[2] is None else used[2:],
            "pins": pins,
        }

    def observed(self) -> list[Observed]:
        """What metrics are made of, over all rows that were ever stored, by shadow and series (:mod:`.observed`)."""
        with self._db.explained("read"):
            return [Observed(*row) for row in self._db.execute(GET_OBSERVED)]

    def first_ns(self, shadow: str) -> int | None:
        """When a shadow's oldest copy that is kept began; ``None``: there is none."""
        with self._db.explained("read"):
            query = "SELECT min(started_ns) FROM pairs WHERE shadow = ?"
            oldest: int | None = self._db.execute(query, (shadow,)).fetchone()[0]
        return oldest

    def after_answers(self, shadow: str, since_ns: int, answers: int) -> int | None:
        """When the answer after the first so many since ``since_ns`` began; ``None``: there are no more."""
        query = (
            "SELECT started_ns FROM pairs WHERE shadow = ? AND started_ns >= ? AND status > 0 "
            "ORDER BY started_ns, id LIMIT 1 OFFSET ?"
        )
        with self._db.explained("read"):
            row = self._db.execute(query, (shadow, since_ns, answers)).fetchone()
        return None if row is None else int(row[0])

    def failure_counts(
        self,
        shadow: str,
        since_ns: Sequence[int],
        not_sent: Sequence[str],
        *,
        without: Sequence[str] = (),
        reverse: bool = False,
    ) -> list[tuple[int, int]]:
        """Of the copies sent since each of the times, but for the routes of ``without``: how many, and how many of them
        the shadow failed. ``not_sent`` are the reasons of copies that never went out;
        ``reverse``: prod's failures count, and not the shadow's."""
        first = min(since_ns)
        if self._rolled(shadow, first):
            with self._db.explained("read"):
                return [block_sums.failures(self.totals(shadow, at), without, reverse=reverse) for at in since_ns]
        failed = PROD_FAILED if reverse else FAILED
        since = "count(*) FILTER (WHERE started_ns >= ?{})"
        sums = ", ".join(since.format(more) for _ in since_ns for more in ("", f" AND ({failed})"))
        marks = ", ".join("?" * len(not_sent))
        query = (
            f"SELECT {sums} FROM pairs WHERE shadow = ? AND started_ns >= ? AND reason NOT IN ({marks}) "  # noqa: S608
            f"AND NOT {NEVER_SENT}" + (f" AND {without_routes(without, self._db.dialect)}" if without else "")
        )
        twice = [at for one in since_ns for at in (one, one)]
        with self._db.explained("read"):
            row = self._db.execute(query, (*twice, shadow, first, *not_sent, *without)).fetchone()
        return [(int(n), int(failed)) for n, failed in zip(row[::2], row[1::2], strict=True)]

    def segment_sums(
        self,
        shadow: str,
        since_ns: int,
        embedder: str,
        least: int,
        *,
        without: Sequence[str] = (),
        only: Collection[tuple[str, str]] | None = None,
        reverse: bool = False,
    ) -> list[SegmentRow]:
        """See :func:`.segments.segment_rows`."""
        with self._db.explained("read"):
            if self._rolled(shadow, since_ns):
                summed = None
                if not without:
                    totals = self.totals(shadow, since_ns)
                    summed = block_sums.totals_of_segments(
                        totals, embedder, least, only, reverse=reverse, most=MOST_SEGMENTS
                    )
                if summed is not None:
                    return summed
                found = block_sums.segment_totals(
                    lambda: self.parts(shadow, since_ns),
                    embedder,
                    least,
                    without,
                    only,
                    reverse=reverse,
                    most=MOST_SEGMENTS,
                )
                return list(found)
            return list(segment_rows(self._db, shadow, since_ns, embedder, least, without, only, reverse))

    def delta_values(self, shadow: str, since_ns: int, until_ns: int, embedder: str) -> Iterator[NDArray[np.float64]]:
        """The ΔS of one embedder from ``since_ns`` to before ``until_ns``, some thousand (m,) at a time, in the order
        of time."""
        query = (
            "SELECT delta_s FROM pairs WHERE shadow = ? AND started_ns >= ? AND started_ns < ? AND embedder = ? "
            "AND delta_s IS NOT NULL ORDER BY started_ns, id"
        )
        values = (shadow, since_ns, until_ns, embedder)
        if self._rolled(shadow, since_ns):
            with self._db.explained("read"):
                yield from block_sums.deltas(self.parts(shadow, since_ns, until_ns=until_ns), embedder)
            return
        with self._db.explained("read"), contextlib.closing(self._db.stream(query, values)) as cursor:
            while rows := cursor.fetchmany(_CHUNK):
                yield np.array(rows)[:, 0]

    def delta_sums(
        self, shadow: str, since_ns: int, until_ns: int, bin_ns: int, embedder: str, *, from_ns: int
    ) -> list[tuple[int, int, float, float]]:
        """ΔS of one embedder, of the pairs that began at ``from_ns`` or later, in bins of ``bin_ns`` from ``since_ns``
        on: number of the bin, pairs, Σ ΔS, Σ ΔS²."""
        query = (
            "SELECT (started_ns - ?) / ?, count(*), sum(delta_s), sum(delta_s * delta_s) FROM pairs WHERE shadow = ? "
            "AND started_ns >= ? AND started_ns < ? AND embedder = ? AND delta_s IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        with self._db.explained("read"):
            if self._rolled(shadow, from_ns):
                last = -((since_ns - until_ns) // bin_ns)
                bins = [
                    (max(since_ns + i * bin_ns, from_ns), min(since_ns + (i + 1) * bin_ns, until_ns), i)
                    for i in range((from_ns - since_ns) // bin_ns, last)
                ]
                found = [
                    (number, *block_sums.delta_bins(self.totals(shadow, start, until_ns=end), embedder))
                    for start, end, number in bins
                ]
                return [some for some in found if some[1]]
            return self._db.execute(query, (since_ns, bin_ns, shadow, from_ns, until_ns, embedder)).fetchall()


def _seen(versions: Iterable[block_sums.Versions]) -> list[PinSeen]:
    """By pin and value."""
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    values_of: Counter[str] = Counter()
    for *values, pins, first, last, n in versions:
        said = dict(zip(_RECORDED, values, strict=True)) | msgspec.json.decode(pins, type=dict[str, str])
        for pin in said.items():
            if pin[1] and (pin in found or values_of[pin[0]] < MOST_PIN_VALUES):
                values_of[pin[0]] += pin not in found
                before = found.get(pin, (first, last, 0))
                found[pin] = min(before[0], first), max(before[1], last), before[2] + n
    return sorted(((*pin, *seen) for pin, seen in found.items()), key=lambda pin: pin[2])
