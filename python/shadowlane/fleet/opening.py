"""Which engine an address names.

Invariant: only the package of the engine that is named is imported, and only where a fleet is configured.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import FleetError
from .engine import Engine

__all__ = ["open_engine"]


def open_engine(url: str, name: str) -> Engine:
    """The engine of an address; it connects when it is first asked. ``name`` is the fleet's.

    Raises :class:`~shadowlane.errors.MissingExtraError` without its package, and
    :class:`~shadowlane.errors.FleetError` for another kind of address.
    """
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss"):
        from .redis import RedisEngine

        return RedisEngine(url, name)
    if scheme in ("postgresql", "postgres"):
        from .postgres import PostgresEngine

        return PostgresEngine(url, name)
    raise FleetError(f"fleet.url: {scheme}: is no engine; use redis://, rediss:// or postgresql://")
