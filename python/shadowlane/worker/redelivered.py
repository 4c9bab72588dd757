"""Copies that a worker before this one may have sent: each takes another unit of the lane's cap before it goes again.

Invariants: they take their units in the order in which they came, and none is waited for longer than a copy may take;
each is started or refused once, whatever raises. They wait in one task, which sleeps until the cap can have a unit: a
thousand that wait cost no more than one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .in_flight import Tracked

__all__ = ["Cap", "Redelivered"]

log = logging.getLogger("shadowlane.worker")

# The rate in force may rise while it sleeps, and gateways take units too.
_SHORTEST_S, _LONGEST_S = 0.001, 1.0


class Cap(Protocol):
    """The lane's cap, as a drainer has it."""

    def try_acquire(self, n: int = 1) -> bool: ...
    def wait_s(self, n: int = 1) -> float: ...


class Redelivered:
    """Those that wait. ``start`` gets each that has its unit; ``refuse`` any other one, with a reason and a detail.
    Neither raises."""

    def __init__(self, cap: Cap, start: Callable[[Tracked], None], refuse: Callable[[Tracked, str, str], None]) -> None:
        self._cap = cap
        self._start = start
        self._refuse = refuse
        self._waiting: deque[tuple[float, Tracked]] = deque()
        self._next_end = math.inf
        """No later than the first of them has waited long enough."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, tracked: Tracked) -> None:
        """Let a copy wait for its unit as long as it may take. On the event loop; :meth:`run` must be running."""
        ends = asyncio.get_running_loop().time() + max(arm.deadline_s for arm in tracked.arms)
        self._next_end = min(self._next_end, ends)
        self._waiting.append((ends, tracked))

    async def run(self) -> None:
        """Until none waits. When it is cancelled, those that wait are neither started nor refused."""
        loop = asyncio.get_running_loop()
        while wait_s := self._take():
            now = loop.time()
            if now >= self._next_end:
                self._give_up(now)
            else:
                await asyncio.sleep(max(min(wait_s, self._next_end - now), _SHORTEST_S))

    def _take(self) -> float:
        """Start those that get a unit now. How long until there is another one, above 0; 0 when none waits."""
        while self._waiting:
            try:
                if not self._cap.try_acquire():
                    return max(min(self._cap.wait_s(), _LONGEST_S), _SHORTEST_S)
            except BaseException as error:  # a panic of an extension is no Exception, and must not cost the row
                log.error("a copy could not take its unit of the cap again: %s", type(error).__name__)
                self._refuse(self._waiting.popleft()[1], "unreadable", f"no unit of the cap: {type(error).__name__}")
            else:
                self._start(self._waiting.popleft()[1])
        return 0.0

    def _give_up(self, now: float) -> None:
        late = [tracked for ends, tracked in self._waiting if ends <= now]
        self._waiting = deque(one for one in self._waiting if one[0] > now)
        self._next_end = min((ends for ends, _ in self._waiting), default=math.inf)
        for tracked in late:
            self._refuse(tracked, "cap", "")
