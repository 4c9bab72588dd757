"""Feeds recorded exchanges to the worker's own pipeline, at their pace or as fast as the cap allows.

Invariants: an exchange whose rows are stored is not sent again, whatever process stored them: its name is made of the
source and its position there; what is in flight is bounded; on a signal what is out is finished and nothing more begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import xxhash

from ..config import Config
from ..errors import ShadowlaneError
from ..limits import LaneLimits
from ..sources import Record, Recorded, Unusable
from ..store import Store
from ..worker.arms import open_arm, open_limits
from ..worker.control import ControlLoop
from ..worker.pipeline import Pipeline
from ..worker.process import open_judge
from ..worker.writer import Writer
from .accounts import Accounts
from .arm import PATIENCE_S, Patience, PatientArm
from .lane import ReplayLane

__all__ = ["Plan", "name_of", "run_replay"]

_BATCH = 64
_LOOK_S = 0.01
_WINDOW = 256
_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent, how fast. ``config`` has exactly the arms that get it; ``speed`` is a factor of the recorded pace,
    infinite: as fast as the cap allows."""

    config: Config
    shadow: str
    records: Callable[[], Iterator[Record]]
    fingerprint: str
    speed: float = math.inf
    patience_s: float = PATIENCE_S


@dataclass(slots=True)
class _Run:
    lane: ReplayLane
    store: Store
    writer: Writer
    accounts: Accounts
    stop: asyncio.Event
    progress: Callable[[Accounts], None]
    why: str = ""
    """Why it ended early."""
    began: float = 0.0
    first_ns: int = 0
    seen: set[str] = field(default_factory=set)


def name_of(record: Recorded, fingerprint: str) -> str:
    """The exchange's ``shadow_id``: a UUIDv7 (RFC 9562) of its moment, the source and its position there."""
    number = xxhash.xxh3_128_intdigest(f"{fingerprint}\n{record.where}".encode())
    milliseconds = record.started_ns // 1_000_000 & (1 << 48) - 1
    low, high = number & (1 << 62) - 1, number >> 62 & 0xFFF
    digits = f"{milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


async def run_replay(
    plan: Plan, store: Store, scorer: object, accounts: Accounts, progress: Callable[[Accounts], None]
) -> bool:
    """Send all; ``accounts`` says what became of each record. Returns whether the source was read to its end: it was
    not when a signal ended the run.

    Raises :class:`~shadowlane.errors.ShadowlaneError` when the shadow cannot be asked any more, after what was answered
    is stored.
    """
    with ReplayLane.open(plan.config) as lane:
        stop = asyncio.Event()
        writer = Writer(store, scorer)  # type: ignore[arg-type]
        run = _Run(lane, store, writer, accounts, stop, progress)

        def give_up(why: str) -> None:
            run.why = why
            stop.set()

        store.set_epoch(f"replay {plan.fingerprint}", dict.fromkeys(plan.config.arms(), 0))
        pipeline = _pipeline(plan, run, Patience(give_up, plan.patience_s))
        with _signals(stop):
            working = asyncio.create_task(pipeline.run(stop, grace_s=_GRACE_S))
            feeding = asyncio.create_task(_feed(plan, run))
            await asyncio.wait({working, feeding}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                feeding.cancel()
            whole = (await asyncio.gather(feeding, return_exceptions=True))[0]
            stop.set()
            await working
        accounts.rows = lane.acked + accounts.resumed
        progress(accounts)
        if isinstance(whole, Exception):
            raise whole
        if run.why:
            raise ShadowlaneError(run.why)
        return whole is True


def _pipeline(plan: Plan, run: _Run, patience: Patience) -> Pipeline:
    config, lane, store = plan.config, run.lane, run.store
    shadows = {name: open_limits(config, name, arm, store, lane.core) for name, arm in config.arms().items()}
    arms: dict[str, PatientArm] = {}
    for name, arm in config.arms().items():
        opened = open_arm(config, name, arm, shadows[name], lane.core, PatientArm)
        assert isinstance(opened, PatientArm)  # it is of the class that was asked for
        opened.patience, opened.url = patience, arm.url
        arms[name] = opened
    # Prod's quota is not read: the headers are those of then.
    limits = LaneLimits(
        {name: (shadows[name], arm.ratio) for name, arm in config.arms().items()}, qps=config.limits.qps
    )
    control = ControlLoop(limits, lane.core, lane.directory, qps=config.limits.qps, arms=arms)
    sanitizer = lane.redaction.sanitizer
    return Pipeline(
        drainer=lane,
        arms=list(arms.values()),
        writer=run.writer,
        sanitizer=lane.redaction.cleaner,
        judge=open_judge(config.judge, sanitizer, store.judge_state()) if config.judge.url else None,
        limits=limits,
        on_limits=control.update_admission,
    )


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _feed(plan: Plan, run: _Run) -> bool:
    """Put every record into the lane; ``True`` when all of them are accounted for."""
    records = plan.records()
    run.began = asyncio.get_running_loop().time()
    while batch := await asyncio.to_thread(lambda: list(islice(records, _BATCH))):
        named = [(record, name_of(record, plan.fingerprint)) for record in batch if isinstance(record, Recorded)]
        keys = [(name, arm) for _, name in named for arm in plan.config.arms()]
        stored = await run.writer.stored_keys(keys)
        names = dict(zip((id(record) for record, _ in named), (name for _, name in named), strict=True))
        for record in batch:
            if run.stop.is_set():
                return False
            run.accounts.read += 1
            if isinstance(record, Unusable):
                run.accounts.unusable(record)
                continue
            name = names[id(record)]
            if all((name, arm) in stored for arm in plan.config.arms()):
                run.accounts.resumed += 1
            elif record.prod is None and not plan.config.control.url:
                run.accounts.skip("no_prod_answer")
            elif not await _put(plan, run, record, name):
                run.accounts.read -= 1
                return False
        run.accounts.rows = run.lane.acked + run.accounts.resumed
        run.progress(run.accounts)
    while run.lane.acked < run.lane.offered and not run.stop.is_set():
        run.accounts.rows = run.lane.acked + run.accounts.resumed
        run.progress(run.accounts)
        await asyncio.sleep(_LOOK_S)
    return run.lane.acked >= run.lane.offered


async def _put(plan: Plan, run: _Run, record: Recorded, name: str) -> bool:
    """Wait for its moment, for the cap and for room, then put it; ``False``: told to stop before."""
    loop = asyncio.get_running_loop()
    lane = run.lane
    if record.started_ns and math.isfinite(plan.speed):
        run.first_ns = run.first_ns or record.started_ns
        due = run.began + max(record.started_ns - run.first_ns, 0) / 1e9 / plan.speed
        while (ahead := due - loop.time()) > 0:
            if await _stopped(run, min(ahead, 0.5)):
                return False
        run.accounts.late_s = max(run.accounts.late_s, -ahead)
    while True:
        while lane.offered - lane.acked >= _WINDOW or not lane.has_room(record):
            if await _stopped(run, _LOOK_S):
                return False
        wait_s = lane.wait_s()
        if wait_s > 0:
            if await _stopped(run, min(wait_s, 0.5)):
                return False
            continue
        reason = lane.put(record, name, record.started_ns or time.time_ns())
        if reason != "cap":
            break
        if await _stopped(run, _LOOK_S):  # a cap of its route or tenant
            return False
    if reason:
        run.accounts.skip(reason)
    return True


async def _stopped(run: _Run, wait_s: float) -> bool:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(run.stop.wait(), wait_s)
    return run.stop.is_set()
