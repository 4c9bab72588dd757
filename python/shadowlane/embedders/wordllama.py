"""wordllama: static word vectors that come with its wheel; offline, without an accelerator."""

from __future__ import annotations

import importlib.metadata
import itertools
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import MissingExtraError, ScoreError
from .base import Embedder

__all__ = ["WordLlama"]

_GAP = re.compile(r"(?<=[^ ]) ")
_SPACE = "▁"
"""How SentencePiece's vocabularies write the space before a word."""
_MARKS = ("<s>", "</s>", "<unk>", _SPACE)
"""Tokens of their own, which cut a text where they stand."""
_PROBE = "The  quick, brown foxes' café;\n\n1. costs $12.50 (naïve)  now — 日本語 too. "


class WordLlama(Embedder):
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
