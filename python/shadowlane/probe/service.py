"""A service under probe: asks it with bounded concurrency and rate, and reads what comes back.

Invariants: never more than ``concurrency`` requests are out, and never two begin closer than ``1/qps`` apart, retries
included; a service that asks for patience (429, 503) gets it, a bounded number of times.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from ..limits import retry_after_s
from ..providers import extract_answer
from ..score.collapse import collapse_kind, collapsed, compared_text
from ..types import Copy, Outcome, Transport, header
from .state import Arm, Run

__all__ = ["Pace", "Service", "read_run"]

_TRIES = 4
_BACKOFF_S = 1.0
_LONGEST_WAIT_S = 60.0


class Pace:
    """Lets one through every ``1/qps`` seconds; 0 is no limit. Time and sleep are injected."""

    def __init__(
        self,
        qps: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gap = 1 / qps if qps > 0 else 0.0
        self._clock = clock
        self.sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = self._clock()
        due = max(now, self._next)
        self._next = due + self._gap
        if due > now:
            await self.sleep(due - now)


class Service:
    """One of the two services."""

    def __init__(
        self,
        arm: Arm,
        transport: Transport,
        pace: Pace,
        *,
        concurrency: int,
        text_pointer: str = "",
        citations_pointer: str = "",
    ) -> None:
        self.arm = arm
        self.answered = 0
        self.unreached = 0
        """Requests in a row that found nobody."""
        self._transport = transport
        self._pace = pace
        self._slots = asyncio.Semaphore(concurrency)
        self._pointers = (text_pointer, citations_pointer)

    async def ask(self, request: Copy, item: str, wording: int, seed: int) -> Run:
        """Send one request and read the answer. Raises nothing."""
        async with self._slots:
            outcome = await self._send(request)
        if outcome.reason == "connect_error":
            self.unreached += 1
        else:
            self.unreached = 0
            self.answered += not outcome.reason
        return read_run(outcome, self.arm, item, wording, seed, *self._pointers)

    async def _send(self, request: Copy) -> Outcome:
        for tried in range(1, _TRIES + 1):
            await self._pace.turn()
            outcome = await self._transport.send(request)
            if outcome.reason or outcome.status not in (429, 503) or tried == _TRIES:
                break
            wait_s = retry_after_s(outcome.headers, time.time())
            await self._pace.sleep(min(_BACKOFF_S * 2 ** (tried - 1) if wait_s is None else wait_s, _LONGEST_WAIT_S))
        return outcome


def read_run(
    outcome: Outcome, arm: Arm, item: str, wording: int, seed: int, text_pointer: str = "", citations_pointer: str = ""
) -> Run:
    """What an outcome says."""
    if outcome.reason:
        return Run(
            item=item,
            wording=wording,
            seed=seed,
            arm=arm,
            reason=outcome.reason,
            detail=outcome.detail,
            collapsed=True,
            why=outcome.reason,
        )
    answer = extract_answer(
        header(outcome.headers, b"content-type"),
        outcome.body,
        text_pointer=text_pointer,
        citations_pointer=citations_pointer,
    )
    text = compared_text(answer)
    failed = outcome.status >= 400
    down = failed or collapsed(answer, text)
    why = f"HTTP {outcome.status}" if failed else answer.note or collapse_kind(answer, text)
    return Run(
        item=item,
        wording=wording,
        seed=seed,
        arm=arm,
        status=outcome.status,
        text=text,
        citations=answer.citations,
        collapsed=down,
        why=(why or answer.finish_reason or "empty") if down else "",
        seconds=outcome.duration_ns / 1e9,
        model_rev=header(outcome.headers, b"x-model-rev") or answer.model_rev,
        index_hash=header(outcome.headers, b"x-index-hash") or answer.index_hash,
    )
