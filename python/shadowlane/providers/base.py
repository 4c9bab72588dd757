"""What is to be known of a provider: one :class:`Provider` a module, gathered in :mod:`.registry`.

Invariant: a shape is recognised by its fields alone. Neither URL nor content type is needed, since a shadow may answer
in another provider's shape and recorded content types are stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..types import Answer
from .reading.calls import Json, Made, Results
from .reading.draft import NO_USAGE, Draft, UsageNames
from .reading.jsonlike import JsonMap

__all__ = ["Provider", "QuestionFields", "RateLimitFamily", "Shape", "Turns"]


class Shape(NamedTuple):
    """One shape of answers: of whole ones, of the events of their streams, or of both."""

    matches: Callable[[JsonMap], bool]
    """Whether a JSON object has this shape."""
    read: Callable[[JsonMap, Draft], None]
    """Writes what such an object says into the draft; called once for a whole answer, once for each event."""


class Turns(NamedTuple):
    """A chat API whose next turn is well defined by what is sent and answered."""

    speaks: Callable[[str, str, Json], bool]
    """``speaks(preset, path, request)``: whether a request, admitted by that preset of the policy, is of this API."""
    made: Callable[[Json], Iterator[Made]]
    """The calls of a request's conversation."""
    follow: Callable[[Json, Answer, list[Json], Results], Json]
    """The next request: ``follow(request, answer, pieces, results)``; ``pieces`` are the answer's JSON objects, one, or
    one for each event of a stream."""


class QuestionFields(NamedTuple):
    """Where a request's conversation stands."""

    turns: str
    """The field with the turns, an array of objects."""
    system: str = ""
    """The field with the system prompt, where it is no turn."""


class RateLimitFamily(NamedTuple):
    """Rate-limit headers of one spelling: ``FAMILY-KIND[-BUDGET]``, or ``FAMILY-BUDGET-KIND``; KIND is ``limit``,
    ``remaining`` or ``reset``."""

    pattern: str
    """A regular expression of FAMILY in lower case, without groups that capture."""
    budget_first: bool = False
    """Whether the budget is named before the kind in all of them; else both orders are read."""
    milliseconds_beside: str = ""
    """``FAMILY-THIS-BUDGET`` is a header beside which a plain number in ``reset`` counts milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """All that is known of one provider."""

    name: str
    shapes: tuple[Shape, ...] = ()
    """In the order in which they are tried."""
    turns: tuple[Turns, ...] = ()
    embeddings: Callable[[JsonMap], list[Any]] | None = None
    """The rows of an embeddings response: whatever stands where they would; empty when nothing does."""
    questions: tuple[QuestionFields, ...] = ()
    usage: UsageNames = NO_USAGE
    """The names of token counts."""
    rate_limits: tuple[RateLimitFamily, ...] = ()
