"""Conversations of the chat APIs: which tool calls they hold with which results, and how to go on after an answer.

Invariant: only APIs whose next turn is well defined are known; for any other there is no next turn.
"""

from __future__ import annotations

import base64
import json

from ..types import Copy
from .base import Turns
from .reading.calls import Json
from .reading.eventstream import Message, looks_like_eventstream, parse_eventstream
from .registry import TURNS

__all__ = ["Json", "Turns", "answer_pieces", "find_turns", "may_call", "parse_object"]

# No answer of any API asks for a call without one of these; most answers need not be read at all. In the last one's
# value, of Bedrock's invoke streams, the words are in base 64.
_MENTIONS = (b"tool", b"function_call", b'"bytes"')


def find_turns(copy: Copy, request: Json) -> Turns | None:
    """The API that an inference request speaks; ``None`` when it is none whose next turn is known."""
    path = copy.target.partition("?")[0]
    return next((turns for turns in TURNS if turns.speaks(copy.preset, path, request)), None)


def may_call(body: bytes) -> bool:
    """Whether an answer may ask for a tool call; false only when it surely does not."""
    first, second, third = _MENTIONS
    return first in body or second in body or third in body


def parse_object(body: bytes) -> Json | None:
    """A JSON object; ``None`` when the bytes are none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def answer_pieces(body: bytes) -> list[Json]:
    """The JSON objects of an answer: itself, its events (server-sent, or Amazon's), or its lines."""
    whole = parse_object(body)
    if whole is not None:
        return [whole]
    if looks_like_eventstream(body):
        return [piece for piece in map(_event, parse_eventstream(body)[0]) if piece is not None]
    lines = (line.removeprefix(b"data:").strip() for line in body.splitlines())
    return [piece for piece in map(parse_object, lines) if piece is not None]


def _event(message: Message) -> Json | None:
    """``{name: payload}`` of a Converse stream; of an invoke stream the model's own event, which is in base 64."""
    payload = parse_object(message.payload)
    if payload is None:
        return None
    wrapped = payload.get("bytes")
    if isinstance(wrapped, str):
        try:
            return parse_object(base64.b64decode(wrapped))
        except ValueError:
            return None
    return {message.headers.get(":event-type", ""): payload}
