"""Whether two answers ask for the same tool calls, and which of prod's the shadow never makes.

Invariant: arguments are compared as values (RFC 8785), so that neither the order of members nor blanks make a
difference; the order of calls says nothing, since they are carried out together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .. import _core
from ..providers.turns import find_turns, parse_object
from ..types import Answer, Copy, Pair, StubbedCall, ToolAgreement

__all__ = ["calls_never_made", "tool_agreement"]


def tool_agreement(prod: Answer, shadow: Answer, stubbed: Sequence[StubbedCall] = ()) -> ToolAgreement:
    """How the calls agree. ``stubbed`` are the shadow's over all rounds: those that got prod's recorded result repeat
    an earlier turn of the conversation, and are no part of this answer."""
    if not (prod.tool_calls or shadow.tool_calls or stubbed):
        return ""
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


def calls_never_made(pair: Pair, prod: Answer, shadow: Answer) -> int | None:
    """How many calls of prod's answer the shadow asks for in none of its rounds: what
    :data:`~shadowlane.types.STRANGE_CALLS` counts, from the other side. A call that the conversation holds already
    repeats an earlier turn, and is none of them. ``None`` where the shadow's answer broke off before it made one."""
    ours = [(call.name, _canonical(call.arguments or "{}")) for call in prod.tool_calls if call.name]
    if not ours:
        return 0
    theirs = _calls((call.name, call.arguments or "{}") for call in shadow.tool_calls)
    theirs += _calls((call.name, call.arguments or "{}") for call in pair.outcome.calls)
    alone = [call for call in ours if call not in theirs]
    if alone:
        before = _made_before(pair.copy)
        alone = [call for call in alone if call not in before]
    if alone and shadow.note:
        return None
    return len(alone)


def _made_before(copy: Copy) -> _Calls:
    """The calls of the conversation that a request goes on with, of an API whose turns are known."""
    request = parse_object(copy.body) if copy.preset else None
    turns = find_turns(copy, request) if request is not None else None
    if turns is None or request is None:
        return Counter()
    return _calls((made.name, made.arguments or "{}") for made in turns.made(request))


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
