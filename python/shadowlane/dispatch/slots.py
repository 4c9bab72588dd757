"""The places of one shadow: how many calls are out at a time, and who waits for the next one, first come first served.

Invariants: no more than ``concurrency`` places are taken; a place that is given back goes to the one that has waited
longest; whoever leaves the line, by its time, its cancellation or because it was let go, leaves no gap in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Places"]


class Places:
    """A counted set of places on one event loop."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._taken = 0
        self._line: dict[asyncio.Future[bool], Callable[[], None]] = {}  # in the order of coming

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    async def take(self, latest: float, let_go: Callable[[], None] = lambda: None) -> bool:
        """Wait for a place until ``latest`` (the loop's time); ``False``: none was free, or this one was let go.

        ``let_go`` is called at the moment at which :meth:`let_go` chooses this one.
        """
        if self._taken < self.concurrency:
            self._taken += 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line[turn] = let_go
        timer = loop.call_at(latest, self._leave, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self.give_back()  # it came with the cancellation: the next one's
            raise
        finally:
            timer.cancel()
            self._line.pop(turn, None)

    def give_back(self) -> None:
        """The place goes to the next in the line."""
        for turn in self._line:
            if not turn.done():
                del self._line[turn]
                turn.set_result(True)
                return
        self._taken -= 1

    def let_go(self) -> bool:
        """Send the one away that has waited longest; ``False`` when nobody waits."""
        for turn, called in self._line.items():
            if not turn.done():
                self._leave(turn)
                called()
                return True
        return False

    def _leave(self, turn: asyncio.Future[bool]) -> None:
        self._line.pop(turn, None)
        if not turn.done():
            turn.set_result(False)
