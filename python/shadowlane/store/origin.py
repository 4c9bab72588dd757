"""Where the rows of a store that no lane filled come from: a replay, an import.

Invariant: what is kept here is replaced whole, in one transaction; a store of a lane's own has none.
"""

from __future__ import annotations

import msgspec

from .engine import Database

__all__ = ["Origin", "Origins"]

_KEY = "origin"
_SET = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What filled the store, and how far it has come."""

    kind: str
    """``replay`` or ``import``."""
    source: str
    """As a person named it."""
    form: str
    fingerprint: str
    """The same for runs that go on with one another."""
    shadow: str
    url: str = ""
    began_ns: int = 0
    """Unix time."""
    finished: bool = False
    read: int = 0
    """Records of the source, those that are no exchange included."""
    skipped: dict[str, int] = {}
    """By reason: those that became no row."""
    stands_in: bool = False
    """Whether a control answered in prod's stead where the source had no answer of prod's."""


class Origins:
    """Reads and keeps it. ``_db`` is the store's database."""

    _db: Database

    def origin(self) -> Origin | None:
        """What filled the store; ``None``: a lane."""
        with self._db.explained("read"):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
        return msgspec.json.decode(row[0], type=Origin) if row else None

    def put_origin(self, origin: Origin) -> None:
        """Keep it. Raises :class:`~shadowlane.errors.StoreError`."""
        with self._db.explained("write"), self._db.transaction():
            value = msgspec.json.encode(origin).decode()
            self._db.execute(_SET, (_KEY, value))
