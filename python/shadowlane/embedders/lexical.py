"""Hashed words and n-grams: an embedder without a model."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .base import FEW_ROWS, Embedder

__all__ = ["Lexical"]

_WORD = re.compile(r"\w+")


class Lexical(Embedder):
    """Hashed words, word pairs and character trigrams: no model, so it knows spelling and no meaning.

    Feature hashing with signs after Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning";
    counts enter as 1 + ln(count).
    """

    def __init__(self) -> None:
        super().__init__(cache_rows=FEW_ROWS)
        self.dim = 512
        self.name = f"lexical:words+trigrams-{self.dim}@1"

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        words = [_WORD.findall(text.lower()) or list(text.strip()) for text in texts]
        return np.frombuffer(_core.hashed_words(words, self.dim), dtype=np.float32).reshape(len(texts), self.dim)
