"""An engine of a fleet in memory, for the tests of what runs over one."""

from __future__ import annotations

from collections.abc import Callable

from shadowlane.errors import FleetError
from shadowlane.fleet.engine import Stored
from shadowlane.fleet.record import Record, decoded

__all__ = ["Memory"]


class Memory:
    """It can be away, let somebody else write first, and be started again without its last writes."""

    kind = "memory"

    def __init__(self) -> None:
        self.stored = Stored(None, None, "1")
        self.away = False
        self.before_swap: Callable[[], None] = lambda: None
        self.writes = 0
        self._history = [self.stored]

    def read(self) -> Stored:
        if self.away:
            raise FleetError("memory: away")
        return self.stored

    def swap(self, before: Stored, version: int, data: bytes) -> bool:
        if self.away:
            raise FleetError("memory: away")
        race, self.before_swap = self.before_swap, lambda: None
        race()
        if before != self.stored:
            return False
        self.stored = Stored(data, version, before.life)
        self._history.append(self.stored)
        self.writes += 1
        return True

    def restart(self, lose: int) -> None:
        """Begin another life, without the last ``lose`` writes."""
        self._history = self._history[: max(len(self._history) - lose, 1)]
        kept = self._history[-1]
        self.stored = Stored(kept.data, kept.version, str(int(self.stored.life) + 1))
        self._history.append(self.stored)

    def notes(self) -> list[str]:
        return []

    def close(self) -> None:
        """Others go on with it."""

    def record(self) -> Record:
        assert self.stored.data is not None
        return decoded(self.stored.data)
