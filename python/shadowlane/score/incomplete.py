"""Answers that are not whole, or have no text: what of a pair can be compared, and why not the rest.

Invariant: prod's part of an answer is never compared with the shadow's whole one: both are cut at one length, at the
end of a sentence, or the pair is left out with its reason.
"""

from __future__ import annotations

import re

from ..types import FLAG_CLIENT_DISCONNECTED, FLAG_RESPONSE_CUT, Answer, Copy, Outcome

__all__ = ["LENGTH_REASONS", "common_length", "is_cut", "left_out_by_status", "why_incomplete"]

LENGTH_REASONS = frozenset({"length", "max_tokens", "model_length", "max_output_tokens", "token_limit"})
"""Finish reasons of answers that ran into their length limit, in lower case."""

_NO_TEXT = frozenset({204, 205, 304})  # RFC 9110 §15.3.5, §15.3.6, §15.4.5
_PARTIAL = 206
_LEAST_CHARS = 120
"""Below it a part of an answer says too little to be compared."""
_LONGER = 1.3
"""The shadow's part may be so many times as long as prod's, to end with a sentence."""
_SENTENCE_END = re.compile(r"(?<!\d)[.!?…][\"'”’)\]*]*(?=\s)|[。！？]|\n")


def is_cut(answer: Answer) -> bool:
    """Whether an answer ran into its length limit."""
    reasons = answer.finish_reason.lower()
    return reasons in LENGTH_REASONS or ("," in reasons and not LENGTH_REASONS.isdisjoint(reasons.split(",")))


def why_incomplete(copy: Copy, prod: Answer) -> str:
    """Why prod's answer is not whole; empty when it is, as far as one can know."""
    if prod.incomplete == "error":
        return f"it broke off with an error ({prod.note})"
    reasons = [
        "the client left before it was complete" if copy.flags & FLAG_CLIENT_DISCONNECTED else "",
        "it was kept cut at max_body_bytes" if copy.flags & FLAG_RESPONSE_CUT else "",
        prod.note if prod.incomplete == "cut" else "",
        f"it ran into its length limit ({prod.finish_reason})" if is_cut(prod) else "",
    ]
    return ", ".join(filter(None, reasons))


def common_length(prod: str, shadow: str) -> tuple[str, str] | None:
    """Both texts up to the end of prod's last whole sentence; ``None`` when too little is left.

    The shadow's ends with a sentence too, where one ends within 1.3 times prod's length, else with a word.
    """
    ends = [match.end() for match in _SENTENCE_END.finditer(prod)]
    if not ends or ends[-1] < _LEAST_CHARS:
        return None
    cut = prod[: ends[-1]].rstrip()
    if len(shadow) <= len(cut):
        return cut, shadow
    found = _SENTENCE_END.search(shadow, len(cut) - 1)
    last = found.end() if found else len(shadow)
    if last > _LONGER * len(cut):
        last = len(cut)
        while last < len(shadow) and not shadow[last - 1].isspace() and last < _LONGER * len(cut):
            last += 1
    return cut, shadow[:last].rstrip()


def left_out_by_status(copy: Copy, outcome: Outcome) -> tuple[str, bool]:
    """Why a pair that neither side failed has no two texts to compare, and whether that is the shadow's fault; empty
    when it has.

    ``HEAD``, 204, 205 and 304 have no text, a redirect is no answer, and parts of a document (206) compare with no
    other part.
    """
    statuses = f"prod answered with HTTP {copy.status}, the shadow with HTTP {outcome.status}"
    differs = copy.status != outcome.status
    if copy.method.upper() == "HEAD":
        return ("HEAD has no text to compare" + (f"; {statuses}" if differs else "")), False
    if _has_text(copy.status) and not _has_text(outcome.status):
        return statuses, True
    if not _has_text(copy.status):
        return (statuses if differs else f"HTTP {copy.status} has no text to compare"), False
    if differs and _PARTIAL in (copy.status, outcome.status):
        return f"{statuses}: a part of a document and the whole are not compared", copy.status != _PARTIAL
    if copy.status == outcome.status == _PARTIAL and _range(copy.response_headers) != _range(outcome.headers):
        return "both answered with a part of a document (HTTP 206), and not with the same one", False
    return "", False


def _has_text(status: int) -> bool:
    return 200 <= status < 300 and status not in _NO_TEXT


def _range(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return next((value for name, value in headers if name.lower() == b"content-range"), b"")
