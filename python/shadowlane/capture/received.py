"""What the receivers of a lane (``shadowlane otlp``, ``shadowlane sink``) were sent, kept in its directory for others.

Invariants: each process adds what it counted since it last did, under a lock, and the file is replaced at once, so that
``received = offered + Σ skipped + Σ rejected`` holds whenever it is read; counts are of one life of the lane and never
fall in it. What a killed process counted in its last second is not in them: the lane's own counters have what it
offered. Whether a receiver lives is said by a lock, which the kernel releases.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from .. import _core
from ..errors import LaneError
from ..files import append_private, write_private

__all__ = ["FILE", "Counts", "Kind", "Noted", "Tally", "read_received"]

log = logging.getLogger("shadowlane.received")

Kind: TypeAlias = Literal["otlp", "sink"]
"""A receiver, by the command that starts it."""
FILE = "receivers.json"
_MUTEX = "receivers.lock"
_EVERY_S = 1.0
_PATIENCE_S = 2.0
_POLL_S = 0.01


class Counts(msgspec.Struct):
    """What became of what came. ``answers``: by HTTP status, where the sender is told what became of it."""

    received: int = 0
    offered: int = 0
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    answers: dict[str, int] = {}

    def plus(self, other: Counts, sign: int = 1) -> Counts:
        """Both together; ``sign`` -1: what this one has more."""
        return Counts(
            self.received + sign * other.received,
            self.offered + sign * other.offered,
            _sum(self.skipped, other.skipped, sign),
            _sum(self.rejected, other.rejected, sign),
            _sum(self.answers, other.answers, sign),
        )


def _sum(one: dict[str, int], other: dict[str, int], sign: int) -> dict[str, int]:
    return {name: one.get(name, 0) + sign * other.get(name, 0) for name in sorted(one.keys() | other.keys())}


class Tally:
    """Counts requests of a receiver, each when its outcome is known. Any thread may read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offered = 0
        self._skipped: Counter[str] = Counter()

    def offer(self) -> None:
        """One more was given to the lane as a whole."""
        with self._lock:
            self._offered += 1

    def skip(self, reason: str) -> None:
        """One more was not."""
        with self._lock:
            self._skipped[reason] += 1

    def counts(self) -> Counts:
        """Of all so far."""
        with self._lock:
            return Counts(self._offered + self._skipped.total(), self._offered, dict(self._skipped))


class _File(msgspec.Struct):
    """``lane_id``: of which life of the lane the counts are."""

    lane_id: str
    receivers: dict[str, Counts]


class Noted:
    """Keeps one process's counts in the lane's ``directory``, while it is entered. ``counts``: all of it so far."""

    def __init__(self, directory: Path, kind: Kind, counts: Callable[[], Counts]) -> None:
        self._directory, self._kind, self._counts = directory, kind, counts
        self._said: Counts | None = None
        self._alive: int | None = None
        self._end = threading.Event()
        self._noting = threading.Lock()
        self._failed = False
        self._thread = threading.Thread(target=self._keep, name="shadowlane-received", daemon=True)

    def __enter__(self) -> Noted:
        self._note()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._note()
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None

    def _keep(self) -> None:
        while not self._end.wait(_EVERY_S):
            self._note()

    def _note(self) -> None:
        """Raises nothing: a receiver goes on where nobody can be told, and says so once."""
        try:
            with self._noting:
                self._be_seen()
                self._add()
        except (OSError, LaneError, msgspec.MsgspecError) as error:
            if not self._failed:
                log.warning("%s: what is received cannot be noted: %s", self._directory / FILE, type(error).__name__)
            self._failed = True
        else:
            self._failed = False

    def _be_seen(self) -> None:
        """Hold the lock that says that a receiver lives; of several one has it, and another takes it over."""
        if self._alive is not None:
            return
        handle = append_private(self._directory / f"{self._kind}.lock")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
        else:
            self._alive = handle

    def _add(self) -> None:
        now = self._counts()
        if now == self._said:
            return
        more = now if self._said is None else now.plus(self._said, -1)
        with _mutex(self._directory):
            lane_id = _core.lane_status(str(self._directory))["lane_id"]
            there = _read(self._directory, lane_id)
            there[self._kind] = there.get(self._kind, Counts()).plus(more)
            write_private(self._directory / FILE, msgspec.json.encode(_File(lane_id, there)))
        self._said = now


@contextlib.contextmanager
def _mutex(directory: Path) -> Iterator[None]:
    """Raises :class:`BlockingIOError` where another process keeps it, as one that is stopped does: nobody waits for it,
    and what is not noted now is noted with the next."""
    handle = append_private(directory / _MUTEX)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(handle)


def _read(directory: Path, lane_id: str) -> dict[str, Counts]:
    """What is noted of this life of the lane; empty where there is nothing that can be read."""
    try:
        found = msgspec.json.decode((directory / FILE).read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError):
        return {}
    return found.receivers if found.lane_id == lane_id else {}


def read_received(directory: Path, lane_id: str) -> dict[str, dict[str, Any]]:
    """By receiver that ever was in this life of the lane: ``up`` (one lives now) and the fields of :class:`Counts`."""
    return {
        kind: {"up": _lives(directory / f"{kind}.lock"), **msgspec.to_builtins(counts)}
        for kind, counts in sorted(_read(directory, lane_id).items())
    }


def _lives(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
