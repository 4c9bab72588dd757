"""Which rows keep their bodies with ``keep_bodies = "reservoir"``: a uniform sample of each (shadow, route, band).

Algorithm L (Li, ACM TOMS 20(4), 1994) over the rows of a stratum in the order of storing, its count kept in the
database, so that a new worker goes on with the same sample.

Invariants: at most ``k`` rows of a stratum have bodies, so what bodies take is bounded by strata times ``k``; at most
:data:`MOST_ROUTES` routes of a shadow have strata of their own, the others share one; memory and database change
together: after a transaction that was rolled back, :meth:`Exemplars.forget` drops what memory knows.
"""

from __future__ import annotations

from ..core import Reservoir
from ..types import Pair
from .engine import Database

__all__ = ["MOST_ROUTES", "Exemplars"]

MOST_ROUTES = 200
_OTHER = "other"


class Exemplars:
    """The reservoirs over an open database. Every method runs within the caller's transaction."""

    def __init__(self, db: Database, k: int) -> None:
        self._db = db
        self._k = k
        self._strata: dict[tuple[str, str, str], tuple[int, Reservoir]] = {}
        self._routes: dict[str, set[str]] = {}

    def forget(self) -> None:
        """Read everything again from the database when it is needed."""
        self._strata.clear()
        self._routes.clear()

    def keeps(self, row: int, pair: Pair) -> bool:
        """Whether the new row keeps its bodies. A row that it replaces in the reservoir loses them."""
        stratum, reservoir = self._stratum(pair)
        out = reservoir.offer(row)
        self._db.execute("UPDATE strata SET seen = ? WHERE id = ?", (reservoir.seen, stratum))
        if out == row:
            return False
        if out is not None:
            self._db.execute("DELETE FROM exemplars WHERE pair = ?", (out,))
            self._db.drop_bodies(out)
        self._db.execute("INSERT INTO exemplars (pair, stratum) VALUES (?, ?)", (row, stratum))
        return True

    def _stratum(self, pair: Pair) -> tuple[int, Reservoir]:
        shadow = pair.outcome.shadow
        key = (shadow, self._route(shadow, pair.copy.route), pair.scores.band)
        known = self._strata.get(key)
        if known is None:
            known = self._strata[key] = self._load(key)
        return known

    def _route(self, shadow: str, route: str) -> str:
        routes = self._routes.get(shadow)
        if routes is None:
            query = "SELECT DISTINCT route FROM strata WHERE shadow = ?"
            routes = self._routes[shadow] = {row[0] for row in self._db.execute(query, (shadow,))}
        if route not in routes:
            if len(routes) >= MOST_ROUTES:
                return _OTHER
            routes.add(route)
        return route

    def _load(self, key: tuple[str, str, str]) -> tuple[int, Reservoir]:
        self._db.execute(
            "INSERT INTO strata (shadow, route, band, seen) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING", key
        )
        query = "SELECT id, seen FROM strata WHERE shadow = ? AND route = ? AND band = ?"
        stratum, seen = self._db.execute(query, key).fetchone()
        rows = [
            row[0]
            for row in self._db.execute(
                "SELECT exemplars.pair FROM exemplars JOIN bodies USING (pair) WHERE stratum = ?", (stratum,)
            )
        ]
        for surplus in rows[self._k :]:  # ``exemplars`` was lowered
            self._db.execute("DELETE FROM exemplars WHERE pair = ?", (surplus,))
            self._db.drop_bodies(surplus)
        rows = rows[: self._k]
        if len(rows) < min(seen, self._k):
            # Retention took some away, or ``exemplars`` was raised: the next rows fill it up.
            seen = len(rows)
        return stratum, Reservoir.resume(self._k, rows, seen)
