"""The right to start the lane's worker: a lock that goes from the gateway to the worker that it starts.

Invariants: it is held from before the worker's process is made until that has the lane, or ends; the kernel gives it
back, whoever is killed. A gateway that is forked meanwhile does not hold it.

It is ``flock(2)``, which belongs to the open file: the worker inherits the descriptor, the gateway closes its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

from ..config.worker_file import START_LOCK, START_LOCK_ENV

__all__ = ["StartLock", "take_start_lock"]

_OPEN: set[int] = set()
"""Descriptors of this process that no forked gateway may keep."""

_FORKS = threading.RLock()
"""Held while a descriptor is open and not in ``_OPEN``, and by every fork: a child that got such a one would hold the
lock as long as it lives. The same thread may take it again: a signal handler that forks must not wait for itself."""


class StartLock:
    """An open file of the lock, known to forks."""

    def __init__(self, path: Path) -> None:
        with _FORKS:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            _OPEN.add(self._handle)

    def fileno(self) -> int:
        """The descriptor that the worker inherits."""
        return self._handle

    def environment(self) -> dict[str, str]:
        """What tells the worker which descriptor it is."""
        return {START_LOCK_ENV: str(self._handle)}

    def release(self) -> None:
        """Give it back; a worker that inherited it holds it on."""
        with _FORKS:
            _OPEN.discard(self._handle)
            os.close(self._handle)


def take_start_lock(directory: Path) -> StartLock | None:
    """The lock of the lane in ``directory``; ``None`` while another process holds it.

    Raises :class:`OSError` when the file cannot be made.
    """
    lock = StartLock(directory / START_LOCK)
    try:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.release()
        return None
    except BaseException:
        lock.release()
        raise
    return lock


def _before_fork() -> None:
    _FORKS.acquire()


def _after_fork() -> None:
    _FORKS.release()


def _after_fork_in_child() -> None:
    for handle in _OPEN:
        with contextlib.suppress(OSError):
            os.close(handle)
    _OPEN.clear()
    _FORKS.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
