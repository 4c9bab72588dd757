"""What the worker holds: drained exchanges, their rows on the way to the store, and their acknowledgement.

Invariants: an exchange is acknowledged once, when the last of its rows is stored, and never before; every row that is
put into the queue is counted down once; answers are held up to a bound, and those of calls that are out.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence

from ..dispatch.arm import Arm
from ..types import Copy, Pair

__all__ = ["InFlight", "Tracked"]


class Tracked:
    """A drained exchange, the arms that may get it, and how many of its rows are still to be stored."""

    __slots__ = ("arms", "copy", "open", "size")

    def __init__(self, copy: Copy, arms: list[Arm]) -> None:
        self.copy = copy
        self.arms = arms
        self.open = len(arms)
        self.size = len(copy.body) + len(copy.response_body)


class InFlight:
    """Exchanges between their drain and their acknowledgement, and the queue of their rows on the way to the store."""

    def __init__(self, ack: Callable[[int, int], None], most_bytes: float = math.inf) -> None:
        self._ack = ack
        self._most_bytes = most_bytes
        self._answers = 0
        self.memory = asyncio.Event()
        """Set while the answers that are held are few enough for another call."""
        self.memory.set()
        self._tracked: set[Tracked] = set()
        self._rows: deque[tuple[int, tuple[Tracked, Pair, int]]] = deque()
        """Each with its bytes."""
        self._row_bytes = 0
        """Of all of them."""
        self._unstored = 0
        """Rows that were put and are not stored."""
        self._none_unstored = asyncio.Event()
        self._none_unstored.set()
        self._taker: asyncio.Future[None] | None = None
        self._wanted: tuple[int, float] = (1, math.inf)
        self.bytes = 0
        """Bodies that are held."""

    def __len__(self) -> int:
        return len(self._tracked)

    def add(self, copy: Copy, arms: list[Arm]) -> Tracked:
        """Begin to track an exchange of which one row for each of ``arms`` will be put."""
        tracked = Tracked(copy, arms)
        self._tracked.add(tracked)
        self.bytes += tracked.size
        return tracked

    def grew(self, tracked: Tracked, copy: Copy) -> None:
        """An exchange has more to it than when it was added."""
        size = len(copy.body) + len(copy.response_body)
        self.bytes += size - tracked.size
        tracked.copy, tracked.size = copy, size

    def answered(self, size: int) -> None:
        """An answer of ``size`` bytes came, and is held until its row is stored."""
        self._answers += size
        if self._answers >= self._most_bytes:
            self.memory.clear()

    def put(self, tracked: Tracked, pair: Pair, size: int = 0) -> None:
        """One row of it, to be stored; ``size`` is what :meth:`answered` was told."""
        held = tracked.size + size
        self._rows.append((held, (tracked, pair, size)))
        self._row_bytes += held
        self._unstored += 1
        self._none_unstored.clear()
        if self._taker is not None and self._is_wanted():
            _wake(self._taker)

    async def take(self, most: int, wait_s: float, most_bytes: float = math.inf) -> list[tuple[Tracked, Pair, int]]:
        """Rows to store together: at least one, as many as come within ``wait_s``, at most ``most``, and none more once
        their bodies are ``most_bytes``: scoring and storing take several times that. For one taker at a time."""
        await self._until(1, math.inf, None)
        await self._until(most, most_bytes, wait_s)
        batch: list[tuple[Tracked, Pair, int]] = []
        held = 0
        while self._rows and len(batch) < most and held < most_bytes:
            size, row = self._rows.popleft()
            batch.append(row)
            held += size
        self._row_bytes -= held
        return batch

    async def _until(self, most: int, most_bytes: float, wait_s: float | None) -> None:
        """Until there are so many rows, or so many bytes of them, or the time is over. Woken once, not by every row."""
        self._wanted = (most, most_bytes)
        if self._is_wanted():
            return
        loop = asyncio.get_running_loop()
        self._taker = taker = loop.create_future()
        timer = None if wait_s is None else loop.call_later(wait_s, _wake, taker)
        try:
            await taker
        finally:
            self._taker = None
            if timer is not None:
                timer.cancel()

    def _is_wanted(self) -> bool:
        most, most_bytes = self._wanted
        return len(self._rows) >= most or self._row_bytes >= most_bytes

    def stored(self, batch: Sequence[tuple[Tracked, Pair, int]]) -> None:
        """These rows are committed: acknowledge the exchanges that have no others."""
        for tracked, _, size in batch:
            self._answers -= size
            tracked.open -= 1
            if tracked.open == 0:
                self._ack(tracked.copy.ring, tracked.copy.seq)
                self._tracked.remove(tracked)
                self.bytes -= tracked.size
        self._unstored -= len(batch)
        if not self._unstored:
            self._none_unstored.set()
        if self._answers < self._most_bytes:
            self.memory.set()

    async def settled(self) -> None:
        """Wait until every row that was put is stored."""
        await self._none_unstored.wait()


def _wake(taker: asyncio.Future[None]) -> None:
    if not taker.done():
        taker.set_result(None)
