"""The Anthropic Messages API, whole and streamed, and the older text completions (both on Bedrock and Vertex too).

Thinking blocks and what server-side tools did are left out: neither is the answer. Cached prompt tokens, which
Anthropic counts apart, are added to the input tokens, so that they compare with other providers' counts.
"""

from __future__ import annotations

from .citing import anthropic_citation
from .draft import Draft
from .jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str

__all__ = ["matches", "read"]

_EVENTS = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)
_CACHED = ("cache_creation_input_tokens", "cache_read_input_tokens")


def matches(value: JsonMap) -> bool:
    """A message, an event of its stream, or a text completion."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in _EVENTS:
        return True
    if isinstance(value.get("content"), list) and (kind == "message" or "stop_reason" in value):
        return True
    return isinstance(value.get("completion"), str) and ("stop_reason" in value or kind == "completion")


def read(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one event of a stream."""
    kind = value.get("type")
    if isinstance(value.get("completion"), str):
        draft.kind = "anthropic.completions"
        draft.say(value["completion"])
        draft.model = first_str(value, "model") or draft.model
        _stop(value, draft)
        draft.ended = draft.all_finished()
        return
    draft.kind = "anthropic.messages"
    index = as_count(value.get("index")) or 0
    if kind == "message_start":
        _message(as_map(value.get("message")), draft)
    elif kind == "content_block_start":
        _block(as_map(value.get("content_block")), draft, index, streamed=True)
    elif kind == "content_block_delta":
        _delta(as_map(value.get("delta")), draft, index)
    elif kind == "message_delta":
        _stop(as_map(value.get("delta")), draft)
        draft.use(as_map(value.get("usage")), extra_input=_CACHED)
    elif kind == "message_stop":
        draft.use(as_map(value.get("amazon-bedrock-invocationMetrics")))
        draft.ended = True
    elif kind != "content_block_stop":
        _message(value, draft)


def _message(message: JsonMap, draft: Draft) -> None:
    for place, block in enumerate(map(as_map, as_list(message.get("content")))):
        _block(block, draft, place, streamed=False)
    draft.model = first_str(message, "model") or draft.model
    draft.use(as_map(message.get("usage")), extra_input=_CACHED)
    _stop(message, draft)


def _stop(value: JsonMap, draft: Draft) -> None:
    reason = as_str(value.get("stop_reason"))
    draft.finish(reason)
    if reason == "refusal":
        draft.refusal = True


def _block(block: JsonMap, draft: Draft, index: int, *, streamed: bool) -> None:
    kind = as_str(block.get("type"))
    if kind == "text":
        draft.say(as_str(block.get("text")), 0, index)
        for item in map(as_map, as_list(block.get("citations"))):
            citation = anthropic_citation(item)
            if citation is not None:
                draft.cite(citation)
        return
    draft.skip(0, index)
    if kind == "tool_use":
        # In a stream the input begins empty and comes in pieces.
        arguments = None if streamed and not block.get("input") else block.get("input", {})
        draft.call((index,), id=as_str(block.get("id")), name=as_str(block.get("name")), arguments=arguments)


def _delta(delta: JsonMap, draft: Draft, index: int) -> None:
    kind = as_str(delta.get("type"))
    if kind == "text_delta":
        draft.say(as_str(delta.get("text")), 0, index)
    elif kind == "input_json_delta" and draft.has_call((index,)):
        draft.call((index,), arguments=as_str(delta.get("partial_json")))
    elif kind == "citations_delta":
        citation = anthropic_citation(as_map(delta.get("citation")))
        if citation is not None:
            draft.cite(citation)
