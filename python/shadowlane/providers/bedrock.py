"""Amazon Bedrock: Converse, and what ``invoke`` returns for models whose shape is no other provider's.

Claude, Cohere and Jamba answer through ``invoke`` as at home, so their own modules read them. A Converse stream names
its events outside the payload; :func:`named_event` puts the name in, as Nova's ``invoke`` stream does by itself.
"""

from __future__ import annotations

from typing import Any

from .citing import bedrock_citations
from .draft import Draft
from .jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_count, first_str

__all__ = ["matches_converse", "matches_invoke", "named_event", "read_converse", "read_invoke"]

_EVENTS = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)


def named_event(name: str, payload: JsonMap) -> JsonMap:
    """``{name: payload}`` for the events of a Converse stream; other payloads as they are."""
    return {name: payload} if name in _EVENTS else payload


def matches_converse(value: JsonMap) -> bool:
    """A Converse answer (Nova's ``invoke`` has the same), an event of its stream, or ``RetrieveAndGenerate``."""
    output = as_map(value.get("output"))
    if isinstance(output.get("message"), dict):
        return True
    if isinstance(output.get("text"), str) and ("sessionId" in value or "citations" in value):
        return True
    named = _EVENTS & value.keys()
    if named == {"metadata"}:  # many bodies have some metadata
        return not {"usage", "metrics"}.isdisjoint(as_map(value["metadata"]))
    return len(named) == 1 and all(isinstance(value[name], dict) for name in named)


def read_converse(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one event."""
    draft.kind = "bedrock.converse"
    output = as_map(value.get("output"))
    if isinstance(output.get("text"), str):
        draft.kind = "bedrock.retrieve_and_generate"
        draft.say(output["text"])
        for citation in map(as_map, as_list(value.get("citations"))):
            draft.cite(*bedrock_citations(citation))
    for place, block in enumerate(map(as_map, as_list(as_map(output.get("message")).get("content")))):
        _read_block(block, draft, place)
    _read_usage(value, draft)
    draft.finish(value.get("stopReason"))
    if "contentBlockStart" in value:
        event = as_map(value["contentBlockStart"])
        _read_block(as_map(event.get("start")), draft, as_count(event.get("contentBlockIndex")) or 0)
    if "contentBlockDelta" in value:
        event = as_map(value["contentBlockDelta"])
        _read_block(as_map(event.get("delta")), draft, as_count(event.get("contentBlockIndex")) or 0)
    if "messageStop" in value:
        draft.finish(as_map(value["messageStop"]).get("stopReason"))
        draft.ended = True
    _read_usage(as_map(value.get("metadata")), draft)


def _read_usage(value: JsonMap, draft: Draft) -> None:
    draft.use(as_map(value.get("usage")), extra_input=("cacheReadInputTokens", "cacheWriteInputTokens"))
    draft.use(as_map(value.get("amazon-bedrock-invocationMetrics")))


def _read_block(block: JsonMap, draft: Draft, place: int) -> None:
    """A content block, or a piece of one: both name their kind by their field."""
    if isinstance(block.get("text"), str):
        draft.say(block["text"], 0, place)
        return
    cited = as_map(block.get("citationsContent"))
    for part in map(as_map, as_list(cited.get("content"))):
        draft.say(as_str(part.get("text")), 0, place)
    for citation in map(as_map, as_list(cited.get("citations")) or [as_map(block.get("citation"))]):
        draft.cite(*bedrock_citations(citation))
    tool = as_map(block.get("toolUse"))
    if tool:
        draft.skip(0, place)
        draft.call(
            (place,), id=as_str(tool.get("toolUseId")), name=as_str(tool.get("name")), arguments=tool.get("input")
        )
    elif "reasoningContent" in block:
        draft.skip(0, place)


def matches_invoke(value: JsonMap) -> bool:
    """Titan, Llama, Mistral and AI21's Jurassic, whole or as a chunk of a stream."""
    return any(_invoke_texts(value)) or _titan_chunk(value)


def _titan_chunk(value: JsonMap) -> bool:
    return isinstance(value.get("outputText"), str)


def _invoke_texts(value: JsonMap) -> tuple[list[Any], ...]:
    """Which of the shapes holds: results (Titan), generation (Llama), outputs (Mistral), completions (Jurassic)."""
    return (
        [item for item in as_list(value.get("results")) if isinstance(as_map(item).get("outputText"), str)],
        [value] if isinstance(value.get("generation"), str) else [],
        [item for item in as_list(value.get("outputs")) if isinstance(as_map(item).get("text"), str)],
        [
            item
            for item in as_list(value.get("completions"))
            if isinstance(as_map(as_map(item).get("data")).get("text"), str)
            or isinstance(as_map(item).get("completion"), str)
        ],
    )


def read_invoke(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one chunk."""
    titan, llama, mistral, jurassic = _invoke_texts(value)
    if _titan_chunk(value):
        titan = [value]
    if titan:
        draft.kind = "bedrock.titan"
        for place, item in enumerate(titan):
            draft.say(item["outputText"], place)
            draft.finish(item.get("completionReason"), place)
            draft.use(item)
        counts = [as_count(item.get("tokenCount")) for item in titan]
        if any(count is not None for count in counts):
            draft.usage["output_tokens"] = sum(count or 0 for count in counts)
    elif llama:
        draft.kind = "bedrock.llama"
        draft.say(value["generation"])
        draft.finish(value.get("stop_reason"))
    elif mistral:
        draft.kind = "bedrock.mistral"
        for place, item in enumerate(mistral):
            draft.say(item["text"], place)
            draft.finish(item.get("stop_reason"), place)
    else:
        draft.kind = "ai21.completions"
        for place, item in enumerate(jurassic):
            draft.say(first_str(as_map(item.get("data")), "text") or as_str(item.get("completion")), place)
            reason = item.get("finishReason") or item.get("finish_reason")
            draft.finish(as_map(reason).get("reason") if isinstance(reason, dict) else reason, place)
    _read_counts(value, draft)
    draft.model = first_str(value, "model", "model_version") or draft.model
    draft.ended = draft.all_finished()


def _read_counts(value: JsonMap, draft: Draft) -> None:
    """Counts beside the text; in a stream only the last chunk's metrics are whole."""
    draft.use({name: count for name, count in value.items() if first_count(value, name) is not None})
    draft.use(as_map(value.get("amazon-bedrock-invocationMetrics")))
