"""Which engine an address names.

Invariants: only the package of the engine that is named is imported, and only where a fleet is configured; an address
that comes from a variable is held to what one of a file is.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from ..config.fleet import address_problem
from ..errors import FleetError
from .engine import Engine

__all__ = ["open_engine"]


def open_engine(url: str, name: str) -> Engine:
    """The engine of an address; it connects when it is first asked. ``name`` is the fleet's.

    Raises :class:`~shadowlane.errors.MissingExtraError` without its package, and
    :class:`~shadowlane.errors.FleetError` for another kind of address.
    """
    if problem := address_problem(url):
        raise FleetError(f"the address of fleet.url or fleet.url_env: {problem}")
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss"):
        from .redis import RedisEngine

        return RedisEngine(url, name)
    from .postgres import PostgresEngine

    return PostgresEngine(url, name)
