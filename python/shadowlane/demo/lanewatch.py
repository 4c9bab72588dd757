"""Watches the demonstration's lane: waits until every copy is stored, and until the worker has left.

Invariant: waiting follows the lane's own counters and gives up only when they stand still, never after a blind pause.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import _core
from .processes import DemoError

__all__ = ["is_drained", "wait_until_drained", "worker_pid"]

_STALL_S = 30.0
_POLL_S = 0.1


def worker_pid(directory: Path) -> int:
    """The process id of the lane's worker; 0 when it has none."""
    worker = _core.lane_status(str(directory))["worker"]
    return int(worker["pid"] or 0) if worker["alive"] else 0


def is_drained(status: dict[str, Any]) -> bool:
    """Whether no request is open and every mirrored exchange was acknowledged, which happens after it is stored."""
    return status["open"] == 0 and all(ring["used"] == 0 for ring in status["rings"])


def wait_until_drained(
    directory: Path,
    check: Callable[[], None],
    *,
    stall_s: float = _STALL_S,
    read: Callable[[str], dict[str, Any]] = _core.lane_status,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The lane's status once it is drained. ``check`` is called at each look, and raises when a part has failed.

    Raises DemoError when nothing changes for ``stall_s`` seconds.
    """
    last: Any = None
    changed = clock()
    while True:
        check()
        status = read(str(directory))
        if is_drained(status):
            return status
        now = (status["open"], [ring["used"] for ring in status["rings"]])
        if now != last:
            last, changed = now, clock()
        elif clock() - changed > stall_s:
            alive = "lives" if status["worker"]["alive"] else "does not live"
            raise DemoError(
                f"worker: {sum(now[1])} bytes in the rings and {now[0]} open requests have not moved "
                f"for {stall_s:.0f} s; the worker {alive}; its log is {directory / 'worker.log'}"
            )
        sleep(_POLL_S)
