"""The providers, and what all of them together know.

To add one: a module beside this one with a ``PROVIDER``, a line in :data:`PROVIDERS`, and recorded answers in its test.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import (
    a2a,
    anthropic,
    bedrock,
    cohere,
    dify,
    gemini,
    huggingface,
    jsonrpc,
    ollama,
    openai,
    replicate,
    vercel,
    vertex,
    watsonx,
)
from .base import Provider, QuestionFields, RateLimitFamily, Shape, Turns
from .reading.draft import UsageNames

__all__ = ["PROVIDERS", "QUESTIONS", "RATE_LIMITS", "SHAPES", "TURNS", "USAGE"]

PROVIDERS: tuple[Provider, ...] = (
    openai.PROVIDER,
    vercel.PROVIDER,
    dify.PROVIDER,
    a2a.PROVIDER,
    jsonrpc.PROVIDER,
    replicate.PROVIDER,
    anthropic.PROVIDER,
    cohere.PROVIDER,
    gemini.PROVIDER,
    ollama.PROVIDER,
    watsonx.PROVIDER,
    bedrock.PROVIDER,
    huggingface.PROVIDER,
    vertex.PROVIDER,
)
"""In the order in which their shapes are tried: those with telling names first."""

SHAPES: tuple[Shape, ...] = tuple(shape for provider in PROVIDERS for shape in provider.shapes)
TURNS: tuple[Turns, ...] = tuple(turns for provider in PROVIDERS for turns in provider.turns)
QUESTIONS: tuple[QuestionFields, ...] = tuple(fields for provider in PROVIDERS for fields in provider.questions)
RATE_LIMITS: tuple[RateLimitFamily, ...] = tuple(family for provider in PROVIDERS for family in provider.rate_limits)


def _merged(names: Iterable[UsageNames]) -> UsageNames:
    """Every provider's names: services that speak one provider's shape may count in the names of another."""
    every = list(names)
    return UsageNames(
        *(tuple(dict.fromkeys(name for one in every for name in one[kind])) for kind in range(len(every[0])))
    )


USAGE: UsageNames = _merged(provider.usage for provider in PROVIDERS)
