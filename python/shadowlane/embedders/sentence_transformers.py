"""Any model of the sentence-transformers package."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, MissingExtraError
from .base import BATCH, Embedder

__all__ = ["SentenceTransformers"]


class SentenceTransformers(Embedder):
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
        rows = self._model.encode(texts, batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(rows, dtype=np.float32)
