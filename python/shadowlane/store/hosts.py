"""What each host that writes to a store counted, life of its lane by life, so that one verdict is on the counts of all.

A row holds sums so far and replaces the one before it: written twice, late or not at all, it doubles and loses nothing.
Invariants: its moment and its age are by the database's clock, so that no host's wrong clock makes another look silent;
a host that is gone keeps its row for as long as the store keeps pairs.
"""

from __future__ import annotations

import msgspec

from ..columns import HostCounts, HostSeen
from .engine import Database

__all__ = ["HostReads", "forget_hosts", "save_host"]

_PREFIX, _AFTER = "host:", "host;"


class HostReads:
    """Reads of what hosts counted. ``_db`` is the store's database."""

    _db: Database

    def hosts(self) -> list[HostSeen]:
        """What each life of a lane counted so far, in the order of their keys; one that cannot be read, since another
        release wrote it or it is damaged, is there without counts, and says so."""
        query = f"SELECT key, value, {self._db.dialect.now} FROM meta WHERE key >= ? AND key < ? ORDER BY key"  # noqa: S608
        with self._db.explained("read"):
            rows = self._db.execute(query, (_PREFIX, _AFTER)).fetchall()
        found = []
        for key, value, now in rows:
            at, text = _parts(value)
            try:
                counts, readable = msgspec.json.decode(text, type=HostCounts), True
            except msgspec.DecodeError:
                counts, readable = _nothing_of(str(key).removeprefix(_PREFIX)), False
            found.append(HostSeen(counts, int(at * 1e9), max(float(now) - at, 0.0), readable))
        return found


def _parts(value: object) -> tuple[float, str]:
    """When a row was written (Unix time; 0: it does not say), and its counts."""
    at, _, text = str(value).partition(" ")
    try:
        return float(at), text
    except ValueError:
        return 0.0, text


def _nothing_of(lane_id: str) -> HostCounts:
    return HostCounts(host=lane_id[:12], lane="", lane_id=lane_id, seen=0, open=0, mirrored=0, dropped={}, settings=())


def save_host(db: Database, counts: HostCounts) -> None:
    """Keep the counts in the place of those before them. Within a transaction."""
    query = (
        f"INSERT INTO meta (key, value) VALUES (?, {db.dialect.now} || ' ' || CAST(? AS TEXT)) "  # noqa: S608
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )
    db.execute(query, (_PREFIX + counts.lane_id, msgspec.json.encode(counts).decode()))


def forget_hosts(db: Database, older_s: float) -> int:
    """Drop what was stored longer ago. Within a transaction. Returns how many rows went."""
    query = f"SELECT key, value, {db.dialect.now} FROM meta WHERE key >= ? AND key < ?"  # noqa: S608
    old = [
        (key, value)
        for key, value, now in db.execute(query, (_PREFIX, _AFTER)).fetchall()
        if float(now) - _parts(value)[0] > older_s
    ]
    # Only as it was read: its host may be back meanwhile.
    return sum(db.execute("DELETE FROM meta WHERE key = ? AND value = ?", one).rowcount for one in old)
