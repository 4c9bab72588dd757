"""Cohere: chat v2 (messages, tool plan, typed events), chat v1 (text, documents, NDJSON or SSE events), generate.

The tool plan is reasoning and left out.
"""

from __future__ import annotations

from typing import Any

from ..types import Answer, Citation
from .base import Provider, QuestionFields, Shape, Turns
from .openai.chat import chat_follow, chat_made, read_content, read_tool_calls
from .reading.calls import Json, Results, mapped
from .reading.citing import is_positional
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str
from .reading.vectors import are_rows

__all__ = ["PROVIDER"]

_V2_EVENTS = frozenset(
    {
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "tool-plan-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "citation-start",
        "citation-end",
        "message-end",
    }
)
_V1_EVENTS = frozenset(
    {
        "stream-start",
        "text-generation",
        "search-queries-generation",
        "search-results",
        "citation-generation",
        "tool-calls-chunk",
        "tool-calls-generation",
        "stream-end",
    }
)
_REFUSALS = frozenset({"ERROR_TOXIC"})
_FLAVOURS = ("float", "float32", "embeddings")


def _matches(value: JsonMap) -> bool:
    """Answers and events of v1 and v2, and ``generations``."""
    if as_str(value.get("type")) in _V2_EVENTS or as_str(value.get("event_type")) in _V1_EVENTS:
        return True
    if isinstance(value.get("text"), str) and ("generation_id" in value or "is_finished" in value):
        return True
    if isinstance(value.get("generations"), list):
        return any(isinstance(as_map(item).get("text"), str) for item in value["generations"])
    message = value.get("message")
    return (
        isinstance(message, dict)
        and "finish_reason" in value
        and ("content" in message or "tool_calls" in message or "tool_plan" in message)
    )


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one event of a stream."""
    if as_str(value.get("type")) in _V2_EVENTS:
        _read_v2_event(value, draft)
    elif as_str(value.get("event_type")) in _V1_EVENTS:
        _read_v1_event(value, draft)
    elif isinstance(value.get("message"), dict):
        draft.kind = "cohere.v2"
        _read_v2_message(value["message"], draft)
        _read_v2_end(value, draft)
    elif isinstance(value.get("generations"), list):
        draft.kind = "cohere.generate"
        for position, item in enumerate(map(as_map, value["generations"])):
            draft.add_text(as_str(item.get("text")), position)
            _finish(item, draft, position)
        _read_v1_meta(value, draft)
        draft.ended = draft.all_finished()
    else:
        _read_v1(value, draft)


def _finish(value: JsonMap, draft: Draft, choice: int = 0) -> None:
    reason = as_str(value.get("finish_reason"))
    draft.finish(reason, choice)
    if reason in _REFUSALS:
        draft.refusal = True


def _read_v2_message(message: JsonMap, draft: Draft) -> None:
    read_content(message.get("content"), draft)
    read_tool_calls(message.get("tool_calls"), draft)
    for citation in map(as_map, as_list(message.get("citations"))):
        draft.cite(*_citations(citation, {}))


def _read_v2_end(value: JsonMap, draft: Draft) -> None:
    _finish(value, draft)
    usage = as_map(value.get("usage"))
    draft.count_tokens(as_map(usage.get("tokens")) or as_map(usage.get("billed_units")))
    error = as_str(value.get("error"))
    if error:
        draft.note_broken(error)


def _read_v2_event(value: JsonMap, draft: Draft) -> None:
    draft.kind = "cohere.v2"
    kind = as_str(value.get("type"))
    delta = as_map(value.get("delta"))
    message = as_map(delta.get("message"))
    index = as_count(value.get("index")) or 0
    content = as_map(message.get("content"))
    if kind == "content-start" and content.get("type", "text") != "text":
        draft.skip_block(0, index)
    elif kind in ("content-start", "content-delta"):
        if isinstance(content.get("text"), str):
            draft.add_text(content["text"], 0, index)
    elif kind in ("tool-call-start", "tool-call-delta"):
        call = as_map(message.get("tool_calls"))
        function = as_map(call.get("function"))
        draft.add_call(
            (index,),
            id=as_str(call.get("id")),
            name=as_str(function.get("name")),
            arguments=as_str(function.get("arguments")),
        )
    elif kind == "citation-start":
        draft.cite(*_citations(as_map(message.get("citations")), {}))
    elif kind == "message-end":
        _read_v2_end(delta, draft)
        draft.ended = True


def _read_v1(value: JsonMap, draft: Draft) -> None:
    """A whole answer; also a piece of a stream on Bedrock (``{text, is_finished}``)."""
    draft.kind = "cohere.v1"
    draft.add_text(as_str(value.get("text")))
    documents = {as_str(item.get("id")): item for item in map(as_map, as_list(value.get("documents")))}
    for citation in map(as_map, as_list(value.get("citations"))):
        draft.cite(*_citations(citation, documents))
    for call in map(as_map, as_list(value.get("tool_calls"))):
        draft.add_call((draft.calls(),), name=as_str(call.get("name")), arguments=call.get("parameters", {}))
    _finish(value, draft)
    _read_v1_meta(value, draft)
    draft.ended = draft.ended or value.get("is_finished") is True or draft.all_finished()


def _read_v1_meta(value: JsonMap, draft: Draft) -> None:
    meta = as_map(value.get("meta"))
    draft.count_tokens(as_map(meta.get("tokens")) or as_map(meta.get("billed_units")))
    draft.model = first_str(value, "model") or draft.model


def _read_v1_event(value: JsonMap, draft: Draft) -> None:
    draft.kind = "cohere.v1"
    kind = as_str(value.get("event_type"))
    if kind == "text-generation":
        draft.add_text(as_str(value.get("text")))
    elif kind == "citation-generation":
        for citation in map(as_map, as_list(value.get("citations"))):
            draft.cite(*_citations(citation, {}))
    elif kind == "stream-end":
        response = as_map(value.get("response"))
        if response:
            draft.restart()
            _read_v1(response, draft)
        _finish(value, draft)
        draft.ended = True
    elif kind == "tool-calls-generation":
        for call in map(as_map, as_list(value.get("tool_calls"))):
            draft.add_call((draft.calls(),), name=as_str(call.get("name")), arguments=call.get("parameters", {}))


def _citations(item: JsonMap, documents: JsonMap) -> list[Citation]:
    """A citation of v1 (``document_ids``) or v2 (``sources``): one for each source it names.

    ``documents`` are the answer's documents by id (v1 sends them beside the citations).
    """
    text = as_str(item.get("text"))
    found = []
    for name in map(as_str, as_list(item.get("document_ids"))):
        found.append(_citation(name, as_map(documents.get(name)), text))
    for source in map(as_map, as_list(item.get("sources"))):
        document = as_map(source.get("document")) or as_map(source.get("tool_output"))
        found.append(_citation(first_str(source, "id") or first_str(document, "id"), document, text))
    return found or ([Citation(text=text)] if text else [])


def _citation(name: str, document: JsonMap, text: str) -> Citation:
    """A document that was cited. Documents without an identifier get a number by position (``doc:0``), tool results
    too: those are known by their address or title, else by what they say."""
    source = first_str(document, "url", "source", "title")
    passage = first_str(document, "snippet", "text", "content", "data")
    if is_positional(name) and (source or passage):
        return Citation(source_url=source, text=text if source else passage)
    return Citation(snippet_id=name, source_url=source, text=text)


def _speaks(preset: str, path: str, request: Json) -> bool:
    return preset == "cohere" and path.rsplit("/", 1)[-1] == "chat" and "messages" in request


def _follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    # As OpenAI's, with a plan instead of a content.
    following = chat_follow(request, answer, pieces, results)
    turn = following["messages"][len(request.get("messages", []))]
    # A whole answer has its message at the top, an event of a stream in its delta.
    messages = [mapped(piece.get("message") or mapped(piece.get("delta")).get("message")) for piece in pieces]
    plan = "".join(str(message.get("tool_plan") or "") for message in messages)
    if text := turn.pop("content") or plan:
        turn["tool_plan"] = plan or text
    return following


def _embeddings(value: JsonMap) -> list[Any]:
    several = value.get("embeddings")
    if isinstance(several, dict):
        return next((rows for name in _FLAVOURS if are_rows(rows := as_list(several.get(name)))), [])
    return as_list(several) if "response_type" in value or "meta" in value else []


PROVIDER = Provider(
    name="cohere",
    shapes=(Shape(_matches, _read),),
    turns=(Turns(_speaks, chat_made, _follow),),
    embeddings=_embeddings,
    questions=(QuestionFields("messages"),),
    usage=UsageNames(input=("input_tokens",), output=("output_tokens",), total=("total_tokens",)),
)
