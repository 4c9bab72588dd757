"""Tool calls in conversations: the records and the helpers that each provider's next turn is written with.

Invariant: what was in a request stays in it, in its order; a turn only adds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...types import ToolCall

__all__ = ["Json", "Made", "Results", "call_id", "json_object", "json_text", "mapped", "maps"]

Json = dict[str, Any]
Results = Sequence[tuple[ToolCall, Any]]
"""The calls of an answer, each with the result that it gets."""


class Made(NamedTuple):
    """A call of a conversation. ``result`` is the API's own value for it; ``None`` when the conversation has none."""

    name: str
    arguments: str
    result: Any = None


def maps(value: Any) -> list[Json]:
    """The objects of an array; nothing else of it."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapped(value: Any) -> Json:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def json_text(value: Any) -> str:
    """Arguments as JSON text: some APIs have them as text, some as an object."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def json_object(arguments: str) -> Any:
    """Arguments as a value; an empty object when they are no JSON."""
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return {}


def call_id(call: ToolCall, position: int) -> str:
    """The call's own identifier, or one by its position."""
    return call.id or f"call_{position}"
