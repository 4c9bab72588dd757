"""Hashed words and n-grams: an embedder without a model."""

from __future__ import annotations

import itertools
import re

import numpy as np
import xxhash
from numpy.typing import NDArray

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
        out: NDArray[np.float32] = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            words = _WORD.findall(text.lower()) or list(text.strip())
            counts: dict[str, int] = {}
            for feature in _features(words):
                counts[feature] = counts.get(feature, 0) + 1
            hashes = np.array([xxhash.xxh3_64_intdigest(feature.encode()) for feature in counts], dtype=np.uint64)
            signs = np.where(hashes >> np.uint64(63), np.float32(1), np.float32(-1))
            weights = 1 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))
            np.add.at(row, (hashes % np.uint64(self.dim)).astype(np.intp), signs * weights)
        return out


def _features(words: list[str]) -> list[str]:
    spelled = "".join(f"<{word}>" for word in words)
    trigrams = [spelled[start : start + 3] for start in range(max(len(spelled) - 2, 1))]
    pairs = [f"{left} {right}" for left, right in itertools.pairwise(words)]
    return words + pairs + trigrams
