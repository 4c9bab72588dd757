"""Headers that name another target than the request line: ``X-Original-URL``, ``X-Rewrite-URL`` and their kin.

Servers and frameworks that honour one serve what it names, so the path says nothing while such a header stands.
There is no list of them (IIS, Symfony, Zend, proxies and gateways each have their own); what they share is the ``X-``
and a word for a location in the name.
"""

from __future__ import annotations

import re

__all__ = ["names_target"]

_WORDS = frozenset(
    ("destination", "location", "path", "pathinfo", "resource", "rewrite", "route", "target", "uri", "url")
)
_JOINED = re.compile(r"(?<!\Ac)(?:url|uri)\Z")  # destinationurl, requesturi; not curl


def names_target(name: str) -> bool:
    """Whether the header ``name`` (any case, ``-`` and ``_`` alike) may say what is asked for in the path's stead."""
    words = re.split(r"[-_]", name.lower())
    return words[0] == "x" and any(word in _WORDS or _JOINED.search(word) for word in words[1:])
