"""What the worker holds: drained exchanges, their rows on the way to the store, and their acknowledgement.

Invariants: an exchange is acknowledged once, when the last of its rows is stored, and never before; every row that is
put into the queue is counted down once; answers are held up to a bound, and those of calls that are out.
"""

from __future__ import annotations

import asyncio
import math
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
        self._rows: asyncio.Queue[tuple[Tracked, Pair, int]] = asyncio.Queue()
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
        self._rows.put_nowait((tracked, pair, size))

    async def take(self, most: int, wait_s: float, most_bytes: float = math.inf) -> list[tuple[Tracked, Pair, int]]:
        """Rows to store together: at least one, as many as come within ``wait_s``, at most ``most``, and none more once
        their bodies are ``most_bytes``: scoring and storing take several times that."""
        loop = asyncio.get_running_loop()
        batch = [await self._rows.get()]
        deadline = loop.time() + wait_s
        held = _bytes(batch[0])
        while len(batch) < most and held < most_bytes:
            try:
                wait = max(deadline - loop.time(), 0.0)
                row = (
                    self._rows.get_nowait()
                    if not self._rows.empty()
                    else await asyncio.wait_for(self._rows.get(), wait)
                )
            except asyncio.TimeoutError:
                break
            batch.append(row)
            held += _bytes(row)
        return batch

    def stored(self, batch: Sequence[tuple[Tracked, Pair, int]]) -> None:
        """These rows are committed: acknowledge the exchanges that have no others."""
        for tracked, _, size in batch:
            self._answers -= size
            tracked.open -= 1
            if tracked.open == 0:
                self._ack(tracked.copy.ring, tracked.copy.seq)
                self._tracked.remove(tracked)
                self.bytes -= tracked.size
            self._rows.task_done()
        if self._answers < self._most_bytes:
            self.memory.set()

    async def settled(self) -> None:
        """Wait until every row that was put is stored."""
        await self._rows.join()


def _bytes(row: tuple[Tracked, Pair, int]) -> int:
    tracked, _, size = row
    return tracked.size + size
