"""Whether two answers ask for the same tool calls.

Invariant: arguments are compared as values (RFC 8785), so that neither the order of members nor blanks make a
difference; the order of calls says nothing, since they are carried out together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .. import _core
from ..types import Answer, StubbedCall, ToolAgreement

__all__ = ["tool_agreement"]


def tool_agreement(prod: Answer, shadow: Answer, stubbed: Sequence[StubbedCall] = ()) -> ToolAgreement:
    """How the calls agree. ``stubbed`` are the shadow's over all rounds: those that got prod's recorded result repeat
    an earlier turn of the conversation, and are no part of this answer."""
    ours = _calls((call.name, call.arguments) for call in prod.tool_calls)
    if stubbed:
        theirs = _calls((call.name, call.arguments) for call in stubbed if call.answered != "recorded")
    else:
        theirs = _calls((call.name, call.arguments) for call in shadow.tool_calls)
    if not ours or not theirs:
        return "missing" if ours else "extra" if theirs else ""
    if ours == theirs:
        return "same"
    return "arguments" if _names(ours) == _names(theirs) else "others"


_Calls = Counter[tuple[str, str]]


def _calls(calls: Iterable[tuple[str, str]]) -> _Calls:
    return Counter((name, _canonical(arguments)) for name, arguments in calls)


def _canonical(arguments: str) -> str:
    text = _core.canonical_json(arguments.encode("utf-8", "surrogatepass"))
    return " ".join(arguments.split()) if text is None else text.decode()


def _names(calls: _Calls) -> Counter[str]:
    names: Counter[str] = Counter()
    for (name, _), n in calls.items():
        names[name] += n
    return names
