"""Answers of several providers, whole and streamed, read by the core and by the providers' modules.

Invariant: a body is measured only when both give the same answer. Processor time, not time: a round of the modules is
long enough for a busy machine to interrupt it, and one of the core is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import process_time_ns
from typing import Any

from shadowlane.providers.answers import interpreted_answer
from shadowlane.providers.compiled import compiled_answer

from .cases import Case

__all__ = ["answer_cases"]

_WORDS = ("The library is open from nine to five on weekdays. " * 18).split()
_TEXT = " ".join(_WORDS)


def _chat() -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": _TEXT}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 0}}
    return {"id": "c1", "object": "chat.completion", "model": "model-1", "choices": [choice], "usage": usage}


def _gemini() -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": _TEXT}], "role": "model"}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "model-1"}


def _messages() -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 200}
    content = [{"type": "text", "text": _TEXT}]
    return {"type": "message", "model": "model-1", "content": content, "stop_reason": "end_turn", "usage": usage}


def _service() -> dict[str, Any]:
    snippet = {"snippet_id": "opening-hours", "source_url": "https://library.example/hours", "text": _TEXT[:200]}
    return {"answer": _TEXT, "citations": [{**snippet, "score": 0.75}], "index_hash": "i1", "model": "model-1"}


def _chat_chunks() -> list[dict[str, Any]]:
    head = {"id": "c1", "object": "chat.completion.chunk", "model": "model-1"}
    deltas = [{"content": f"{word} "} for word in _WORDS]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return [*chunks, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]


def _message_events() -> list[dict[str, Any]]:
    deltas = [{"type": "text_delta", "text": f"{word} "} for word in _WORDS]
    return [
        {"type": "message_start", "message": {"content": [], "model": "model-1", "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}},
        {"type": "message_stop"},
    ]


def _sse(events: list[dict[str, Any]]) -> bytes:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def _ollama_lines() -> bytes:
    lines: list[dict[str, Any]] = [{"message": {"content": f"{word} "}, "done": False} for word in _WORDS]
    lines.append({"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 200})
    return "\n".join(json.dumps({"model": "model-1", **line}) for line in lines).encode()


_BODIES = {
    "chat": json.dumps(_chat()).encode(),
    "messages": json.dumps(_messages()).encode(),
    "gemini": json.dumps(_gemini()).encode(),
    "a service's JSON": json.dumps(_service()).encode(),
    "chat, streamed": _sse(_chat_chunks()) + b"data: [DONE]\n\n",
    "messages, streamed": _sse(_message_events()),
    "ollama, streamed": _ollama_lines(),
    "a service, streamed": _sse([{"delta": f"{word} "} for word in _WORDS]),
}


def answer_cases() -> Iterator[tuple[str, Case, Case, int]]:
    """The name of a body, the core and the modules over it, and how often a round reads it."""
    for name, body in _BODIES.items():
        if compiled_answer("", body) != interpreted_answer("", body):
            raise AssertionError(f"{name}: the core reads another answer")
        yield name, _case(compiled_answer, body), _case(interpreted_answer, body), 10 if "streamed" in name else 300


def _case(read: Any, body: bytes) -> Case:
    def case(n: int) -> float:
        start = process_time_ns()
        for _ in range(n):
            read("", body)
        return (process_time_ns() - start) / n

    return case
