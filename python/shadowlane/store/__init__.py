"""Where pairs are kept: one row for each (exchange, shadow), with the counts that account for them.

Invariant: rows and the counters of their reasons change in the same transaction, so ``answered + Σ failed`` of a
shadow is always the number of rows that were ever stored for it, whatever process died in between.
"""

from __future__ import annotations

from collections.abc import Callable

from ..columns import ScoreColumns, Timed
from ..config import StoreConfig
from .found import FoundPairs, MarkCounts, PairFilter
from .origin import Origin
from .queries import Order
from .rows import StoredPair
from .sqlite import SqliteStore
from .tallies import ProdSeen

__all__ = [
    "FoundPairs",
    "MarkCounts",
    "Order",
    "Origin",
    "PairFilter",
    "ProdSeen",
    "ScoreColumns",
    "SqliteStore",
    "StoredPair",
    "Timed",
    "open_store",
]


def open_store(config: StoreConfig, *, read_only: bool = False, stop: Callable[[], bool] | None = None) -> SqliteStore:
    """Open the store that ``config.url`` names: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    For writing, a missing database is made (mode 0600). With ``read_only`` it must exist; reading works while a worker
    writes. What is read ends soon, with an error, once ``stop`` says so. Raises
    :class:`~shadowlane.errors.StoreError`, which names the file and the remedy, and
    :class:`~shadowlane.errors.ConfigError` for a URL of another kind.
    """
    return SqliteStore(
        config.path,
        max_age_ns=int(config.max_age_days * 86_400e9),
        max_bytes=config.max_bytes,
        keep_bodies=config.keep_bodies,
        exemplars=config.exemplars,
        read_only=read_only,
        stop=stop,
    )
