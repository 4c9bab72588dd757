"""The slots of one shadow: how many calls are out at a time, and who waits for the next one, first come first served.

A semaphore from whose queue the oldest waiter can be evicted. Invariants: no more than ``concurrency`` slots are
acquired; a slot that is released goes to the one that has waited longest; whoever leaves the queue, by its deadline,
its cancellation or an eviction, leaves no gap in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Slots"]


class Slots:
    """A counted set of slots on one event loop."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._acquired = 0
        self._queue: dict[asyncio.Future[bool], Callable[[], None]] = {}  # in the order of coming

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    async def acquire(self, latest: float, on_evict: Callable[[], None] = lambda: None) -> bool:
        """Wait for a slot until ``latest`` (the loop's time); ``False``: none was free, or this waiter was evicted.

        ``on_evict`` is called at the moment at which :meth:`evict` chooses this one.
        """
        if self._acquired < self.concurrency:
            self._acquired += 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._queue[turn] = on_evict
        timer = loop.call_at(latest, self._leave, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self.release()  # it came with the cancellation: the next one's
            raise
        finally:
            timer.cancel()
            self._queue.pop(turn, None)

    def release(self) -> None:
        """The slot goes to the next in the queue."""
        for turn in self._queue:
            if not turn.done():
                del self._queue[turn]
                turn.set_result(True)
                return
        self._acquired -= 1

    def evict(self) -> bool:
        """Send the one away that has waited longest; ``False`` when nobody waits."""
        for turn, on_evict in self._queue.items():
            if not turn.done():
                self._leave(turn)
                on_evict()
                return True
        return False

    def _leave(self, turn: asyncio.Future[bool]) -> None:
        self._queue.pop(turn, None)
        if not turn.done():
            turn.set_result(False)
