"""The slots of one shadow: how many calls are out at a time, and who waits for the next one, first come first served.

A semaphore of plain calls, from whose queue the oldest waiter can be evicted. Invariants: no more than ``concurrency``
slots are acquired; a slot that is released goes to the one that has waited longest, never to one that comes; whoever
leaves the queue, by its deadline, its cancellation or an eviction, leaves no gap in it; a waiter is told once, or left.
One timer serves the whole queue: nearly every waiter gets its slot, and never needs one of its own.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Literal

__all__ = ["Slots", "Turn", "Waiter"]

Turn = Literal["slot", "late", "evicted"]
"""What becomes of one that waits: it has the slot, which it must release; it waited until its time; it was evicted."""


class Waiter:
    """One that waits for a slot. ``turn`` is told what became of it, and does not raise."""

    __slots__ = ("latest", "turn")

    def __init__(self, latest: float, turn: Callable[[Turn], None]) -> None:
        self.latest = latest
        self.turn = turn


class Slots:
    """A counted set of slots on one event loop."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._acquired = 0
        self._queue: dict[Waiter, None] = {}  # in the order of coming; while it holds one, all slots are acquired
        self._given: deque[Waiter] = deque()
        """Those that have their slot and are told in the loop's next turn: not within ``release``, whose caller may
        have more to do before the next call begins, and may be such a turn itself."""
        self._giving = False
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf
        """When the timer is due: no later than the first deadline in the queue."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def acquire(self) -> bool:
        """Take a slot that is free now; ``False``: :meth:`wait` for one."""
        if self._acquired >= self.concurrency:
            return False
        self._acquired += 1
        return True

    def wait(self, latest: float, turn: Callable[[Turn], None]) -> Waiter:
        """Wait for a slot until ``latest`` (the loop's time). Where :meth:`acquire` gave none."""
        waiter = Waiter(latest, turn)
        self._queue[waiter] = None
        self._ring_at(latest)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """A waiter goes away, and is not told anything. A slot that it has just got is the next one's."""
        if not self._dequeue(waiter) and waiter in self._given:
            self._given.remove(waiter)
            self.release()

    def release(self) -> None:
        """The slot goes to the next in the queue."""
        waiter = next(iter(self._queue), None)
        if waiter is None:
            self._acquired -= 1
            return
        self._dequeue(waiter)
        self._given.append(waiter)
        if not self._giving:
            self._giving = True
            asyncio.get_running_loop().call_soon(self._give)

    def evict(self) -> bool:
        """Send the one away that has waited longest; ``False`` when nobody waits."""
        waiter = next(iter(self._queue), None)
        if waiter is None:
            return False
        self._dequeue(waiter)
        waiter.turn("evicted")
        return True

    def _give(self) -> None:
        self._giving = False
        for _ in range(len(self._given)):  # those that are given a slot meanwhile have the loop's next turn
            if self._given:
                self._given.popleft().turn("slot")

    def _ring_at(self, moment: float) -> None:
        """Have the timer due at ``moment`` at the latest."""
        if moment < self._rings_at:
            if self._timer is not None:
                self._timer.cancel()
            self._rings_at = moment
            self._timer = asyncio.get_running_loop().call_at(moment, self._late)

    def _late(self) -> None:
        # A loop's timer may be early by the resolution of its clock.
        now = max(asyncio.get_running_loop().time(), self._rings_at)
        self._timer, self._rings_at = None, math.inf
        for waiter in [waiter for waiter in self._queue if waiter.latest <= now]:
            if self._dequeue(waiter):
                waiter.turn("late")
        self._ring_at(min((waiter.latest for waiter in self._queue), default=math.inf))

    def _dequeue(self, waiter: Waiter) -> bool:
        """Take it out of the queue; ``False``: it had left it before."""
        if waiter not in self._queue:
            return False
        del self._queue[waiter]
        return True
