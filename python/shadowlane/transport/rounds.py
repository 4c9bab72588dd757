"""The rounds of a call, over whatever sends them: what is asked, with which headers, and what follows an answer.

Invariants: one deadline bounds all the rounds that stubbed tool calls take; each round is signed anew, over the target
as it is sent; no transport decides what is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from .. import _core
from ..config import ShadowConfig
from ..tag import TRACE_STATE, traceparent
from ..types import Answer, Copy
from .call import Call
from .request import path_and_query, request_headers, request_target, signature_headers
from .stub import Conversation, Reader

__all__ = ["Round", "Rounds"]


class Round(NamedTuple):
    """One request. ``left_s``: how long it may take."""

    method: str
    url: str
    """All of it, for who needs the address too."""
    target: str
    """Its path and query."""
    headers: list[tuple[str, str]]
    body: bytes
    left_s: float


Send = Callable[[Round, Call], Awaitable[None]]
"""Sends a round and notes the answer in the call: head, body, or why there is none."""


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
        self._name = name
        self._credential = credential
        self._sign_key = shadow.sign_key(where=self.where)
        self._read = read or _reads_nothing
        self._stub_rounds = stub_rounds
        self._propagate = propagate
        self._clock_ns = clock_ns

    def call(self) -> Call:
        """A call that begins now."""
        return Call(self._name, self._clock_ns())

    async def exchange(self, copy: Copy, call: Call, send: Send) -> None:
        """Send the copy, and what its answers ask for. Raises what ``send`` raises, and :class:`asyncio.TimeoutError`
        when a round has no time left."""
        target, body = copy.target, copy.body
        if self.shadow.model:
            target, body, call.normalised = _core.rewrite_model(copy.preset, target, body, self.shadow.model)
        url = request_target(self.shadow.url, target)
        sent = path_and_query(url)
        headers = request_headers(copy, self._credential)
        if self._propagate:
            headers.append(("traceparent", traceparent(copy.shadow_id, self._name)))
            headers.append(("tracestate", TRACE_STATE))
        talk = call.talk = Conversation(copy, body, self._read, self._stub_rounds)
        following: bytes | None = body
        while following is not None and not call.failed:
            call.begin()
            # Anew for each round: a signature is good once.
            signed = signature_headers(self._sign_key, copy, sent) if self._sign_key else []
            left_s = self.shadow.timeout_s - call.elapsed_s
            if left_s <= 0:
                raise asyncio.TimeoutError
            await send(Round(copy.method, url, sent, headers + signed, following, left_s), call)
            following = None if call.failed else talk.next(call.content_type, call.body)

    def late(self, call: Call) -> None:
        """It took longer than it may."""
        call.fail("deadline", f"no whole answer within {self.where}timeout_s = {self.shadow.timeout_s:g}")

    def too_large(self, call: Call) -> None:
        """The answer is larger than the bound; its body is cut there."""
        limit = self.shadow.max_response_bytes
        call.fail("response_too_large", f"more than {self.where}max_response_bytes = {limit}")


def _reads_nothing(content_type: str, body: bytes) -> Answer:
    """Without a reader no answer asks for a tool."""
    return Answer()
