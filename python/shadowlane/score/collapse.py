"""How an answer by itself is a collapse (λ ←): empty, refused, cut off, or an error.

Invariant: an answer has at most one kind, and what is compared of it is the same text that is judged here.
"""

from __future__ import annotations

from ..types import Answer, Collapse
from .incomplete import is_cut
from .refusal import is_refusal

__all__ = ["collapse_kind", "collapsed", "compared_text", "refuses"]


def collapsed(answer: Answer, text: str) -> bool:
    """Whether an answer by itself is a collapse: empty, refused, cut off, or an error."""
    return bool(collapse_kind(answer, text))


def collapse_kind(answer: Answer, text: str) -> Collapse:
    """How an answer by itself is a collapse; empty when it is none. A cut answer may be empty too: it is cut."""
    if refuses(answer, text):
        return "refused"
    if is_cut(answer):
        return "cut"
    if not text:
        return "empty"
    return "error" if answer.note else ""


def refuses(answer: Answer, text: str) -> bool:
    """Whether it declines: its provider says so, or the answer does in words."""
    return answer.refusal or is_refusal(text)


def compared_text(answer: Answer) -> str:
    """What is compared: the text, and what the answer asks tools to do, since that is an answer too."""
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return "\n".join([answer.text, *calls]).strip() if calls else answer.text.strip()
