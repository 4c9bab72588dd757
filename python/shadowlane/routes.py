"""A request's route for people and samples: the method, and the path with what looks like an identifier left out.

Invariant: the number of different routes is that of a service's endpoints, not of its items: the parts that name one
item of many are one ``*``.
"""

from __future__ import annotations

import re

__all__ = ["route_of"]

# Digits; a UUID (RFC 9562); a long run of hex; a long word with digits, as keys and slugs are; a redacted value.
_IDENTIFIER = re.compile(
    r"[0-9]+\Z|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\Z|[0-9a-fA-F]{12,}\Z|(?=.*[0-9])[^/]{16,}\Z|.*(?:\[|%5B)[A-Z_]+(?:\]|%5D)"
)
_MOST_PARTS = 12
_MOST_CHARS = 64


def route_of(method: str, target: str) -> str:
    """``GET /users/*/orders`` of ``GET /users/17/orders?page=2``."""
    parts = target.partition("?")[0].split("/")
    kept = ["*" if _IDENTIFIER.match(part) or len(part) > _MOST_CHARS else part for part in parts[:_MOST_PARTS]]
    if len(parts) > _MOST_PARTS:
        kept.append("*")
    return f"{method} {'/'.join(kept)}"
