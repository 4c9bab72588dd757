"""What telemetry tells of a call to a model, as the exchange that it was: OpenTelemetry's GenAI conventions.

https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/client-inference.md, release 0.1.0 and main of
November 2026, all of it in development: the span ``gen_ai.client.inference`` and the event
``gen_ai.client.inference.operation.details``, with ``gen_ai.input.messages``, ``gen_ai.output.messages``,
``gen_ai.system_instructions``, ``gen_ai.tool.definitions`` and what was asked for. Invariants: the request is a chat
request, whoever's API prod called; what is not told is left out and never made up: no header, no time to the first
byte, no status but that of success; an operation that is no inference, or has no messages, is left out by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from ..errors import DataError
from ..types import Headers
from .records import Answered, Record, Recorded, Unusable, clipped

__all__ = ["EVENT", "Telling", "rebuilt"]

EVENT = "gen_ai.client.inference.operation.details"
_OPERATIONS = ("chat", "generate_content", "text_completion")
"""Of ``gen_ai.operation.name``: what is an inference."""
_JSON: Headers = ((b"content-type", b"application/json"),)
_NUMBERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "choice.count": "n",
}
_TOOL_PARTS = ("tool_call", "tool_call_response", "reasoning")


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """One log record or span that tells of a GenAI operation."""

    kind: Literal["event", "span"]
    service: str = ""
    """``service.name`` of who tells."""
    trace_id: str = ""
    span_id: str = ""
    """In hex; empty: none."""
    at_ns: int = 0
    """Unix time: a span's start, an event's own."""
    took_ns: int = 0
    """A span's time; 0: not told, as of every event."""
    attributes: dict[str, Any] = {}
    trace_state: str = ""

    @property
    def failed(self) -> str:
        """``error.type``, where prod's operation ended in an error."""
        return str(self.attributes.get("error.type") or "")


def rebuilt(where: str, told: Telling, target: str, model: str) -> Record:
    """The exchange as a chat request to ``target`` and its answer; ``model`` when given in place of the told one.

    Raises :class:`~shadowlane.errors.DataError` where messages have not the form of the conventions.
    """
    has = told.attributes.get
    operation = has("gen_ai.operation.name")
    # An event is of an inference by its name; a span of an agent may have messages, too.
    known = _OPERATIONS if told.kind == "span" else (None, "", *_OPERATIONS)
    if operation not in known:
        return Unusable(where=where, why=f"{clipped(operation)} is no inference", reason="other_operation")
    asked = _messages(told.attributes, "gen_ai.input.messages")
    if not asked:
        return Unusable(where=where, why="no gen_ai.input.messages: they are opt-in", reason="no_content")
    answered = None if told.failed else _messages(told.attributes, "gen_ai.output.messages")
    return Recorded(
        where=where,
        id=str(has("gen_ai.response.id") or ""),
        started_ns=told.at_ns,
        target=target,
        headers=_JSON,
        body=_encoded(_request(told.attributes, asked, model)),
        prod=None if not answered else _answer(told, answered),
    )


def _request(attributes: Mapping[str, Any], asked: list[dict[str, Any]], model: str) -> dict[str, Any]:
    system = _structured(attributes.get("gen_ai.system_instructions"))
    if isinstance(system, str) and system:
        system = [{"type": "text", "content": system}]
    if isinstance(system, list) and system:
        asked = [{"role": "system", "content": _content(system)}, *asked]
    body: dict[str, Any] = {"model": model or attributes.get("gen_ai.request.model") or "default", "messages": asked}
    for name, member in _NUMBERS.items():
        value = attributes.get(f"gen_ai.request.{name}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            body[member] = value
    stop = attributes.get("gen_ai.request.stop_sequences")
    if isinstance(stop, list) and stop and all(isinstance(one, str) for one in stop):
        body["stop"] = stop
    if isinstance(level := attributes.get("gen_ai.request.reasoning.level"), str) and level:
        body["reasoning_effort"] = level
    if attributes.get("gen_ai.request.stream") is True:
        body["stream"] = True
    if tools := _tools(attributes.get("gen_ai.tool.definitions")):
        body["tools"] = tools
    return body


def _tools(value: Any) -> list[dict[str, Any]]:
    """Definitions of functions; those that a provider runs itself have no form in a chat request of another's."""
    found = []
    for one in value if isinstance(value := _structured(value), list) else ():
        if isinstance(one, dict) and one.get("type", "function") == "function" and isinstance(one.get("name"), str):
            kept = {key: one[key] for key in ("name", "description", "parameters") if one.get(key) is not None}
            found.append({"type": "function", "function": kept})
    return found


def _answer(told: Telling, messages: list[dict[str, Any]]) -> Answered:
    has = told.attributes.get
    reasons = _structured(has("gen_ai.response.finish_reasons"))
    reasons = reasons if isinstance(reasons, list) else []
    choices = []
    for number, one in enumerate(messages):
        last = one.pop("finish_reason", None)
        reason = reasons[number] if number < len(reasons) else last or "stop"
        # The chat's own word for it is the plural.
        reason = "tool_calls" if reason == "tool_call" else str(reason)
        choices.append({"index": number, "message": {**one, "role": "assistant"}, "finish_reason": reason})
    body: dict[str, Any] = {"object": "chat.completion", "choices": choices}
    if model := has("gen_ai.response.model"):
        body["model"] = model
    if usage := _usage(told.attributes):
        body["usage"] = usage
    return Answered(headers=_JSON, body=_encoded(body), duration_ns=told.took_ns)


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, OverflowError, msgspec.MsgspecError) as error:
        raise DataError(f"what was told has no form in JSON: {error}") from None


def _usage(attributes: Mapping[str, Any]) -> dict[str, Any]:
    def tokens(name: str) -> int | None:
        value = attributes.get(f"gen_ai.usage.{name}")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    asked, said = tokens("input_tokens"), tokens("output_tokens")
    if asked is None or said is None:
        return {}
    usage: dict[str, Any] = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    if (cached := tokens("cache_read.input_tokens")) is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    return usage


def _structured(value: Any) -> Any:
    """As it should be, or the JSON text that it may be."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _messages(attributes: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    value = _structured(attributes.get(name))
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise DataError(f"{name} = {clipped(value)}: a list of messages is expected")
    return [message for one in value for message in _as_chat(one)]


def _as_chat(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A message of parts in the form of a chat: answers of tools become messages of their own."""
    parts = message.get("parts")
    parts = [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
    for one in parts:
        if one.get("type") == "tool_call_response":
            content = one.get("response", one.get("result"))
            text = content if isinstance(content, str) else json.dumps(content)
            yield {"role": "tool", "tool_call_id": str(one.get("id") or ""), "content": text}
    calls = [
        {
            "id": str(one.get("id") or ""),
            "type": "function",
            "function": {"name": str(one.get("name") or ""), "arguments": _arguments(one.get("arguments"))},
        }
        for one in parts
        if one.get("type") == "tool_call"
    ]
    spoken = [one for one in parts if one.get("type") not in _TOOL_PARTS]
    if calls or spoken or not parts:
        chat: dict[str, Any] = {"role": str(message.get("role") or "user"), "content": _content(spoken)}
        if not parts and isinstance(message.get("content"), str):
            chat["content"] = message["content"]
        if calls:
            chat["tool_calls"] = calls
        if isinstance(message.get("finish_reason"), str):
            chat["finish_reason"] = message["finish_reason"]
        yield chat


def _content(parts: list[Any]) -> str | list[dict[str, Any]]:
    """The texts of the parts; with a picture among them, the parts as a chat has them. Others stay JSON."""
    images = [_image(one) for one in parts]
    if not any(images):
        return "\n".join(map(_text, parts))
    return [image or {"type": "text", "text": _text(one)} for one, image in zip(parts, images, strict=True)]


def _text(part: Any) -> str:
    if isinstance(part, dict) and isinstance(part.get("content"), str):
        return str(part["content"])
    return part if isinstance(part, str) else json.dumps(part)


def _image(part: Any) -> dict[str, Any] | None:
    if not isinstance(part, dict) or part.get("modality") != "image":
        return None
    url = part.get("uri") if part.get("type") == "uri" else None
    if part.get("type") == "blob" and isinstance(part.get("content"), str):
        url = f"data:{part.get('mime_type') or 'image/png'};base64,{part['content']}"
    return {"type": "image_url", "image_url": {"url": url}} if isinstance(url, str) else None


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps({} if value is None else value)
