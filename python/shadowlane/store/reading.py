"""What is read of a store, whichever engine keeps it: keys, counts, rows, and columns of scores.

Invariant: reading changes nothing, and never waits for who writes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from ..columns import ScoreColumns, Timed
from ..types import ShadowCounts
from . import block_sums, tallies
from .apart import furthest_apart
from .backlog import Backlogs
from .engine import ALL, Database
from .folds import KeptFolds
from .found import Looks
from .history import History
from .hosts import HostReads
from .latency import GET_ROWS, between
from .origin import Origins
from .queries import Order, pairs_query, selected
from .rows import StoredPair, from_row
from .scores import joined_columns
from .starts import WindowStarts
from .tallies import Refused, Routed
from .walk import Walks

__all__ = ["ANSWERED", "HOUR_NS", "Reads"]

ANSWERED = "answered"
"""What stands in ``counts`` for no reason."""
HOUR_NS = 3_600 * 10**9
_KEYS_A_QUERY = 500
_FETCH_ROWS = 256
_GET_SPENT = "SELECT minute, tokens, money FROM spend WHERE shadow = ? ORDER BY minute"


class Reads(History, KeptFolds, WindowStarts, Looks, Origins, Walks, Backlogs, HostReads):
    """Reads of a store. ``_db`` is its database, ``_epoch`` the life of the lane that counts now."""

    _db: Database
    _epoch: str

    def stored_keys(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the ``(shadow_id, shadow)`` keys that are stored already.

        Keys of rows that retention deleted are not known; retention deletes no row that was stored within the last
        hour, and copies are redelivered within seconds of a crash.
        """
        by_shadow: dict[str, list[str]] = {}
        for shadow_id, shadow in keys:
            by_shadow.setdefault(shadow, []).append(shadow_id)
        found: set[tuple[str, str]] = set()
        with self._db.explained("read"):
            for shadow, ids in by_shadow.items():
                for start in range(0, len(ids), _KEYS_A_QUERY):
                    some = ids[start : start + _KEYS_A_QUERY]
                    marks = ", ".join("?" * len(some))
                    query = f"SELECT shadow_id FROM pairs WHERE shadow_id IN ({marks}) AND shadow = ?"  # noqa: S608
                    found.update((row[0], shadow) for row in self._db.execute(query, (*some, shadow)))
        return found

    def counts(self, lane_id: str | None = None) -> dict[str, ShadowCounts]:
        """The counters of each shadow in an epoch (default: the current one), registered ones without rows included."""
        epoch = self._epoch if lane_id is None else lane_id
        by_shadow: dict[str, dict[str, int]] = {shadow: {} for shadow in self.bases(epoch)}
        with self._db.explained("read"):
            query = "SELECT shadow, reason, n FROM counts WHERE lane_epoch = ?"
            for shadow, reason, n in self._db.execute(query, (epoch,)):
                by_shadow.setdefault(shadow, {})[reason] = n
        return {
            shadow: ShadowCounts(answered=reasons.pop(ANSWERED, 0), failed=reasons)
            for shadow, reasons in by_shadow.items()
        }

    def bases(self, lane_id: str | None = None) -> dict[str, int]:
        """For each shadow registered in an epoch (default: the current one), its base (see :meth:`set_epoch`)."""
        epoch = self._epoch if lane_id is None else lane_id
        with self._db.explained("read"):
            return dict(self._db.execute("SELECT shadow, base FROM arms WHERE lane_epoch = ?", (epoch,)).fetchall())

    def spent(self, shadow: str) -> list[tuple[float, float, float]]:
        """What a shadow's answers used: (Unix time of the minute, tokens, money), by rising time, two days at most."""
        with self._db.explained("read"):
            found = self._db.execute(_GET_SPENT, (shadow,))
            return [(60.0 * minute, tokens, money) for minute, tokens, money in found]

    def latency(self, since_ns: int) -> list[Timed]:
        """What requests took from the hour of ``since_ns`` on, over all lives of the lane, hour by hour."""
        with self._db.explained("read"):
            return list(between(self._db.execute(GET_ROWS, {"hour": since_ns // HOUR_NS})))

    def shadows(self) -> list[str]:
        """The names of all shadows that have rows, in alphabetical order."""
        with self._db.explained("read"):
            return [row[0] for row in self._db.execute("SELECT DISTINCT shadow FROM pairs ORDER BY shadow")]

    def iter_pairs(
        self,
        since_ns: int | None = None,
        shadow: str | None = None,
        limit: int | None = None,
        with_bodies: bool = False,
        order: Order = "time",
        only_kept: bool = False,
    ) -> Iterator[StoredPair]:
        """Rows one by one: ``time`` (oldest first), ``newest``, ``worst`` (contradicted facts, then by falling ΔS;
        pairs without ΔS last), ``flipped`` (only those whose λ flipped, the shadow's alone first, newest first), or
        ``refused`` (only answers of HTTP 400 and above where prod's was below, newest first).
        ``since_ns`` is compared with ``started_ns``. ``only_kept``: rows whose bodies are kept.

        The whole iteration sees one state of the database. Close the iterator, or read it to its end, before long
        waits: an open one keeps SQLite's write-ahead log from shrinking, and PostgreSQL from cleaning up.
        """
        with self._db.explained("read"):
            at = self._flipped_at(since_ns, shadow, limit) if order == "flipped" and not only_kept else None
        query, values = pairs_query(
            since_ns, shadow, order, with_bodies=with_bodies, only_kept=only_kept, dialect=self._db.dialect, at=at
        )
        with (
            self._db.explained("read"),
            contextlib.closing(self._db.stream(query, (*values, ALL if limit is None else limit))) as cursor,
        ):
            while rows := cursor.fetchmany(_FETCH_ROWS):
                yield from map(from_row, rows)

    def _flipped_at(self, since_ns: int | None, shadow: str | None, limit: int | None) -> list[int] | None:
        """The times of the rows that are wanted, and maybe of others; ``None``: look for them among all."""
        if shadow is None or limit is None or not limit <= _KEYS_A_QUERY or not self._rolled(shadow, since_ns):
            return None
        return block_sums.newest_flips(self.parts(shadow, since_ns), limit)

    def furthest_apart(
        self, shadow: str, since_ns: int | None, limit: int, *, only_kept: bool = False
    ) -> list[tuple[StoredPair, int]]:
        """See :func:`.apart.furthest_apart`."""
        with self._db.explained("read"):
            return furthest_apart(self._db, *selected(since_ns, shadow), limit, only_kept=only_kept)

    def said_counts(self, shadow: str, since_ns: int | None = None) -> dict[str, list[tuple[str, str, int]]]:
        """See :func:`.tallies.said_counts`."""
        with self._db.explained("read"):
            if self._rolled(shadow, since_ns):
                return tallies.most_said(block_sums.said(self.totals(shadow, since_ns)))
            return tallies.said_counts(self._db, *selected(since_ns, shadow))

    def scores(self, shadow: str | None = None, since_ns: int | None = None) -> ScoreColumns:
        """All of :meth:`pieces` at once: for stores that are known to be small."""
        return joined_columns(self.pieces(shadow, since_ns))

    def last_embedder(self, shadow: str, since_ns: int | None = None) -> str:
        """What the newest scored row was scored with; empty when there is none."""
        with self._db.explained("read"):
            return tallies.last_embedder(self._db, *selected(since_ns, shadow))

    def difference_counts(self, shadow: str, since_ns: int | None = None) -> list[tuple[str, str, int, str]]:
        """Where a shadow's JSON answers differ from prod's: ``(shape, kind, pairs, example)``, most frequent first.

        ``example`` is one row of :class:`~shadowlane.types.StructureDifference` as JSON.
        """
        with self._db.explained("read"):
            return tallies.difference_counts(self._db, *selected(since_ns, shadow))

    def flips(self, shadow: str, since_ns: int | None = None) -> tuple[int, int, int]:
        """See :func:`.tallies.flips`."""
        with self._db.explained("read"):
            if self._rolled(shadow, since_ns):
                return block_sums.flips(self.totals(shadow, since_ns))
            return tallies.flips(self._db, *selected(since_ns, shadow))

    def policy_counts(
        self, shadow: str, since_ns: int | None = None, *, reverse: bool = False
    ) -> tuple[dict[str, int], int, int]:
        """See :func:`.tallies.policy_counts`."""
        with self._db.explained("read"):
            if self._rolled(shadow, since_ns):
                why, calls, pairs = block_sums.policy(self.totals(shadow, since_ns), reverse=reverse)
                return dict(sorted(why.items(), key=lambda one: (-one[1], one[0]))), calls, pairs
            return tallies.policy_counts(self._db, *selected(since_ns, shadow), reverse=reverse)

    def route_counts(self, shadow: str, since_ns: int | None, newest: int | None = None) -> list[Routed]:
        """See :func:`.tallies.by_route`."""
        with self._db.explained("read"):
            if newest is None and self._rolled(shadow, since_ns):
                return tallies.routed(*block_sums.by_route(self.totals(shadow, since_ns)))
            return tallies.by_route(self._db, *selected(since_ns, shadow), newest)

    def prod_seen(self, shadow: str, since_ns: int | None, newest: int | None = None) -> tallies.ProdSeen:
        """See :func:`.tallies.prod_seen`."""
        with self._db.explained("read"):
            if newest is None and self._rolled(shadow, since_ns):
                return tallies.ProdSeen(*block_sums.prod_seen(self.totals(shadow, since_ns)))
            return tallies.prod_seen(self._db, *selected(since_ns, shadow), newest)

    def refused_routes(self, shadow: str, since_ns: int | None) -> list[Routed]:
        """See :func:`.tallies.refused_routes`."""
        with self._db.explained("read"):
            if self._rolled(shadow, since_ns):
                return tallies.routed(*block_sums.refused(self.totals(shadow, since_ns)))
            return tallies.refused_routes(self._db, *selected(since_ns, shadow))

    def refusals(self, shadow: str, since_ns: int | None, newest: int | None = None) -> list[Refused]:
        """See :func:`.tallies.refusals`."""
        with self._db.explained("read"):
            whole = newest is None and self._rolled(shadow, since_ns)
            if whole and not block_sums.any_refused(self.totals(shadow, since_ns)):
                return []
            return tallies.refusals(self._db, *selected(since_ns, shadow), newest)
