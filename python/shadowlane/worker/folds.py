"""The worker's task that keeps folds (:mod:`shadowlane.gate.keeping`): a verdict reads the newest rows alone.

Invariants: rows are read by a connection and on a thread of their own, a piece at a time, with rests between; storing
waits for nothing but the putting of a state. Of several workers of one store one does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from ..columns import KeptFold
from ..config import Config
from ..errors import StoreError, StoreLostError
from ..gate.keeping import AHEAD_NS, keep
from ..gate.kept import SHARE
from ..store import Store, open_store
from .writer import Writer

__all__ = ["FoldKeeper", "keep_folds"]

log = logging.getLogger("shadowlane.worker")

_T = TypeVar("_T")

_EVERY_S, _REST = 30.0, 9.0
_LEADS = "retention"
"""The task whose leader does this, too."""
_DONE = object()


async def keep_folds(config: Config, writer: Writer, store: Store, pins: Callable[[], Mapping[str, Any]]) -> None:
    """Keep folds, until cancelled. ``pins``: which versions the hosts of a fleet saw, by shadow. Raises
    :class:`~shadowlane.errors.StoreLostError`."""
    keeper = FoldKeeper(config, writer, store, pins)
    with ThreadPoolExecutor(1, thread_name_prefix="shadowlane-folds") as thread:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await keeper.look(thread)
            except StoreLostError:
                raise
            except StoreError as error:
                log.warning("folds: %s", error)


class FoldKeeper:
    """Looks whether so much came that folds are to be brought forward, and does it."""

    def __init__(
        self,
        config: Config,
        writer: Writer,
        store: Store,
        pins: Callable[[], Mapping[str, Any]] = dict,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._config, self._writer, self._store, self._pins = config, writer, store, pins
        self._clock_ns = clock_ns
        self._newest = 0
        """The block that was the newest one when it was looked last."""
        self._half = 0
        """Which half of an hour that was: in its second one, the next window is folded."""

    async def look(self, thread: ThreadPoolExecutor) -> int:
        """Look once; how many states were put. Raises :class:`~shadowlane.errors.StoreError`."""
        half = self._clock_ns() // AHEAD_NS
        newest, due = await self._writer.call(lambda: self._store.folds_due(self._newest, SHARE))
        leader = self._store.leader(_LEADS)
        if not newest or not (due or half != self._half) or (leader is not None and not leader.left_s):
            return 0
        put = 0
        async with _reading(self._config, thread) as reads:
            work = keep(self._config, {"fleet_pins": self._pins()}, reads, self._clock_ns())
            async for made in _slowly(work, thread):
                if isinstance(made, KeptFold):
                    await self._writer.call(partial(self._store.keep_fold, made))
                    put += 1
                elif made is not None:
                    await self._writer.call(partial(self._store.drop_folds, made))
        self._newest, self._half = newest, half
        return put


@contextlib.asynccontextmanager
async def _reading(config: Config, thread: ThreadPoolExecutor) -> AsyncIterator[Store]:
    loop = asyncio.get_running_loop()
    store = await loop.run_in_executor(thread, partial(open_store, config.store, read_only=True))
    try:
        yield store
    finally:
        await asyncio.shield(loop.run_in_executor(thread, store.close))


async def _slowly(work: Iterator[_T], thread: ThreadPoolExecutor) -> AsyncIterator[_T]:
    """A piece at a time, each with a rest that is some times as long."""
    loop = asyncio.get_running_loop()
    while True:
        begun = time.monotonic()
        piece: Any = await loop.run_in_executor(thread, next, work, _DONE)
        if piece is _DONE:
            return
        yield piece
        await asyncio.sleep(_REST * (time.monotonic() - begun))
