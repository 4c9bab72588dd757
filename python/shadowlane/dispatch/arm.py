"""One copy's way to one shadow: its limits, a slot, the call, and perhaps another try.

Invariants: every copy that is begun ends with one outcome, whatever transport, limits or meter raise, or is cancelled;
it ends within the arm's deadline, and no call is begun that would not have its whole ``timeout_s`` until then; a slot
is held only while a call is out, so that the time which a shadow is judged by never contains waiting of ours; every try
but the first takes its unit of the lane's cap. The steps are :class:`.delivery.Delivery`'s, the decisions are here. An
arm that gives way holds no more than its share of copies and bytes, so that the others' copies do not wait for a shadow
which hangs.
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
from ..types import Begin, Copy, Outcome, Transport
from .delivery import Delivery, Sending, outcome_of
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


class Arm:
    """One service that gets copies: its transport, its share of the mirrored traffic, its limits.

    ``cap`` takes a unit of the lane's cap for another try; ``meter`` reads what an answer used, and is asked only when
    there is a budget.
    """

    way = "calls"
    """How its copies go out: in plain ``calls``, or a task for each (``tasks``)."""

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
        self._begin: Begin | None = getattr(transport, "begin", None)
        self.way = "tasks" if self._begin is None else self.way
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
        self.slots = Slots(options.concurrency)
        self.deadline_s = options.deadline_s
        """How long a copy may take in all."""
        self.spare_s = max(options.deadline_s - options.timeout_s, 0.0)
        """How long it may wait for a slot and between tries."""
        self._retry = retry or Retry()
        self.cap = cap
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
        return self.slots.waiting

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

    def begin(self, copy: Copy, ended: Callable[[Sending], None], *, give_way: bool = False) -> Sending:
        """Send the copy, within the limits, in plain calls; ``ended`` gets what is returned once its ``outcome`` is
        there, perhaps before this returns. ``headers`` and ``body`` of it are as received.

        ``give_way``: another arm is ahead and would have to wait for this one. When this one's share is used up, the
        copies that have waited longest go unsent, since theirs are the oldest frames in the rings; when none waits, the
        new one does.
        """
        delivery = Delivery(self, copy, ended)
        while give_way and not self.has_room:
            if not self.slots.evict():
                delivery.refuse(self.crowded_out())
                return delivery
        self._held += 1
        self._held_bytes += delivery.bytes
        delivery.begin()
        return delivery

    async def deliver(self, copy: Copy, *, give_way: bool = False) -> Outcome:
        """As :meth:`begin`, and wait for the outcome. When this is cancelled, so is the call."""
        return await outcome_of(lambda ended: self.begin(copy, ended, give_way=give_way))

    # What a delivery asks of its arm.

    def release(self, size: int) -> None:
        """A copy of so many bytes is not held any more."""
        self._held -= 1
        self._held_bytes -= size

    def note(self, outcome: Outcome) -> None:
        """A copy that was held has ended."""
        self._unanswered = self._unanswered + 1 if outcome.reason else 0

    def crowded_out(self) -> Outcome:
        """The outcome of a copy that gave way."""
        return self.refused(
            "deadline",
            f"not sent: more copies came than this shadow answers, and it held its share of {self._most} copies; "
            f"raise {self._section}.concurrency, or lower {self._section}.ratio",
        )

    def no_slot(self) -> Outcome:
        """The outcome of a copy that waited for a slot until its time."""
        slots = f"{self._section}.concurrency = {self.slots.concurrency}"
        return self.refused("deadline", f"not sent: no slot among {slots} for {self.spare_s:g} s")

    def again_s(self, outcome: Outcome, tries: int) -> float | None:
        """In how many seconds a copy is tried again after so many tries; ``None``: it is not."""
        wait_s = self._retry.wait_s(outcome, tries)
        if wait_s is None:
            return None
        return max(wait_s, self.limits.paused_s() if self.limits is not None else 0.0)

    def call(self, copy: Copy, delivery: Delivery) -> Callable[[], asyncio.Task[None] | None]:
        """Begin a call that tells the delivery of its end, later; how it is cancelled, and what is then left to wait
        for."""
        if self._begin is None:
            task = asyncio.create_task(self._send(copy, delivery))

            def cancel() -> asyncio.Task[None]:
                task.cancel()
                return task

            return cancel
        try:
            return self._begin(copy, delivery.answered)
        except BaseException as error:
            asyncio.get_running_loop().call_soon(delivery.answered, self._failed(copy, error))
            return _nothing

    async def _send(self, copy: Copy, delivery: Delivery) -> None:
        try:
            outcome = await self.transport.send(copy)
        except BaseException as error:  # a panic of an extension is no Exception, and must not cost the row
            if delivery.is_over:
                raise
            outcome = self._failed(copy, error)
        delivery.answered(outcome)

    def _failed(self, copy: Copy, error: BaseException) -> Outcome:
        # No text and no traceback of it: they may quote what the shadow sent, which is not sanitized yet.
        said = {"event": "transport_failed", "shadow": self.name, "shadow_id": copy.shadow_id}
        log.error("the transport to %s failed: %s", self.name, type(error).__name__, extra=said)
        return self.refused("transport_error", type(error).__name__)

    def learned(self, outcome: Outcome, permit: Permit) -> Outcome:
        """What a call taught the limits, and what it cost. Raises nothing."""
        if outcome.shadow != self.name:
            outcome = msgspec.structs.replace(outcome, shadow=self.name)  # rows are counted by this name
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


def _nothing() -> None:
    """Nothing went out that could be cancelled."""
