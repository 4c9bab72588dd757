"""``shadowlane status --check``: whether the lane's worker is at work, for health checks of containers and services.

Invariant: looks at shared memory alone, neither at the store nor at a shadow, so that it answers within moments; a
worker in another pid namespace is seen as well as one beside it (who lives is said by locks).
"""

from __future__ import annotations

from typing import Any

from ..config import Config, lane_directory
from ..files import may_exist
from ..render.text import print_json, print_lines
from .lane import as_json, read_lane
from .render import process

__all__ = ["STALE_S", "run_check"]

STALE_S = 30.0
"""A worker runs at idle priority: on a busy machine its heartbeat, once a second, may be late."""


def run_check(config: Config, *, json: bool = False) -> int:
    """Print one line; returns 0 when a worker is at work, else 1. Raises :class:`~shadowlane.errors.LaneError` for a
    lane that is not safe to read."""
    ok, said = _checked(config)
    if json:
        print_json({"lane": config.lane.name, "ok": ok, "worker": said})
    else:
        print_lines([(said, "good" if ok else "bad")])
    return 0 if ok else 1


def _checked(config: Config) -> tuple[bool, str]:
    directory = lane_directory(config)
    if not may_exist(directory / "control.shm"):
        return False, f"no worker: the lane never started, there is no {directory}"
    worker: dict[str, Any] = as_json(read_lane(directory))["worker"]
    if not worker["alive"]:
        return False, "no worker is running"
    age = worker["heartbeat_age_s"]
    if age is not None and age > STALE_S:
        return False, f"{process(worker)} has not reported itself for {age:.0f} s"
    return True, f"{process(worker)} is at work"
