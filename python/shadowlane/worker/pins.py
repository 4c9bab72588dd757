"""Which versions answered this host's copies, for the other hosts of its fleet: from pairs that are rows, and rows.

Invariant: what is handed on is what the gate makes windows of, and nothing else of an exchange.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from ..config import Config
from ..errors import StoreError
from ..fleet.pins import PinBoard, Sighted
from ..gate.window import last_change, window_start
from ..store import find_store
from ..types import Pair, PinSeen

__all__ = ["open_board", "pins_of", "seed", "stored_pins"]

log = logging.getLogger("shadowlane.worker")

_RECORDED = ("model_rev", "index_hash", "prod_index_hash")


class _Store(Protocol):
    def pins(self, shadow: str, since_ns: int) -> list[PinSeen]: ...


def open_board(config: Config) -> PinBoard:
    """What this host will know of its fleet's versions."""

    def change(sighted: Iterable[Sighted]) -> Any:
        return last_change([(one.pin, one.value, one.first_ns, one.last_ns, 0) for one in sighted], config.pins)

    return PinBoard(change, keep_ns=int(config.gate.window_hours * 3600e9))


def pins_of(pairs: Sequence[Pair]) -> list[Sighted]:
    """Which versions answered copies, as their rows say it."""
    return [
        Sighted(pair.outcome.shadow, pin, value, pair.copy.started_ns, pair.copy.started_ns)
        for pair in pairs
        for pin, value in ({name: getattr(pair, name) for name in _RECORDED} | pair.pins).items()
        if value
    ]


def stored_pins(config: Config, store: _Store, now_ns: int) -> list[Sighted]:
    """What a store knows of the window so far. Raises :class:`~shadowlane.errors.StoreError`."""
    since = window_start(config, now_ns)
    return [
        Sighted(shadow, pin, value, first, last)
        for shadow in config.shadows
        for pin, value, first, last, _ in store.pins(shadow, since)
    ]


async def seed(config: Config, saw: Callable[[list[Sighted]], object]) -> None:
    """Let the fleet know which versions the rows of before have, once; then wait until cancelled."""

    def read() -> list[Sighted]:
        found = find_store(config.store)
        if found is None:
            return []
        with found as store:
            return stored_pins(config, store, time.time_ns())

    try:
        saw(await asyncio.to_thread(read))
    except StoreError as error:
        log.warning("which versions answered before is not told to the fleet: %s", error)
    await asyncio.Event().wait()
