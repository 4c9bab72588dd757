"""Embeddings responses: recognised, and turned into an array. They hold no text; they are compared as vectors."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .draft import Draft
from .jsonlike import JsonMap, as_list, as_map, first_str

__all__ = ["NOTE", "decode_base64", "find_vectors", "matches", "read", "to_array"]

NOTE = "embeddings hold no text: they are compared as vectors"

_BASE64_ROW = re.compile(r"(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_FLAVOURS = ("float", "float32", "embeddings")


def matches(value: JsonMap) -> bool:
    """Whether an object is an embeddings response of OpenAI, Cohere, Ollama, Titan, Gemini or Vertex."""
    return bool(_located(value)[1])


def read(value: JsonMap, draft: Draft) -> None:
    """Fills in kind, model, usage and the note."""
    draft.kind = _located(value)[0]
    draft.model = first_str(value, "model") or draft.model
    meta = as_map(value.get("meta"))
    draft.use(value)
    draft.use(as_map(value.get("usage")))
    draft.use(as_map(meta.get("tokens")) or as_map(meta.get("billed_units")))
    draft.note(NOTE)
    draft.ended = True


def find_vectors(value: Any) -> list[Any]:
    """The rows of an embeddings response, each a list of numbers or a base64 text; empty when it is none."""
    if isinstance(value, dict):
        return _located(value)[1]
    rows = as_list(value)  # a bare array of arrays: Hugging Face
    return rows if rows and all(_is_row(row) and isinstance(row, list) for row in rows) else []


def _located(value: JsonMap) -> tuple[str, list[Any]]:
    data = as_list(value.get("data"))
    places = [as_map(item).get("index") for item in data]
    if all(type(place) is int for place in places):
        data = sorted(data, key=lambda item: as_map(item)["index"])
    rows = [as_map(item).get("embedding") for item in data]
    if rows and all(_is_row(row) for row in rows):
        return "openai.embeddings", rows
    if isinstance(value.get("embedding"), list) and _is_row(value["embedding"]):
        kind = "bedrock.embeddings" if "inputTextTokenCount" in value else "ollama.embeddings"
        return kind, [value["embedding"]]
    single = as_map(value.get("embedding")).get("values")
    if _is_row(single):
        return "gemini.embeddings", [single]
    several = value.get("embeddings")
    if isinstance(several, dict):
        for name in _FLAVOURS:
            rows = as_list(several.get(name))
            if rows and all(_is_row(row) for row in rows):
                return "cohere.embeddings", rows
    rows = as_list(several)
    if rows and all(_is_row(row) for row in rows):
        kind = "cohere.embeddings" if "response_type" in value or "meta" in value else "ollama.embeddings"
        return kind, rows
    rows = [as_map(item).get("values") for item in rows]
    if rows and all(_is_row(row) for row in rows):
        return "gemini.embeddings", rows
    predictions = as_list(value.get("predictions"))
    rows = [as_map(as_map(item).get("embeddings")).get("values") for item in predictions]
    if rows and all(_is_row(row) for row in rows):
        return "vertex.embeddings", rows
    return "", []


def _is_row(value: Any) -> bool:
    if isinstance(value, str):
        return _BASE64_ROW.fullmatch(value) is not None
    return isinstance(value, list) and bool(value) and all(type(number) in (int, float) for number in value)


def decode_base64(text: str) -> bytes:
    """The bytes; empty when the text is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def to_array(rows: list[Any]) -> NDArray[np.float32] | None:
    """(n, d) float32, or ``None`` when the rows are no vectors of one length.

    A base64 row holds little-endian float32, as OpenAI's ``encoding_format: base64`` defines it.
    """
    vectors = []
    for row in rows:
        if isinstance(row, str):
            data = decode_base64(row)
            if not data or len(data) % 4:
                return None
            vectors.append(np.frombuffer(data, dtype="<f4"))
        else:
            try:
                with np.errstate(over="ignore"):
                    vectors.append(np.array(row, dtype=np.float64).astype(np.float32))
            except (OverflowError, ValueError):
                return None
    if not vectors or len({vector.shape for vector in vectors}) != 1:
        return None
    return np.ascontiguousarray(np.stack(vectors), dtype=np.float32)
