"""The shadow's side: a service that answers copies knows that it does, and cannot write while it does.

``ShadowGuard`` (ASGI) or ``WSGIShadowGuard`` reads the tag; :func:`is_shadow`, :func:`writes` and :func:`cache_key` are
for the service's own code; the fences are modules of their own, each with its extra: ``guard.sqlalchemy``,
``guard.psycopg``, ``guard.redis``, and for outgoing HTTP ``guard.httpx``, ``guard.requests``, ``guard.aiohttp``.
``shadowlane guard`` (``guard.proxy``) is a forward proxy for services in other languages.
"""

from .asgi import ShadowGuard
from .context import (
    ContextThreadPoolExecutor,
    Shadow,
    ShadowWriteError,
    cache_key,
    carry,
    current,
    is_shadow,
    shadow_context,
)
from .writes import writes
from .wsgi import WSGIShadowGuard

__all__ = [
    "ContextThreadPoolExecutor",
    "Shadow",
    "ShadowGuard",
    "ShadowWriteError",
    "WSGIShadowGuard",
    "cache_key",
    "carry",
    "current",
    "is_shadow",
    "shadow_context",
    "writes",
]
