"""One exchange of a file with all that its scores come from: both texts, each contradiction, citations, structure.

Invariant: what is shown was redacted, as it is for a report; the scores are those of the whole file's run, but for the
reading within a paraphrase group, which needs the exchanges before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..config import Config
from ..detect.cleaner import Cleaner, open_cleaner
from ..embedders import Embedder
from ..errors import DataError
from ..providers.cleaning import read_answer
from ..providers.question import shown_question
from ..score import Scorer
from ..score.answers import AnswerComparison, comparison_of
from ..score.citations import cited
from ..types import Citation, Headers, Pair
from .pairs import pairs_of
from .reader import Exchange, Source

__all__ = ["citation_names", "explained", "find"]


def find(source: Source, name: str, config: Config) -> tuple[Exchange, Cleaner]:
    """The exchange of an id, or of ``line-N``. Raises :class:`~shadowlane.errors.DataError` when there is none."""
    cleaner = open_cleaner(config).cleaner
    for exchange in source.exchanges():
        if name in (exchange.id, f"line-{exchange.line}"):
            return exchange, cleaner
    raise DataError(f"--explain = {name!r}: no exchange of {source.name} has this id; give one of its ids, or line-N")


def explained(source: Source, name: str, shadow: str, config: Config, embedder: Embedder) -> dict[str, Any]:
    """What is known of one exchange, JSON-ready: ``question``, and under ``arms`` each comparison with prod.

    Raises :class:`~shadowlane.errors.DataError`.
    """
    exchange, cleaner = find(source, name, config)
    alone = msgspec.structs.replace(config.score, groups=False)
    scored = Scorer(alone, embedder=embedder).score(pairs_of(exchange, cleaner, shadow, config.sanitize.hash_ignore))
    return {
        "id": scored[0].copy.shadow_id,
        "line": exchange.line,
        "started_ns": exchange.started_ns,
        "method": scored[0].copy.method,
        "target": scored[0].copy.target,
        "question": shown_question(scored[0].copy),
        "arms": [_arm(pair, config) for pair in scored],
    }


def _arm(pair: Pair, config: Config) -> dict[str, Any]:
    comparison: AnswerComparison = comparison_of(pair)
    return {
        "name": pair.outcome.shadow,
        "status": {"prod": pair.copy.status, "shadow": pair.outcome.status},
        "citations": {
            "prod": citation_names(pair.copy.response_headers, pair.copy.response_body, config),
            "shadow": citation_names(pair.outcome.headers, pair.outcome.body, config),
        },
        **msgspec.to_builtins(comparison),
    }


def citation_names(headers: Headers, body: bytes, config: Config) -> list[str]:
    """What an answer cites, by name."""
    answer = read_answer(
        headers,
        body,
        text_pointer=config.score.text_pointer,
        citations_pointer=config.score.citations_pointer,
    )
    return list(dict.fromkeys(_citation(one) for one in cited(answer)))


def _citation(one: Citation) -> str:
    named: Iterable[str] = filter(None, (one.snippet_id, one.source_url, one.section_id))
    return " ".join(named) or one.text[:80]
