"""wordllama: static word vectors that come with its wheel; offline, without an accelerator."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import MissingExtraError, ScoreError
from .base import FEW_ROWS, Embedder

__all__ = ["WordLlama"]

_WEIGHTS, _TENSOR, _TOKENIZER = "l2_supercat_256.safetensors", "embedding.weight", "l2_supercat_tokenizer_config.json"
_GAP = re.compile(r"(?<=[^ ]) ")
_SPACE = "▁"
"""How SentencePiece's vocabularies write the space before a word."""
_MARKS = ("<s>", "</s>", "<unk>", _SPACE)
"""Tokens of their own, which cut a text where they stand."""
_PROBE = "The  quick, brown foxes' café;\n\n1. costs $12.50 (naïve)  now — 日本語 too. "


def _read(weights: Path, tokenizer: Path) -> tuple[NDArray[np.float32], Any]:
    """(tokens, dim) float32, and the tokenizer, as the wheel ships them."""
    try:
        from safetensors import safe_open
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError("score.embedder = 'wordllama'", "semantic", error.name or "wordllama") from None
    try:
        with safe_open(weights, framework="np") as file:
            table = np.ascontiguousarray(file.get_tensor(_TENSOR), dtype=np.float32)
        return table, Tokenizer.from_str(tokenizer.read_text(encoding="utf-8"))
    except Exception as error:  # a plain Exception is what the tokenizer raises
        raise ScoreError(
            f"score.embedder = 'wordllama': the installed wheel lacks its model ({error}); reinstall wordllama>=0.4.0"
        ) from None


class WordLlama(Embedder):
    """The static model in wordllama's wheel: mean of token vectors, 256 dimensions, no download, no accelerator.

    Texts are read without their layout: bars of tables, bullets, line breaks and bold are tokens that say nothing.
    """

    batch = 1024
    """Nothing is filled up to the longest text: the more there are, the fewer calls of the tokenizer."""

    def __init__(self) -> None:
        super().__init__(cache_rows=FEW_ROWS)
        # Its files are read where they lie. Its own code looks for a home directory when it is imported, which a
        # container's user may lack, configures the process's logging, and would go online for the tokenizer.
        found = importlib.util.find_spec("wordllama")
        if found is None or found.origin is None:
            raise MissingExtraError("score.embedder = 'wordllama'", "semantic", "wordllama")
        folder = Path(found.origin).parent
        table, self._tokenizer = _read(folder / "weights" / _WEIGHTS, folder / "tokenizers" / _TOKENIZER)
        self._pieces: Any = self._tokenizer.model
        self._splits = self._may_split()
        self._bag = _core.EmbeddingBag(table.tobytes(), table.shape[1], _MARKS if self._splits else None)
        self.dim = int(table.shape[1])
        self.name = f"wordllama:l2_supercat_{self.dim}@{importlib.metadata.version('wordllama')}+plain"

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
