"""The Anthropic Messages API, whole and streamed, and the older text completions (both on Bedrock and Vertex too).

Thinking blocks and what server-side tools did are left out: neither is the answer. Cached prompt tokens, which
Anthropic counts apart, are added to the input tokens, so that they compare with other providers' counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..types import Answer, ToolCall
from .base import Provider, QuestionFields, RateLimitFamily, Shape, Turns
from .reading.calls import Json, Made, Results, call_id, json_object, json_text, mapped, maps
from .reading.citing import anthropic_citation
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str

__all__ = ["PROVIDER"]

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


def _matches(value: JsonMap) -> bool:
    """A message, an event of its stream, or a text completion."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in _EVENTS:
        return True
    if isinstance(value.get("content"), list) and (kind == "message" or "stop_reason" in value):
        return True
    return isinstance(value.get("completion"), str) and ("stop_reason" in value or kind == "completion")


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one event of a stream."""
    kind = value.get("type")
    if isinstance(value.get("completion"), str):
        draft.kind = "anthropic.completions"
        draft.add_text(value["completion"])
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
        draft.count_tokens(as_map(value.get("usage")), extra_input=_CACHED)
    elif kind == "message_stop":
        draft.count_tokens(as_map(value.get("amazon-bedrock-invocationMetrics")))
        draft.ended = True
    elif kind != "content_block_stop":
        _message(value, draft)


def _message(message: JsonMap, draft: Draft) -> None:
    for position, block in enumerate(map(as_map, as_list(message.get("content")))):
        _block(block, draft, position, streamed=False)
    draft.model = first_str(message, "model") or draft.model
    draft.count_tokens(as_map(message.get("usage")), extra_input=_CACHED)
    _stop(message, draft)


def _stop(value: JsonMap, draft: Draft) -> None:
    reason = as_str(value.get("stop_reason"))
    draft.finish(reason)
    if reason == "refusal":
        draft.refusal = True


def _block(block: JsonMap, draft: Draft, index: int, *, streamed: bool) -> None:
    kind = as_str(block.get("type"))
    if kind == "text":
        draft.add_text(as_str(block.get("text")), 0, index)
        for item in map(as_map, as_list(block.get("citations"))):
            citation = anthropic_citation(item)
            if citation is not None:
                draft.cite(citation)
        return
    draft.skip_block(0, index)
    if kind == "tool_use":
        # In a stream the input begins empty and comes in pieces.
        arguments = None if streamed and not block.get("input") else block.get("input", {})
        draft.add_call((index,), id=as_str(block.get("id")), name=as_str(block.get("name")), arguments=arguments)


def _delta(delta: JsonMap, draft: Draft, index: int) -> None:
    kind = as_str(delta.get("type"))
    if kind == "text_delta":
        draft.add_text(as_str(delta.get("text")), 0, index)
    elif kind == "input_json_delta" and draft.has_call((index,)):
        draft.add_call((index,), arguments=as_str(delta.get("partial_json")))
    elif kind == "citations_delta":
        citation = anthropic_citation(as_map(delta.get("citation")))
        if citation is not None:
            draft.cite(citation)


def _speaks(preset: str, path: str, request: Json) -> bool:
    last = path.rsplit("/", 1)[-1]
    if preset == "bedrock":
        return last.startswith("invoke") and "anthropic_version" in request
    return preset == "anthropic" and last == "messages"


def _made(request: Json) -> Iterator[Made]:
    open_calls: dict[str, ToolCall] = {}
    for message in maps(request.get("messages")):
        for block in maps(message.get("content")):
            if block.get("type") == "tool_use":
                made = ToolCall(name=str(block.get("name")), arguments=json_text(block.get("input", {})))
                open_calls[str(block.get("id"))] = made
                yield Made(made.name, made.arguments)
            elif block.get("type") == "tool_result" and str(block.get("tool_use_id")) in open_calls:
                call = open_calls[str(block.get("tool_use_id"))]
                yield Made(call.name, call.arguments, block.get("content", ""))


def _content_blocks(pieces: list[Json]) -> list[Json]:
    """The content blocks of an answer, thinking with its signature included: the API wants them back as they were."""
    if isinstance(pieces[0].get("content"), list):
        return maps(pieces[0]["content"])
    blocks: dict[Any, Json] = {}
    inputs: dict[Any, str] = {}
    for piece in pieces:
        position = piece.get("index")
        if piece.get("type") == "content_block_start":
            blocks[position] = dict(mapped(piece.get("content_block")))
        elif piece.get("type") == "content_block_delta" and position in blocks:
            delta = mapped(piece.get("delta"))
            if delta.get("type") == "input_json_delta":
                inputs[position] = inputs.get(position, "") + str(delta.get("partial_json", ""))
            for name in ("text", "thinking", "signature"):
                if isinstance(delta.get(name), str):
                    blocks[position][name] = str(blocks[position].get(name) or "") + delta[name]
    for position, text in inputs.items():
        blocks[position]["input"] = json_object(text)
    return list(blocks.values())


def _follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    sent_back = ("text", "thinking", "redacted_thinking", "tool_use")
    message = [block for block in _content_blocks(pieces) if block.get("type") in sent_back and block.get("text") != ""]
    turn = [
        {"type": "tool_result", "tool_use_id": call_id(call, position), "content": result}
        for position, (call, result) in enumerate(results)
    ]
    messages = [
        *request.get("messages", []),
        {"role": "assistant", "content": message},
        {"role": "user", "content": turn},
    ]
    return {**request, "messages": messages}


PROVIDER = Provider(
    name="anthropic",
    shapes=(Shape(_matches, _read),),
    turns=(Turns(_speaks, _made, _follow),),
    questions=(QuestionFields("messages", system="system"),),
    usage=UsageNames(
        input=("input_tokens",),
        output=("output_tokens",),
        cached=("cache_read_input_tokens",),
        cache_write=("cache_creation_input_tokens",),
    ),
    rate_limits=(RateLimitFamily(r"anthropic-[a-z]+", budget_first=True),),
)
