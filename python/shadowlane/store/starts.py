"""Where the gate's window of a shadow was begun anew, and by whom: a person, or a release whose checksum changed.

Invariant: a checksum and the restart that it asks for are kept in one transaction, so that a change restarts the window
once, however often it is told and whoever dies in between.
"""

from __future__ import annotations

import msgspec

from .engine import Database

__all__ = ["WindowStarts"]

_WINDOW, _RELEASE = "gate_window:", "release:"
_BY_HAND = "restarted by hand"
_GET = "SELECT value FROM meta WHERE key = ?"
_SET = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_RELEASES = 16
"""Canaries whose checksums are kept for a shadow; the one that was not told for longest goes first."""


class WindowStarts:
    """Starts of windows. ``_db`` is the store's database."""

    _db: Database

    def restart_window(self, shadow: str, at_ns: int) -> None:
        """Let the gate's window of a shadow begin at ``at_ns``, until a later call says otherwise."""
        with self._db.explained("write"), self._db.transaction():
            self._db.execute(_SET, (_WINDOW + shadow, str(at_ns)))

    def window_restarted(self, shadow: str) -> int | None:
        """When the window was last begun anew; ``None``: it never was."""
        value = self._meta(_WINDOW + shadow)
        return int(value.partition(" ")[0]) if value else None

    def restart_reason(self, shadow: str) -> str:
        """Why it was begun anew then."""
        return self._meta(_WINDOW + shadow).partition(" ")[2] or _BY_HAND

    def note_release(self, shadow: str, release: str, checksum: str, at_ns: int) -> bool:
        """Keep the checksum of what is deployed as ``release``. When it was another one before, the window begins at
        ``at_ns``; returns whether it does."""
        with self._db.explained("write"), self._db.transaction(alone=True):
            known = msgspec.json.decode(self._meta(_RELEASE + shadow) or "{}", type=dict[str, str])
            before = known.pop(release, checksum)
            known[release] = checksum  # the last in the order of telling
            kept = dict(list(known.items())[-_RELEASES:])
            self._db.execute(_SET, (_RELEASE + shadow, msgspec.json.encode(kept).decode()))
            if before == checksum:
                return False
            why = f"checksum of {_short(release, 64)} changed from {_short(before)} to {_short(checksum)}"
            self._db.execute(_SET, (_WINDOW + shadow, f"{at_ns} {why}"))
        return True

    def probe(self) -> None:
        """Write and take back: raises :class:`~shadowlane.errors.StoreError` where nothing could be stored now."""
        with self._db.explained("write"), self._db.transaction():
            self._db.execute(_SET, ("probe", ""))
            self._db.execute("DELETE FROM meta WHERE key = 'probe'")

    def _meta(self, key: str) -> str:
        with self._db.explained("read"):
            row = self._db.execute(_GET, (key,)).fetchone()
        return str(row[0]) if row else ""


def _short(text: str, chars: int = 16) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
