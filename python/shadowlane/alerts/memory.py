"""What a lane's alerts remember over the end of a worker, in one file beside the database.

Invariant: the file is replaced at once and is on the disk before anything that depends on it is sent; one that cannot
be read is put aside and said, and alerts begin anew.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from ..config import Config, memory_path
from ..files import write_private
from .findings import Counters
from .incidents import Post

__all__ = ["Memory", "memory_file"]

log = logging.getLogger("shadowlane.alerts")

_VERSION = 1


class _Kept(msgspec.Struct):
    version: int
    posts: dict[str, Post]
    counters: Counters | None = None


def memory_file(config: Config) -> Path:
    """Where it is kept over a restart of the machine."""
    return memory_path(config, "alerts.json")


class Memory:
    """The posts of all receivers, by name. Used by one thread at a time."""

    def __init__(self, config: Config, now: float) -> None:
        self.path = memory_file(config)
        self.error = ""
        """Why it cannot be kept; empty when it can."""
        kept = self._read()
        self._written = b""
        self.counters = kept.counters if kept is not None else None
        known = kept.posts if kept is not None else {}
        self.posts = {alert.called: known.get(alert.called) or Post() for alert in config.alerts}
        for post in self.posts.values():
            post.resume(now)

    def _read(self) -> _Kept | None:
        try:
            kept = msgspec.json.decode(self.path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "damaged, or of another release"
            log.warning("%s: cannot be read (%s): what was told before is not known", self.path, why)
            return None
        return kept if kept.version == _VERSION else None

    def encoded(self) -> bytes:
        """The content of the file."""
        return msgspec.json.encode(_Kept(_VERSION, self.posts, self.counters))

    def write(self, content: bytes) -> None:
        """Replace the file; what keeps it from that is said once."""
        if content == self._written:
            return
        try:
            write_private(self.path, content, durable=True)
        except OSError as error:
            text = f"{self.path}: cannot be written: {error.strerror}"
            if text != self.error:
                log.warning("%s; after a restart alerts may be told twice", text)
            self.error = text
        else:
            self._written, self.error = content, ""
