"""One copy's way to one shadow: its limits, a place among those that are out, the call, and perhaps another try.

Invariants: :meth:`Arm.deliver` raises nothing but :class:`asyncio.CancelledError`, whatever transport, limits or meter
do; it ends within the arm's deadline, and no call is begun that would not have its whole ``timeout_s`` until then; a
place is held only while a call is out, so that the time which a shadow is judged by never contains waiting of ours;
every try but the first takes its unit of the lane's cap.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from .core import StickySampler
from .limits import Permit, Retry, ShadowLimits
from .types import Copy, Outcome

__all__ = ["Arm", "Meter"]

log = logging.getLogger("shadowlane.worker")

Meter = Callable[[Outcome], tuple[str, Mapping[str, int]]]
"""The model and the usage that an answer names."""


class _Transport(Protocol):
    async def send(self, copy: Copy) -> Outcome: ...
    async def close(self) -> None: ...


class Arm:
    """One service that gets copies: its transport, its share of the mirrored traffic, its limits.

    ``ratio`` is its share, in (0, 1], drawn with ``salt`` (default: its name, so that arms draw for themselves);
    ``concurrency`` how many calls are out at a time; ``deadline_s`` how long a copy may take in all, ``timeout_s`` a
    call of it; ``cap`` takes a unit of the lane's cap for another try; ``meter`` reads what an answer used, and is
    asked only when there is a budget.
    """

    def __init__(
        self,
        name: str,
        transport: _Transport,
        *,
        ratio: float = 1.0,
        salt: str | None = None,
        concurrency: int = 16,
        deadline_s: float = 300.0,
        timeout_s: float = 30.0,
        limits: ShadowLimits | None = None,
        retry: Retry | None = None,
        cap: Callable[[], bool] = lambda: True,
        meter: Meter | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = name
        self.transport = transport
        self.limits = limits
        self.retries = 0
        self.waiting = 0
        """Copies that wait for a place."""
        self.out = 0
        """Calls that are out."""
        self._places = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._spare_s = max(deadline_s - timeout_s, 0.0)
        self._retry = retry or Retry()
        self._cap = cap
        self._meter = meter
        self._clock_ns = clock_ns
        # By shadow_id, so that a redelivered copy meets the same decision.
        self._sampler = StickySampler(ratio, salt=name if salt is None else salt) if ratio < 1 else None

    def takes(self, copy: Copy) -> bool:
        """Whether the copy is in this arm's share."""
        return self._sampler is None or self._sampler.take(copy.shadow_id.encode())

    def refused(self, reason: str, detail: str = "") -> Outcome:
        """The outcome of a copy that was not sent."""
        return Outcome(shadow=self.name, reason=reason, detail=detail, started_ns=self._clock_ns())

    async def deliver(self, copy: Copy) -> Outcome:
        """Send the copy, within the limits, and say what became of it; ``headers`` and ``body`` as received."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._spare_s
        tries = 0
        last: Outcome | None = None
        while True:
            outcome, sent = await self._try(copy, latest, again=tries > 0)
            if not sent:
                return last or outcome
            last = outcome
            tries += 1
            wait_s = self._retry.wait_s(outcome, tries)
            if wait_s is None:
                return outcome
            wait_s = max(wait_s, self.limits.paused_s() if self.limits is not None else 0.0)
            if loop.time() + wait_s > latest:
                return outcome
            await asyncio.sleep(wait_s)

    async def _try(self, copy: Copy, latest: float, *, again: bool) -> tuple[Outcome, bool]:
        """One try: its outcome, and whether it was sent."""
        if self.limits is not None and (reason := self.limits.refusal()):
            return self.refused(reason), False
        if not await self._place(latest):
            waited = f"not sent: no place among concurrency = {self._concurrency} for {self._spare_s:g} s"
            return self.refused("deadline", waited), False
        try:
            # Asked again: much can have happened while it waited.
            permit = self.limits.admit() if self.limits is not None else Permit("")
            if permit.reason:
                return self.refused(permit.reason), False
            if again and not self._cap():
                if self.limits is not None:
                    self.limits.cancel(permit)
                return self.refused("cap"), False
            self.retries += again
            self.out += 1
            try:
                return await self._call(copy, permit), True
            finally:
                self.out -= 1
        finally:
            self._places.release()

    async def _place(self, latest: float) -> bool:
        if not self._places.locked():
            return await self._places.acquire()
        self.waiting += 1
        try:
            left_s = latest - asyncio.get_running_loop().time()
            return await asyncio.wait_for(self._places.acquire(), max(left_s, 0.0))
        except asyncio.TimeoutError:
            return False
        finally:
            self.waiting -= 1

    async def _call(self, copy: Copy, permit: Permit) -> Outcome:
        try:
            outcome = await self.transport.send(copy)
        except asyncio.CancelledError:
            if self.limits is not None:
                self.limits.cancel(permit)
            raise
        except Exception as error:
            # No text and no traceback of it: they may quote what the shadow sent, which is not sanitized yet.
            log.error("the transport to %s failed: %s", self.name, type(error).__name__)
            outcome = self.refused("transport_error", type(error).__name__)
        if outcome.shadow != self.name:
            outcome = msgspec.structs.replace(outcome, shadow=self.name)  # rows are counted by this name
        return self._learned(outcome, permit)

    def _learned(self, outcome: Outcome, permit: Permit) -> Outcome:
        if self.limits is None:
            return outcome
        try:
            self.limits.learn(permit, outcome)
            if self._meter is not None and self.limits.budget is not None and outcome.status and not outcome.reason:
                spent = self.limits.spend(*self._meter(outcome))
                return msgspec.structs.replace(outcome, tokens=int(spent.tokens), money=spent.money)
        except Exception as error:
            log.error("an answer of %s could not be accounted for: %s", self.name, type(error).__name__)
            self.limits.unmetered += 1
        return outcome
