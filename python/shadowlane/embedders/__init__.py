"""Embedders: texts to unit-norm rows. One module a kind; :func:`load_embedder` loads one by its name.

Importing this loads no model and no optional package.
"""

from __future__ import annotations

from ..errors import ConfigError
from .base import Embedder
from .lexical import Lexical
from .sentence_transformers import SentenceTransformers
from .wordllama import WordLlama

__all__ = ["KNOWN", "Embedder", "load_embedder"]

KNOWN = ("wordllama", "lexical", "sentence-transformers:<model>", "openai:<model>")


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
        return WordLlama()
    if name == "lexical":
        return Lexical()
    if kind == "sentence-transformers" and colon:
        return SentenceTransformers(model)
    if kind == "openai" and colon:
        raise ConfigError(
            f"score.embedder = {name!r}: a service needs its address (score.embedder_url); "
            "shadowlane.worker.embedder.open_embedder opens it"
        )
    raise ConfigError(f"score.embedder = {name!r}: unknown embedder; one of {', '.join(KNOWN)}")
