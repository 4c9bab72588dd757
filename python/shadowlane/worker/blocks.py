"""The worker's task that makes blocks (:mod:`shadowlane.store.blocks`); the log says how far it is where many lack.

Invariant: storing waits for one block at most, and then for none in the next twenty times as long.
"""

from __future__ import annotations

import asyncio
import logging
import time

from .writer import Writer

__all__ = ["roll_up"]

log = logging.getLogger("shadowlane.worker")

_EVERY_S, _SOON_S, _REST = 30.0, 1.0, 20.0
_SAID_EVERY_S = 60.0


async def roll_up(writer: Writer) -> None:
    """Make blocks, for ever. Raises :class:`~shadowlane.errors.StoreLostError`."""
    rest_s, progress = _EVERY_S, _Progress(writer)
    while True:
        await asyncio.sleep(rest_s)
        begun = time.monotonic()
        more = await writer.roll_up()
        # Storing waits for it, and a store of before has many to make.
        rest_s = max(_REST * (time.monotonic() - begun), _SOON_S) if more else _EVERY_S
        await progress.tell()


class _Progress:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._said_at: float | None = None
        """``None``: there are not many to make."""
        self._damaged: int | None = None
        """So many were when it was looked last."""

    async def tell(self) -> None:
        now = time.monotonic()
        if self._said_at is not None and now < self._said_at + _SAID_EVERY_S:
            return
        found = await self._writer.backlog()
        if found is None:
            return
        backlog, damaged = found
        before, self._damaged = self._damaged, damaged
        if before is not None and damaged > before:
            log.warning(
                "blocks: %d damaged, dropped and made anew of their rows; look at disk and memory", damaged - before
            )
        if backlog is not None and (backlog.many or self._said_at is not None):
            log.info("blocks: %s", backlog)
            self._said_at = now
        elif self._said_at is not None:
            log.info("blocks: all rows that are over are in blocks")
            self._said_at = None
