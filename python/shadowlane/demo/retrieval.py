"""Retrieval over the handbook: chunk, embed, search, and compose an answer from the sentences that fit best.

Invariants: an answer is put together from quotations, each cited with the offsets where it stands in the handbook;
``index_hash`` changes whenever chunks, width or embedder do.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from .corpus import Section

__all__ = ["ROLES", "Chunk", "Composed", "HandbookIndex", "Quote", "Recipe"]

_WORD = re.compile(r"\S+")
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)", re.DOTALL)
UNKNOWN = "The handbook does not answer this."


class _Embedder(Protocol):
    name: str

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How one service retrieves: what makes prod and shadow differ."""

    width: int
    """Leading dimensions of the embedding that are kept, then brought back to norm 1 (Matryoshka truncation)."""
    window_words: int
    """Words in a chunk; 0 means that each section is one chunk."""
    stride_words: int
    k: int
    """Chunks that are retrieved."""
    sentences: int = 2
    """Sentences in an answer."""
    floor: float
    """Cosine below which the handbook is said not to answer. Narrow embeddings have higher ones by chance."""
    without: str = ""
    """A chapter that is left out of the index; empty: none."""


ROLES: dict[str, Recipe] = {
    "prod": Recipe(width=256, window_words=0, stride_words=0, k=3, floor=0.18),
    "shadow": Recipe(width=64, window_words=48, stride_words=32, k=4, floor=0.28),
    # The shadow after a mistake that happens: its index was built before one chapter was loaded.
    "broken": Recipe(width=64, window_words=48, stride_words=32, k=4, floor=0.28, without="payments"),
}


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of the handbook, or the part of one that a window holds. Offsets count characters in the chapter."""

    snippet_id: str
    """The section and the number of the sentence in it: the same in every index, however it is cut."""
    section: Section
    text: str
    start: int
    end: int

    @property
    def tokens(self) -> int:
        """White-space separated words."""
        return len(self.text.split())


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and the sentences that it is put together from, in order, with their cosine to the question."""

    text: str
    quotes: tuple[tuple[Quote, float], ...]


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What is embedded and searched: a section, or a window of one. Offsets count characters in the chapter's file."""

    section: Section
    text: str
    start: int
    end: int
    quotes: tuple[Quote, ...]


class HandbookIndex:
    """An exact cosine index over chunks of the handbook: at this size a matrix product beats any graph."""

    def __init__(self, sections: Sequence[Section], recipe: Recipe, embedder: _Embedder) -> None:
        self.recipe = recipe
        self._embedder = embedder
        indexed = [section for section in sections if section.chapter != recipe.without]
        self.chunks = tuple(chunk for section in indexed for chunk in _chunks(section, recipe))
        # The heading belongs to what is searched, not to what is quoted.
        self._rows = self._embed([f"{chunk.section.title}. {chunk.text}" for chunk in self.chunks])
        self._quote_rows = self._embed([quote.text for chunk in self.chunks for quote in chunk.quotes])
        self._first = np.cumsum([0, *(len(chunk.quotes) for chunk in self.chunks)]).tolist()
        self.model_rev = f"extractive-1/{embedder.name}/{recipe.width}d"
        state = xxhash.xxh3_128(msgspec.json.encode(recipe))
        state.update(embedder.name.encode())
        for chunk in self.chunks:
            state.update(f"\x1e{chunk.section.section_id}\x1f{chunk.start}\x1f{chunk.text}".encode())
        self.index_hash = state.hexdigest()

    def answer(self, question: str) -> Composed:
        """The best sentences of the best chunks, in the order of their relevance."""
        row = self._embed([question])[0]
        scores = self._rows @ row
        best = np.argsort(-scores, kind="stable")[: self.recipe.k].tolist()
        if not question.strip() or scores[best[0]] < self.recipe.floor:
            return Composed(text=UNKNOWN, quotes=())
        found = []
        for chunk in best:
            for index, quote in enumerate(self.chunks[chunk].quotes, self._first[chunk]):
                cosine = float(self._quote_rows[index] @ row)
                # A sentence counts by itself and by the company it keeps.
                found.append((-cosine - float(scores[chunk]), -len(quote.text), index, cosine, quote))
        found.sort(key=lambda item: item[:3])
        chosen: dict[str, tuple[Quote, float]] = {}
        for *_, cosine, quote in found:
            # Overlapping windows hold the same sentence, whole or cut: it is quoted once.
            chosen.setdefault(quote.snippet_id, (quote, cosine))
            if len(chosen) == self.recipe.sentences:
                break
        return Composed(text=" ".join(quote.text for quote, _ in chosen.values()), quotes=tuple(chosen.values()))

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(self._embedder.embed(texts)[:, : self.recipe.width])
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = rows / np.maximum(norms, np.float32(1e-12))
        return unit


def _chunks(section: Section, recipe: Recipe) -> list[Chunk]:
    words = list(_WORD.finditer(section.text))
    if not recipe.window_words:
        spans = [(0, len(words))]
    else:
        last = max(len(words) - recipe.window_words, 0)
        starts = [*range(0, last, recipe.stride_words), last]
        spans = [(first, min(first + recipe.window_words, len(words))) for first in starts]
    sentence_starts = [sentence.start() for sentence in _SENTENCE.finditer(section.text)]
    chunks = []
    for first, stop in spans:
        start, end = words[first].start(), words[stop - 1].end()
        quotes = tuple(
            Quote(
                snippet_id=f"{section.section_id}#{bisect_right(sentence_starts, part.start())}",
                section=section,
                text=part[0],
                start=section.start + part.start(),
                end=section.start + part.end(),
            )
            for part in _SENTENCE.finditer(section.text, start, end)
        )
        chunks.append(
            Chunk(
                section=section,
                text=section.text[start:end],
                start=section.start + start,
                end=section.start + end,
                quotes=quotes,
            )
        )
    return chunks
