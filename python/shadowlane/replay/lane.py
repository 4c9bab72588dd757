"""A lane of the replay's own: recorded exchanges go in as a gateway's do, and come out as a worker drains them.

Invariants: admission, redaction and policy are those of the configuration, and no counter, ring or cap of the real lane
knows of it; each exchange keeps the name, the moment and the times that it was recorded with; an exchange is either in
the ring or refused with a reason.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from .. import _core
from ..capture.lane import Lane
from ..config import Config, SamplingConfig, WorkerConfig
from ..detect.cleaner import Redaction, open_cleaner
from ..errors import LaneError
from ..policy import lane_policy
from ..sources import Answered, Recorded
from ..types import FLAG_NO_PROD, FLAG_REPLAYED, Copy

__all__ = ["ReplayLane"]

_FIELDS = {one.name: position for position, one in enumerate(msgspec.structs.fields(Copy))}
_NUMBER_SHIFT = 12
"""Where an exchange's number stands in its flags; below it are those of :mod:`shadowlane.types`."""
_MOST_HELD = 1 << (32 - _NUMBER_SHIFT)
_FLAGS = (1 << _NUMBER_SHIFT) - 1


class _Kept(msgspec.Struct, frozen=True):
    """What a frame does not carry: its clocks are the gateway's."""

    shadow_id: str
    started_ns: int
    duration_ns: int
    size: int


class ReplayLane:
    """The lane and its drainer; :class:`shadowlane.worker.pipeline.Pipeline` takes it for one."""

    def __init__(self, config: Config, directory: Path) -> None:
        self.directory = directory
        limits = msgspec.structs.replace(
            config.limits, cap_mode="first", backpressure="drop_newest", prod_quota_floor=0.0
        )
        own = msgspec.structs.replace(
            config,
            lane=msgspec.structs.replace(config.lane, directory=str(directory), worker="external"),
            sampling=SamplingConfig(ratio=1.0),
            limits=limits,
            worker=WorkerConfig(),
        )
        self._lane = Lane.open(own)
        if self._lane.ring_error:
            self._lane.close()
            raise LaneError(f"{self._lane.ring_error}; set TMPDIR to a folder with room")
        self.core = _core.Drainer(
            str(directory),
            rules=config.sanitize.rules_dict(),
            ignore=config.sanitize.hash_ignore,
            policy=lane_policy(config),
            tenant_key=config.limits.tenant_key or None,
        )
        self.redaction: Redaction = open_cleaner(config, directory)
        self._drainer = self.redaction.drainer(self.core)
        self._room = config.lane.ring_bytes // 2
        self._kept: dict[int, _Kept] = {}
        self._next = 0
        self._waiting_bytes = 0
        self._lock = threading.Lock()  # the drain is on a thread of its own
        self.offered = 0
        """Exchanges that were put into the ring."""
        self.acked = 0
        """Those of them whose rows are stored."""
        self.pending = self._drainer.pending
        self.live_producers = self._drainer.live_producers
        self.suspects = self._drainer.suspects
        self.try_acquire = self._drainer.try_acquire
        self.wait_s = self._drainer.wait_s
        self.available = self._drainer.available

    @classmethod
    @contextlib.contextmanager
    def open(cls, config: Config) -> Iterator[ReplayLane]:
        """The lane in a folder that is gone at the end. Raises :class:`~shadowlane.errors.LaneError`."""
        try:
            made = tempfile.TemporaryDirectory(prefix="shadowlane-replay-", ignore_cleanup_errors=True)
        except OSError as error:
            raise LaneError(f"no temporary folder can be used: {error.strerror}; set TMPDIR to one") from None
        with made as folder:
            lane = cls(config, Path(folder) / "lane")
            try:
                yield lane
            finally:
                lane.close()

    def has_room(self, record: Recorded) -> bool:
        """Whether the ring takes it now; one that is larger than the room is tried when the ring is empty."""
        held = self._waiting_bytes
        return len(self._kept) < _MOST_HELD // 2 and (not held or held + _size(record) < self._room)

    def put(self, record: Recorded, shadow_id: str, started_ns: int) -> str:
        """Admit and offer an exchange; returns why not, a reason of :data:`~shadowlane.types.REASONS`, or nothing.

        ``cap`` is one of these: the same may be put again later.
        """
        before = self._lane.status()["dropped"]
        headers = list(record.headers)
        ticket = self._lane.admit(record.method, record.target.partition("?")[0], headers)
        if ticket is None:
            return self._why(before)
        prod = record.prod or Answered(status=0)
        number = self._next
        flags = FLAG_REPLAYED | (0 if record.prod else FLAG_NO_PROD) | number << _NUMBER_SHIFT
        size = _size(record)
        # Before the frame can be drained, on the thread of the drain.
        self._kept[number] = _Kept(shadow_id, started_ns, prod.duration_ns, size)
        self._wait_for(size)
        if not self._lane.offer(
            ticket,
            record.target,
            headers,
            record.body,
            prod.status,
            list(prod.headers),
            prod.body,
            prod.ttfb_ns or prod.duration_ns,
            flags,
        ):
            self._wait_for(-self._kept.pop(number).size)
            return self._why(before)
        self._next = (number + 1) % _MOST_HELD
        self.offered += 1
        return ""

    def _wait_for(self, size: int) -> None:
        with self._lock:
            self._waiting_bytes += size

    def _why(self, before: dict[str, int]) -> str:
        after = self._lane.status()["dropped"]
        return next((reason for reason, n in after.items() if n > before.get(reason, 0)), "unreadable")

    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]:
        """As ``Drainer.drain``, each copy with its own name, moment and times."""
        return [self._as_recorded(row) for row in self._drainer.drain(max_frames, max_bytes)]

    def _as_recorded(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        fields = list(row)
        flags = fields[_FIELDS["flags"]]
        kept = self._kept.pop(flags >> _NUMBER_SHIFT)
        self._wait_for(-kept.size)
        fields[_FIELDS["flags"]] = flags & _FLAGS
        fields[_FIELDS["shadow_id"]] = kept.shadow_id
        fields[_FIELDS["started_ns"]] = kept.started_ns
        fields[_FIELDS["duration_ns"]] = kept.duration_ns
        return tuple(fields)

    def ack(self, ring: int, seq: int) -> None:
        """As ``Drainer.ack``, counted."""
        self._drainer.ack(ring, seq)
        self.acked += 1

    def close(self) -> None:
        """Give the ring back; what is in it is forgotten."""
        self._lane.close()
        self.core.close()


def _size(record: Recorded) -> int:
    return len(record.body) + (len(record.prod.body) if record.prod else 0) + 4096
