"""The conversations of the chat APIs: which tool calls they hold with which results, and how to go on after an answer.

Invariants: only APIs whose next turn is well defined by what is sent and answered are known here; for any other there
is no next turn. What was in the request stays in it, in its order; a turn only adds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..types import Answer, Copy, ToolCall

__all__ = ["Api", "Made", "find_api"]

Json = dict[str, Any]
Results = Sequence[tuple[ToolCall, Any]]


class Made(NamedTuple):
    """A call of a conversation. ``result`` is the API's own value for it; ``None`` when the conversation has none."""

    name: str
    arguments: str
    result: Any = None


class Api(NamedTuple):
    """What is to be known of an API."""

    made: Callable[[Json], Iterator[Made]]
    """The calls of a request's conversation."""
    follow: Callable[[Json, Answer, list[Json], Results], Json]
    """The next request: ``follow(request, answer, pieces, results)``; ``pieces`` are the answer's JSON objects, one, or
    one for each event of a stream."""


def find_api(copy: Copy, request: Json) -> Api | None:
    """The API that an inference request speaks; ``None`` when it is none whose next turn is known."""
    path = copy.target.partition("?")[0]
    last = path.rsplit("/", 1)[-1]
    if copy.preset == "bedrock" and last.startswith("converse"):
        return _CONVERSE
    if (copy.preset == "anthropic" and last == "messages") or (
        copy.preset == "bedrock" and "anthropic_version" in request
    ):
        return _ANTHROPIC
    if copy.preset == "ollama" and path.endswith("/api/chat"):
        return _OLLAMA
    if copy.preset == "cohere" and last == "chat" and "messages" in request:
        return _COHERE
    if copy.preset in ("openai", "ollama", "mistral") and path.endswith("/chat/completions"):
        # Several answers to one question have no one next turn.
        return _CHAT if request.get("n") in (None, 1) else None
    return _RESPONSES if copy.preset == "openai" and last == "responses" else None


def _maps(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _map(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """Arguments as JSON text: some APIs have them as text, some as an object."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _object(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return {}


def _id(call: ToolCall, place: int) -> str:
    return call.id or f"call_{place}"


# ---- OpenAI's chat completions, and who speaks it


def _chat_made(request: Json) -> Iterator[Made]:
    open_calls: dict[str, ToolCall] = {}
    for message in _maps(request.get("messages")):
        for call in _maps(message.get("tool_calls")):
            function = _map(call.get("function"))
            made = ToolCall(name=str(function.get("name")), arguments=_text(function.get("arguments", "")))
            open_calls[str(call.get("id"))] = made
            yield Made(made.name, made.arguments)
        if isinstance(message.get("function_call"), dict):
            function = message["function_call"]
            made = ToolCall(name=str(function.get("name")), arguments=_text(function.get("arguments", "")))
            open_calls[f"function {made.name}"] = made
            yield Made(made.name, made.arguments)
        key = {"tool": str(message.get("tool_call_id")), "function": f"function {message.get('name')}"}
        answered = open_calls.get(key.get(str(message.get("role")), ""))
        if answered is not None:
            yield Made(answered.name, answered.arguments, message.get("content"))


def _chat_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    said: Json = {"role": "assistant", "content": answer.text or None}
    turns: list[Json] = []
    if "functions" in request and "tools" not in request:
        call, result = results[0]
        said["function_call"] = {"name": call.name, "arguments": call.arguments}
        turns.append({"role": "function", "name": call.name, "content": result})
    else:
        said["tool_calls"] = [
            {"id": _id(call, place), "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for place, (call, _) in enumerate(results)
        ]
        turns += [
            {"role": "tool", "tool_call_id": _id(call, place), "content": result}
            for place, (call, result) in enumerate(results)
        ]
    return {**request, "messages": [*request.get("messages", []), said, *turns]}


# ---- OpenAI's responses


def _responses_made(request: Json) -> Iterator[Made]:
    open_calls: dict[str, ToolCall] = {}
    for item in _maps(request.get("input")):
        kind, key = str(item.get("type")), str(item.get("call_id"))
        if kind in ("function_call", "custom_tool_call"):
            made = ToolCall(name=str(item.get("name")), arguments=_text(item.get("arguments", item.get("input", ""))))
            open_calls[key] = made
            yield Made(made.name, made.arguments)
        elif kind in ("function_call_output", "custom_tool_call_output") and key in open_calls:
            yield Made(open_calls[key].name, open_calls[key].arguments, item.get("output"))


def _responses_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    whole = next((_map(piece.get("response")) for piece in reversed(pieces) if "response" in piece), _map(pieces[0]))
    asked = request.get("input")
    items: list[Json] = [{"role": "user", "content": asked}] if isinstance(asked, str) else list(asked or [])
    custom = {item.get("call_id") for item in _maps(whole.get("output")) if item.get("type") == "custom_tool_call"}
    # Nothing is stored at the provider, so identifiers of items mean nothing there; reasoning can be handed back only
    # in its encrypted form.
    for item in _maps(whole.get("output")):
        if item.get("type") == "reasoning" and item.get("encrypted_content"):
            items.append({name: value for name, value in item.items() if name not in ("id", "status")})
    if answer.text:
        items.append({"role": "assistant", "content": answer.text})
    for place, (call, _) in enumerate(results):
        key = _id(call, place)
        if key in custom:
            items.append({"type": "custom_tool_call", "call_id": key, "name": call.name, "input": call.arguments})
        else:
            items.append({"type": "function_call", "call_id": key, "name": call.name, "arguments": call.arguments})
    for place, (call, result) in enumerate(results):
        key = _id(call, place)
        kind = "custom_tool_call_output" if key in custom else "function_call_output"
        items.append({"type": kind, "call_id": key, "output": result})
    return {**request, "input": items}


# ---- Anthropic's messages, at Anthropic and on Bedrock


def _anthropic_made(request: Json) -> Iterator[Made]:
    open_calls: dict[str, ToolCall] = {}
    for message in _maps(request.get("messages")):
        for block in _maps(message.get("content")):
            if block.get("type") == "tool_use":
                made = ToolCall(name=str(block.get("name")), arguments=_text(block.get("input", {})))
                open_calls[str(block.get("id"))] = made
                yield Made(made.name, made.arguments)
            elif block.get("type") == "tool_result" and str(block.get("tool_use_id")) in open_calls:
                call = open_calls[str(block.get("tool_use_id"))]
                yield Made(call.name, call.arguments, block.get("content", ""))


def _anthropic_blocks(pieces: list[Json]) -> list[Json]:
    """The content blocks of an answer, thinking with its signature included: the API wants them back as they were."""
    if isinstance(pieces[0].get("content"), list):
        return _maps(pieces[0]["content"])
    blocks: dict[Any, Json] = {}
    inputs: dict[Any, str] = {}
    for piece in pieces:
        place = piece.get("index")
        if piece.get("type") == "content_block_start":
            blocks[place] = dict(_map(piece.get("content_block")))
        elif piece.get("type") == "content_block_delta" and place in blocks:
            delta = _map(piece.get("delta"))
            if delta.get("type") == "input_json_delta":
                inputs[place] = inputs.get(place, "") + str(delta.get("partial_json", ""))
            for name in ("text", "thinking", "signature"):
                if isinstance(delta.get(name), str):
                    blocks[place][name] = str(blocks[place].get(name) or "") + delta[name]
    for place, text in inputs.items():
        blocks[place]["input"] = _object(text)
    return list(blocks.values())


def _anthropic_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    kept = ("text", "thinking", "redacted_thinking", "tool_use")
    said = [block for block in _anthropic_blocks(pieces) if block.get("type") in kept and block.get("text") != ""]
    turn = [
        {"type": "tool_result", "tool_use_id": _id(call, place), "content": result}
        for place, (call, result) in enumerate(results)
    ]
    messages = [*request.get("messages", []), {"role": "assistant", "content": said}, {"role": "user", "content": turn}]
    return {**request, "messages": messages}


# ---- Ollama's chat: calls have no identifiers, results follow in their order


def _ollama_made(request: Json) -> Iterator[Made]:
    waiting: list[ToolCall] = []
    for message in _maps(request.get("messages")):
        for call in _maps(message.get("tool_calls")):
            function = _map(call.get("function"))
            made = ToolCall(name=str(function.get("name")), arguments=_text(function.get("arguments", {})))
            waiting.append(made)
            yield Made(made.name, made.arguments)
        if message.get("role") == "tool" and waiting:
            name = message.get("tool_name") or message.get("name")
            found = next((call for call in waiting if name in (None, call.name)), None)
            if found is not None:
                waiting.remove(found)
                yield Made(found.name, found.arguments, message.get("content"))


def _ollama_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    calls = [{"function": {"name": call.name, "arguments": _object(call.arguments)}} for call, _ in results]
    said: Json = {"role": "assistant", "content": answer.text, "tool_calls": calls}
    thinking = "".join(str(_map(piece.get("message")).get("thinking") or "") for piece in pieces)
    if thinking:
        said["thinking"] = thinking
    turns = [{"role": "tool", "tool_name": call.name, "content": result} for call, result in results]
    return {**request, "messages": [*request.get("messages", []), said, *turns]}


# ---- Cohere's chat, version 2: as OpenAI's, with a plan instead of a content


def _cohere_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    following = _chat_follow(request, answer, pieces, results)
    said = following["messages"][len(request.get("messages", []))]
    # A whole answer has its message at the top, an event of a stream in its delta.
    messages = [_map(piece.get("message") or _map(piece.get("delta")).get("message")) for piece in pieces]
    plan = "".join(str(message.get("tool_plan") or "") for message in messages)
    if text := said.pop("content") or plan:
        said["tool_plan"] = plan or text
    return following


# ---- Bedrock's converse


def _converse_made(request: Json) -> Iterator[Made]:
    open_calls: dict[str, ToolCall] = {}
    for message in _maps(request.get("messages")):
        for block in _maps(message.get("content")):
            use, result = _map(block.get("toolUse")), _map(block.get("toolResult"))
            if use:
                made = ToolCall(name=str(use.get("name")), arguments=_text(use.get("input", {})))
                open_calls[str(use.get("toolUseId"))] = made
                yield Made(made.name, made.arguments)
            elif str(result.get("toolUseId")) in open_calls:
                call = open_calls[str(result.get("toolUseId"))]
                yield Made(call.name, call.arguments, result.get("content"))


def _converse_blocks(pieces: list[Json]) -> list[Json]:
    """The text and the reasoning of a stream: models that reason want it back, signed as it was."""
    blocks: dict[int, Json] = {}
    for piece in pieces:
        event = _map(piece.get("contentBlockDelta"))
        place, delta = int(event.get("contentBlockIndex", 0)), _map(event.get("delta"))
        if isinstance(delta.get("text"), str):
            block = blocks.setdefault(place, {"text": ""})
            block["text"] += delta["text"]
        reasoning = _map(delta.get("reasoningContent"))
        if "redactedContent" in reasoning:
            blocks[place] = {"reasoningContent": {"redactedContent": reasoning["redactedContent"]}}
        elif reasoning:
            block = blocks.setdefault(place, {"reasoningContent": {"reasoningText": {"text": ""}}})
            said = block["reasoningContent"]["reasoningText"]
            for name in ("text", "signature"):
                if name in reasoning:
                    said[name] = said.get(name, "") + reasoning[name]
    return [block for _, block in sorted(blocks.items()) if block != {"text": ""}]


def _converse_follow(request: Json, answer: Answer, pieces: list[Json], results: Results) -> Json:
    said = _map(_map(pieces[0].get("output")).get("message"))
    if not said:  # a stream
        content = _converse_blocks(pieces)
        for place, (call, _) in enumerate(results):
            use = {"toolUseId": _id(call, place), "name": call.name, "input": _object(call.arguments)}
            content.append({"toolUse": use})
        said = {"role": "assistant", "content": content}
    turn = [
        {
            "toolResult": {
                "toolUseId": _id(call, place),
                "content": [{"text": result}] if isinstance(result, str) else result,
            }
        }
        for place, (call, result) in enumerate(results)
    ]
    return {**request, "messages": [*request.get("messages", []), said, {"role": "user", "content": turn}]}


_CHAT = Api(_chat_made, _chat_follow)
_RESPONSES = Api(_responses_made, _responses_follow)
_ANTHROPIC = Api(_anthropic_made, _anthropic_follow)
_OLLAMA = Api(_ollama_made, _ollama_follow)
_COHERE = Api(_chat_made, _cohere_follow)
_CONVERSE = Api(_converse_made, _converse_follow)
