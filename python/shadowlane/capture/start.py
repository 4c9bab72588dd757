"""The right to start the lane's worker: a lock that goes from the gateway to the worker that it starts.

Invariants: it is held from before the worker's process is made until that has the lane, or ends; the kernel gives it
back, whoever is killed. A gateway that is forked meanwhile does not hold it.

It is ``flock(2)``, which belongs to the open file: the worker inherits the descriptor, the gateway closes its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from ..config.worker_file import START_LOCK, START_LOCK_ENV

__all__ = ["StartLock", "take_start_lock"]

_OPEN: set[int] = set()
"""Descriptors of this process that no forked gateway may keep."""


class StartLock:
    """The lock, held by this process."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        _OPEN.add(handle)

    def fileno(self) -> int:
        """The descriptor that the worker inherits."""
        return self._handle

    def environment(self) -> dict[str, str]:
        """What tells the worker which descriptor it is."""
        return {START_LOCK_ENV: str(self._handle)}

    def release(self) -> None:
        """Give it back; a worker that inherited it holds it on."""
        _OPEN.discard(self._handle)
        os.close(self._handle)


def take_start_lock(directory: Path) -> StartLock | None:
    """The lock of the lane in ``directory``; ``None`` while another process holds it.

    Raises :class:`OSError` when the file cannot be made.
    """
    path = directory / START_LOCK
    lock = StartLock(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.release()
        return None
    except BaseException:
        lock.release()
        raise
    return lock


def _close_in_child() -> None:
    for handle in _OPEN:
        with contextlib.suppress(OSError):
            os.close(handle)
    _OPEN.clear()


os.register_at_fork(after_in_child=_close_in_child)
