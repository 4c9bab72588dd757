"""The answers that the compiled core reads: the shapes that most answers have.

Invariant: what the core reads is what :mod:`.reading` and the providers' modules read, which a test holds over every
body of the tests and mutations of them. What it leaves is theirs: JSON that is not strict, shapes that are not
compiled, errors, damaged streams, configured pointers.
"""

from __future__ import annotations

from typing import TypeAlias

from .. import _core
from ..types import Answer, Citation, ToolCall
from .registry import USAGE

__all__ = ["MAX_INFLATED", "SHAPES", "compiled_answer"]

MAX_INFLATED = 16 * 1024 * 1024
"""A compressed body is inflated to this many bytes at most; what is longer is cut, and noted."""

SHAPES: tuple[tuple[str, bool], ...] = _core.ANSWER_SHAPES
"""The shapes of the registry in its order, and embeddings: the module of each, and whether it is compiled; if not, only
so far that no other is taken for it."""

_CitationFields: TypeAlias = tuple[str, str, str, tuple[int, int] | None, int | None, float | None, str, str, str]

_reader = _core.AnswerReader(USAGE, MAX_INFLATED)


def compiled_answer(
    content_type: str, body: bytes, sanitizer: _core.Sanitizer | None = None, least: int = 0
) -> Answer | None:
    """What a response body says, see :func:`shadowlane.score.extract_answer`; ``None`` when it is left to the readers
    in Python. ``content_type`` is in lower case. Every text of ``least`` characters or more has been through
    ``sanitizer``'s ``again``."""
    found = _reader.read(body, "event-stream" in content_type, sanitizer, least)
    if found is None:
        return None
    text, citations, calls, finish, usage, cached, refusal, model, model_rev, index_hash, kind, incomplete, note = found
    return Answer(
        text=text,
        citations=tuple(map(_citation, citations)) if citations else (),
        tool_calls=tuple(ToolCall(name=name, arguments=arguments, id=id) for name, arguments, id in calls),
        finish_reason=finish,
        usage=usage,
        cached=cached,
        refusal=refusal,
        model=model,
        model_rev=model_rev,
        index_hash=index_hash,
        kind=kind,
        incomplete=incomplete,
        note=note,
    )


def _citation(fields: _CitationFields) -> Citation:
    snippet_id, section_id, source_url, offsets, tokens, score, index_hash, analyzer, text = fields
    return Citation(
        snippet_id=snippet_id,
        section_id=section_id,
        source_url=source_url,
        offsets=offsets,
        tokens=tokens,
        score=score,
        index_hash=index_hash,
        analyzer=analyzer,
        text=text,
    )
