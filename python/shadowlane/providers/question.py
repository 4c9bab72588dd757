"""What a request asks: for a reader's eye, and as the text that paraphrase groups are made of.

Invariant: reads sanitized copies only, and raises nothing: a request that asks nothing we know has an empty text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import xxhash

from ..types import Copy
from .reading.jsonlike import as_list, as_map, as_str, canonical
from .registry import QUESTIONS

__all__ = ["Question", "find_question", "shown_question"]

_FIELDS = ("question", "query", "q", "prompt", "input", "text", "message", "search")
_SYSTEM_ROLES = ("system", "developer")
_TURNS = tuple(dict.fromkeys(fields.turns for fields in QUESTIONS))
# In an order that no provider changes: the scope of a group is stored.
_SETTINGS = ("model", *sorted({fields.system for fields in QUESTIONS if fields.system}, reverse=True))
_FIGURE = re.compile(r"\d+(?:[.,:/-]\d+)*")


@dataclass(frozen=True, slots=True)
class Question:
    """A request's question, and what else its answer depends on."""

    text: str
    """What the user says; of a conversation all of the user's turns, since the last one alone may be "and why?"."""
    scope: int
    """64-bit hash of method, path, model, system prompt and the figures in the text: requests of different scopes do
    not ask the same ("a ride of 30 minutes", "a ride of 60 minutes"), however near their embeddings lie."""


def shown_question(copy: Copy) -> str:
    """What the request asks, for a reader: its last message, or its question field; empty when it has none we know."""
    turns, _ = _turns(copy)
    return turns[-1] if turns else ""


def find_question(copy: Copy) -> Question | None:
    """The question that a paraphrase group is found by; ``None`` when the request has none that we know."""
    turns, settings = _turns(copy)
    text = "\n".join(turns).strip()
    if not text:
        return None
    state = xxhash.xxh3_64()
    for part in (copy.method, urlsplit(copy.target).path, *settings, *sorted(_FIGURE.findall(text))):
        state.update(part.encode("utf-8", "replace") + b"\x1f")
    return Question(text, state.intdigest())


def _turns(copy: Copy) -> tuple[list[str], list[str]]:
    """The user's turns in order, and the settings that answers depend on."""
    try:
        body = msgspec.json.decode(copy.body) if copy.body else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [], []
    fields = as_map(body)
    if not fields:
        try:
            fields = dict(parse_qsl(urlsplit(copy.target).query))
        except ValueError:
            return [], []
    settings = [_content(fields.get(name)) for name in _SETTINGS]
    for name in _TURNS:
        items = [as_map(item) for item in as_list(fields.get(name))]
        if any(items):
            settings += [_turn_text(item) for item in items if item.get("role") in _SYSTEM_ROLES]
            return [
                text for item in items if item.get("role", "user") == "user" and (text := _turn_text(item))
            ], settings
    for name in _FIELDS:
        if as_str(fields.get(name)).strip():
            rest = {key: value for key, value in fields.items() if key != name and key not in ("model", "seed", "user")}
            return [as_str(fields.get(name))], [*settings, canonical(rest)]
    return [], []


def _turn_text(item: Any) -> str:
    return _content(item.get("content")) or _content(item.get("parts"))


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(as_str(as_map(part).get("text")) for part in as_list(content) if as_map(part).get("text"))
