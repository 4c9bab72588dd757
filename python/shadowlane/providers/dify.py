"""Dify: chat, completion and agent applications and workflows, blocking and streamed.

An agent's thoughts are reasoning and left out. The documents that were retrieved are the citations.
"""

from __future__ import annotations

from ..types import Citation
from .base import Provider, Shape
from .reading.draft import Draft
from .reading.jsonlike import JsonMap, as_count, as_float, as_list, as_map, as_str, canonical, first_str

__all__ = ["PROVIDER"]

_EVENTS = frozenset(
    {
        "error",
        "message",
        "agent_message",
        "agent_thought",
        "message_replace",
        "message_file",
        "message_end",
        "text_chunk",
        "text_replace",
        "workflow_started",
        "workflow_finished",
        "node_started",
        "node_finished",
        "tts_message",
        "tts_message_end",
    }
)
_OWN = ("task_id", "message_id", "conversation_id", "workflow_run_id")
_TEXT_OUTPUTS = ("text", "answer", "result", "output")


def _matches(value: JsonMap) -> bool:
    """An application's answer, a workflow's result, or an event of either."""
    if as_str(value.get("event")) in _EVENTS and any(name in value for name in _OWN):
        return True
    data = value.get("data")
    return "workflow_run_id" in value and isinstance(data, dict) and "outputs" in data


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one event."""
    event = as_str(value.get("event"))
    data = as_map(value.get("data"))
    if not event:
        draft.kind = "dify.workflow"
        _finished(data, draft)
        return
    draft.kind = draft.kind or "dify.chat"
    if event in ("message", "agent_message"):
        draft.add_text(as_str(value.get("answer")))
        # A whole answer says how it is used; an event of a stream does not.
        draft.ended = draft.ended or "metadata" in value
    elif event == "message_replace":  # moderation took back what was said
        draft.replace(as_str(value.get("answer")))
    elif event == "text_chunk":
        draft.add_text(as_str(data.get("text")))
    elif event == "text_replace":
        draft.replace(as_str(data.get("text")))
    elif event == "error":
        draft.note_broken(first_str(value, "message", "code"))
    elif event == "message_end":
        draft.ended = True
    elif event == "workflow_finished":
        ended = draft.ended
        _finished(data, draft)
        draft.ended = ended or "message_id" not in value  # a conversation has an end of its own
    metadata = as_map(value.get("metadata"))
    draft.count_tokens(as_map(metadata.get("usage")))
    draft.cite(*(_citation(as_map(item)) for item in as_list(metadata.get("retriever_resources"))))


def _finished(data: JsonMap, draft: Draft) -> None:
    status, outputs = as_str(data.get("status")), as_map(data.get("outputs"))
    if not draft.text() and outputs:
        draft.add_text(first_str(outputs, *_TEXT_OUTPUTS) or canonical(outputs))
    if status and status != "succeeded":
        draft.note(f"the workflow is {status}: {as_str(data.get('error'))}".rstrip(": "))
    draft.finish(status)
    draft.ended = True


def _citation(item: JsonMap) -> Citation:
    position = as_count(item.get("segment_position"))
    return Citation(
        snippet_id=first_str(item, "segment_id", "chunk_id"),
        section_id="" if position is None else f"segment {position}",
        source_url=first_str(item, "url", "document_name", "title", "document_id"),
        score=as_float(item.get("score")),
        text=as_str(item.get("content")),
    )


PROVIDER = Provider(name="dify", shapes=(Shape(_matches, _read),))
