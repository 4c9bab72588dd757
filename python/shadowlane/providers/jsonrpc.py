"""JSON-RPC 2.0: tool results of MCP, messages and artifacts of A2A, any other result."""

from __future__ import annotations

from typing import Any

from .base import Provider, Shape
from .reading.citing import parse_citations
from .reading.draft import Draft
from .reading.jsonlike import JsonMap, as_list, as_map, as_str, canonical

__all__ = ["PROVIDER"]


def _matches(value: JsonMap) -> bool:
    """A response of JSON-RPC 2.0 (§5); its errors are read with all other errors."""
    return "jsonrpc" in value and "result" in value


def _read(value: JsonMap, draft: Draft) -> None:
    """The result's content (MCP tool results, A2A messages and artifacts), else the whole result."""
    draft.kind = "jsonrpc"
    result: Any = value.get("result")
    inner = as_map(result)
    parts = as_list(inner.get("content")) or as_list(inner.get("parts")) or as_list(inner.get("contents"))
    artifacts = [part for item in as_list(inner.get("artifacts")) for part in as_list(as_map(item).get("parts"))]
    texts = [text for part in [*parts, *artifacts] if (text := as_str(as_map(part).get("text")))]
    if inner.get("isError") is True:
        draft.note("the tool reports an error: " + (" ".join(texts) or canonical(result)))
    draft.add_text("\n\n".join(texts) if texts else canonical(result))
    draft.cite(*parse_citations(as_list(inner.get("citations"))))
    draft.ended = True


PROVIDER = Provider(name="jsonrpc", shapes=(Shape(_matches, _read),))
