"""Takes copies out of the rings: at once where there is little, on a thread of its own where there is much.

Handing work to a thread and waiting for its end costs more than draining a handful of copies does. Invariants: no more
than :data:`DRAINED_AT_ONCE` bytes are drained on the event loop, and no frame there that a killed worker had in its
hands: such a one may take the process with it, and the loop says that it lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

__all__ = ["DRAINED_AT_ONCE", "Intake"]

DRAINED_AT_ONCE = 64 * 1024
"""Bytes of frames that are drained on the event loop."""
_FRAMES = 128
_BYTES = 8 * 1024 * 1024
_HANDFUL = 32
# Copies are not urgent, and each look at the rings finds the processor's caches cold: that costs more than a copy. So
# they are taken in handfuls, and often only where they come so fast, or are so large, that the rings might fill.
_PAUSE_MIN_S, _PAUSE_MAX_S = 0.02, 0.1


class _Drainer(Protocol):
    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]: ...
    def suspects(self) -> int: ...


class Intake:
    """The drain of a pipeline.

    ``undrained`` says how many bytes lie in the rings; without it, as where a detector of the user's looks at each copy
    or copies come over a network, all is drained on the thread.
    """

    def __init__(self, drainer: _Drainer, undrained: Callable[[], int] | None = None) -> None:
        self._drainer = drainer
        self._undrained = undrained
        self.pause_s = 0.0
        """How long to wait before the next :meth:`take`; 0: there was more than is taken at a time."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-drain")

    async def take(self) -> list[tuple[Any, ...]]:
        """What there is now, and sets :attr:`pause_s`."""
        little = self._is_little()
        if little:
            rows = self._drainer.drain(_FRAMES, _BYTES)
            await asyncio.sleep(0)  # who takes again and again leaves the loop its turns
        else:
            loop = asyncio.get_running_loop()
            rows = await loop.run_in_executor(self._thread, self._drainer.drain, _FRAMES, _BYTES)
        if len(rows) >= _FRAMES:
            self.pause_s = 0.0
        elif rows:
            self.pause_s = _PAUSE_MAX_S if little and len(rows) < _HANDFUL else _PAUSE_MIN_S
        else:
            self.rest()
        return rows

    def rest(self) -> None:
        """Nothing is taken now: wait longer before the next look."""
        self.pause_s = min(max(2 * self.pause_s, _PAUSE_MIN_S), _PAUSE_MAX_S)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _is_little(self) -> bool:
        if self._undrained is None or self._undrained() > DRAINED_AT_ONCE:
            return False
        return not self._drainer.suspects()  # behind undrained(), which finds rings that are new to the drainer
