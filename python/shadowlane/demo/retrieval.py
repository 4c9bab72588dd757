"""Retrieval over the handbook: chunk, embed, search, and compose an answer from the sentences that fit best.

Invariants: answers are extractive, so every sentence of an answer stands in the handbook; a citation's offsets lie
within its section and name exactly the cited snippet; ``index_hash`` changes whenever chunks, width or embedder do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from .corpus import Section

__all__ = ["ROLES", "Composed", "HandbookIndex", "Recipe", "Snippet"]

_WORD = re.compile(r"\S+")
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)", re.DOTALL)
_UNKNOWN = "The handbook does not answer this."


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


ROLES: dict[str, Recipe] = {
    "prod": Recipe(width=256, window_words=0, stride_words=0, k=3, floor=0.18),
    "shadow": Recipe(width=64, window_words=48, stride_words=32, k=4, floor=0.28),
}


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk of a section. Offsets count characters in the chapter's file."""

    snippet_id: str
    section: Section
    text: str
    start: int
    end: int
    tokens: int
    """White-space separated words."""


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and the snippets that its sentences were taken from, best first, with their cosine."""

    text: str
    snippets: tuple[tuple[Snippet, float], ...]


class HandbookIndex:
    """An exact cosine index over chunks of the handbook: at this size a matrix product beats any graph."""

    def __init__(self, sections: Sequence[Section], recipe: Recipe, embedder: _Embedder) -> None:
        self.recipe = recipe
        self._embedder = embedder
        self.snippets = tuple(snippet for section in sections for snippet in _chunks(section, recipe))
        # The heading belongs to what is searched, not to what is quoted.
        self._rows = self._embed([f"{snippet.section.title}. {snippet.text}" for snippet in self.snippets])
        self._sentences = [_SENTENCE.findall(snippet.text) for snippet in self.snippets]
        flat = [sentence for sentences in self._sentences for sentence in sentences]
        self._sentence_rows = self._embed(flat)
        self._first = np.cumsum([0, *(len(sentences) for sentences in self._sentences)])
        self.model_rev = f"extractive-1/{embedder.name}/{recipe.width}d"
        state = xxhash.xxh3_128(msgspec.json.encode(recipe))
        state.update(embedder.name.encode())
        for snippet in self.snippets:
            state.update(f"\x1e{snippet.snippet_id}\x1f{snippet.text}".encode())
        self.index_hash = state.hexdigest()

    def answer(self, question: str) -> Composed:
        """The best sentences of the best chunks, in the order of their relevance."""
        row = self._embed([question])[0]
        scores = self._rows @ row
        best = np.argsort(-scores, kind="stable")[: self.recipe.k]
        if not question.strip() or scores[best[0]] < self.recipe.floor:
            return Composed(text=_UNKNOWN, snippets=())
        ranked = []
        for chunk in best.tolist():
            first, last = int(self._first[chunk]), int(self._first[chunk + 1])
            for place in range(first, last):
                # A sentence counts by itself and by the company it keeps.
                value = float(self._sentence_rows[place] @ row) + float(scores[chunk])
                ranked.append((-value, place, chunk))
        ranked.sort()
        chosen: list[str] = []
        used: list[int] = []
        for _, place, chunk in ranked:
            sentence = self._sentences[chunk][place - int(self._first[chunk])]
            if any(sentence in other or other in sentence for other in chosen):
                continue  # overlapping windows hold the same sentence, whole or cut
            chosen.append(sentence)
            if chunk not in used:
                used.append(chunk)
            if len(chosen) == self.recipe.sentences:
                break
        return Composed(
            text=" ".join(chosen), snippets=tuple((self.snippets[chunk], float(scores[chunk])) for chunk in used)
        )

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(self._embedder.embed(texts)[:, : self.recipe.width])
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = rows / np.maximum(norms, np.float32(1e-12))
        return unit


def _chunks(section: Section, recipe: Recipe) -> list[Snippet]:
    words = list(_WORD.finditer(section.text))
    if not recipe.window_words:
        spans = [(0, len(words))]
    else:
        last = max(len(words) - recipe.window_words, 0)
        starts = [*range(0, last, recipe.stride_words), last]
        spans = [(first, min(first + recipe.window_words, len(words))) for first in starts]
    snippets = []
    for first, stop in spans:
        start, end = words[first].start(), words[stop - 1].end()
        snippets.append(
            Snippet(
                snippet_id=f"{section.section_id}@{start}-{end}",
                section=section,
                text=section.text[start:end],
                start=section.start + start,
                end=section.start + end,
                tokens=stop - first,
            )
        )
    return snippets
