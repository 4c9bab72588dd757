"""What runs beside the pipeline on the worker's event loop, and what it may ask of the worker.

The worker knows nothing of it but this: rooms above give it to :func:`.process.run_worker`. Invariant: the worker's own
work neither waits for it nor ends by it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ..errors import ShadowlaneError, StoreError
from ..store import Store
from .writer import Writer

__all__ = ["NoSide", "Side", "WorkerView"]

_T = TypeVar("_T")
_PROBE_S = 3.0
_PROBED_FOR_S = 2.0


class WorkerView:
    """The worker as its side sees it."""

    def __init__(self, is_in_place: Callable[[], bool]) -> None:
        self._is_in_place = is_in_place
        self.not_ready = "the worker is starting: its embedder is not loaded yet"
        """Why the worker does not do its work now; empty when it does."""
        self._writer: Writer | None = None
        self._store: Store | None = None
        self._probe: asyncio.Task[str] | None = None
        self._probed_at = -math.inf
        self._opened = asyncio.Event()
        self._forwards = False

    @property
    def in_place(self) -> bool:
        """Whether the lane's files are the ones that this worker holds."""
        return self._is_in_place()

    def opened(self, writer: Writer, store: Store) -> None:
        """The embedder is loaded and the store is open."""
        self._writer, self._store, self.not_ready = writer, store, ""
        self._opened.set()

    def forwarding(self) -> None:
        """It does its work, which needs no store."""
        self.not_ready, self._forwards = "", True
        self._opened.set()

    async def ready(self) -> None:
        """Wait until the worker has begun its work."""
        await self._opened.wait()

    def stopping(self) -> None:
        """The worker was told to end; what is in flight is still stored."""
        self.not_ready = "the worker is stopping"

    def closed(self) -> None:
        """Its store is about to be closed."""
        self.stopping()
        self._writer = self._store = None

    async def with_store(self, work: Callable[[Store], _T]) -> _T:
        """Do something with the worker's own store, on the thread that has it: a process opens a store for writing
        once. Raises :class:`~shadowlane.errors.StoreError` while there is none."""
        writer, store = self._writer, self._store
        if writer is None or store is None:
            why = "this host forwards its copies, and its judges have the store" if self._forwards else self.not_ready
            raise StoreError(f"the store is not open: {why}")
        try:
            return await writer.call(lambda: work(store))
        except RuntimeError:  # its thread has ended
            raise StoreError("the store is not open: the worker is stopping") from None

    async def trouble(self) -> str:
        """Why the worker cannot mirror now, in a line without a path; empty when it can: it holds its lane, and a write
        to its store was tried."""
        if self.not_ready:
            return self.not_ready
        if not self.in_place:
            return "the lane's files were removed or replaced"
        if self._forwards:
            return ""
        if self._writer is not None and self._writer.error:
            return "nothing can be stored: see shadowlane status"
        now = asyncio.get_running_loop().time()
        if self._probe is None or (self._probe.done() and now - self._probed_at > _PROBED_FOR_S):
            # One write at a time, however many ask: it waits on the thread that stores the pairs.
            self._probe, self._probed_at = asyncio.create_task(self._try_to_write()), now
        try:
            return await asyncio.wait_for(asyncio.shield(self._probe), _PROBE_S)
        except asyncio.TimeoutError:
            return f"the store did not take a write within {_PROBE_S:.0f} s"

    async def _try_to_write(self) -> str:
        try:
            await self.with_store(_probe)
        except ShadowlaneError:
            return self.not_ready or "the store cannot be written: see the worker's log"
        return ""


def _probe(store: Store) -> None:
    store.probe()
    store.check()


class Side(Protocol):
    """Something that runs beside the worker."""

    async def start(self, worker: WorkerView) -> None:
        """Begin. Raises nothing: what is wrong is said by :meth:`state`."""

    async def close(self) -> None:
        """End, at once and for good. Raises nothing."""

    def state(self) -> Mapping[str, Any]:
        """What ``shadowlane status`` shows of it, JSON-ready: ``endpoint``, ``alerting``."""


class NoSide:
    """Nothing runs beside the worker."""

    async def start(self, worker: WorkerView) -> None:
        pass

    async def close(self) -> None:
        pass

    def state(self) -> Mapping[str, Any]:
        return {}
