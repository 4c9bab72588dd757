"""Whether the database that is open is still the one that its path names, and what was written to it can be read.

A process that has a file open writes to it after it was deleted, replaced or restored from a copy, and SQLite says
nothing: the rows go to a file that nobody will ever read. Invariant: :meth:`FileIdentity.check` passes only if device
and inode at the path are those that were opened, and a connection of its own, made by the path when database and log
were the files that lie there now, reads back the mark that was written last.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from pathlib import Path
from urllib.parse import quote

from ..errors import StoreLostError

__all__ = ["MARK", "FileIdentity"]

_LOG_HEAD = struct.Struct(">8I")
_LOG_MAGIC = 0x377F0682
MARK = "write_mark"
"""The key in ``meta`` whose value changes with every batch."""


class FileIdentity:
    """The file at ``path`` as it is now, which is when its database was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._file = self._seen(path)
        self._reader: sqlite3.Connection | None = None
        """Opened by the path. Opening one costs several times what reading the mark does."""
        self._read_of: tuple[tuple[int, int] | None, ...] = ()
        """Which files lay there when it was opened: database and log."""
        self._resets = 0
        """The log's salt, which SQLite raises by one with each reset (https://sqlite.org/fileformat2.html §4.1)."""

    def check(self, mark: str) -> None:
        """Raise :class:`StoreLostError` unless the path still names the file, and ``mark`` is what is read there."""
        if self._seen(self._path) != self._file:
            raise StoreLostError(
                f"{self._path}: the database was deleted or replaced while it was open; nothing is acknowledged that "
                "is not in it. A new worker opens what is there now"
            )
        if self._read() != mark or not self._log_is_whole():
            raise StoreLostError(
                f"{self._path}: what was just written cannot be read back: the database or its write-ahead log was "
                "changed by something else; restore the file with no worker running. A new worker opens what is there"
            )

    def close(self) -> None:
        """Close its connection: the last one that is closed takes the log away, and that is the store's."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @staticmethod
    def _seen(path: Path) -> tuple[int, int] | None:
        try:
            status = os.stat(path)  # noqa: PTH116 - device and inode are what matters
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _log_is_whole(self) -> bool:
        """Whether the write-ahead log begins as SQLite left it: else its next reader throws all of it away.

        SQLite's locks are on the database and its -shm file; looking into the log's costs none.
        """
        try:
            with open(self._log, "rb", buffering=0) as file:  # noqa: PTH123 - at a third of the time of its method
                head = file.read(_LOG_HEAD.size)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        if not head:
            return True
        if len(head) < _LOG_HEAD.size:
            return False
        magic, _, _, _, salt, _, first, second = _LOG_HEAD.unpack(head)
        order = ">" if magic == _LOG_MAGIC | 1 else "<"
        if magic | 1 != _LOG_MAGIC | 1 or (first, second) != _checksum(struct.unpack(f"{order}6I", head[:24])):
            return False
        # Counted around 2^32: an older log in its place has a smaller one.
        older = (salt - self._resets) % (1 << 32) > 1 << 31
        if self._resets and older:
            return False
        self._resets = salt
        return True

    def _read(self) -> str:
        # SQLite keeps one set of locks a file and process, so a second connection of its own is safe here.
        there = (self._seen(self._path), self._seen(self._log))
        try:
            if self._reader is None or there != self._read_of:
                self.close()
                self._reader = self._opened()
                self._read_of = there
            row = self._reader.execute("SELECT value FROM meta WHERE key = ?", (MARK,)).fetchone()
        except sqlite3.Error:
            self.close()
            return ""
        return str(row[0]) if row else ""

    def _opened(self) -> sqlite3.Connection:
        address = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        return sqlite3.connect(address, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)


def _checksum(words: tuple[int, ...]) -> tuple[int, int]:
    """SQLite's checksum of the log's header (https://sqlite.org/fileformat2.html §4.2)."""
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) % (1 << 32)
        second = (second + other + first) % (1 << 32)
    return first, second
