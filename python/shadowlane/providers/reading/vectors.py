"""Rows of an embeddings response: numbers or base64, turned into an array."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["are_rows", "decode_base64", "to_array"]

_BASE64_ROW = re.compile(r"(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def are_rows(rows: list[Any]) -> bool:
    """Whether these are vectors, at least one: each a list of numbers or a base64 text."""
    return bool(rows) and all(_is_row(row) for row in rows)


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
