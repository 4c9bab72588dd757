"""Embedders: texts to unit-norm float32 rows, in batches, each text once.

Invariants: every row has norm 1 and does not depend on what else was in the batch; the name tells the model and its
revision, so that scores of different embedders are never mixed; nothing is ever downloaded behind the user's back.
Texts longer than a chunk are embedded by chunks and pooled by their mean, weighted by the chunks' lengths.

A blank text (empty or only white space) means nothing and has no direction of its own. It gets the first axis as its
row, so that the shape holds; :func:`~shadowlane.score.delta.text_delta_s` gives two blank texts ΔS 0, and a blank one
against another text exactly 1.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from ..errors import ScoreError

__all__ = ["BATCH", "FEW_ROWS", "Embedder"]

_CHUNK_CHARS = 2000
BATCH = 32
"""The most texts that a model gets at a time, where it does not say otherwise."""
_CACHE_ROWS = 16_384
FEW_ROWS = 4096
"""The cache of a model that embeds a text in some microseconds: what is asked again and again, and little memory."""


class Embedder(ABC):
    """Texts to vectors. Safe to use from several threads; holds at most ``cache_rows`` rows in its cache."""

    name: str
    """Model and revision, for example ``wordllama:l2_supercat_256@0.4.0+plain``."""
    dim: int
    batch = BATCH
    """The most texts that :meth:`_encode` gets at a time."""

    def __init__(self, *, cache_rows: int = _CACHE_ROWS) -> None:
        self._cache: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._cache_rows = cache_rows
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dim) float32 with unit rows, one for each text, in order.

        Raises :class:`~shadowlane.errors.ScoreError` when ``texts`` is not a sequence of texts, or the model fails.
        """
        if isinstance(texts, (str, bytes)) or not all(isinstance(text, str) for text in texts):
            raise ScoreError("embed: give a list of texts")
        out: NDArray[np.float32] = np.zeros((len(texts), self.dim), dtype=np.float32)
        fresh: list[str] = []
        numbers: dict[bytes, int] = {}
        positions: list[int] = []
        rows_at: list[int] = []
        with self._lock:
            for position, text in enumerate(texts):
                if not text or text.isspace():
                    out[position, 0] = 1
                    continue
                data = text.encode("utf-8", "replace")
                key = xxhash.xxh3_128_digest(data)
                row = self._cache.get(key)
                if row is not None:
                    self._cache.move_to_end(key)
                    out[position] = row
                    continue
                number = numbers.setdefault(key, len(fresh))
                if number == len(fresh):
                    # Half a surrogate pair, as JSON may escape one, is no character: no tokenizer takes it.
                    fresh.append(text if text.isascii() else data.decode())
                positions.append(position)
                rows_at.append(number)
            if fresh:
                rows = self._rows(fresh)
                out[positions] = rows[rows_at]
                self._cache.update(zip(numbers, (row.copy() for row in rows), strict=True))
                while len(self._cache) > self._cache_rows:
                    self._cache.popitem(last=False)
        return out

    def _rows(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit rows of non-blank texts, by chunks."""
        if len(texts) <= self.batch and max(map(len, texts)) <= _CHUNK_CHARS:
            return _unit(np.array(self._encode(texts), dtype=np.float32), texts)
        chunks: list[str] = []
        owner: list[int] = []
        for index, text in enumerate(texts):
            parts = _chunks(text)
            chunks += parts
            owner += [index] * len(parts)
        # Chunks of like length share a batch, so that padding does not multiply the work.
        order = sorted(range(len(chunks)), key=lambda index: len(chunks[index]))
        rows: NDArray[np.float32] = np.empty((len(chunks), self.dim), dtype=np.float32)
        for start in range(0, len(order), self.batch):
            batch = order[start : start + self.batch]
            rows[batch] = self._encode([chunks[index] for index in batch])
        rows = _unit(rows, chunks)
        if len(chunks) == len(texts):
            return rows
        weights = np.array([len(chunk) for chunk in chunks], dtype=np.float32)
        starts = np.flatnonzero(np.diff(np.array([-1, *owner])))
        return _unit(np.add.reduceat(rows * weights[:, None], starts, axis=0), texts)

    def close(self) -> None:  # noqa: B027
        """Give back connections and threads. A model in this process has none."""

    @abstractmethod
    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        """(n, dim) float32 of at most ``batch`` non-blank texts of at most ``_CHUNK_CHARS`` characters."""


def _chunks(text: str) -> list[str]:
    """Pieces of at most ``_CHUNK_CHARS`` characters, cut at white space where there is some in the last quarter."""
    chunks = []
    start = 0
    while len(text) - start > _CHUNK_CHARS:
        stop = start + _CHUNK_CHARS
        for cut in range(stop, stop - _CHUNK_CHARS // 4, -1):
            if text[cut].isspace():
                stop = cut
                break
        chunks.append(text[start:stop])
        start = stop
    chunks.append(text[start:])
    return [chunk for chunk in chunks if not chunk.isspace()]


def _unit(rows: NDArray[np.float32], texts: Sequence[str]) -> NDArray[np.float32]:
    """The given rows, made norm 1. One without direction (features that cancel) gets an axis drawn from its text."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    for index in np.flatnonzero(norms[:, 0] < 1e-12):
        rows[index] = 0
        rows[index, xxhash.xxh3_64_intdigest(texts[int(index)].encode()) % rows.shape[1]] = norms[index] = 1
    if not np.isfinite(norms).all():
        raise ScoreError("embed: the model gave a row that is not finite; check the model")
    rows /= norms
    return rows
