"""A value that takes long to compute, for however many ask.

Invariants: it is computed once at a time, on a thread of its own, and takes at most a thirtieth of the time; who
asks after :meth:`Cached.invalidate` gets nothing that was begun before it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

__all__ = ["Cached"]

_T = TypeVar("_T")
_KEEP_S = 5.0
_REST = 30.0
"""While it is computed the event loop turns late now and then, since both need the interpreter."""
_STALE_S = 900.0


class Cached(Generic[_T]):
    """``compute`` runs on ``thread`` and must not raise. Belongs to one event loop.

    A value is kept for ``keep_s`` and for thirty times as long as it took, up to fifteen minutes; until then an older
    one is given to who cannot wait for the next.
    """

    def __init__(
        self,
        compute: Callable[[], _T],
        thread: Executor,
        *,
        keep_s: float = _KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute = compute
        self._thread = thread
        self._keep_s = keep_s
        self._clock = clock
        self._value: _T | None = None
        self._at = self._took = 0.0
        self._asked = 0
        """How often :meth:`invalidate` was called."""
        self._task: asyncio.Task[_T] | None = None

    @property
    def last(self) -> _T | None:
        """The last value, however old it is; ``None``: there is none, or it is void."""
        return self._value

    async def get(self, wait_s: float) -> _T:
        """The value, after ``wait_s`` at most. Raises :class:`asyncio.TimeoutError` when there is none by then."""
        age = self._clock() - self._at
        if self._value is not None and age <= max(self._keep_s, min(_REST * self._took, _STALE_S)):
            return self._value
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            return await asyncio.wait_for(asyncio.shield(self._task), wait_s)
        except asyncio.TimeoutError:
            if self._value is not None and self._clock() - self._at <= _STALE_S:
                return self._value
            raise

    def invalidate(self) -> None:
        """What is known, or being computed now, is not what is asked for any more."""
        self._value = None
        self._asked += 1

    async def _run(self) -> _T:
        loop = asyncio.get_running_loop()
        while True:
            asked, begun = self._asked, self._clock()
            value = await loop.run_in_executor(self._thread, self._compute)
            if asked == self._asked:
                self._value, self._at = value, self._clock()
                self._took = self._at - begun
                return value
