"""Names and places by Microsoft Presidio (``presidio-analyzer``) and a spaCy model, as an example of a detector.

``[sanitize] detector = "shadowlane.detect.presidio:detector"``; the environment variable
``SHADOWLANE_SPACY_MODEL`` names the model, ``en_core_web_sm`` when unset. It must be installed: nothing is downloaded.
Presidio's pattern recognizers are not used: the core has looked for forms already. A text costs milliseconds, which
the worker has and the gateway never sees.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError
from . import Found

__all__ = ["PresidioDetector", "detector"]

_KINDS = {"PERSON": "person", "LOCATION": "location", "NRP": "group"}
"""Presidio's entities, and what stands in their place. Organisations and dates stay: answers are about them."""
_LONGEST = 50_000
"""Characters of a text that are given to the model at once: spaCy's memory grows with it."""


class PresidioDetector:
    """``detect`` over an ``AnalyzerEngine`` with only the model's recognizer. Raises ConfigError without the extra."""

    def __init__(self, model: str = "en_core_web_sm", *, least_score: float = 0.5) -> None:
        try:
            import spacy.util
            from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
            from presidio_analyzer.nlp_engine import NlpEngineProvider
            from presidio_analyzer.predefined_recognizers import SpacyRecognizer
        except ImportError as error:
            raise ConfigError(
                f"sanitize.detector: {error.name} is not installed; pip install presidio-analyzer, and a spaCy model"
            ) from error
        if not spacy.util.is_package(model):
            raise ConfigError(
                f"sanitize.detector: the spaCy model {model!r} is not installed; python -m spacy download"
            )
        setting = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
        engine = NlpEngineProvider(nlp_configuration=setting).create_engine()
        registry = RecognizerRegistry(supported_languages=["en"])
        registry.add_recognizer(SpacyRecognizer(supported_language="en", supported_entities=list(_KINDS)))
        self._analyzer: Any = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
        self._least_score = least_score

    def detect(self, texts: Sequence[str]) -> list[list[Found]]:
        """For each text the people, places and groups that the model names."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[Found]:
        found = []
        for offset in range(0, len(text), _LONGEST):
            for result in self._analyzer.analyze(
                text[offset : offset + _LONGEST],
                language="en",
                entities=list(_KINDS),
                score_threshold=self._least_score,
            ):
                kind = _KINDS.get(result.entity_type, "person")
                found.append(Found(kind, offset + result.start, offset + result.end))
        return found


def detector() -> PresidioDetector:
    """What ``sanitize.detector`` names."""
    return PresidioDetector(os.environ.get("SHADOWLANE_SPACY_MODEL", "en_core_web_sm"))
