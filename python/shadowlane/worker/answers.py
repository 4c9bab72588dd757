"""Makes the row of an answer: what is kept of it is sanitized, or left out."""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec

from ..limits import rate_limit_headers
from ..providers.refusals import refused_words
from ..types import CleanAnswer, Copy, Headers, Outcome, Pair, StubbedCall

__all__ = ["Sanitizer", "clean_of", "pair_of", "pair_without"]

log = logging.getLogger("shadowlane.worker")


class Sanitizer(Protocol):
    """What is applied to a shadow's answer before anything of it is kept."""

    def text(self, text: str) -> str: ...
    def response(
        self, headers: Headers, body: bytes, cut: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes, dict[str, int], str]: ...


def clean_of(outcome: Outcome, sanitizer: Sanitizer) -> CleanAnswer:
    """An outcome's answer as it may be kept. Raises whatever the sanitizer raises."""
    cut = outcome.reason == "response_too_large"
    return CleanAnswer(*sanitizer.response(outcome.headers, outcome.body, cut))


def pair_of(copy: Copy, outcome: Outcome, clean: CleanAnswer, sanitizer: Sanitizer) -> Pair:
    """The row of an outcome with its answer sanitized. Raises whatever the sanitizer does, for a tool call's words."""
    headers, body, findings, note = clean
    kept = tuple(headers)
    outcome = msgspec.structs.replace(
        outcome,
        headers=kept,
        body=body,
        detail=outcome.detail or note or refused_words(outcome.status, kept, body),
        calls=tuple(_clean_call(sanitizer, call) for call in outcome.calls),
    )
    if findings:
        merged = dict(copy.findings)
        for kind, count in findings.items():
            merged[kind] = merged.get(kind, 0) + count
        copy = msgspec.structs.replace(copy, findings=merged)
    return Pair(copy=copy, outcome=outcome, rate_limit=rate_limit_headers(kept))


def pair_without(copy: Copy, outcome: Outcome, error: BaseException) -> Pair:
    """The row of an outcome whose answer could not be sanitized: nothing of it is kept, in the log neither."""
    said = {"event": "unsanitized", "shadow": outcome.shadow, "shadow_id": copy.shadow_id}
    log.error("an answer of %s could not be sanitized: %s", outcome.shadow, type(error).__name__, extra=said)
    detail = f"the answer could not be sanitized and is left out: {type(error).__name__}"
    bare = msgspec.structs.replace(outcome, reason="unreadable", detail=detail, headers=(), body=b"", calls=())
    return Pair(copy=copy, outcome=bare)


def _clean_call(sanitizer: Sanitizer, call: StubbedCall) -> StubbedCall:
    """A shadow's tool call as it may be stored: its words are the shadow's."""
    return msgspec.structs.replace(call, name=sanitizer.text(call.name), arguments=sanitizer.text(call.arguments))
