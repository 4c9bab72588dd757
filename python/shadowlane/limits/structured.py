"""The part of Structured Fields (RFC 9651) that RateLimit headers use: lists of items with parameters.

Invariant: values are text; a member that breaks the grammar is left out, and nothing is raised.
"""

from __future__ import annotations

import re

__all__ = ["list_members"]

_STRING = r'"(?:[^"\\]|\\["\\])*"'
_PART = re.compile(rf"(?:{_STRING}|[^\",;])*")
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*\Z")
_ESCAPED = re.compile(r"\\([\"\\])")


def list_members(field: str) -> list[tuple[str, dict[str, str]]]:
    """Each member as (item, parameters), strings without their quotes. Parameters without a value have ``"?1"``.

    A dictionary's member comes as an item with its sign: ``limit=100``.
    """
    members: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(field):
        parts: list[str] = []
        while True:
            match = _PART.match(field, position)
            end = match.end() if match else position
            parts.append(field[position:end].strip(" \t"))
            position = end
            if position < len(field) and field[position] == ";":
                position += 1
                continue
            break
        if position < len(field) and field[position] != ",":
            return members  # an open quote: nothing behind it can be trusted
        position += 1
        item, parameters = _bare(parts[0]), {}
        for part in parts[1:]:
            name, sign, value = part.partition("=")
            if _KEY.match(name.strip(" \t")):
                parameters[name.strip(" \t")] = _bare(value.strip(" \t")) if sign else "?1"
        if item:
            members.append((item, parameters))
    return members


def _bare(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return _ESCAPED.sub(r"\1", value[1:-1])
    return value
