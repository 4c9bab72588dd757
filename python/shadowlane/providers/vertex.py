"""Google's older Vertex AI predictions: text-bison, chat-bison, and models served behind the same API."""

from __future__ import annotations

from typing import Any

from .base import Provider, Shape
from .reading.draft import Draft
from .reading.jsonlike import JsonMap, as_list, as_map, first_str

__all__ = ["PROVIDER"]


def _matches(value: JsonMap) -> bool:
    """``predictions`` of texts: Vertex text-bison and chat-bison, and models served behind the same API."""
    return isinstance(value.get("predictions"), list) and any(
        isinstance(item, str) or isinstance(as_map(item).get("content"), str) or "candidates" in as_map(item)
        for item in value["predictions"]
    )


def _read(value: JsonMap, draft: Draft) -> None:
    """Each prediction as a choice."""
    draft.kind = "vertex.predictions"
    for position, item in enumerate(value["predictions"]):
        if isinstance(item, str):
            draft.add_text(item, position)
            continue
        candidates = as_list(as_map(item).get("candidates"))
        for part in map(as_map, candidates or [item]):
            draft.add_text(first_str(part, "content"), position)
    draft.model = first_str(value, "model", "deployedModelId") or draft.model


def _embeddings(value: JsonMap) -> list[Any]:
    return [as_map(as_map(item).get("embeddings")).get("values") for item in as_list(value.get("predictions"))]


PROVIDER = Provider(name="vertex", shapes=(Shape(_matches, _read),), embeddings=_embeddings)
