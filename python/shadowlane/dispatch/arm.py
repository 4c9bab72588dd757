"""One copy's way to one shadow: its limits, a slot, the call, and perhaps another try.

Invariants: :meth:`Arm.deliver` raises nothing but :class:`asyncio.CancelledError`, whatever transport, limits or meter
raise; it ends within the arm's deadline, and no call is begun that would not have its whole ``timeout_s`` until then; a
slot is held only while a call is out, so that the time which a shadow is judged by never contains waiting of ours;
every try but the first takes its unit of the lane's cap. An arm that gives way holds no more than its share of copies
and bytes, so that the others' copies do not wait for a shadow which hangs.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping

import msgspec

from ..config.shadows import section_of
from ..core import StickySampler
from ..limits import Permit, Retry, ShadowLimits
from ..types import Copy, Outcome, Transport
from .slots import Slots

__all__ = ["MOST_COPIES", "Arm", "ArmOptions", "Meter"]

log = logging.getLogger("shadowlane.worker")

MOST_COPIES = 1024
"""An arm's share of copies that are held at a time."""

Meter = Callable[[Outcome], tuple[str, Mapping[str, int]]]
"""The model and the usage that an answer names."""


class ArmOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one arm sends."""

    ratio: float = 1.0
    """Its share of the mirrored traffic, in (0, 1]."""
    salt: str | None = None
    """What the share is drawn with; unset: the arm's name, so that arms draw for themselves."""
    concurrency: int = 16
    """Calls that are out at a time."""
    deadline_s: float = 300.0
    """How long a copy may take in all."""
    timeout_s: float = 30.0
    """How long a call of it may take."""
    most: int = MOST_COPIES
    """Its share of the copies that are held at a time."""
    most_bytes: float = math.inf
    """Its share of their bodies, in bytes."""


class _Held:
    """A copy that an arm holds."""

    __slots__ = ("bytes", "released", "tries", "waited_s")

    def __init__(self, copy: Copy) -> None:
        self.bytes = len(copy.body) + len(copy.response_body)
        self.released = False
        self.tries = 0
        self.waited_s = 0.0
        """For a slot, over all tries."""


class Arm:
    """One service that gets copies: its transport, its share of the mirrored traffic, its limits.

    ``cap`` takes a unit of the lane's cap for another try; ``meter`` reads what an answer used, and is asked only when
    there is a budget.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        options: ArmOptions | None = None,
        *,
        limits: ShadowLimits | None = None,
        retry: Retry | None = None,
        cap: Callable[[], bool] = lambda: True,
        meter: Meter | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        options = options or ArmOptions()
        self.name = name
        self.transport = transport
        self.limits = limits
        self.memory: asyncio.Event | None = None
        """Set while there is memory for another answer; ``None``: there always is."""
        self.retries = 0
        self.out = 0
        """Calls that are out."""
        self._most = options.most
        self._most_bytes = options.most_bytes
        self._unanswered = options.most
        """Copies since the last one that was answered."""
        self._held = 0
        self._held_bytes = 0
        self._section = section_of(name)
        self._slots = Slots(options.concurrency)
        self.deadline_s = options.deadline_s
        """How long a copy may take in all."""
        self._spare_s = max(options.deadline_s - options.timeout_s, 0.0)
        self._retry = retry or Retry()
        self._cap = cap
        self._meter = meter
        self._clock_ns = clock_ns
        # By shadow_id, so that a redelivered copy meets the same decision.
        salt = name if options.salt is None else options.salt
        self._sampler = StickySampler(options.ratio, salt=salt) if options.ratio < 1 else None

    @property
    def kind(self) -> str:
        """What sends its copies: ``native`` or ``aiohttp``; empty for a transport that does not say."""
        return getattr(self.transport, "kind", "")

    @property
    def waiting(self) -> int:
        """Copies that wait for a slot."""
        return self._slots.waiting

    @property
    def has_room(self) -> bool:
        """Whether it holds less than its share of copies: waiting, out, or between two tries."""
        return self._held < self._most and self._held_bytes < self._most_bytes

    @property
    def is_ahead(self) -> bool:
        """Whether it has much room because it answers: others give way to it. (One that only refuses has room too.)"""
        return self.has_room and self.waiting < self._most // 2 and self._unanswered < self._most

    def takes(self, copy: Copy) -> bool:
        """Whether the copy is in this arm's share."""
        return self._sampler is None or self._sampler.take(copy.shadow_id.encode())

    def refused(self, reason: str, detail: str = "") -> Outcome:
        """The outcome of a copy that was not sent."""
        return Outcome(shadow=self.name, reason=reason, detail=detail, started_ns=self._clock_ns())

    async def deliver(self, copy: Copy, *, give_way: bool = False) -> Outcome:
        """Send the copy, within the limits, and say what became of it; ``headers`` and ``body`` as received.

        ``give_way``: another arm is ahead and would have to wait for this one. When this one's share is used up, the
        copies that have waited longest go unsent, since theirs are the oldest frames in the rings; when none waits, the
        new one does.
        """
        while give_way and not self.has_room:
            if not self._slots.evict():
                return self._crowded_out()
        held = _Held(copy)
        self._held += 1
        self._held_bytes += held.bytes
        try:
            outcome = await self._deliver(copy, held)
            waited_ns = round(held.waited_s * 1e9)
            outcome = msgspec.structs.replace(outcome, waited_ns=waited_ns, tries=held.tries)
            self._unanswered = self._unanswered + 1 if outcome.reason else 0
            return outcome
        finally:
            self._release(held)

    def _release(self, held: _Held) -> None:
        if not held.released:
            held.released = True
            self._held -= 1
            self._held_bytes -= held.bytes

    def _crowded_out(self) -> Outcome:
        return self.refused(
            "deadline",
            f"not sent: more copies came than this shadow answers, and it held its share of {self._most} copies; "
            f"raise {self._section}.concurrency, or lower {self._section}.ratio",
        )

    async def _deliver(self, copy: Copy, held: _Held) -> Outcome:
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._spare_s
        last: Outcome | None = None
        while True:
            outcome, sent = await self._try(copy, held, latest, again=held.tries > 0)
            if not sent:
                return last or outcome
            last = outcome
            held.tries += 1
            wait_s = self._retry.wait_s(outcome, held.tries)
            if wait_s is None:
                return outcome
            wait_s = max(wait_s, self.limits.paused_s() if self.limits is not None else 0.0)
            if loop.time() + wait_s > latest:
                return outcome
            await asyncio.sleep(wait_s)

    async def _try(self, copy: Copy, held: _Held, latest: float, *, again: bool) -> tuple[Outcome, bool]:
        """One try: its outcome, and whether it was sent."""
        if self.limits is not None and (reason := self.limits.refusal()):
            return self.refused(reason), False
        if not await self._acquire(latest, held):
            if held.released:
                return self._crowded_out(), False
            slots = f"{self._section}.concurrency = {self._slots.concurrency}"
            waited = f"not sent: no slot among {slots} for {self._spare_s:g} s"
            return self.refused("deadline", waited), False
        try:
            if not await self._has_memory(latest):
                return self.refused("deadline", "not sent: too many answers wait to be stored"), False
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
            self._slots.release()

    async def _acquire(self, latest: float, held: _Held) -> bool:
        """Wait for a slot, and say how long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self._slots.acquire(latest, lambda: self._release(held))
        finally:
            held.waited_s += loop.time() - began

    async def _has_memory(self, latest: float) -> bool:
        if self.memory is None or self.memory.is_set():
            return True
        try:
            await asyncio.wait_for(self.memory.wait(), max(latest - asyncio.get_running_loop().time(), 0.0))
        except asyncio.TimeoutError:
            return False
        return True

    async def _call(self, copy: Copy, permit: Permit) -> Outcome:
        try:
            outcome = await self.transport.send(copy)
        except asyncio.CancelledError:
            if self.limits is not None:
                self.limits.cancel(permit)
            raise
        except BaseException as error:  # a panic of an extension is no Exception, and must not cost the row
            # No text and no traceback of it: they may quote what the shadow sent, which is not sanitized yet.
            said = {"event": "transport_failed", "shadow": self.name, "shadow_id": copy.shadow_id}
            log.error("the transport to %s failed: %s", self.name, type(error).__name__, extra=said)
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
        except BaseException as error:  # as above
            said = {"event": "unmetered", "shadow": self.name}
            log.error("an answer of %s could not be accounted for: %s", self.name, type(error).__name__, extra=said)
            self.limits.unmetered += 1
        finally:
            self.limits.done()
        return outcome
