"""Comparing answers: extraction, ΔS, anchored ΔS, λ, citations.

Importing this loads no model and no optional package: those come with :func:`load_embedder`.
"""

from __future__ import annotations

from ..embedders import load_embedder
from ..providers import extract_answer
from .anchored import anchored_delta_s, explain_pair
from .answers import AnswerComparison, compare_answers
from .citations import compare_citations
from .delta import delta_s
from .lambda_ import convergence_rate, flip_rate, lambda_group, lambda_groups, lambda_trend, lambda_trends
from .scorer import Scorer

__all__ = [
    "AnswerComparison",
    "Scorer",
    "anchored_delta_s",
    "compare_answers",
    "compare_citations",
    "convergence_rate",
    "delta_s",
    "explain_pair",
    "extract_answer",
    "flip_rate",
    "lambda_group",
    "lambda_groups",
    "lambda_trend",
    "lambda_trends",
    "load_embedder",
]
