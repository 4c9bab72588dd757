"""Whether the configuration that this worker runs is still the lane's: a gateway that opens the lane writes its own.

Invariant: no frame is handed on that was drained by rules which are no longer in force. The question is asked before
and after every drain: a frame that came with the new configuration was written behind it.
"""

from __future__ import annotations

import logging
from pathlib import Path

from ..config.worker_file import CONFIG_FILE, running_revision

__all__ = ["Handover"]

log = logging.getLogger("shadowlane.worker")


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
                log.info("configuration %s is in force, this worker runs %s: handing over", wanted, self._revision)
        return self._stale

    def _look(self) -> tuple[int, int] | None:
        try:
            status = (self._directory / CONFIG_FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns
