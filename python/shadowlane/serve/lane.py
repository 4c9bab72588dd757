"""What the endpoint reads of its lane, in a worker or alone.

Invariants: what takes long is read by one thread, single rows by another, in a worker beside the one that writes;
alone, nothing else has the store open while it is written, since a process may open a database for writing only while
it has it open nowhere else (:mod:`shadowlane.store.sqlite`). Nothing here raises for what a lane can be in: it is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..config import Config, lane_directory
from ..errors import ShadowlaneError, StoreError, describe
from ..files import may_exist
from ..gate import Verdict
from ..gate.window import Change, fleet_pins, last_change, with_fleet
from ..report.verdicts import gate_data, held_data, read_arms, read_verdicts
from ..status.lane import read_lane
from ..status.limits import fleet_pins_of
from ..status.offload import offload_of
from ..store import Store, find_store, open_store
from ..worker.side import WorkerView
from ..worker.state import read_state
from .cached import Cached

__all__ = ["Evaluated", "LaneView"]

log = logging.getLogger("shadowlane.serve")

_T = TypeVar("_T")
_Starts = tuple[tuple[int | None, Change | None], ...]

_EVALUATE_S, _NOTE_S, _LOOK_S = 5.5, 3.0, 0.5
"""Together less than the 10 s that release tools wait for (Flagger's and Argo's default)."""
_NOTED = 256


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The verdicts of one moment, or why there are none."""

    at_ns: int
    lane: str
    status: dict[str, Any] = field(default_factory=dict)
    """What ``collect_status`` gave; empty where it raised."""
    verdicts: tuple[Verdict, ...] = ()
    arms: dict[str, Any] | None = None
    """All shadows side by side; ``None``: there is only one."""
    error: str = ""
    failed: bool = False
    """It is an error of ours."""

    def data(self, shadow: str | None) -> dict[str, Any]:
        """What ``shadowlane gate --json`` prints of all shadows, or of one, and when it was evaluated."""
        if self.error:
            data = held_data(self.lane, shadow, self.error)
        else:
            chosen = [one for one in self.verdicts if shadow in (None, one.shadow)]
            data = gate_data(self.lane, self.status, chosen, self.arms if shadow is None else None)
        return {**data, "evaluated_ns": self.at_ns}


class LaneView:
    """A lane as the endpoint's handlers see it. ``worker`` is the one that they run in; ``None``: they run alone."""

    def __init__(self, config: Config, worker: WorkerView | None) -> None:
        self.config = config
        self._worker = worker
        self._directory = lane_directory(config)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-serve")
        self._scrapes = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-metrics")
        self._verdicts = Cached(self.evaluate, self._thread)
        self._noted: dict[tuple[str, str], str] = {}
        self._noting = asyncio.Lock()
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-look")
        self._ready = Cached(self._readable, self._looks)
        self._starts: _Starts = ()
        self._closed = threading.Event()
        self._file: contextlib.AbstractContextManager[Any] = threading.Lock()
        """Held by who has the store open beside the first thread, or writes to it: where no worker is, that is this
        process."""
        if worker is not None:
            self._file = contextlib.nullcontext()

    def close(self) -> None:
        """End the threads, without waiting. One that evaluates stops at its next look at the store: whoever ends this
        process waits for its threads."""
        self._closed.set()
        for thread in (self._thread, self._scrapes, self._looks):
            thread.shutdown(wait=False, cancel_futures=True)

    def closed(self) -> bool:
        """Whether nobody wants an answer any more."""
        return self._closed.is_set()

    async def _end_what_was_restarted(self) -> None:
        none: _Starts = ()
        try:
            starts = await asyncio.wait_for(self.look(self._read_starts, none), _LOOK_S)
        except (StoreError, asyncio.TimeoutError):
            return  # the evaluation says what is wrong
        if starts != self._starts:
            self._starts = starts
            self._verdicts.invalidate()

    async def evaluated(self) -> Evaluated:
        """The verdicts, some seconds old at most where they are computed fast, and never those of a window that was
        begun anew since, by whomever."""
        await self._end_what_was_restarted()
        try:
            return await self._verdicts.get(_EVALUATE_S)
        except asyncio.TimeoutError:
            why = f"the evaluation takes longer than {_EVALUATE_S:.0f} s; its result is kept for the next request"
            return Evaluated(time.time_ns(), self.config.lane.name, error=why)

    async def last_evaluated(self) -> Evaluated | None:
        """The last verdicts, at once and however old they are (they say it); ``None``: there are none yet. Old ones are
        evaluated anew meanwhile."""
        try:
            return await self._verdicts.get(0.0)
        except asyncio.TimeoutError:
            return self._verdicts.last

    async def scrape(self, read: Callable[[], _T]) -> _T:
        """Do what reads the lane for metrics: one at a time, on a thread that nothing else waits for."""

        def alone() -> _T:
            with self._file:
                return read()

        return await asyncio.get_running_loop().run_in_executor(self._scrapes, alone)

    def cached(self, compute: Callable[[], _T]) -> Cached[_T]:
        """Something that takes long, computed on the thread of the verdicts, one after the other."""
        return Cached(compute, self._thread)

    async def look(self, work: Callable[[Store], _T], nothing: _T) -> _T:
        """Read some rows, beside what takes long; ``nothing`` where there is no store yet. Raises
        :class:`~shadowlane.errors.StoreError`."""

        def read() -> _T:
            with self._file:
                found = find_store(self.config.store, stop=self.closed)
                if found is None:
                    return nothing
                with found as store:
                    return work(store)

        return await asyncio.get_running_loop().run_in_executor(self._looks, read)

    async def write(self, work: Callable[[Store], _T]) -> _T:
        """Write to the store, in a worker on the thread that has it. Raises
        :class:`~shadowlane.errors.StoreError`."""

        def alone() -> _T:
            with self._file, open_store(self.config.store) as store:
                return work(store)

        if self._worker is not None:
            return await self._worker.with_store(work)
        return await asyncio.get_running_loop().run_in_executor(self._thread, alone)

    def _read_starts(self, store: Store) -> _Starts:
        """What may have begun a window anew: who restarted it, and a version that a host of the fleet saw."""
        seen = {"fleet_pins": fleet_pins_of(read_state(self._directory)) if self.config.fleet.on else {}}
        return tuple(
            (store.window_restarted(shadow), last_change(with_fleet([], fleet_pins(seen, shadow), 0), self.config.pins))
            for shadow in self.config.shadows
        )

    def evaluate(self) -> Evaluated:
        """The verdicts now, in the time that it takes. Raises nothing."""
        name, now = self.config.lane.name, time.time_ns()
        try:
            status, verdicts = read_verdicts(self.config, stop=self.closed)
            arms = read_arms(self.config, status, verdicts, stop=self.closed)
        except ShadowlaneError as error:
            return Evaluated(now, name, error=str(error))
        except Exception as error:
            log.error("the gate cannot be evaluated: %s", describe(error))
            return Evaluated(now, name, error=f"an error of ours: {describe(error)}; please report it", failed=True)
        return Evaluated(now, name, status, tuple(verdicts), arms)

    async def trouble(self) -> str:
        """Why the lane is not served now, in one line without a path; empty when it is."""
        if self._worker is not None:
            return await self._worker.trouble()
        try:
            return await self._ready.get(_EVALUATE_S)
        except asyncio.TimeoutError:
            return "the store cannot be read in time"

    def _readable(self) -> str:
        try:
            with self._file:
                found = find_store(self.config.store)
                if found is not None:  # a lane that stored nothing yet is one that holds
                    found.close()
        except StoreError:
            return "the store cannot be read: see shadowlane status"
        return ""

    def backlog(self) -> dict[str, Any]:
        """Exchanges that wait in the rings or are on their way to the store, and how full the fullest ring is; at a
        judge what waits in the stream, as its worker last saw it."""
        started = may_exist(self._directory / "control.shm")
        lane = read_lane(self._directory) if started else None
        rings = lane.rings if lane is not None else []
        waiting = 0 if lane is None else max(lane.mirrored - lane.acked, 0)
        if lane is not None and self.config.worker.role == "judge":
            offload = offload_of(self.config, read_state(self._directory), lane.lane_id)
            waiting = offload["stream"]["length"] if offload else 0
        return {
            "lane": self.config.lane.name,
            "backlog": waiting,
            "ring_fill": max((ring.used / ring.bytes for ring in rings if ring.bytes), default=0.0),
            "started": started,
        }

    async def note_release(self, shadows: Sequence[str], release: str, checksum: str) -> bool:
        """Keep a release's checksum; a change of it begins the window of ``shadows`` anew. Returns whether it did.
        Raises :class:`~shadowlane.errors.StoreError`, after three seconds at most."""
        wanted = [shadow for shadow in shadows if self._noted.get((shadow, release)) != checksum]
        if not wanted:
            return False
        noting = asyncio.create_task(self._note(wanted, release, checksum))
        try:
            return await asyncio.wait_for(asyncio.shield(noting), _NOTE_S)
        except asyncio.TimeoutError:
            noting.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody waits for it any more
            raise StoreError(f"the store did not take a write within {_NOTE_S:.0f} s") from None

    async def _note(self, shadows: Sequence[str], release: str, checksum: str) -> bool:
        now = time.time_ns()

        def note(store: Store) -> bool:
            return sum(store.note_release(shadow, release, checksum, now) for shadow in shadows) > 0

        async with self._noting:  # one at a time waits on the thread that stores the pairs
            changed = await self.write(note)
        if len(self._noted) >= _NOTED:
            self._noted.clear()
        self._noted |= {(shadow, release): checksum for shadow in shadows}
        if changed:
            log.info("release %s has another checksum: the gate's window begins now", release)
            self._verdicts.invalidate()
        return changed
