"""What a page is asked for, as the query of its address, so that a view can be sent to somebody as a link.

Invariant: what is not known in a query is left out, never passed on; a text is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_type_hints
from urllib.parse import urlencode

import msgspec

from ..config import Config
from ..store import PairFilter

__all__ = ["FIELDS", "MOST_PAGES", "Wanted", "wanted_of"]

_MOST_CHARS = 200
MOST_PAGES = 20
FIELDS = ("route", "tenant", "model", "band", "reason", "mark", "text", "order")
"""Of :class:`~shadowlane.store.PairFilter`, as a query names them."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One view of the page."""

    filter: PairFilter
    page: int = 1

    def href(self, **other: str | int) -> str:
        """The address of this view, with some members replaced; without those that say nothing."""
        plain = msgspec.structs.asdict(PairFilter(shadow=""))
        members = {name: getattr(self.filter, name) for name in FIELDS} | {"shadow": self.filter.shadow}
        members |= {"page": self.page, **other}
        some = {name: value for name, value in members.items() if value != (1 if name == "page" else plain.get(name))}
        return "/?" + urlencode(some, errors="replace")

    @property
    def filters(self) -> bool:
        """Whether rows are left out."""
        return any(getattr(self.filter, name) for name in FIELDS if name != "order")


def wanted_of(query: Mapping[str, str], config: Config, since_ns: int) -> Wanted:
    """The view that a query asks for."""
    arms = list(config.arms())
    members: dict[str, Any] = {"shadow": query["shadow"] if query.get("shadow") in arms else arms[0]}
    hints = get_type_hints(PairFilter)
    for name in FIELDS:
        value = query.get(name, "")[:_MOST_CHARS].strip()
        known = get_args(hints[name])
        if value and (not known or value in known):
            members[name] = value
    page = query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 4 else 1
    return Wanted(filter=PairFilter(since_ns=since_ns, **members), page=min(max(number, 1), MOST_PAGES))
