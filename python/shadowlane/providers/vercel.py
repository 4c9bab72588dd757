"""Vercel's AI SDK: the UI message stream (version 5 and later, SSE) and the data stream before it (one part a line).

Both: https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Reasoning and the results of tools are left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from ..types import Citation
from .base import Provider, Shape
from .reading.draft import Draft, UsageNames
from .reading.jsonlike import JsonMap, as_map, as_str, canonical, first_str, parse_json

__all__ = ["PROVIDER", "data_stream_parts"]

_PARTS = frozenset(
    {
        "start-step",
        "finish-step",
        "text-start",
        "text-delta",
        "text-end",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "tool-input-start",
        "tool-input-delta",
        "tool-input-available",
        "tool-input-error",
        "tool-output-available",
        "tool-output-error",
        "source-url",
        "source-document",
    }
)
_EDGES = {"start": {"messageId", "messageMetadata"}, "finish": {"finishReason", "messageMetadata", "usage"}}
_LINE = re.compile(rb"[0-9a-k]:[\[{\"]")
_NAMES = {
    "0": "text-delta",
    "3": "error",
    "b": "tool-input-start",
    "c": "tool-input-delta",
    "9": "tool-input-available",
    "h": "source-url",
    "d": "finish",
}


def data_stream_parts(body: bytes) -> Iterator[JsonMap] | None:
    """The parts of a data stream, in the words of the message stream; ``None`` when the body is none."""
    lines = body.removeprefix(codecs.BOM_UTF8).strip().splitlines()
    if not lines or not all(_LINE.match(line) for line in lines if line.strip()):
        return None
    if not any(line[:2] in (b"0:", b"d:", b"e:", b"f:", b"9:", b"3:") for line in lines):
        return None
    return (_part(line) for line in lines if line.strip())


def _part(line: bytes) -> JsonMap:
    code, _, data = line.partition(b":")
    value, why = parse_json(data, halves=True)
    kind = _NAMES.get(code.decode())
    if why or kind is None:
        return {"type": "start-step", "broken": bool(why)}
    if kind == "text-delta":
        return {"type": kind, "delta": as_str(value)}
    if kind == "error":
        return {"type": "error", "errorText": as_str(value) or str(value)}
    part = dict(as_map(value))
    renamed = {"args": "input", "argsTextDelta": "inputTextDelta"}
    return {"messageMetadata": {}, **{renamed.get(name, name): item for name, item in part.items()}, "type": kind}


def _matches(value: JsonMap) -> bool:
    """A part of the message stream."""
    kind = value.get("type")
    if not isinstance(kind, str):
        return False
    if kind in _PARTS:
        return True
    if kind in _EDGES:  # other services say "start" and "finish" too
        return bool(value.keys() & _EDGES[kind])
    if kind == "abort":
        return value.keys() <= {"type", "reason"}
    return kind == "error" and "errorText" in value


def _read(value: JsonMap, draft: Draft) -> None:
    """One part."""
    draft.kind = "vercel.ai"
    kind = as_str(value.get("type"))
    if kind == "text-delta":
        # Parts of one text have one identifier; another one begins a paragraph of its own.
        draft.add_part(as_str(value.get("id")), as_str(value.get("delta")))
    elif kind in ("tool-input-start", "tool-input-available", "tool-input-delta"):
        _call(kind, value, draft)
    elif kind == "source-url":
        draft.cite(Citation(source_url=first_str(value, "url"), text=first_str(value, "title")))
    elif kind == "source-document":
        draft.cite(Citation(source_url=first_str(value, "filename", "title"), text=first_str(value, "title")))
    elif kind == "error":
        draft.note_broken(as_str(value.get("errorText")))
    elif kind == "abort":
        draft.note_cut("the stream was aborted: the text is what came")
        draft.ended = True
    elif kind == "finish":
        metadata = as_map(value.get("messageMetadata"))
        draft.finish(first_str(value, "finishReason") or first_str(metadata, "finishReason") or "stop")
        draft.count_tokens(as_map(value.get("usage")) or as_map(metadata.get("usage")))
        draft.ended = True


def _call(kind: str, value: JsonMap, draft: Draft) -> None:
    key = draft.call_key(as_str(value.get("toolCallId")))
    if kind == "tool-input-delta":
        draft.add_call(key, arguments=as_str(value.get("inputTextDelta")))
        return
    draft.add_call(key, id=as_str(value.get("toolCallId")), name=as_str(value.get("toolName")))
    if kind == "tool-input-available":
        given = value.get("input", {})
        draft.set_arguments(key, given if isinstance(given, str) else canonical(given))


PROVIDER = Provider(
    name="vercel",
    shapes=(Shape(_matches, _read),),
    usage=UsageNames(
        input=("inputTokens", "promptTokens"),
        output=("outputTokens", "completionTokens"),
        total=("totalTokens",),
        cached=("cachedInputTokens",),
    ),
)
