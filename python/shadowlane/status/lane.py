"""What the core says of a lane, as records: the rings', the cap's, the sampler's and the worker's words.

Invariant: the fields are exactly the keys of the core's ``lane_status``; one more or less on either side is an error,
not a gap. Without values they describe a lane that never started.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from .. import _core
from ..config import Config, lane_directory

__all__ = [
    "CapStatus",
    "Choice",
    "LaneStatus",
    "LeaseStatus",
    "RingStatus",
    "SamplerStatus",
    "SamplingRevision",
    "WorkerStatus",
    "choice_of",
    "read_lane",
    "read_settled",
    "unstarted",
]

_TRIES = 20

Choice = Literal["ratio", "sticky", "sticky by body"]
"""How a gateway chooses: by a coin, by a key at admission, or by a key in the body."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class RingStatus(_Record, frozen=True):
    """One gateway process's ring."""

    ring: int
    pid: int
    alive: bool
    """Whether its process lives, by its lock: whatever its pid namespace."""
    same_namespace: bool
    """Whether ``pid`` is of the reader's pid namespace."""
    bytes: int
    used: int
    """Bytes of records that are not acknowledged."""
    started: int
    mirrored: int
    open: int
    """Requests that were admitted and that prod is still answering."""
    acked: int


class CapStatus(_Record, frozen=True):
    """The lane's cap."""

    qps: float
    burst: int
    available: float
    """Copies that would pass now."""
    rate: float
    """What is in force: less than ``qps`` while the shadows' providers ask for less."""
    paused_s: float = 0.0
    paused_reason: str = ""


class LeaseStatus(_Record, frozen=True):
    """This host's share of its fleet's cap."""

    off: bool
    """Whether mirroring is switched off for the fleet."""
    rate: float
    burst: int
    left_s: float
    """How long it holds yet; 0: there is none, and nothing is mirrored."""
    wanted: int
    """Copies that were asked for, admitted or not."""


class SamplingRevision(_Record, frozen=True):
    """What was counted while one setting of the sampling was in force."""

    number: int
    since_ns: int
    """When it began, Unix time."""
    choice: Choice
    ratio: float
    qps: float
    burst: int
    eligible: int = 0
    taken: int = 0
    dropped: dict[str, int] = {}
    """By reason; without zeros."""


class SamplerStatus(_Record, frozen=True):
    """What the sampler was asked for and what it did."""

    choice: Choice
    ratio: float
    eligible: int = 0
    taken: int = 0
    revisions: list[SamplingRevision] = []
    """The oldest first; the last one is in force."""


class WorkerStatus(_Record, frozen=True):
    """The worker, by its lock and its heartbeat."""

    pid: int = 0
    alive: bool = False
    same_namespace: bool = True
    """Whether ``pid`` is of the reader's pid namespace."""
    heartbeat_age_s: float | None = None


class LaneStatus(_Record, frozen=True):
    """``seen = mirrored + Σ dropped`` over all gateway processes of this life of the lane, dead ones included."""

    directory: str
    cap: CapStatus
    sampler: SamplerStatus
    lease: LeaseStatus | None = None
    """``None``: the cap is this host's own."""
    lane_id: str = ""
    enabled: bool = True
    seen: int = 0
    """Requests that are settled."""
    open: int = 0
    """Requests that were admitted and that prod is still answering."""
    mirrored: int = 0
    dropped: dict[str, int] = {}
    """By reason, see :data:`shadowlane.types.REASONS`; without zeros."""
    acked: int = 0
    corrupt: int = 0
    """Frames that were damaged in memory."""
    faults: int = 0
    """Failures of our own on the user path, swallowed."""
    rings: list[RingStatus] = []
    refused: list[str] = []
    """Rings that cannot be read, and why; in one line all that the worker cannot open now."""
    older: list[str] = []
    """Lanes of other releases in the same directory, in words."""
    unread: str = ""
    """What was lost with such lanes, in words; empty when nothing was."""
    ringless: int = 0
    """Processes without a ring: they mirror nothing."""
    ring_error: str = ""
    """Why the last one of these has none."""
    worker: WorkerStatus = WorkerStatus()


def read_lane(directory: Path) -> LaneStatus:
    """The lane now. Raises :class:`~shadowlane.errors.LaneError` when there is none, or it is not safe to read."""
    return msgspec.convert(_core.lane_status(str(directory)), LaneStatus)


def read_settled(directory: Path) -> tuple[LaneStatus, bool]:
    """The lane's counters, read again while requests are being counted in between, and whether they add up."""
    for _ in range(_TRIES):
        status = read_lane(directory)
        if status.seen == status.mirrored + sum(status.dropped.values()):
            return status, True
    return status, False


def unstarted(config: Config) -> LaneStatus:
    """What a lane of this configuration is before its first gateway."""
    cap, sampling = config.limits, config.sampling
    return LaneStatus(
        directory=str(lane_directory(config)),
        cap=CapStatus(qps=cap.qps, burst=cap.burst, available=float(cap.burst), rate=cap.qps),
        sampler=SamplerStatus(choice=choice_of(config), ratio=sampling.ratio),
    )


def choice_of(config: Config) -> Choice:
    """How a gateway of this configuration would choose."""
    if config.sampling.mode == "ratio":
        return "ratio"
    return "sticky by body" if config.sampling.key.startswith("json:") else "sticky"


def as_json(status: LaneStatus) -> dict[str, Any]:
    """The same, as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(status)
    return plain
