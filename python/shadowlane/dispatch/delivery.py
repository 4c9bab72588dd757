"""One copy's way through an arm, in plain calls: limits, a slot, memory, the call, and perhaps another try.

Nothing here is a coroutine: what has to be waited for calls back, and a copy that waits for nothing costs no task.
Invariants: a delivery ends once, with an outcome, whatever limits, transport or meter raise, or it is cancelled and
says nothing; a slot is held only while a call is out or about to go out; a permit of the limits is answered once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ..limits import Permit
from ..types import CleanAnswer, Copy, Outcome
from .slots import Turn, Waiter

if TYPE_CHECKING:
    from .arm import Arm

__all__ = ["Awaited", "Delivery", "Sending", "outcome_of"]

log = logging.getLogger("shadowlane.worker")

_UNLIMITED = Permit("")


class Sending(Protocol):
    """A copy on its way through an arm."""

    @property
    def outcome(self) -> Outcome | None:
        """What became of it; ``None`` until it has ended, and when it was given back."""

    @property
    def clean(self) -> CleanAnswer | None:
        """The outcome's answer sanitized, where the transport did it."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended or was cancelled."""

    def cancel(self) -> asyncio.Task[None] | None:
        """Give it up; what is returned is still to be waited for."""


class Delivery:
    """A copy at an arm, from :meth:`.arm.Arm.begin` on. ``ended`` is called once, with the delivery; not when it is
    cancelled. It does not raise."""

    __slots__ = (
        "_arm",
        "_asked_at",
        "_called",
        "_cancel_call",
        "_copy",
        "_ended",
        "_has_slot",
        "_latest",
        "_permit",
        "_released",
        "_task",
        "_timer",
        "_tries",
        "_waited_s",
        "_waiter",
        "bytes",
        "clean",
        "outcome",
    )

    def __init__(self, arm: Arm, copy: Copy, ended: Callable[[Delivery], None]) -> None:
        self.bytes = len(copy.body) + len(copy.response_body)
        """What it holds."""
        self.outcome: Outcome | None = None
        """Of the last try that was sent, or why there was none; final once it has ended."""
        self.clean: CleanAnswer | None = None
        """The outcome's answer as it may be kept, where the transport has sanitized it."""
        self._arm = arm
        self._copy = copy
        self._ended: Callable[[Delivery], None] | None = ended
        self._latest = asyncio.get_running_loop().time() + arm.spare_s
        self._tries = 0
        self._waited_s = 0.0
        """For a slot, over all tries."""
        self._asked_at = 0.0
        self._has_slot = self._released = self._called = False
        self._permit: Permit | None = None
        # What it waits for, one at a time.
        self._waiter: Waiter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._cancel_call: Callable[[], asyncio.Task[None] | None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended or was cancelled."""
        return self._ended is None

    def begin(self) -> None:
        """The first try."""
        self._guarded(self._ask)

    def refuse(self, outcome: Outcome) -> None:
        """End it before it is held."""
        ended, self._ended = self._ended, None
        self._released, self.outcome = True, outcome
        if ended is not None:
            ended(self)

    def cancel(self) -> asyncio.Task[None] | None:
        """Give it up, wherever it is: slot, permit and share go back, and ``ended`` is not called. What is returned is
        still to be waited for."""
        if self.is_over:
            return None
        self._ended = None
        arm, left = self._arm, self._task
        if self._waiter is not None:
            arm.slots.leave(self._waiter)
        if self._timer is not None:
            self._timer.cancel()
        if left is not None:
            left.cancel()
        if self._cancel_call is not None:
            left = self._cancel_call()
        self._let_go()
        return left

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # a panic of an extension is no Exception, and must not cost the row
            arm = self._arm
            said = {"event": "limits_failed", "shadow": arm.name, "shadow_id": self._copy.shadow_id}
            log.error("the limits of %s could not be asked: %s", arm.name, type(error).__name__, extra=said)
            detail = f"the limits could not be asked: {type(error).__name__}"
            self._end(self.outcome if self._tries and self.outcome else arm.refused("unreadable", detail))

    def _ask(self) -> None:
        """One try: whether it may go out, and a slot for it."""
        arm = self._arm
        if arm.limits is not None and (reason := arm.limits.refusal()):
            self._unsent(arm.refused(reason))
        elif arm.slots.acquire():
            self._has_slot = True
            self._send()
        else:
            self._asked_at = asyncio.get_running_loop().time()
            self._waiter = arm.slots.wait(self._latest, self._turn)

    def _turn(self, turn: Turn) -> None:
        self._waiter = None
        self._waited_s += asyncio.get_running_loop().time() - self._asked_at
        if turn == "slot":
            self._has_slot = True
            self._guarded(self._send)
        elif turn == "late":
            self._unsent(self._arm.no_slot())
        else:
            self._unsent(self._arm.crowded_out())

    def _send(self) -> None:
        """With a slot: send it, if there is memory and the limits admit it."""
        arm = self._arm
        if arm.memory is not None and not arm.memory.is_set():
            self._task = asyncio.create_task(self._wait_for_memory(arm.memory))
            return
        # Asked again: much can have happened while it waited.
        permit = arm.limits.admit() if arm.limits is not None else _UNLIMITED
        if permit.reason:
            self._unsent(arm.refused(permit.reason))
            return
        self._permit = permit
        again = self._tries > 0
        if again and not arm.cap():
            self._unsent(arm.refused("cap"))
            return
        arm.retries += again
        arm.out += 1
        self._called = True
        self._cancel_call = arm.call(self._copy, self)

    async def _wait_for_memory(self, memory: asyncio.Event) -> None:
        left_s = max(self._latest - asyncio.get_running_loop().time(), 0.0)
        try:
            await asyncio.wait_for(memory.wait(), left_s)
        except asyncio.TimeoutError:
            self._task = None
            self._unsent(self._arm.refused("deadline", "not sent: too many answers wait to be stored"))
        else:
            self._task = None
            self._guarded(self._send)

    def answered(self, outcome: Outcome, clean: CleanAnswer | None = None) -> None:
        """The call is over."""
        if self.is_over:
            return
        arm, permit = self._arm, self._permit
        self._cancel_call = self._permit = None
        self._called = False
        arm.out -= 1
        self._tries += 1
        self.clean = clean
        self.outcome = arm.learned(outcome, permit or _UNLIMITED)
        self._guarded(self._go_on)

    def _go_on(self) -> None:
        """Behind a try: another one, or the end."""
        assert self.outcome is not None
        loop = asyncio.get_running_loop()
        wait_s = self._arm.again_s(self.outcome, self._tries)
        if wait_s is None or loop.time() + wait_s > self._latest:
            self._end(self.outcome)
            return
        self._give_back()
        self._timer = loop.call_later(wait_s, self._guarded, self._ask)

    def _unsent(self, refused: Outcome) -> None:
        """This try was not sent: what became of the one before stands, if there was one."""
        self._end(self.outcome or refused)

    def _end(self, outcome: Outcome) -> None:
        ended = self._ended
        if ended is None:
            return
        self._ended = None
        self._let_go_of_share()
        self.outcome = msgspec.structs.replace(outcome, waited_ns=round(self._waited_s * 1e9), tries=self._tries)
        self._arm.note(self.outcome)
        ended(self)
        self._let_go()  # behind it: what is held of the answer is counted when the next call begins

    def _let_go(self) -> None:
        """What is taken goes back."""
        self._let_go_of_share()
        if self._called:
            self._called = False
            self._arm.out -= 1
        self._give_back()

    def _let_go_of_share(self) -> None:
        if not self._released:
            self._released = True
            self._arm.release(self.bytes)

    def _give_back(self) -> None:
        """The permit, unless it is answered, and the slot."""
        permit, self._permit = self._permit, None
        try:
            if permit is not None and self._arm.limits is not None:
                self._arm.limits.cancel(permit)
        finally:
            if self._has_slot:
                self._has_slot = False
                self._arm.slots.release()


async def outcome_of(begin: Callable[[Callable[[Sending], None]], Sending]) -> Outcome:
    """What becomes of what ``begin`` begins. Cancelling this cancels that; one that was given back cancels this."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ended(_: Sending) -> None:
        if not over.done():
            over.set_result(None)

    sending = begin(ended)
    try:
        await over
    except asyncio.CancelledError:
        if (left := sending.cancel()) is not None:
            await asyncio.wait([left])
        raise
    if sending.outcome is None:
        raise asyncio.CancelledError
    return sending.outcome


class Awaited:
    """A delivery by a coroutine, for an arm with a way of its own. One that cancels itself ends without an outcome."""

    clean = None

    def __init__(self, deliver: Coroutine[Any, Any, Outcome], ended: Callable[[Awaited], None]) -> None:
        self.outcome: Outcome | None = None
        self._ended = ended
        self._task = asyncio.create_task(self._run(deliver))

    @property
    def is_over(self) -> bool:
        """Whether it has ended or was cancelled."""
        return self._task.done()

    def cancel(self) -> asyncio.Task[None] | None:
        """As :meth:`Delivery.cancel`."""
        self._ended = _nobody
        self._task.cancel()
        return self._task

    async def _run(self, deliver: Coroutine[Any, Any, Outcome]) -> None:
        try:
            self.outcome = await deliver
        finally:
            self._ended(self)


def _nobody(_: Awaited) -> None:
    """Whoever has cancelled it is not told."""
