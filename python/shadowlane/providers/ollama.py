"""Ollama: ``/api/chat`` and ``/api/generate``, whole and streamed as NDJSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..types import Answer, ToolCall
from .base import Provider, QuestionFields, Shape, Turns
from .openai.chat import read_content, read_tool_calls
from .reading.calls import Json, Made, Results, json_object, json_text, mapped, maps
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_list, as_map, as_str, first_str

__all__ = ["PROVIDER"]


def _matches(value: JsonMap) -> bool:
    """``/api/chat`` and ``/api/generate``: a line of NDJSON, or the one object of ``"stream": false``."""
    return isinstance(value.get("done"), bool) and (
        isinstance(value.get("message"), dict) or isinstance(value.get("response"), str)
    )


def _read(value: JsonMap, draft: Draft) -> None:
    """``thinking`` is left out; durations are no part of the answer."""
    message = as_map(value.get("message"))
    draft.kind = "ollama.chat" if message else "ollama.generate"
    read_content(message.get("content"), draft)
    for call in as_list(message.get("tool_calls")):
        # Numbers of its own: each line begins to count its calls at 0 again.
        read_tool_calls([{**as_map(call), "index": draft.calls()}], draft)
    draft.add_text(as_str(value.get("response")))
    draft.model = first_str(value, "model") or draft.model
    draft.count_tokens(value)
    if value["done"]:
        draft.finish(first_str(value, "done_reason") or "stop")
        draft.ended = True


def _speaks(preset: str, path: str, request: Json) -> bool:
    return preset == "ollama" and path.endswith("/api/chat")


def _made(request: Json) -> Iterator[Made]:
    # Calls have no identifiers, results follow in their order.
    waiting: list[ToolCall] = []
    for message in maps(request.get("messages")):
        for call in maps(message.get("tool_calls")):
            function = mapped(call.get("function"))
            made = ToolCall(name=str(function.get("name")), arguments=json_text(function.get("arguments", {})))
            waiting.append(made)
            yield Made(made.name, made.arguments)
        if message.get("role") == "tool" and waiting:
            name = message.get("tool_name") or message.get("name")
            found = next((call for call in waiting if name in (None, call.name)), None)
            if found is not None:
                waiting.remove(found)
                yield Made(found.name, found.arguments, message.get("content"))


def _follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    calls = [{"function": {"name": call.name, "arguments": json_object(call.arguments)}} for call, _ in results]
    turn: Json = {"role": "assistant", "content": answer.text, "tool_calls": calls}
    thinking = "".join(str(mapped(piece.get("message")).get("thinking") or "") for piece in pieces)
    if thinking:
        turn["thinking"] = thinking
    turns = [{"role": "tool", "tool_name": call.name, "content": result} for call, result in results]
    return {**request, "messages": [*request.get("messages", []), turn, *turns]}


def _embeddings(value: JsonMap) -> list[Any]:
    if "embedding" in value:
        # Amazon's Titan has the same field, and a count beside it.
        return [] if "inputTextTokenCount" in value else [value["embedding"]]
    return as_list(value.get("embeddings"))


PROVIDER = Provider(
    name="ollama",
    shapes=(Shape(_matches, _read),),
    turns=(Turns(_speaks, _made, _follow),),
    embeddings=_embeddings,
    questions=(QuestionFields("messages", system="system"),),
    usage=UsageNames(input=("prompt_eval_count",), output=("eval_count",)),
)
