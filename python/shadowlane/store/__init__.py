"""Where pairs are kept: one row for each (exchange, shadow), with the counts that account for them.

Invariant: rows and the counters of their reasons change in the same transaction, so ``answered + Σ failed`` of a
shadow is always the number of rows that were ever stored for it, whatever process died in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..columns import ScoreColumns, Timed
from ..config import StoreConfig
from ..config.store import server_problem
from ..errors import ConfigError, MissingExtraError, NothingStoredError
from ..files import may_exist
from .base import Store
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
    "Store",
    "StoredPair",
    "Timed",
    "find_store",
    "open_store",
]


def open_store(
    config: StoreConfig, *, read_only: bool = False, stop: Callable[[], bool] | None = None, connect_s: int = 10
) -> Store:
    """Open the store that ``config.url`` names: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or
    ``postgresql://USER@HOST:PORT/DATABASE``.

    For writing, a missing file (mode 0600) or schema is made. With ``read_only`` it must exist
    (:class:`~shadowlane.errors.NothingStoredError`); reading works while a worker writes. What is read ends soon, with
    an error, once ``stop`` says so. A server that takes no connection within ``connect_s`` seconds, or within those
    that the URL says, is away. Raises :class:`~shadowlane.errors.StoreError`, which names the file or the server and
    the remedy, :class:`~shadowlane.errors.ConfigError` for a URL of another kind, and
    :class:`~shadowlane.errors.MissingExtraError`.
    """
    options: dict[str, Any] = {
        "max_age_ns": int(config.max_age_days * 86_400e9),
        "max_bytes": config.max_bytes,
        "keep_bodies": config.keep_bodies,
        "exemplars": config.exemplars,
        "read_only": read_only,
        "stop": stop,
    }
    if not config.on_server:
        return SqliteStore(config.path, **options)
    if problem := server_problem(config):
        raise ConfigError(problem)
    try:
        from .postgres import PostgresStore
        from .postgres_database import Address
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "psycopg":
            raise
        raise MissingExtraError("store.url = postgresql://...", "postgres", "psycopg") from None
    address = Address(config.url, config.schema, config.shown, config.password, connect_s)
    return PostgresStore(address, **options)


def find_store(config: StoreConfig, *, stop: Callable[[], bool] | None = None, connect_s: int = 10) -> Store | None:
    """As :func:`open_store` for reading; ``None`` where nothing was ever stored."""
    if not config.on_server and not may_exist(config.path):
        return None
    try:
        return open_store(config, read_only=True, stop=stop, connect_s=connect_s)
    except NothingStoredError:
        return None
