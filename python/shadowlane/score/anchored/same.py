"""When two entities are the same thing said in two ways.

Invariant: symmetric; quantities of different kinds are never the same, unless one of them has no unit.
"""

from __future__ import annotations

from .extract import Entity
from .lexicon import stem, words
from .quantities import agrees

__all__ = ["alias", "inflected", "kind_of", "same"]

_COUNTRY = words("a e o y ia land key") | {""}
_PEOPLE = words("n an ian ese ish i s es ns ans ians ic k ks")


def kind_of(entity: Entity) -> str:
    """What an entity may be compared with."""
    if entity.quantity is None:
        return entity.key.partition(" ")[0] if entity.kind == "date" else entity.kind
    return entity.quantity.kind.partition(":")[0]


def same(one: Entity, other: Entity, *, strict: bool = False) -> bool:
    """Whether two entities can be the same; ``strict`` takes hedges (about 150) and parts of names at their word."""
    if one.quantity is not None and other.quantity is not None:
        if one.quantity.kind != other.quantity.kind:
            bare = not {"count", "year", "temperature"}.isdisjoint((one.quantity.kind, other.quantity.kind))
            return bare and one.quantity.value == other.quantity.value
        return agrees(one.quantity, other.quantity, hedged=not strict and (one.hedged or other.hedged))
    if one.quantity is not None or other.quantity is not None:
        return False
    if one.key == other.key:
        return True
    if one.kind == "date" or other.kind == "date":
        return False
    if strict:
        return inflected(one.key, other.key)
    return {one.kind, other.kind} <= {"name", "quote"} and alias(one.key, other.key)


def alias(one: str, other: str) -> bool:
    """``Smith`` and ``John Smith``, ``WHO`` and ``World Health Organization``, ``Syria`` and ``Syrian``."""
    mine, theirs = one.split(), other.split()
    if not set(mine).isdisjoint(theirs):
        return True
    for short, long in ((mine, theirs), (theirs, mine)):
        if len(short) == 1 and len(long) > 1 and short[0].replace(".", "") == "".join(word[0] for word in long):
            return True
    return len(mine) == len(theirs) == 1 and inflected(one, other)


def inflected(one: str, other: str) -> bool:
    """Whether two names are one name in two forms: ``Syria`` and ``Syrian``, ``Turk`` and ``Turks``.

    By their endings, not by what they begin with: ``Austria`` is not ``Australia``.
    """
    if stem(one) == stem(other):
        return True
    size = 0
    while size < min(len(one), len(other)) and one[size] == other[size]:
        size += 1
    rests = {one[size:], other[size:]}
    return size >= 3 and not rests.isdisjoint(_COUNTRY) and not rests.isdisjoint(_PEOPLE)
