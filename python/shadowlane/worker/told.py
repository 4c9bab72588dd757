"""Whether the worker was told to end, by SIGTERM or SIGINT.

Invariant: from :meth:`Told.listen` to the last moment of the process neither signal ends it. One that comes before an
event loop heeds it is heard by the next loop; who starts a worker may block them until then, see
:func:`shadowlane.capture.supervisor.spawn_worker`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

__all__ = ["Told"]

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Told:
    """For the process's main thread."""

    def __init__(self) -> None:
        self.heard = False
        """Whether it was told."""
        self._tell: Callable[[], object] | None = None

    def listen(self) -> None:
        """Take the place of the system's own answer to these signals, which ends the process."""
        for number in _NUMBERS:
            signal.signal(number, self._hear)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)

    @contextlib.contextmanager
    def telling(self, loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> Iterator[None]:
        """Call ``end`` on the loop for each signal, and for those that came before, once."""
        self._tell = lambda: loop.call_soon_threadsafe(end)
        if self.heard:
            end()
        try:
            yield
        finally:
            self._tell = None

    def _hear(self, number: int, frame: object) -> None:
        self.heard = True
        if self._tell is not None:
            self._tell()
