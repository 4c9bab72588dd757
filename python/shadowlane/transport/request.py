"""The lane's signature over a copy's request. What else is sent is made in ``rust/dispatch/src/outgoing.rs``."""

from __future__ import annotations

from ..tag import sign
from ..types import Copy

__all__ = ["signature_headers"]


def signature_headers(key: bytes, copy: Copy, sent: str) -> list[tuple[str, str]]:
    """The lane's signature over the copy's tag, method and path and query as ``sent``; see :mod:`shadowlane.tag`."""
    path, _, query = sent.partition("?")
    return sign(key, copy.method, path.encode(), query.encode(), copy.shadow_id, copy.req_hash)
