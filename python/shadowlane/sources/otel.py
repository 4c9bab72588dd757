"""OpenTelemetry's GenAI events out of a collector's file: OTLP/JSON, one export a line.

The event is ``gen_ai.client.inference.operation.details`` with ``gen_ai.input.messages``, ``gen_ai.output.messages``
and ``gen_ai.system_instructions``
(https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-events.md). Invariants: other logs are
passed over; an event without messages, which are opt-in, is left out by name; parts that are no text stay JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from ..errors import DataError
from ..types import Headers
from .files import json_lines
from .records import Answered, Record, Recorded, Unusable, clipped

__all__ = ["EVENT", "read_otel"]

EVENT = "gen_ai.client.inference.operation.details"
_JSON: Headers = ((b"content-type", b"application/json"),)
_DEEPEST = 32


def read_otel(path: str, target: str, model: str) -> Iterator[Record]:
    """The events in the order of the file; ``target`` is that of the requests, ``model`` when given their model."""
    for where, item in json_lines(path):
        if isinstance(item, Unusable):
            yield item
            continue
        number = 0
        for record in _log_records(item):
            attributes = _attributes(record)
            if EVENT not in (record.get("eventName"), attributes.get("event.name")):
                continue
            number += 1
            at = f"{where}, event {number}"
            try:
                yield _exchange(at, record, attributes, target, model)
            except (DataError, RecursionError) as error:
                yield Unusable(where=at, why=str(error))


def _log_records(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if isinstance(item.get("logRecords"), list):
        scopes: list[Any] = [item]
    else:
        resources = item.get("resourceLogs") or item.get("resource_logs") or ()
        scopes = [scope for one in resources if isinstance(one, dict) for scope in one.get("scopeLogs") or ()]
    for scope in scopes:
        if isinstance(scope, dict):
            yield from (one for one in scope.get("logRecords") or () if isinstance(one, dict))


def _attributes(record: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for pair in record.get("attributes") or ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            found[pair["key"]] = _any_value(pair.get("value"), 0)
    body = _any_value(record.get("body"), 0)
    return {**body, **found} if isinstance(body, dict) else found


def _any_value(value: Any, depth: int) -> Any:
    """An OTLP AnyValue (opentelemetry/proto/common/v1/common.proto) as plain JSON."""
    if not isinstance(value, dict) or len(value) != 1 or depth > _DEEPEST:
        return None
    [(kind, inner)] = value.items()
    if kind == "arrayValue":
        return [_any_value(one, depth + 1) for one in (inner or {}).get("values") or ()]
    if kind == "kvlistValue":
        pairs = [one for one in (inner or {}).get("values") or () if isinstance(one, dict)]
        return {str(one.get("key")): _any_value(one.get("value"), depth + 1) for one in pairs}
    if kind == "intValue":
        return int(inner) if isinstance(inner, (int, str)) and str(inner).lstrip("-").isdigit() else None
    return inner


def _exchange(where: str, record: dict[str, Any], attributes: dict[str, Any], target: str, model: str) -> Record:
    asked = _messages(attributes, "gen_ai.input.messages")
    if asked is None:
        return Unusable(where=where, why="no gen_ai.input.messages: they are opt-in", reason="no_content")
    system = _structured(attributes.get("gen_ai.system_instructions"))
    if isinstance(system, list) and system:
        asked = [{"role": "system", "content": _content(system)}, *asked]
    body: dict[str, Any] = {"model": model or attributes.get("gen_ai.request.model") or "default", "messages": asked}
    for name in ("temperature", "top_p", "max_tokens", "seed"):
        value = attributes.get(f"gen_ai.request.{name}")
        if isinstance(value, (int, float)):
            body[name] = value
    time = record.get("timeUnixNano") or record.get("observedTimeUnixNano") or 0
    if not str(time).isdigit():
        raise DataError(f"timeUnixNano = {clipped(time)}: not a whole number")
    answered = _messages(attributes, "gen_ai.output.messages")
    return Recorded(
        where=where,
        id=str(attributes.get("gen_ai.response.id") or ""),
        started_ns=int(time),
        target=target,
        headers=_JSON,
        body=msgspec.json.encode(body),
        prod=None if not answered else _answer(attributes, answered),
    )


def _answer(attributes: dict[str, Any], messages: list[dict[str, Any]]) -> Answered:
    reasons = _structured(attributes.get("gen_ai.response.finish_reasons"))
    first = reasons[0] if isinstance(reasons, list) and reasons else "stop"
    choices = [
        {"index": n, "message": {**one, "role": "assistant"}, "finish_reason": one.pop("finish_reason", first)}
        for n, one in enumerate(messages)
    ]
    usage = {
        name: attributes.get(f"gen_ai.usage.{source}")
        for name, source in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
    }
    body: dict[str, Any] = {"object": "chat.completion", "choices": choices}
    if model := attributes.get("gen_ai.response.model"):
        body["model"] = model
    if all(isinstance(value, int) for value in usage.values()):
        body["usage"] = {**usage, "total_tokens": sum(usage.values())}
    return Answered(headers=_JSON, body=msgspec.json.encode(body))


def _structured(value: Any) -> Any:
    """As it should be, or the JSON text that it may be."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _messages(attributes: dict[str, Any], name: str) -> list[dict[str, Any]] | None:
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
    spoken = [one for one in parts if one.get("type") not in ("tool_call", "tool_call_response", "reasoning")]
    if calls or spoken or not parts:
        chat = {"role": str(message.get("role") or "user"), "content": _content(spoken)}
        if calls:
            chat["tool_calls"] = calls  # type: ignore[assignment]
        if isinstance(message.get("finish_reason"), str):
            chat["finish_reason"] = message["finish_reason"]
        yield chat


def _content(parts: list[Any]) -> str:
    texts = [
        str(one["content"]) if isinstance(one, dict) and isinstance(one.get("content"), str) else json.dumps(one)
        for one in parts
    ]
    return "\n".join(texts)


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps({} if value is None else value)
