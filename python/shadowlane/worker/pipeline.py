"""Wires the steps together in the worker: drain, dispatch, score, store, acknowledge. Only this file knows them all.

Invariants: a frame is acknowledged only after the rows of all its shadows are committed; what is not acknowledged
when the worker ends is drained again by its successor, and rows that are stored already are not sent again. Every copy
becomes one row a shadow, whatever raises on its way. What is held at a time is bounded (:data:`MOST_COPIES` a shadow,
:data:`MOST_BYTES` of bodies in all): when shadows are slow, the rings fill and the gateway drops with a count, instead
of this process growing. The drain goes at the pace of the shadow that is ahead; those that cannot follow give way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from ..config.limits import WINDOW_COPIES
from ..dispatch.arm import MOST_COPIES, Arm
from ..dispatch.delivery import Sending
from ..errors import describe
from ..limits import LaneLimits, Window
from ..types import FLAG_REDELIVERED, Copy, Outcome, Pair, drained_copies, header
from .answers import Sanitizer, clean_of, pair_of, pair_without
from .in_flight import InFlight, Tracked
from .intake import Intake
from .redelivered import Cap, Redelivered
from .stand_in import StandIn
from .writer import Writer

__all__ = ["MOST_BYTES", "SANITIZED_AT_ONCE", "Pipeline"]

log = logging.getLogger("shadowlane.worker")

MOST_BYTES = 64 * 1024 * 1024
"""Bodies held at a time, in bytes; each shadow's share of it is equal."""
SANITIZED_AT_ONCE = 16 * 1024
"""Answers of so many bytes are sanitized where they come in: that takes less than to hand them to a thread and back."""
_BATCH_PAIRS = 256
_BATCH_WAIT_S = 0.1
_BATCH_BYTES = 8 * 1024 * 1024


class _Judge(Protocol):
    @property
    def busy(self) -> bool: ...
    def start(self, save: Callable[..., Awaitable[int]]) -> None: ...
    def offer(self, pairs: Sequence[Pair]) -> None: ...
    async def close(self, save: Callable[..., Awaitable[int]], grace_s: float) -> None: ...


class _Drainer(Cap, Protocol):
    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]: ...
    def ack(self, ring: int, seq: int) -> None: ...
    def pending(self) -> int: ...
    def live_producers(self) -> int: ...
    def suspects(self) -> int: ...
    def available(self, after_s: float = 0.0) -> float: ...


class Pipeline:
    """Runs until ``stop`` is set; then finishes what is in flight within ``grace_s`` and gives the rest back.

    ``limits`` are those of the lane, ``on_limits`` is called when they may have changed. ``window_s`` above 0: copies
    are held for so long, and the cap's units go to a uniform choice of each (route, tenant), see
    :class:`shadowlane.limits.Window`. ``on_stored`` gets pairs once they are rows; it runs on the writer's thread,
    and does not raise. ``sanitize_at_once``: answers of more bytes are sanitized on a thread; 0 for all of them, where
    a detector of the user's looks at them, which may be slow. ``undrained`` as for :class:`.intake.Intake`.
    ``flagged``: only copies that say that they are delivered again can be rows already; the store is asked for no
    others. ``handover_due``: whether a successor must take over, asked around every drain.
    """

    def __init__(
        self,
        *,
        drainer: _Drainer,
        arms: Sequence[Arm],
        writer: Writer,
        sanitizer: Sanitizer,
        sanitize_at_once: int = 0,
        undrained: Callable[[], int] | None = None,
        flagged: bool = False,
        judge: _Judge | None = None,
        limits: LaneLimits | None = None,
        on_limits: Callable[[], None] = lambda: None,
        window_s: float = 0.0,
        on_stored: Callable[[Sequence[Pair]], None] | None = None,
        handover_due: Callable[[], bool] = lambda: False,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._drainer = drainer
        self._arms = arms
        self._writer = writer
        self._sanitizer = sanitizer
        control = next((arm for arm in arms if arm.name == "control"), None)
        self._stand_in = StandIn(control, sanitizer)
        self._sanitize_at_once = sanitize_at_once
        self._flagged = flagged
        self._judge = judge
        self._limits = limits
        self._on_limits = on_limits
        self._telling = False
        self._window_s = window_s
        self._window: Window[Tracked] | None = None
        self._window_ends = 0.0
        self._clock_ns = clock_ns
        self._on_stored = on_stored
        self._handover_due = handover_due
        self._in_flight = InFlight(drainer.ack, MOST_BYTES)
        for arm in arms:
            arm.memory = self._in_flight.memory
        self._tasks: set[asyncio.Task[None]] = set()
        self._out: set[Sending] = set()
        """Copies on their way through an arm."""
        self._none_out = asyncio.Event()
        self._none_out.set()
        # Without another unit each death of a worker would be a burst beside the cap.
        self._redelivered = Redelivered(drainer, self._start, self._refuse)
        self._intake = Intake(drainer, undrained)

    async def run(self, stop: asyncio.Event, *, idle_exit_s: float | None = None, grace_s: float = 10.0) -> None:
        """Empty the rings until ``stop`` is set, or until no gateway lives and all was empty for ``idle_exit_s``."""
        writing = asyncio.create_task(self._write())
        halted = asyncio.create_task(stop.wait())
        if self._judge is not None:
            self._judge.start(self._writer.save_verdicts)
        try:
            await self._drain(stop, halted, idle_exit_s, writing)
            self._close_window()
            await self._give_back(grace_s)
            await self._flush(grace_s, writing)
        finally:
            writing.cancel()
            halted.cancel()
            written, _ = await asyncio.gather(writing, halted, return_exceptions=True)
            if self._judge is not None:
                grace_s = 0.0 if _failed(written) else grace_s
                await self._judge.close(self._writer.save_verdicts, grace_s)
            await self._writer.save_scorer()
            for arm in self._arms:
                try:
                    await arm.transport.close()
                except Exception as error:
                    said = {"shadow": arm.name}
                    log.error("the transport to %s did not close: %s", arm.name, describe(error), extra=said)
            self._intake.close()
            self._writer.close()
        if written is not None and _failed(written):
            raise written

    async def _give_back(self, grace_s: float) -> None:
        """Wait for what is on its way, and give the rest back: not acknowledged, so the next worker gets it again."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._none_out.wait(), grace_s)
        left = [task for sending in list(self._out) if (task := sending.cancel()) is not None]
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*left, *self._tasks, return_exceptions=True)

    async def _flush(self, grace_s: float, writing: asyncio.Task[None]) -> None:
        joined = asyncio.ensure_future(self._in_flight.settled())
        await asyncio.wait({joined, writing}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()

    async def _drain(
        self, stop: asyncio.Event, halted: asyncio.Task[Any], idle_exit_s: float | None, writing: asyncio.Task[None]
    ) -> None:
        loop = asyncio.get_running_loop()
        idle_since = math.inf
        while not stop.is_set() and not writing.done():
            rows: list[tuple[Any, ...]] = []
            if self._window is not None and loop.time() >= self._window_ends:
                self._close_window()
            if self._handover_due():
                return
            if self._has_room():
                rows = await self._intake.take()
            else:
                self._intake.rest()
            if rows:
                if self._handover_due():
                    return  # by rules that are no longer in force: not acknowledged, so the successor drains them anew
                await self._dispatch(drained_copies(rows))
                if not self._intake.pause_s:
                    continue
            if idle_exit_s is not None:
                idle_since = min(idle_since, loop.time()) if not rows and self._is_idle() else math.inf
                if loop.time() - idle_since >= idle_exit_s:
                    return
            await asyncio.wait([halted], timeout=self._intake.pause_s)

    def _is_idle(self) -> bool:
        """Whether no gateway lives, all rings are empty, and nothing is on its way."""
        judging = self._judge is not None and self._judge.busy
        return not (judging or self._in_flight or self._drainer.live_producers() or self._drainer.pending())

    def _has_room(self) -> bool:
        """Whether the store keeps up, and every shadow has room or one is ahead of the others."""
        stored = len(self._in_flight) < MOST_COPIES * len(self._arms) and self._in_flight.bytes < MOST_BYTES
        return stored and (all(arm.has_room for arm in self._arms) or any(arm.is_ahead for arm in self._arms))

    async def _dispatch(self, copies: list[Copy]) -> None:
        if self._limits is not None:
            if self._limits.reads_prod:
                for copy in copies:
                    at = (copy.started_ns + copy.ttfb_ns) / 1e9
                    self._limits.observe_prod(copy.response_headers, at, copy.route)
            self._on_limits()
        again = [copy for copy in copies if not self._flagged or copy.flags & FLAG_REDELIVERED]
        keys = [(copy.shadow_id, arm.name) for copy in again for arm in self._arms]
        known = await self._writer.stored_keys(keys) if keys else set()
        for copy in copies:
            arms = [arm for arm in self._arms if (copy.shadow_id, arm.name) not in known]
            if not arms:
                self._drainer.ack(copy.ring, copy.seq)
                continue
            tracked = self._in_flight.add(copy, arms)
            if copy.blocked:
                self._refuse(tracked, copy.blocked)
                continue
            tracked.arms = [arm for arm in arms if arm.takes(copy)]
            for arm in arms:
                if arm not in tracked.arms:
                    self._in_flight.put(tracked, Pair(copy=copy, outcome=arm.refused("sampled_out")))
            if not tracked.arms:
                continue
            if self._window_s:
                self._hold(tracked)
                if self._drainer.suspects():
                    self._close_window()  # the next comes when this one is acknowledged
            elif copy.flags & FLAG_REDELIVERED:
                self._redelivered.add(tracked)
                if len(self._redelivered) == 1:
                    self._spawn(self._redelivered.run())
            else:
                self._start(tracked)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        self._none_out.clear()
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._look_whether_none_is_out()

    def _look_whether_none_is_out(self) -> None:
        if not self._out and not self._tasks:
            self._none_out.set()

    def _refuse(self, tracked: Tracked, reason: str, detail: str = "") -> None:
        for arm in tracked.arms:
            self._in_flight.put(tracked, Pair(copy=tracked.copy, outcome=arm.refused(reason, detail)))

    def _hold(self, tracked: Tracked) -> None:
        """Put a copy into the window; those that it cannot choose any more are refused at once."""
        if self._window is None:
            self._window = Window(min(int(self._drainer.available(self._window_s)), WINDOW_COPIES))
            self._window_ends = asyncio.get_running_loop().time() + self._window_s
        copy = tracked.copy
        for refused in self._window.offer((copy.route, copy.tenant), tracked):
            self._refuse(refused, "reservoir")

    def _close_window(self) -> None:
        """Take as many units of the cap as there are for what is held, and send that many."""
        if self._window is None:
            return
        units, held = 0, self._window.held
        while units < held and self._drainer.try_acquire():
            units += 1
        chosen, refused = self._window.close(units)
        self._window = None
        for tracked in refused:
            self._refuse(tracked, "reservoir")
        for tracked in chosen:
            self._start(tracked)

    def _start(self, tracked: Tracked) -> None:
        try:
            reason, detail = self._limits.refusal() if self._limits is not None else "", ""
        except BaseException as error:  # must not cost the row
            log.error("the limits of the lane could not be asked: %s", type(error).__name__)
            reason, detail = "unreadable", f"the limits could not be asked: {type(error).__name__}"
        if reason:
            self._refuse(tracked, reason, detail)
            return
        if self._stand_in.is_needed(tracked.copy):
            self._spawn(self._fill(tracked))
            return
        for arm in tracked.arms:
            self._send(tracked, arm)

    async def _fill(self, tracked: Tracked) -> None:
        """Let the control answer in prod's stead, then send."""
        copy, why = await self._stand_in.fill(tracked.copy)
        if why:
            self._refuse(tracked, "prod_failed", why)
            return
        self._in_flight.grew(tracked, copy)
        for arm in tracked.arms:
            self._send(tracked, arm)

    def _send(self, tracked: Tracked, arm: Arm) -> None:
        arms = self._arms
        ahead = len(arms) > 1 and any(other.is_ahead for other in arms if other is not arm)
        sending = arm.begin(tracked.copy, partial(self._ended, tracked), give_way=ahead)
        if not sending.is_over:
            self._out.add(sending)
            self._none_out.clear()

    def _ended(self, tracked: Tracked, sending: Sending) -> None:
        """A copy is through its arm: make its row. Raises nothing."""
        self._out.discard(sending)
        if (outcome := sending.outcome) is not None:
            self._in_flight.answered(len(outcome.body))
            if sending.clean is None and not self._is_small(outcome):
                self._spawn(self._sanitize(tracked, outcome))
            else:
                try:
                    clean = sending.clean or clean_of(outcome, self._sanitizer)
                    pair = pair_of(tracked.copy, outcome, clean, self._sanitizer)
                except BaseException as error:  # a panic of an extension is no Exception
                    pair = pair_without(tracked.copy, outcome, error)
                self._put(tracked, pair, len(outcome.body))
        self._look_whether_none_is_out()

    def _is_small(self, outcome: Outcome) -> bool:
        # A body that is still compressed may be many times as large as it looks.
        return len(outcome.body) <= self._sanitize_at_once and not header(outcome.headers, b"content-encoding")

    async def _sanitize(self, tracked: Tracked, outcome: Outcome) -> None:
        """Make the row of a large answer, which a thread sanitizes."""
        try:
            clean = await asyncio.to_thread(clean_of, outcome, self._sanitizer)
            pair = pair_of(tracked.copy, outcome, clean, self._sanitizer)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # as above
            pair = pair_without(tracked.copy, outcome, error)
        self._put(tracked, pair, len(outcome.body))

    def _put(self, tracked: Tracked, pair: Pair, size: int) -> None:
        self._in_flight.put(tracked, pair, size)
        if not self._telling:  # behind the row, and once for all answers of a turn of the loop
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell_limits)

    def _tell_limits(self) -> None:
        self._telling = False
        self._on_limits()

    async def _write(self) -> None:
        """Score and store in batches, then acknowledge."""
        while True:
            batch = await self._in_flight.take(_BATCH_PAIRS, _BATCH_WAIT_S, _BATCH_BYTES)
            pairs = await self._writer.write([pair for _, pair, _ in batch])
            if self._judge is not None:
                self._judge.offer(pairs)
            if self._on_stored is not None:
                await self._writer.call(partial(self._on_stored, pairs))
            self._in_flight.stored(batch)


def _failed(ended: BaseException | None) -> bool:
    """Whether a task ended by an error, and not because it was told to stop."""
    return ended is not None and not isinstance(ended, asyncio.CancelledError)
