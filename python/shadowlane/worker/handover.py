"""Whether the configuration that this worker runs is still the lane's: a gateway that opens the lane writes its own.

Invariant: no frame is handed on that was drained by rules which are no longer in force. The question is asked before
and after every drain: a frame that came with the new configuration was written behind it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from ..config.worker_file import CONFIG_FILE, running_revision

__all__ = ["Displaced", "Handover"]

log = logging.getLogger("shadowlane.worker")

_LOOK_EVERY_S = 0.5


class Handover:
    """Asks for the lane in ``directory`` whether ``revision`` is in force. Asking costs one look at the file."""

    def __init__(self, directory: Path, revision: str) -> None:
        self._directory = directory
        self._revision = revision
        self._seen = self._look()
        self._stale = running_revision(directory) not in ("", revision)

    def is_due(self) -> bool:
        """Whether a successor must take over, because the lane's configuration is another one by now."""
        if not self._stale and (now := self._look()) != self._seen:
            self._seen = now
            wanted = running_revision(self._directory)
            if wanted not in ("", self._revision):
                self._stale = True
                said = {"event": "handover"}
                text = "configuration %s is in force, this worker runs %s: handing over"
                log.info(text, wanted, self._revision, extra=said)
        return self._stale

    def _look(self) -> tuple[int, int] | None:
        try:
            status = (self._directory / CONFIG_FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


class Displaced:
    """Asks now and then whether the lane's files were removed or replaced while the worker has them."""

    def __init__(self, is_in_place: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._is_in_place = is_in_place
        self._clock = clock
        self._looked_at = clock()
        self.seen = False
        """Whether they were."""

    def is_due(self) -> bool:
        """Whether the worker must leave what it has, and open the lane that is there now."""
        now = self._clock()
        if not self.seen and now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            if not self._is_in_place():
                self.seen = True
                log.warning("the lane's files were removed or replaced: opening what is there now")
        return self.seen
