"""The rounds of a call, over whatever sends them: what is asked, with which headers, and what follows an answer.

Invariants: one deadline bounds all the rounds that stubbed tool calls take; each round is signed anew, over the target
as it is sent; no transport decides what is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from .. import __version__, _core
from ..config import ShadowConfig
from ..tag import TRACE_STATE, traceparent
from ..types import Answer, Copy
from .call import Call
from .request import signature_headers
from .stub import Conversation, Reader, stands

__all__ = ["Exchange", "Round", "Rounds"]


class Round(NamedTuple):
    """One request. ``left_s``: how long it may take."""

    copy: Copy
    """Whose method and headers it has, see ``_core.Outgoing``."""
    target: str
    """Path and query as the copy has them, with the shadow's model."""
    more: list[tuple[str, str]]
    """Headers beside the copy's."""
    body: bytes
    left_s: float


class _Asked(NamedTuple):
    """What all rounds have in common, and the body of the first."""

    target: str
    more: list[tuple[str, str]]
    body: bytes


class Rounds:
    """What is sent to one shadow."""

    def __init__(
        self,
        name: str,
        shadow: ShadowConfig,
        credential: tuple[bytes, bytes] | None,
        *,
        read: Reader | None = None,
        stub_rounds: int = 0,
        where: str | None = None,
        propagate: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.shadow = shadow
        self.where = f"shadows.{name}." if where is None else where
        self.name = name
        self.outgoing = _core.Outgoing(shadow.url, credential, f"shadowlane/{__version__}")
        self._sign_key = shadow.sign_key(where=self.where)
        self._read = read or _reads_nothing
        self._stub_rounds = stub_rounds
        self._propagate = propagate
        self._clock_ns = clock_ns

    def exchange(self, copy: Copy) -> Exchange:
        """What is sent for a copy; its call begins now."""
        return Exchange(self, copy, Call(self.name, self._clock_ns()))

    def first(self, copy: Copy, call: Call) -> _Asked:
        """The first request."""
        target, body = copy.target, copy.body
        if self.shadow.model:
            target, body, call.normalised = _core.rewrite_model(copy.preset, target, body, self.shadow.model)
        more = []
        if self._propagate:
            more = [("traceparent", traceparent(copy.shadow_id, self.name)), ("tracestate", TRACE_STATE)]
        return _Asked(target, more, body)

    def talk(self, copy: Copy, body: bytes) -> Conversation:
        """The talk that the first request's ``body`` has begun."""
        return Conversation(copy, body, self._read, self._stub_rounds)

    def signed(self, copy: Copy, asked: _Asked) -> list[tuple[str, str]]:
        """The further headers of a request, signed anew for each round: a signature is good once."""
        if not self._sign_key:
            return asked.more
        sent = _core.path_and_query(self.url(asked.target))
        return asked.more + signature_headers(self._sign_key, copy, sent)

    def url(self, target: str) -> str:
        """The address to ask for a target."""
        return _core.request_url(self.shadow.url, target)

    def late(self, call: Call) -> None:
        """It took longer than it may."""
        call.fail("deadline", f"no whole answer within {self.where}timeout_s = {self.shadow.timeout_s:g}")

    def too_large(self, call: Call) -> None:
        """The answer is larger than the bound; its body is cut there."""
        limit = self.shadow.max_response_bytes
        call.fail("response_too_large", f"more than {self.where}max_response_bytes = {limit}")


class Exchange:
    """What is sent for one copy, round by round. Whatever sends a round notes its answer in :attr:`call`: head, body,
    or why there is none."""

    def __init__(self, rounds: Rounds, copy: Copy, call: Call) -> None:
        self.call = call
        self._rounds = rounds
        self._copy = copy
        self._asked: _Asked | None = None

    def next(self) -> Round | None:
        """The request to send now; ``None``: the call is over. Raises :class:`asyncio.TimeoutError` when it has no time
        left."""
        call, rounds, copy = self.call, self._rounds, self._copy
        if self._asked is None:
            self._asked = rounds.first(copy, call)
            body = self._asked.body
        else:
            if call.failed or (call.talk is None and stands(copy, call.body)):
                return None
            if call.talk is None:
                call.talk = rounds.talk(copy, self._asked.body)
            if (following := call.talk.next(call.content_type, call.body)) is None:
                return None
            body = following
        call.begin()
        asked = self._asked
        left_s = rounds.shadow.timeout_s - call.elapsed_s
        if left_s <= 0:
            raise asyncio.TimeoutError
        return Round(copy, asked.target, rounds.signed(copy, asked), body, left_s)


def _reads_nothing(content_type: str, body: bytes) -> Answer:
    """Without a reader no answer asks for a tool."""
    return Answer()
