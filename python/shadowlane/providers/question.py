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
from .jsonlike import as_list, as_map, as_str, canonical

__all__ = ["Asked", "asked", "question"]

_FIELDS = ("question", "query", "q", "prompt", "input", "text", "message", "search")
_SYSTEM = ("system", "developer")
_FIGURE = re.compile(r"\d+(?:[.,:/-]\d+)*")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's question, and what else its answer depends on."""

    text: str
    """What the user says; of a conversation all of the user's turns, since the last one alone may be "and why?"."""
    scope: int
    """64-bit hash of method, path, model, system prompt and the figures in the text: requests of different scopes do
    not ask the same ("a ride of 30 minutes", "a ride of 60 minutes"), however near their embeddings lie."""


def asked(copy: Copy) -> str:
    """What the request asks, for a reader: its last message, or its question field; empty when it has none we know."""
    turns, _ = _turns(copy)
    return turns[-1] if turns else ""


def question(copy: Copy) -> Asked | None:
    """The question that a paraphrase group is found by; ``None`` when the request has none that we know."""
    turns, settings = _turns(copy)
    text = "\n".join(turns).strip()
    if not text:
        return None
    state = xxhash.xxh3_64()
    for part in (copy.method, urlsplit(copy.target).path, *settings, *sorted(_FIGURE.findall(text))):
        state.update(part.encode("utf-8", "replace") + b"\x1f")
    return Asked(text, state.intdigest())


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
    settings = [as_str(fields.get("model")), _content(fields.get("system")), _content(fields.get("instructions"))]
    for name in ("messages", "input", "contents"):
        items = [as_map(item) for item in as_list(fields.get(name))]
        if any(items):
            settings += [_said(item) for item in items if item.get("role") in _SYSTEM]
            return [said for item in items if item.get("role", "user") == "user" and (said := _said(item))], settings
    for name in _FIELDS:
        if as_str(fields.get(name)).strip():
            rest = {key: value for key, value in fields.items() if key != name and key not in ("model", "seed", "user")}
            return [as_str(fields.get(name))], [*settings, canonical(rest)]
    return [], []


def _said(item: Any) -> str:
    return _content(item.get("content")) or _content(item.get("parts"))


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(as_str(as_map(part).get("text")) for part in as_list(content) if as_map(part).get("text"))
