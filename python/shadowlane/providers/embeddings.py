"""Embeddings responses: recognised, and turned into an array. They hold no text; they are compared as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Shape
from .reading.draft import Draft
from .reading.jsonlike import JsonMap, as_list, as_map, first_str
from .reading.vectors import are_rows, to_array
from .registry import PROVIDERS

__all__ = ["NOTE", "SHAPE", "find_rows", "vectors_of"]

NOTE = "embeddings hold no text: they are compared as vectors"


def vectors_of(value: Any) -> NDArray[np.float32] | None:
    """(n, d) float32 of a parsed body; ``None`` when it is no embeddings response, or one of unequal lengths."""
    return to_array(find_rows(value))


def find_rows(value: Any) -> list[Any]:
    """The rows of an embeddings response, each a list of numbers or a base64 text; empty when it is none."""
    if isinstance(value, dict):
        return _located(value)[1]
    rows = as_list(value)  # a bare array of arrays: Hugging Face
    return rows if are_rows(rows) and all(isinstance(row, list) for row in rows) else []


def _located(value: JsonMap) -> tuple[str, list[Any]]:
    for provider in PROVIDERS:
        rows = provider.embeddings(value) if provider.embeddings is not None else []
        if are_rows(rows):
            return f"{provider.name}.embeddings", rows
    return "", []


def _matches(value: JsonMap) -> bool:
    return bool(_located(value)[1])


def _read(value: JsonMap, draft: Draft) -> None:
    draft.kind = _located(value)[0]
    draft.model = first_str(value, "model") or draft.model
    meta = as_map(value.get("meta"))
    draft.count_tokens(value)
    draft.count_tokens(as_map(value.get("usage")))
    draft.count_tokens(as_map(meta.get("tokens")) or as_map(meta.get("billed_units")))
    draft.note(NOTE)
    draft.ended = True


SHAPE = Shape(_matches, _read)
