"""OpenAI's chat completions and legacy completions, whole and streamed, and the next turn of a chat.

Azure, Groq, Mistral, vLLM, Writer, xAI and most others answer in the chat shape, with fields of their own; those that
carry an answer or citations are read, reasoning (``reasoning_content``, ``reasoning``, ``thinking`` parts) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...types import Answer, ToolCall
from ..base import Shape, Turns
from ..reading.calls import Json, Made, Results, call_id, json_text, mapped, maps
from ..reading.citing import openai_annotation, parse_citations
from ..reading.draft import Draft
from ..reading.jsonlike import JsonMap, as_count, as_list, as_map, as_str, first_str

__all__ = ["SHAPE", "TURNS", "chat_follow", "chat_made", "read_content", "read_tool_calls"]

_CHOICE_FIELDS = frozenset({"message", "delta", "text"})


def _matches(value: JsonMap) -> bool:
    """``choices`` with messages, deltas or texts; or, in a stream, ``choices`` that are empty or ``null`` beside the
    chunk's own fields."""
    choices = value.get("choices")
    if choices is None and "choices" in value:
        return as_str(value.get("object")).startswith("chat.completion") or isinstance(value.get("usage"), dict)
    if not isinstance(choices, list):
        return False
    if not choices:
        return "object" in value or "usage" in value or "id" in value
    return any(isinstance(choice, dict) and _CHOICE_FIELDS & choice.keys() for choice in choices)


def _read(value: JsonMap, draft: Draft) -> None:
    """A whole response, or one chunk of a stream."""
    choices = [as_map(choice) for choice in as_list(value.get("choices"))]
    for position, choice in enumerate(choices):
        number = as_count(choice.get("index"))
        number = position if number is None else number
        if isinstance(choice.get("text"), str):
            draft.kind = "openai.completions"
            draft.add_text(choice["text"], number)
        for name in ("message", "delta"):
            if isinstance(choice.get(name), dict):
                _read_message(choice[name], draft, number)
        reason = choice.get("finish_reason") or choice.get("stop_reason")
        draft.finish(reason, number)
        if reason == "content_filter":
            draft.refusal = True
            draft.note("the provider's content filter withheld the answer or a part of it")
    draft.kind = draft.kind or "openai.chat"
    groq = as_map(value.get("x_groq"))
    draft.count_tokens(as_map(groq.get("usage")))
    draft.count_tokens(as_map(value.get("usage")))
    draft.model = first_str(value, "model") or draft.model
    draft.model_rev = first_str(value, "system_fingerprint") or draft.model_rev
    sources = value.get("citations")
    draft.cite(*parse_citations(sources if isinstance(sources, list) and sources else value.get("search_results")))
    draft.ended = draft.all_finished()


def _read_message(message: JsonMap, draft: Draft, choice: int) -> None:
    read_content(message.get("content"), draft, choice)
    refusal = as_str(message.get("refusal"))
    if refusal:
        draft.refusal = True
        draft.add_text(refusal, choice)
    read_tool_calls(message.get("tool_calls"), draft, choice)
    function = as_map(message.get("function_call"))
    if function:
        draft.add_call((choice, 0), name=as_str(function.get("name")), arguments=function.get("arguments"))
    audio = as_map(message.get("audio"))
    if as_str(audio.get("transcript")):
        draft.add_text(audio["transcript"], choice)
    for annotation in map(as_map, as_list(message.get("annotations"))):
        citation = openai_annotation(annotation, as_str(message.get("content")))
        if citation is not None:
            draft.cite(citation)
    # Azure "on your data", Writer's knowledge graphs.
    draft.cite(*parse_citations(as_list(as_map(message.get("context")).get("citations"))))
    draft.cite(*parse_citations(as_list(as_map(message.get("graph_data")).get("sources"))))


def read_content(content: Any, draft: Draft, choice: int = 0, block: int = 0) -> None:
    """A message's content: text, or an array of parts of which the text and the refusals are visible."""
    if isinstance(content, str):
        draft.add_text(content, choice, block)
        return
    for part in as_list(content):
        if isinstance(part, str):
            draft.add_text(part, choice, block)
            continue
        part = as_map(part)
        kind = as_str(part.get("type"))
        if kind == "refusal":
            draft.refusal = True
            draft.add_text(as_str(part.get("refusal")), choice, block)
        elif kind in ("text", "output_text", "") and isinstance(part.get("text"), str):
            draft.add_text(part["text"], choice, block)
        elif kind == "reference":
            draft.cite(*parse_citations(as_list(part.get("reference_ids"))))


def read_tool_calls(calls: Any, draft: Draft, choice: int = 0) -> None:
    """``tool_calls`` as in chat: ``{index, id, function: {name, arguments}}``; the index is there in streams only, and
    not in all."""
    for call in map(as_map, as_list(calls)):
        body = as_map(call.get("function")) or as_map(call.get("custom"))
        draft.add_tool_call(
            choice,
            as_count(call.get("index")),
            id=as_str(call.get("id")),
            name=as_str(body.get("name")),
            arguments=body.get("arguments", body.get("input")),
        )


def _speaks(preset: str, path: str, request: Json) -> bool:
    # Several answers to one question have no one next turn.
    return (
        preset in ("openai", "ollama", "mistral")
        and path.endswith("/chat/completions")
        and request.get("n") in (None, 1)
    )


def chat_made(request: Json) -> Iterator[Made]:
    """The calls of a conversation in the chat shape, with their results."""
    open_calls: dict[str, ToolCall] = {}
    for message in maps(request.get("messages")):
        for call in maps(message.get("tool_calls")):
            function = mapped(call.get("function"))
            made = ToolCall(name=str(function.get("name")), arguments=json_text(function.get("arguments", "")))
            open_calls[str(call.get("id"))] = made
            yield Made(made.name, made.arguments)
        if isinstance(message.get("function_call"), dict):
            function = message["function_call"]
            made = ToolCall(name=str(function.get("name")), arguments=json_text(function.get("arguments", "")))
            open_calls[f"function {made.name}"] = made
            yield Made(made.name, made.arguments)
        key = {"tool": str(message.get("tool_call_id")), "function": f"function {message.get('name')}"}
        answered = open_calls.get(key.get(str(message.get("role")), ""))
        if answered is not None:
            yield Made(answered.name, answered.arguments, message.get("content"))


def chat_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    """The next request in the chat shape."""
    turn: Json = {"role": "assistant", "content": answer.text or None}
    turns: list[Json] = []
    if "functions" in request and "tools" not in request:
        call, result = results[0]
        turn["function_call"] = {"name": call.name, "arguments": call.arguments}
        turns.append({"role": "function", "name": call.name, "content": result})
    else:
        turn["tool_calls"] = [
            {
                "id": call_id(call, position),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for position, (call, _) in enumerate(results)
        ]
        turns += [
            {"role": "tool", "tool_call_id": call_id(call, position), "content": result}
            for position, (call, result) in enumerate(results)
        ]
    return {**request, "messages": [*request.get("messages", []), turn, *turns]}


SHAPE = Shape(_matches, _read)
TURNS = Turns(_speaks, chat_made, chat_follow)
