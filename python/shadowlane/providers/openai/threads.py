"""OpenAI's Assistants API: messages, lists of messages, runs and their events."""

from __future__ import annotations

from ..base import Shape
from ..reading.citing import openai_annotation
from ..reading.draft import MESSAGE_SHIFT, Draft
from ..reading.jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str
from .chat import read_tool_calls

__all__ = ["SHAPE"]


def _matches(value: JsonMap) -> bool:
    """Objects of the Assistants API that carry an answer: messages, lists of messages, runs, events of a run."""
    kind = as_str(value.get("object"))
    if kind in ("thread.message", "thread.run", "thread.message.delta"):
        return True
    return kind == "list" and any(as_map(item).get("object") == "thread.message" for item in as_list(value.get("data")))


def _read(value: JsonMap, draft: Draft) -> None:
    """The assistant's messages of the newest run, in the order of time."""
    draft.kind = "openai.threads"
    kind = as_str(value.get("object"))
    if kind == "thread.run":
        _read_run(value, draft)
        return
    if kind == "thread.message.delta":
        _read_parts(as_map(value.get("delta")), draft, 0)
        return
    if kind == "thread.message":
        messages = [value]
    else:
        messages = [as_map(item) for item in as_list(value.get("data"))]
        messages.sort(key=lambda message: as_count(message.get("created_at")) or 0)
        answers = [message for message in messages if message.get("role") == "assistant"]
        run = answers[-1].get("run_id") if answers else None
        messages = [message for message in answers if message.get("run_id") == run]
        if not messages:
            draft.note("the thread holds no message of the assistant yet")
    for position, message in enumerate(messages):
        if as_str(message.get("status")) == "incomplete":
            draft.note("the message is incomplete")
        _read_parts(message, draft, position, whole=True)


def _read_parts(message: JsonMap, draft: Draft, position: int, *, whole: bool = False) -> None:
    for number, part in enumerate(map(as_map, as_list(message.get("content")))):
        index = as_count(part.get("index"))
        block = (position << MESSAGE_SHIFT) + (number if index is None else index)
        text = as_map(part.get("text"))
        value_text = as_str(text.get("value"))
        if whole:
            draft.replace(value_text, position, block)
        else:
            draft.add_text(value_text, position, block)
        for annotation in map(as_map, as_list(text.get("annotations"))):
            citation = openai_annotation(annotation, value_text)
            if citation is not None:
                draft.cite(citation)


def _read_run(value: JsonMap, draft: Draft) -> None:
    status = as_str(value.get("status"))
    draft.finish(status)
    draft.model = first_str(value, "model") or draft.model
    draft.count_tokens(as_map(value.get("usage")))
    draft.ended = status in ("completed", "failed", "cancelled", "expired", "incomplete", "requires_action")
    required = as_map(as_map(value.get("required_action")).get("submit_tool_outputs"))
    read_tool_calls(required.get("tool_calls"), draft)
    error = as_str(as_map(value.get("last_error")).get("message"))
    if error:
        draft.note(f"the run is {status}: {error}")
    elif not draft.calls() and not draft.text():
        draft.note(f"the run is {status}: its answer stands in the thread's messages")


SHAPE = Shape(_matches, _read)
