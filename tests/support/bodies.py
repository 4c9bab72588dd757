"""Response bodies for the tests of answers, in the shapes of the providers' documentation, with texts of our own."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

from shadowlane.types import ToolCall

JSON = "application/json"
SSE = "text/event-stream"
USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
OPENAI_USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
WEATHER = ToolCall(name="weather", arguments='{"city":"Oslo"}', id="t1")
OPENAI_CALL = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}


def js(value: Any) -> bytes:
    return json.dumps(value).encode()


def sse(*events: Any, done: bool = True, named: bool = False, end: str = "\n") -> bytes:
    """Events as objects (or raw texts); ``named`` adds ``event:`` from their ``type``."""
    lines = []
    for event in events:
        if named and isinstance(event, dict):
            lines.append(f"event: {event['type']}")
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        lines += [f"data: {data}", ""]
    if done:
        lines += ["data: [DONE]", ""]
    return (end.join(lines) + end).encode()


def ndjson(*values: Any) -> bytes:
    return b"".join(js(value) + b"\n" for value in values)


def eventstream(*messages: tuple[dict[str, str], Any]) -> bytes:
    """Messages of (headers, payload) as Amazon frames them."""
    out = b""
    for headers, payload in messages:
        body = json.dumps(payload, ensure_ascii=False).encode()  # Bedrock writes UTF-8 as it is
        head = b""
        for name, value in headers.items():
            head += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
        frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
        out += frame + struct.pack(">I", zlib.crc32(frame))
    return out


def chunk(value: Any) -> tuple[dict[str, str], Any]:
    """One chunk of Bedrock's invoke stream."""
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return headers, {"bytes": base64.b64encode(js(value)).decode(), "p": "abc"}


def event(name: str, payload: Any) -> tuple[dict[str, str], Any]:
    """One event of Bedrock's Converse stream."""
    return {":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload


def openai_chunk(delta: Any, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice], **more}


def openai_chat(message: Any, finish: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [choice], **more}


def anthropic(*content: Any, stop: str = "end_turn") -> dict[str, Any]:
    usage = {"input_tokens": 4, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 5}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": stop,
        "usage": usage,
    }


def responses(*output: Any, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    head = {"id": "resp_1", "object": "response", "status": "completed", "model": "m-1", "error": None}
    return {**head, "output": list(output), "usage": usage, **more}


def message_item(*parts: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "status": "completed", "content": list(parts)}


def output_text(text: str, *annotations: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": list(annotations)}
