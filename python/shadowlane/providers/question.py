"""What a request asks: for a reader's eye, and as the text that paraphrase groups are made of.

The core reads what most requests are; what it leaves is read here, and a test holds both to the same question.

Invariant: reads sanitized copies only, redacts once more what it puts together, and raises nothing but what
:mod:`.cleaning` does: a request that asks nothing we know has an empty text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import xxhash

from .. import _core
from ..errors import DetectorError
from ..types import Copy
from .cleaning import clean
from .reading.jsonlike import JsonMap, as_list, as_map, as_str, canonical, parse_json
from .registry import QUESTIONS

__all__ = [
    "Question",
    "compiled_question",
    "find_question",
    "interpreted_question",
    "listed_question",
    "shown_question",
]

_FIELDS = ("question", "query", "q", "prompt", "input", "text", "message", "search")
_SYSTEM_ROLES = ("system", "developer")
_TURNS = tuple(dict.fromkeys(fields.turns for fields in QUESTIONS))
# In an order that no provider changes: the scope of a group is stored.
_SETTINGS = ("model", *sorted({fields.system for fields in QUESTIONS if fields.system}, reverse=True))
_PASSING = frozenset(("id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "status", "index", "signature"))
"""Members that tell one run of a conversation from another, and not what was said in it."""
_reader = _core.QuestionReader(_TURNS, _SETTINGS, _FIELDS, sorted(_PASSING))
_FIGURE = re.compile(r"\d+(?:[.,:/-]\d+)*")


@dataclass(frozen=True, slots=True)
class Question:
    """A request's question, and what else its answer depends on."""

    text: str
    """What the user says; of a conversation all of the user's turns, since the last one alone may be "and why?"."""
    scope: int
    """64-bit hash of method, path, model, system prompt, the figures in the text and the state of the conversation:
    requests of different scopes do not ask the same ("a ride of 30 minutes", "a ride of 60 minutes"), however near
    their embeddings lie. The state is all that is in it beside the user's own words: what the model answered, the
    tools that it called and what they gave, attachments. So "yes" is as many questions as it follows, and the turn that
    brings a tool's result is another one than the turn that led to the call."""


def shown_question(copy: Copy) -> str:
    """What the request asks, for a reader: its last message, or its question field; empty when it has none we know."""
    turns, _ = _turns(copy)
    return clean(turns[-1]) if turns else ""


def listed_question(copy: Copy) -> str:
    """:func:`shown_question` in a list of many, of which none may cost the others."""
    try:
        return shown_question(copy)
    except DetectorError:
        return "(not shown: sanitize.detector failed on it)"


def find_question(copy: Copy) -> Question | None:
    """The question that a paraphrase group is found by; ``None`` when the request has none that we know."""
    read = compiled_question(copy)
    text, scope = interpreted_question(copy) if read is None else read
    return Question(clean(text), scope) if text else None


def compiled_question(copy: Copy) -> tuple[str, int] | None:
    """Text and scope as the core reads them, the text empty when there is none; ``None`` when that is left to
    :func:`interpreted_question`: requests without a body, JSON that is not strict or that other writers would not write
    alike."""
    if not copy.body or not copy.target.isascii():
        return None
    return _reader.read(copy.method, urlsplit(copy.target).path, copy.body)


def interpreted_question(copy: Copy) -> tuple[str, int]:
    """The same of every request."""
    turns, settings = _turns(copy)
    text = "\n".join(turns).strip()
    state = xxhash.xxh3_64()
    for part in (copy.method, urlsplit(copy.target).path, *settings, *_figures(text)):
        state.update(part.encode("utf-8", "replace") + b"\x1f")
    return text, state.intdigest()


def _figures(text: str) -> list[str]:
    """The figures of a text, in the order of their digits."""
    if text.isascii() and len(text.encode().translate(None, b"0123456789")) == len(text):
        return []  # at a tenth of the time of looking for one
    return sorted(_FIGURE.findall(text))


def _turns(copy: Copy) -> tuple[list[str], list[str]]:
    """The user's turns in order, and the settings that answers depend on."""
    body, why = parse_json(copy.body) if copy.body else (None, "")
    if why:
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
            settings += [state for item in items if item.get("role") not in _SYSTEM_ROLES and (state := _state(item))]
            return [text for item in items if _is_users(item) and (text := _turn_text(item))], settings
    for name in _FIELDS:
        if as_str(fields.get(name)).strip():
            rest = {key: value for key, value in fields.items() if key != name and key not in ("model", "seed", "user")}
            return [as_str(fields.get(name))], [*settings, canonical(rest)]
    return [], []


def _is_users(item: JsonMap) -> bool:
    """Items of a response API without a role are the model's calls and their results; elsewhere they are the user's."""
    return bool(item.get("role", "" if "type" in item and "content" not in item else "user") == "user")


def _state(item: JsonMap) -> str:
    """What a turn adds to the conversation beside the user's words; identifiers are made anew each time."""
    if not _is_users(item):
        return canonical(_lasting(item))
    parts = [as_map(part) for part in (*as_list(item.get("content")), *as_list(item.get("parts")))]
    kept = [part for part in parts if not isinstance(part.get("text"), str)]
    return f"user{canonical(_lasting(kept))}" if kept else ""


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(one) for key, one in value.items() if key not in _PASSING}
    return [_lasting(one) for one in value] if isinstance(value, list) else value


def _turn_text(item: Any) -> str:
    return _content(item.get("content")) or _content(item.get("parts"))


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(as_str(as_map(part).get("text")) for part in as_list(content) if as_map(part).get("text"))
