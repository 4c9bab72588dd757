"""Datasets of examples: what was asked, and what was or should be answered; each becomes a chat request.

=============  ==========================================================  ==================================
form           fields of one object                                        where that is from
=============  ==========================================================  ==================================
langfuse       ``input``, ``expectedOutput``, ``status``, ``createdAt``    dataset items of Langfuse's API
langsmith      ``inputs``, ``outputs`` or ``reference_outputs``            examples of LangSmith
phoenix        ``input``, ``output``, ``updated_at``; or a span's          examples of Phoenix; its spans;
               ``attributes.input.value``, ``attributes.output.value``     either as CSV, too
openai-evals   ``item``, ``sample``; or ``input``, ``ideal``               OpenAI evals, new and first form
fine-tuning    ``messages``, the last one the assistant's                  OpenAI fine-tuning
=============  ==========================================================  ==================================

Invariants: messages stand in the request as they are; a single text becomes one user message; the time is that of the
record where it has one, and nothing of an example is guessed from its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..errors import DataError
from ..types import Headers
from .files import Item, json_items, json_lines, opened, records_of
from .phoenix_csv import csv_items, is_phoenix_csv
from .records import Answered, Record, Recorded, Unusable, clipped, time_ns

__all__ = ["DATASET_FORMS", "as_answer", "chat_body", "read_dataset"]

_JSON: Headers = ((b"content-type", b"application/json"),)
_ASKED = ("input", "inputs", "attributes.input.value")
_ANSWERED = (
    "expectedOutput",
    "expected_output",
    "reference_outputs",
    "outputs",
    "output",
    "ideal",
    "attributes.output.value",
)
_REFERENCE = ("expected", "reference", "reference_answer", "ground_truth", "correct_answer", "answer", "label")
_TIMES = ("createdAt", "created_at", "updated_at", "start_time", "timestamp")
_NAMES = ("id", "example_id", "context.span_id", "custom_id")
_QUESTION = ("question", "query", "prompt", "input", "text", "content", "message")
_ANSWER = ("answer", "output", "response", "text", "content", "completion", "output_text", "message", "result")
DATASET_FORMS = ("langfuse", "langsmith", "phoenix", "openai-evals", "fine-tuning")


def read_dataset(path: str, target: str, model: str) -> Iterator[Record]:
    """The examples of a file of JSON lines or of one JSON array, as requests to ``target`` for ``model``."""
    with opened(path) as file:
        head = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if is_phoenix_csv(head):
        return records_of(csv_items(path), lambda where, item: _example(where, item, target, model))
    first = head[:1]
    items: Iterator[Item] = json_items(path, r"\[", r"(?<=[,\[])\s*\{") if first == b"[" else json_lines(path)
    return records_of(items, lambda where, item: _example(where, item, target, model))


def _example(where: str, item: dict[str, Any], target: str, model: str) -> Record:
    second: Any = None
    if item.get("status") == "ARCHIVED":
        return Unusable(where=where, why="archived", reason="archived")
    if isinstance(item.get("item"), dict):
        asked, answered, second = _evals(item)
    elif isinstance(item.get("messages"), list):
        asked, answered = _conversation(item)
    else:
        asked, answered = _first(item, _ASKED), _first(item, _ANSWERED)
    if asked is None:
        raise DataError(f"nothing that was asked: {', '.join(_ASKED)}, item or messages is expected")
    return Recorded(
        where=where,
        id=str(_first(item, _NAMES) or ""),
        started_ns=time_ns(_first(item, _TIMES), "time"),
        target=target,
        headers=_JSON,
        body=chat_body(asked, model),
        prod=None if answered is None else as_answer(answered),
        shadow=None if second is None else as_answer(second),
    )


def _evals(item: dict[str, Any]) -> tuple[Any, Any, Any]:
    """``item`` holds what was asked and perhaps a reference; ``sample`` what the model answered that the eval is of:
    beside a reference it is the second answer."""
    inner, sample = item["item"], item.get("sample") or None
    asked = inner.get("messages") or inner.get("input") or _first(inner, _QUESTION)
    reference = _first(inner, (*_ANSWERED, *_REFERENCE))
    return (asked, sample, None) if reference is None else (asked, reference, sample)


def _conversation(item: dict[str, Any]) -> tuple[Any, Any]:
    messages = item["messages"]
    if not messages:
        raise DataError("messages: none")
    if "ideal" in item or "output" in item:
        # What is expected is no part of what is asked.
        rest = {key: value for key, value in item.items() if key not in ("ideal", "output")}
        return rest, item.get("ideal", item.get("output")) or None
    if isinstance(messages[-1], dict) and messages[-1].get("role") == "assistant":
        rest = {key: value for key, value in item.items() if key in ("tools", "model")}
        return {**rest, "messages": messages[:-1]}, messages[-1]
    return item, None


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of the fields that is there; a name with dots is a field of that name, or a path."""
    for name in names:
        value: Any = item.get(name)
        if value is None and "." in name:
            value = item
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def chat_body(asked: Any, model: str) -> bytes:
    """A chat request of messages, of a request that holds them, or of a text.

    Raises :class:`~shadowlane.errors.DataError` where there is none of them.
    """
    if isinstance(asked, str):
        asked = _parsed(asked)
    body: dict[str, Any]
    if isinstance(asked, dict) and isinstance(asked.get("messages"), list):
        body = {key: value for key, value in asked.items() if value is not None}
    elif isinstance(asked, list) and asked and all(isinstance(one, dict) and "role" in one for one in asked):
        body = {"messages": asked}
    else:
        text = asked if isinstance(asked, str) else _text(asked, _QUESTION)
        body = {"messages": [{"role": "user", "content": text}]}
    if model or "model" not in body:
        body = {"model": model or "default", **{key: value for key, value in body.items() if key != "model"}}
    return msgspec.json.encode(body)


def _parsed(text: str) -> Any:
    """A text that is itself a JSON object or array, as spans hold it; else the text."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def as_answer(answered: Any) -> Answered:
    """An answer of a text, of a message, or of a whole chat response. Raises :class:`~shadowlane.errors.DataError`."""
    if isinstance(answered, str):
        answered = _parsed(answered)
    if isinstance(answered, dict) and isinstance(answered.get("choices"), list) and answered["choices"]:
        return Answered(headers=_JSON, body=msgspec.json.encode({"object": "chat.completion", **answered}))
    if isinstance(answered, list) and answered and isinstance(answered[-1], dict) and "role" in answered[-1]:
        answered = answered[-1]
    if isinstance(answered, dict) and answered.get("role") and ("content" in answered or "tool_calls" in answered):
        message = answered
    else:
        text = answered if isinstance(answered, str) else _text(answered, _ANSWER)
        message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Answered(headers=_JSON, body=msgspec.json.encode({"object": "chat.completion", "choices": [choice]}))


def _text(value: Any, names: tuple[str, ...]) -> str:
    """The text of an object: of the first of the names, or of its only field."""
    if isinstance(value, dict):
        found = _first(value, names)
        if found is None and len(value) == 1:
            [found] = value.values()
        if isinstance(found, (str, dict, list)) and found is not value:
            return found if isinstance(found, str) else _text(found, names)
    if isinstance(value, list) and value:
        parts = [_text(one, names) for one in value if isinstance(one, (str, dict))]
        if parts:
            return "\n".join(parts)
    if isinstance(value, str):
        return value
    raise DataError(f"{clipped(value)}: no text in it; one of {', '.join(names)} is expected")
