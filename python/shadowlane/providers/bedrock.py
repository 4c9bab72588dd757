"""Amazon Bedrock: Converse, and what ``invoke`` returns for models whose shape is no other provider's.

Claude, Cohere and Jamba answer through ``invoke`` as at home, so their own modules read them. A Converse stream names
its events outside the payload; :func:`named_event` puts the name in, as Nova's ``invoke`` stream does by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..types import Answer, Citation, ToolCall
from .base import Provider, QuestionFields, Shape, Turns
from .reading.calls import Json, Made, Results, call_id, json_object, json_text, mapped, maps
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_count, as_list, as_map, as_str, canonical, first_count, first_str

__all__ = ["PROVIDER", "named_event"]

_EVENTS = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)


def named_event(name: str, payload: JsonMap) -> JsonMap:
    """``{name: payload}`` for the events of a Converse stream; other payloads as they are."""
    return {name: payload} if name in _EVENTS else payload


def _matches_converse(value: JsonMap) -> bool:
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


def _read_converse(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one event."""
    draft.kind = "bedrock.converse"
    output = as_map(value.get("output"))
    if isinstance(output.get("text"), str):
        draft.kind = "bedrock.retrieve_and_generate"
        draft.add_text(output["text"])
        for citation in map(as_map, as_list(value.get("citations"))):
            draft.cite(*_citations(citation))
    for position, block in enumerate(map(as_map, as_list(as_map(output.get("message")).get("content")))):
        _read_block(block, draft, position)
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
    draft.count_tokens(as_map(value.get("usage")), extra_input=("cacheReadInputTokens", "cacheWriteInputTokens"))
    draft.count_tokens(as_map(value.get("amazon-bedrock-invocationMetrics")))


def _read_block(block: JsonMap, draft: Draft, position: int) -> None:
    """A content block, or a piece of one: both name their kind by their field."""
    if isinstance(block.get("text"), str):
        draft.add_text(block["text"], 0, position)
        return
    cited = as_map(block.get("citationsContent"))
    for part in map(as_map, as_list(cited.get("content"))):
        draft.add_text(as_str(part.get("text")), 0, position)
    for citation in map(as_map, as_list(cited.get("citations")) or [as_map(block.get("citation"))]):
        draft.cite(*_citations(citation))
    tool = as_map(block.get("toolUse"))
    if tool:
        draft.skip_block(0, position)
        draft.add_call(
            (position,), id=as_str(tool.get("toolUseId")), name=as_str(tool.get("name")), arguments=tool.get("input")
        )
    elif "reasoningContent" in block:
        draft.skip_block(0, position)


def _matches_invoke(value: JsonMap) -> bool:
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


def _read_invoke(value: JsonMap, draft: Draft) -> None:
    """A whole answer, or one chunk."""
    titan, llama, mistral, jurassic = _invoke_texts(value)
    if _titan_chunk(value):
        titan = [value]
    if titan:
        draft.kind = "bedrock.titan"
        for position, item in enumerate(titan):
            draft.add_text(item["outputText"], position)
            draft.finish(item.get("completionReason"), position)
            draft.count_tokens(item)
        counts = [as_count(item.get("tokenCount")) for item in titan]
        if any(count is not None for count in counts):
            draft.usage["output_tokens"] = sum(count or 0 for count in counts)
    elif llama:
        draft.kind = "bedrock.llama"
        draft.add_text(value["generation"])
        draft.finish(value.get("stop_reason"))
    elif mistral:
        draft.kind = "bedrock.mistral"
        for position, item in enumerate(mistral):
            draft.add_text(item["text"], position)
            draft.finish(item.get("stop_reason"), position)
    else:
        draft.kind = "ai21.completions"
        for position, item in enumerate(jurassic):
            draft.add_text(first_str(as_map(item.get("data")), "text") or as_str(item.get("completion")), position)
            reason = item.get("finishReason") or item.get("finish_reason")
            draft.finish(as_map(reason).get("reason") if isinstance(reason, dict) else reason, position)
    _read_counts(value, draft)
    draft.model = first_str(value, "model", "model_version") or draft.model
    draft.ended = draft.all_finished()


def _read_counts(value: JsonMap, draft: Draft) -> None:
    """Counts beside the text; in a stream only the last chunk's metrics are whole."""
    draft.count_tokens({name: count for name, count in value.items() if first_count(value, name) is not None})
    draft.count_tokens(as_map(value.get("amazon-bedrock-invocationMetrics")))


def _citations(item: JsonMap) -> list[Citation]:
    """A Converse ``citationsContent`` citation, or one of ``RetrieveAndGenerate`` with its ``retrievedReferences``."""
    references = [as_map(reference) for reference in as_list(item.get("retrievedReferences"))]
    if references:
        return [
            Citation(
                source_url=_deep_url(reference.get("location")),
                snippet_id=first_str(as_map(reference.get("metadata")), "x-amz-bedrock-kb-chunk-id"),
                text=as_str(as_map(reference.get("content")).get("text")),
            )
            for reference in references
        ]
    location = as_map(item.get("location"))
    chars = as_map(location.get("documentChar"))
    start, end = as_count(chars.get("start")), as_count(chars.get("end"))
    counted = as_map(location.get("documentPage")) or as_map(location.get("documentChunk"))
    # The document's number is one by position in the request.
    pages = {name: value for name, value in counted.items() if name != "documentIndex"}
    texts = (as_str(as_map(part).get("text")) for part in as_list(item.get("sourceContent")))
    citation = Citation(
        source_url=_deep_url(location.get("web")) or first_str(item, "source", "title"),
        section_id=canonical(pages) if pages else "",
        offsets=(start, end) if start is not None and end is not None else None,
        text="".join(texts),
    )
    return [] if citation == Citation() else [citation]


def _deep_url(value: Any) -> str:
    """The first ``uri`` or ``url`` of a location such as ``{"s3Location": {"uri": ...}}``."""
    level = as_map(value)
    for layer in [level, *map(as_map, level.values())]:
        url = first_str(layer, "uri", "url")
        if url:
            return url
    return ""


def _speaks(preset: str, path: str, request: Json) -> bool:
    return preset == "bedrock" and path.rsplit("/", 1)[-1].startswith("converse")


def _converse_made(request: Json) -> Iterator[Made]:
    open_calls: dict[str, ToolCall] = {}
    for message in maps(request.get("messages")):
        for block in maps(message.get("content")):
            use, result = mapped(block.get("toolUse")), mapped(block.get("toolResult"))
            if use:
                made = ToolCall(name=str(use.get("name")), arguments=json_text(use.get("input", {})))
                open_calls[str(use.get("toolUseId"))] = made
                yield Made(made.name, made.arguments)
            elif str(result.get("toolUseId")) in open_calls:
                call = open_calls[str(result.get("toolUseId"))]
                yield Made(call.name, call.arguments, result.get("content"))


def _converse_blocks(pieces: list[Json]) -> list[Json]:
    """The text and the reasoning of a stream: models that reason want it back, signed as it was."""
    blocks: dict[int, Json] = {}
    for piece in pieces:
        event = mapped(piece.get("contentBlockDelta"))
        position, delta = int(event.get("contentBlockIndex", 0)), mapped(event.get("delta"))
        if isinstance(delta.get("text"), str):
            block = blocks.setdefault(position, {"text": ""})
            block["text"] += delta["text"]
        reasoning = mapped(delta.get("reasoningContent"))
        if "redactedContent" in reasoning:
            blocks[position] = {"reasoningContent": {"redactedContent": reasoning["redactedContent"]}}
        elif reasoning:
            block = blocks.setdefault(position, {"reasoningContent": {"reasoningText": {"text": ""}}})
            reasoning_text = block["reasoningContent"]["reasoningText"]
            for name in ("text", "signature"):
                if name in reasoning:
                    reasoning_text[name] = reasoning_text.get(name, "") + reasoning[name]
    return [block for _, block in sorted(blocks.items()) if block != {"text": ""}]


def _converse_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    message = mapped(mapped(pieces[0].get("output")).get("message"))
    if not message:  # a stream
        content = _converse_blocks(pieces)
        for position, (call, _) in enumerate(results):
            use = {"toolUseId": call_id(call, position), "name": call.name, "input": json_object(call.arguments)}
            content.append({"toolUse": use})
        message = {"role": "assistant", "content": content}
    turn = [
        {
            "toolResult": {
                "toolUseId": call_id(call, position),
                "content": [{"text": result}] if isinstance(result, str) else result,
            }
        }
        for position, (call, result) in enumerate(results)
    ]
    return {**request, "messages": [*request.get("messages", []), message, {"role": "user", "content": turn}]}


def _embeddings(value: JsonMap) -> list[Any]:
    return [value["embedding"]] if "inputTextTokenCount" in value and "embedding" in value else []


PROVIDER = Provider(
    name="bedrock",
    shapes=(Shape(_matches_converse, _read_converse), Shape(_matches_invoke, _read_invoke)),
    turns=(Turns(_speaks, _converse_made, _converse_follow),),
    embeddings=_embeddings,
    questions=(QuestionFields("messages", system="system"),),
    usage=UsageNames(
        input=("inputTokens", "prompt_token_count", "inputTextTokenCount", "inputTokenCount"),
        output=("outputTokens", "generation_token_count", "outputTokenCount", "totalOutputTextTokenCount"),
        total=("totalTokens",),
        cached=("cacheReadInputTokens",),
        cache_write=("cacheWriteInputTokens",),
    ),
)
