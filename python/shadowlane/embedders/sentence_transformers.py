"""Any model of the sentence-transformers package."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, MissingExtraError
from .base import BATCH, Embedder

__all__ = ["SentenceTransformers", "has_model_cache"]

_CACHES = ("HF_HOME", "HF_HUB_CACHE", "SENTENCE_TRANSFORMERS_HOME", "XDG_CACHE_HOME", "HOME")
"""Variables that say where models are kept, for the package and for the hub that it loads them from."""


def has_model_cache() -> bool:
    """Whether there is a folder for models: one that a variable names, or the user's home of the passwd file. Without
    one the hub's own code would make a folder named ``~`` in the working directory."""
    return any(os.environ.get(name) for name in _CACHES) or os.path.expanduser("~") != "~"  # noqa: PTH111


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
        if not Path(model).is_dir() and not has_model_cache():
            raise ConfigError(
                f"{what}: this user has no home directory to keep a model in; set HF_HOME to a folder that the worker "
                "can write, or give the model's folder"
            )
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
