"""Keeps in the store what the lane timed, so that the gate can judge mirroring's own cost when the lane is gone.

Invariant: what is written are the sums so far of this life of the lane, so a write that fails, or a worker that is
killed, loses no more than the time until the next write, and nothing is ever counted twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from .. import _core
from ..columns import DIRECT
from ..errors import ShadowlaneError
from ..store.latency import pack

__all__ = ["OverheadRecorder"]

log = logging.getLogger("shadowlane.worker")


class _Store(Protocol):
    def save_latency(self, lane_id: str, at_ns: int, choice: str, ratio: float, counts: bytes) -> None: ...


class OverheadRecorder:
    """Reads the histograms in ``directory`` and writes them to ``store``; call :meth:`record` from time to time."""

    def __init__(self, directory: Path, store: _Store, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._directory = str(directory)
        self._store = store
        self._clock_ns = clock_ns
        self._error = ""

    def record(self) -> None:
        """Write the sums so far, all routes together. An error is logged once, and the next call tries again."""
        try:
            status = _core.lane_status(self._directory)
            edges, routes = _core.lane_times(self._directory)
            taken = np.sum([np.frombuffer(some, np.int64) for _, some, _ in routes], axis=0)
            not_taken = np.sum([np.frombuffer(some, np.int64) for _, _, some in routes], axis=0)
            if taken.any() or not_taken.any():
                counts = pack(np.frombuffer(edges, np.int64), taken, not_taken)
                sampler = status["sampler"]
                now, lane = self._clock_ns(), status["lane_id"]
                self._store.save_latency(lane, now, sampler["choice"], sampler["ratio"], counts)
                buckets, direct = (np.frombuffer(some, np.int64) for some in _core.lane_direct(self._directory))
                # Rows of their own: a row of times is compared with the one before it of the same name.
                counts = pack(buckets, direct, np.zeros_like(direct))
                self._store.save_latency(f"{lane}:{DIRECT}", now, DIRECT, 0.0, counts)
        except ShadowlaneError as error:
            if str(error) != self._error:
                log.warning("what requests took cannot be kept for the gate: %s", error)
            self._error = str(error)
        else:
            self._error = ""
