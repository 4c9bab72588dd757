"""Embedders: texts to unit-norm float32 rows, in batches, each text once.

Invariants: every row has norm 1 and does not depend on what else was in the batch; the name tells the model and its
revision, so that scores of different embedders are never mixed; nothing is ever downloaded behind the user's back.
Texts longer than a chunk are embedded by chunks and pooled by their mean, weighted by the chunks' lengths.

A blank text (empty or only white space) means nothing and has no direction of its own. It gets the first axis as its
row, so that the shape holds; :func:`text_delta_s` gives two blank texts ΔS 0, and a blank one against another text
exactly 1.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import logging
import re
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from .. import _core
from ..errors import ConfigError, MissingExtraError, ScoreError
from .delta import delta_s

__all__ = ["KNOWN", "Embedder", "load_embedder", "rows_delta_s", "text_delta_s"]

KNOWN = ("wordllama", "lexical", "sentence-transformers:<model>", "openai:<model>")

_CHUNK_CHARS = 2000
_BATCH = 32
_CACHE_ROWS = 16_384
_WORD = re.compile(r"\w+")
_GAP = re.compile(r"(?<=[^ ]) ")
_SPACE = "▁"
"""How SentencePiece's vocabularies write the space before a word."""
_MARKS = ("<s>", "</s>", "<unk>", _SPACE)
"""Tokens of their own, which cut a text where they stand."""
_PROBE = "The  quick, brown foxes' café;\n\n1. costs $12.50 (naïve)  now — 日本語 too. "


class Embedder(ABC):
    """Texts to vectors. Safe to use from several threads; holds at most ``cache_rows`` rows in its cache."""

    name: str
    """Model and revision, for example ``wordllama:l2_supercat_256@0.4.0``."""
    dim: int

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
        places: list[int] = []
        rows_at: list[int] = []
        with self._lock:
            for place, text in enumerate(texts):
                if not text or text.isspace():
                    out[place, 0] = 1
                    continue
                data = text.encode("utf-8", "replace")
                key = xxhash.xxh3_128_digest(data)
                row = self._cache.get(key)
                if row is not None:
                    self._cache.move_to_end(key)
                    out[place] = row
                    continue
                number = numbers.setdefault(key, len(fresh))
                if number == len(fresh):
                    # Half a surrogate pair, as JSON may escape one, is no character: no tokenizer takes it.
                    fresh.append(text if text.isascii() else data.decode())
                places.append(place)
                rows_at.append(number)
            if fresh:
                rows = self._rows(fresh)
                out[places] = rows[rows_at]
                self._cache.update(zip(numbers, (row.copy() for row in rows), strict=True))
                while len(self._cache) > self._cache_rows:
                    self._cache.popitem(last=False)
        return out

    def _rows(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit rows of non-blank texts, by chunks."""
        chunks: list[str] = []
        owner: list[int] = []
        for index, text in enumerate(texts):
            parts = _chunks(text)
            chunks += parts
            owner += [index] * len(parts)
        # Chunks of like length share a batch, so that padding does not multiply the work.
        order = sorted(range(len(chunks)), key=lambda index: len(chunks[index]))
        rows: NDArray[np.float32] = np.empty((len(chunks), self.dim), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
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
        """(n, dim) float32 of at most ``_BATCH`` non-blank texts of at most ``_CHUNK_CHARS`` characters."""


class _WordLlama(Embedder):
    """The static model in wordllama's wheel: mean of token vectors, 256 dimensions, no download, no accelerator."""

    def __init__(self) -> None:
        super().__init__()
        root, level, handlers = logging.getLogger(), logging.getLogger().level, logging.getLogger().handlers[:]
        try:
            import wordllama
        except ImportError:
            raise MissingExtraError("score.embedder = 'wordllama'", "semantic", "wordllama") from None
        finally:
            # The package calls logging.basicConfig on import; how a process logs is not a library's decision.
            root.setLevel(level)
            root.handlers[:] = handlers
        try:
            # Its own loader looks for the tokenizer beside the package and would go online for it; it lies inside.
            folder = Path(wordllama.__file__).parent
            model: Any = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        except FileNotFoundError as error:
            raise ScoreError(
                f"score.embedder = 'wordllama': the installed wheel lacks its model ({error}); "
                "reinstall wordllama>=0.4.0"
            ) from None
        table: NDArray[np.float32] = np.ascontiguousarray(model.embedding, dtype=np.float32)
        self._tokenizer: Any = model.tokenizer
        self._pieces: Any = model.tokenizer.model
        self._splits = self._may_split()
        self._bag = _core.EmbeddingBag(table.tobytes(), table.shape[1], _MARKS if self._splits else None)
        self.dim = int(table.shape[1])
        self.name = f"wordllama:l2_supercat_{self.dim}@{importlib.metadata.version('wordllama')}"

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        return np.frombuffer(self._bag.means(texts, self._tokens), dtype=np.float32).reshape(len(texts), self.dim)

    def _tokens(self, words: list[str]) -> list[list[int]]:
        if not self._splits:
            return [self._whole(word) for word in words]
        return [self._whole(word) if any(mark in word for mark in _MARKS) else self._word(word) for word in words]

    def _whole(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _word(self, word: str) -> list[int]:
        # The tokenizer's own model, at a third of the time: without looking for marks and keeping offsets.
        return [piece.id for piece in self._pieces.tokenize(_SPACE + word.replace(" ", _SPACE))]

    def _may_split(self) -> bool:
        """Whether the tokenizer's tokens never reach over the space before a word, so that words can go one by one."""
        if any(_SPACE in token.lstrip(_SPACE) for token in self._tokenizer.get_vocab()):
            return False
        words = [self._word(word) for word in _GAP.split(_PROBE)]
        return list(itertools.chain.from_iterable(words)) == self._whole(_PROBE)


class _Lexical(Embedder):
    """Hashed words, word pairs and character trigrams: no model, so it knows spelling and no meaning.

    Feature hashing with signs after Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning";
    counts enter as 1 + ln(count).
    """

    def __init__(self) -> None:
        super().__init__()
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


class _SentenceTransformers(Embedder):
    """Any model of the sentence-transformers package, by its name or folder."""

    def __init__(self, model: str) -> None:
        super().__init__()
        if not model:
            raise ConfigError(
                "score.embedder = 'sentence-transformers:': the model is missing; "
                "write for example 'sentence-transformers:sentence-transformers/all-MiniLM-L6-v2'"
            )
        what = f"score.embedder = 'sentence-transformers:{model}'"
        if importlib.util.find_spec("sentence_transformers") is None:
            raise MissingExtraError(what, "sentence-transformers", "sentence-transformers")
        sentence_transformers = importlib.import_module("sentence_transformers")
        try:
            self._model: Any = sentence_transformers.SentenceTransformer(model)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{what}: the model cannot be loaded: {error}") from None
        self.dim = int(self._model.get_sentence_embedding_dimension())
        revision = self._model.model_card_data.base_model_revision or importlib.metadata.version(
            "sentence-transformers"
        )
        self.name = f"sentence-transformers:{model}@{revision}"

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        rows = self._model.encode(texts, batch_size=_BATCH, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(rows, dtype=np.float32)


def load_embedder(name: str = "wordllama") -> Embedder:
    """The embedder of a configuration's ``score.embedder``.

    * ``wordllama``: static word vectors, 256 dimensions, offline (extra ``semantic``);
    * ``lexical``: hashed n-grams, 512 dimensions, no model: knows spelling, not meaning;
    * ``sentence-transformers:<model>``: any model of that package, by name or folder.

    ``openai:<model>`` needs an address and a transport: :func:`shadowlane.worker.embedder.open_embedder` opens it
    from a configuration.

    Raises :class:`~shadowlane.errors.ConfigError` for any other name,
    :class:`~shadowlane.errors.MissingExtraError` when its package is not installed,
    :class:`~shadowlane.errors.ScoreError` when its model cannot be read.
    """
    kind, colon, model = name.partition(":")
    if name == "wordllama":
        return _WordLlama()
    if name == "lexical":
        return _Lexical()
    if kind == "sentence-transformers" and colon:
        return _SentenceTransformers(model)
    if kind == "openai" and colon:
        raise ConfigError(
            f"score.embedder = {name!r}: a service needs its address (score.embedder_url); "
            "shadowlane.worker.embedder.open_embedder opens it"
        )
    raise ConfigError(f"score.embedder = {name!r}: unknown embedder; one of {', '.join(KNOWN)}")


def text_delta_s(embedder: Embedder, a: Sequence[str], b: Sequence[str]) -> NDArray[np.float32]:
    """ΔS of n texts against n others, in one call of the embedder: (n,) float32.

    Two blank texts have ΔS 0, a blank one against another has 1. Raises :class:`~shadowlane.errors.ScoreError` when the
    lengths differ.
    """
    if len(a) != len(b):
        raise ScoreError(f"text_delta_s: {len(a)} texts against {len(b)}; give as many on both sides")
    rows = embedder.embed([*a, *b])
    return rows_delta_s(rows[: len(a)], rows[len(a) :], a, b)


def rows_delta_s(
    rows_a: NDArray[np.float32], rows_b: NDArray[np.float32], a: Sequence[str], b: Sequence[str]
) -> NDArray[np.float32]:
    """:func:`text_delta_s` of texts whose rows, (n, dim) float32 each, are known."""
    out = delta_s(rows_a, rows_b)
    blank = np.array([[not text or text.isspace() for text in side] for side in (a, b)], dtype=bool).reshape(2, -1)
    out[blank[0] != blank[1]] = 1
    out[blank[0] & blank[1]] = 0
    return out


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
    """Rows of norm 1, in place. A row without direction (features that cancel out) gets an axis drawn from its text."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    for index in np.flatnonzero(norms[:, 0] < 1e-12):
        rows[index] = 0
        rows[index, xxhash.xxh3_64_intdigest(texts[int(index)].encode()) % rows.shape[1]] = norms[index] = 1
    if not np.isfinite(norms).all():
        raise ScoreError("embed: the model gave a row that is not finite; check the model")
    rows /= norms
    return rows


def _features(words: list[str]) -> list[str]:
    spelled = "".join(f"<{word}>" for word in words)
    trigrams = [spelled[start : start + 3] for start in range(max(len(spelled) - 2, 1))]
    pairs = [f"{left} {right}" for left, right in itertools.pairwise(words)]
    return words + pairs + trigrams
