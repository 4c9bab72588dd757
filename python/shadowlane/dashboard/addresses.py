"""The addresses of the page's parts."""

from __future__ import annotations

from urllib.parse import quote, urlencode

__all__ = ["pair_href"]


def pair_href(shadow_id: str, shadow: str, below: str = "") -> str:
    """A pair's own page, or something below it."""
    return (
        f"/pairs/{quote(shadow_id, safe='', errors='replace')}{below}?{urlencode({'shadow': shadow}, errors='replace')}"
    )
