"""Tool calls of a shadow, answered by nobody's tools: with what prod got for the same call, or "unavailable in shadow".

Two calls are the same when their names are equal and their arguments have one canonical form (RFC 8785). What prod
got stands in the request's own conversation; the call of prod's own answer has no result yet. When a shadow asks for
nothing but what prod's answer asks for too, its turn ends there, as prod's did: both answers are compared as they are.
So does the turn of an answer that did not come whole: what it asks for may be half of a call.

Invariants: nothing is carried out; every call is recorded; the rounds are bounded; a call that prod made neither in the
conversation nor in its answer is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .. import _core
from ..providers.turns import Turns, answer_pieces, find_turns, may_call, parse_object
from ..types import STRANGE_CALLS, Answer, Copy, StubbedCall, ToolCall, header

__all__ = ["UNAVAILABLE", "Conversation", "stands"]

UNAVAILABLE = "unavailable in shadow"
"""The result of every call whose real one is not recorded."""

Reader = Callable[[str, bytes], Answer]
"""``read(content_type, body)``: what an answer says, see :func:`shadowlane.score.extract_answer`."""

_Key = tuple[str, str]


def stands(copy: Copy, body: bytes) -> bool:
    """Whether the first answer to a copy surely asks for nothing, as nearly always: nothing is read for it."""
    return not copy.preset or not may_call(body)


class Conversation:
    """One copy's talk with one shadow."""

    def __init__(self, copy: Copy, body: bytes, read: Reader, rounds: int) -> None:
        """``body`` is what is sent first; ``rounds``: how often calls are answered at most."""
        self.calls: list[StubbedCall] = []
        self.usage: dict[str, int] = {}
        self._copy = copy
        self._read = read
        self._rounds = rounds
        self._round = 0
        self._body = body
        self._request: dict[str, Any] | None = None
        self._turns: Turns | None = None
        self._known: tuple[dict[_Key, Any], set[_Key]] | None = None
        self._strange = 0

    @property
    def findings(self) -> dict[str, int]:
        """Calls that prod never made, counted."""
        return {STRANGE_CALLS: self._strange} if self._strange else {}

    def next(self, content_type: str, body: bytes) -> bytes | None:
        """The next request's body after an answer; ``None`` when the answer stands as it is."""
        if not self._round and stands(self._copy, body):
            return None
        self._round += 1
        if self._round == 1:
            self._request = parse_object(self._body)
            self._turns = find_turns(self._copy, self._request) if self._request is not None else None
        if self._request is None:
            return None
        answer = self._read(content_type, body)
        for name, tokens in answer.usage.items():
            self.usage[name] = self.usage.get(name, 0) + tokens
        calls = [call for call in answer.tool_calls if call.name]
        if not calls:
            return None
        results, prods = self._prods()
        keys = [_key(call.name, call.arguments) for call in calls]
        whole = not answer.note
        go_on = whole and self._turns is not None and self._round <= self._rounds and not prods.issuperset(keys)
        answered = []
        for call, key in zip(calls, keys, strict=True):
            recorded = results.get(key)
            how = "left" if not go_on else "unavailable" if recorded is None else "recorded"
            by_prod = key in results or key in prods
            self._strange += not by_prod and (whole or _is_json(call.arguments))
            self.calls.append(
                StubbedCall(name=call.name, arguments=key[1], round=self._round, answered=how, by_prod=by_prod)  # type: ignore[arg-type]
            )
            answered.append((call, UNAVAILABLE if recorded is None else recorded))
        if not go_on or self._turns is None:
            return None
        try:
            self._request = self._turns.follow(self._request, answer, answer_pieces(body), answered)
        except (LookupError, TypeError, AttributeError, ValueError):
            # An answer in a shape of its own has no next turn.
            last = len(self.calls) - len(calls)
            self.calls[last:] = [_left(call) for call in self.calls[last:]]
            return None
        return json.dumps(self._request, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def _prods(self) -> tuple[dict[_Key, Any], set[_Key]]:
        """Results by call (``None``: made, and no result recorded), and the calls of prod's own answer."""
        if self._known is None:
            results: dict[_Key, Any] = {}
            if self._turns is not None and self._request is not None:
                for made in self._turns.made(self._request):
                    key = _key(made.name, made.arguments)
                    # Of a call made twice, the later result is nearer to what the world is now.
                    results[key] = made.result if made.result is not None else results.get(key)
            copy = self._copy
            kind = header(copy.response_headers, b"content-type")
            answer: tuple[ToolCall, ...] = ()
            if may_call(copy.response_body):
                answer = self._read(kind, copy.response_body).tool_calls
            self._known = results, {_key(call.name, call.arguments) for call in answer}
        return self._known


def _left(call: StubbedCall) -> StubbedCall:
    return StubbedCall(name=call.name, arguments=call.arguments, round=call.round, by_prod=call.by_prod)


def _key(name: str, arguments: str) -> _Key:
    text = arguments.strip() or "{}"
    canonical = _core.canonical_json(text.encode("utf-8", "replace"))
    return name, text if canonical is None else canonical.decode()


def _is_json(arguments: str) -> bool:
    """Whether a call's arguments came whole; none at all may be what was cut off."""
    return _core.canonical_json(arguments.encode("utf-8", "replace")) is not None
