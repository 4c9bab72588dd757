"""The tag in W3C Baggage (https://www.w3.org/TR/baggage/ §3): the member ``shadow=true``.

Services between that know nothing of shadowlane pass baggage on; so the mark reaches a service two hops away.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

__all__ = ["MEMBER", "has_tag", "with_tag"]

MEMBER = "shadow=true"


def has_tag(values: Iterable[str]) -> bool:
    """Whether any of the values of the request's ``baggage`` headers holds ``shadow=true``.

    Keys are case-sensitive, values are percent-encoded, properties behind ``;`` do not matter (§3.3.1).
    """
    for value in values:
        for member in value.split(","):
            key, equals, text = member.partition(";")[0].partition("=")
            if equals and key.strip(" \t") == "shadow" and unquote(text.strip(" \t")) == "true":
                return True
    return False


def with_tag(value: str | None) -> str:
    """A ``baggage`` value with the tag in front: what has to be cut to stay in the limits (§3.3.2) is never the tag."""
    if not value or not value.strip(" \t"):
        return MEMBER
    return value if has_tag([value]) else f"{MEMBER},{value}"
