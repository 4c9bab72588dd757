"""What the passages say that an answer carries: how much of prod's the shadow found too, and how far they are from the
question.

Coverage is that of the WFGY Problem Map (eval, coverage_tracking): tokens retrieved of a section over the section's
tokens; the sections are those that prod retrieved for the same request. ΔS(question, retrieved) is its ΔS of the
question and the retrieved text (PSBigBig, MIT).

Invariant: an answer that only cites (a URL, a number) carries no retrieval, and has neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..embedders import Embedder
from ..providers.cleaning import detects
from ..providers.question import shown_question
from ..types import Answer, Citation, Copy
from .cited import url_key
from .delta import text_delta_s

__all__ = ["coverage", "question_deltas", "question_for", "retrieved_text"]

_LEAST_WORDS = 8
"""A shorter text is a title."""
_MOST_CHARS = 16 * 1024


def retrieved_text(answer: Answer) -> str:
    """The text of an answer's passages, in their order; empty where it carries none."""
    if not answer.citations:
        return ""
    parts = [one.text for one in answer.citations if len(one.text.split()) >= _LEAST_WORDS]
    return "\n".join(parts)[:_MOST_CHARS]


def coverage(prod: Answer, shadow: Answer) -> float | None:
    """Share of what prod retrieved that the shadow retrieved too, in [0, 1], by tokens of the same section where both
    say them, else by words, else each section as one. ``None`` where prod's answer carries no passages."""
    wanted = _passages(prod)
    if not wanted:
        return None
    found = _passages(shadow)
    identity = _identity([*wanted, *found])
    sizes, theirs = _sizes(wanted, identity), _sizes(found, identity)
    total = sum(sizes.values())
    return sum(min(size, theirs.get(key, 0.0)) for key, size in sizes.items()) / total


def question_for(copy: Copy, prod: Answer, shadow: Answer) -> str:
    """The question that passages are held against. Requests are large, so one is read only where an answer carries
    passages, or a detector has to look at it."""
    wanted = detects() or retrieved_text(prod) or retrieved_text(shadow)
    return shown_question(copy) if wanted else ""


def question_deltas(
    embedder: Embedder, asked: Sequence[tuple[str, Answer, Answer]]
) -> list[tuple[float | None, float | None]]:
    """ΔS of each question and what prod, and what the shadow retrieved; ``None`` where there is no text. All texts are
    embedded in one call; raises what the embedder raises."""
    texts = [(question, retrieved_text(answer)) for question, *sides in asked for answer in sides]
    known = [position for position, pair in enumerate(texts) if all(pair)]
    deltas: list[float | None] = [None] * len(texts)
    if known:
        questions, passages = zip(*(texts[position] for position in known), strict=True)
        for position, value in zip(known, text_delta_s(embedder, questions, passages).tolist(), strict=True):
            deltas[position] = value
    return list(zip(deltas[::2], deltas[1::2], strict=True))


def _passages(answer: Answer) -> list[Citation]:
    return [
        one
        for one in answer.citations
        if one.section_id or one.tokens is not None or len(one.text.split()) >= _LEAST_WORDS
    ]


def _identity(passages: Sequence[Citation]) -> Callable[[Citation], tuple[str, ...]]:
    """The strongest name of a section that all passages have."""
    names: tuple[Callable[[Citation], tuple[str, ...]], ...] = (
        lambda one: (one.section_id, url_key(one.source_url)),
        lambda one: (one.section_id,),
        lambda one: (url_key(one.source_url),),
        lambda one: (one.snippet_id,),
    )
    return next((name for name in names if all(all(name(one)) for one in passages)), _by_text)


def _by_text(one: Citation) -> tuple[str, ...]:
    return (" ".join(one.text.split()) or one.snippet_id or url_key(one.source_url) or one.section_id,)


def _sizes(
    passages: Sequence[Citation], identity: Callable[[Citation], tuple[str, ...]]
) -> dict[tuple[str, ...], float]:
    sizes: dict[tuple[str, ...], float] = {}
    for one in passages:
        size = float(one.tokens or len(one.text.split()) or 1)
        sizes[identity(one)] = sizes.get(identity(one), 0.0) + size
    return sizes
