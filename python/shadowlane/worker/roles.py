"""What a worker with ``worker.role`` "forward" or "judge" opens in place of, or beside, what one with "all" does.

Invariants: a forwarding host opens no store, embedder or shadow; one judge at a time writes to a SQLite store, the
others wait for their turn (its lock ends with the process that has it).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from .. import _core
from ..columns import HostCounts
from ..config import Config
from ..detect.cleaner import open_cleaner
from ..errors import ShadowlaneError, StoreError
from ..limits import ProdQuota
from ..offload import Stream, open_stream
from ..offload.figures import HOSTS, HostTimes, Times, counts_of
from .control import ControlLoop, keep_ticking
from .counted import forwarded_counts
from .fleet import FleetPart
from .forward import Forwarder, ForwardLimits, Pressure
from .inbox import Inbox
from .overhead import OverheadRecorder
from .side import WorkerView
from .writer import Writer

__all__ = ["forward", "judge", "keep_figures"]

log = logging.getLogger("shadowlane.worker")

_BEAT_EVERY_S = 0.5
_TURN_EVERY_S = 0.1
_FIGURES_EVERY_S = 5.0
_RECORD_SLACK = 1 << 20
"""A record has more than its two bodies: headers, names, findings."""


class _FiguresStore(Protocol):
    def save_latency(self, lane_id: str, at_ns: int, choice: str, ratio: float, counts: bytes) -> None: ...
    def save_host(self, counts: HostCounts) -> None: ...


def source_of(config: Config, lane_id: str) -> str:
    """How this life of this host's lane is called in the stream's accounts."""
    return f"{config.offload.called}/{config.lane.name}/{lane_id[:12]}"


async def forward(
    config: Config,
    directory: Path,
    drainer: _core.Drainer,
    stop: asyncio.Event,
    *,
    idle_exit_s: float | None,
    handover_due: Callable[[], bool],
    beside: Callable[[], Mapping[str, Any]],
    opened: Callable[[], None],
    fleet: FleetPart,
) -> None:
    """Be the worker of a forwarding host until ``stop`` is set, or it is idle. ``opened`` is called when it works."""
    pressure = Pressure(config.offload)
    prod = ProdQuota(config.limits.prod_quota_floor) if config.limits.prod_quota_floor else None
    limits = ForwardLimits(pressure, qps=config.limits.qps, prod=prod)
    stream = await asyncio.to_thread(open_stream, config.offload)
    redaction = open_cleaner(config, directory)
    source = source_of(config, drainer.lane_id())
    forwarder = Forwarder(
        drainer=redaction.drainer(drainer),
        stream=stream,
        source=source,
        acked=drainer.acked,
        limits=limits,
        pressure=pressure,
        on_limits=lambda: control.update_admission(),
        handover_due=handover_due,
    )
    control = ControlLoop(
        limits,
        drainer,
        directory,
        qps=config.limits.qps,
        arms={},
        revision=config.revision(),
        beside=beside,
        offload=forwarder.state,
        fleet=fleet.state,
    )
    control.resume()
    said = {"event": "started"}
    log.info("worker %d: lane %s forwards as %s", os.getpid(), config.lane.name, source, extra=said)
    periodic = [
        asyncio.create_task(keep_ticking(control, _BEAT_EVERY_S)),
        asyncio.create_task(fleet.run(limits, control.update_admission)),
        asyncio.create_task(_keep_telling(config, directory, stream, source)),
    ]
    opened()
    try:
        await forwarder.run(stop, idle_exit_s=idle_exit_s)
    finally:
        for task in periodic:
            task.cancel()
        await asyncio.gather(*periodic, return_exceptions=True)
        await asyncio.to_thread(stream.close)
        control.tick()
    log.info("worker %d: done", os.getpid(), extra={"event": "done"})


async def _keep_telling(config: Config, directory: Path, stream: Stream, source: str) -> None:
    """Let the judges know what this host counts and times, until cancelled, and once more then."""
    times, alike = OverheadRecorder(directory, HostTimes(stream)), config.alike()
    try:
        while True:
            await asyncio.to_thread(_tell, directory, stream, source, times, alike)
            await asyncio.sleep(_FIGURES_EVERY_S)
    finally:
        await asyncio.to_thread(_tell, directory, stream, source, times, alike)


def _tell(directory: Path, stream: Stream, source: str, times: OverheadRecorder, alike: str) -> None:
    with contextlib.suppress(ShadowlaneError):  # the stream's trouble is said by who publishes
        stream.put_figures(HOSTS, source, counts_of(_core.lane_status(str(directory)), time.time_ns(), alike))
        times.record()


async def keep_figures(inbox: Inbox, writer: Writer, store: _FiguresStore, *, counts: bool) -> None:
    """Store what the hosts timed, and show what they counted, until cancelled. ``counts``: others write to the store,
    too, and what the hosts counted is kept in it."""
    told: dict[str, Any] = {}
    while True:
        times, over = await asyncio.to_thread(inbox.read_figures)
        try:
            if counts:
                await writer.call(partial(_save_counts, store, inbox.hosts_told(), told))
            await writer.call(partial(_save_times, store, times))
        except StoreError as error:
            log.warning("what requests took on the hosts cannot be kept for the gate: %s", error)
        else:
            await asyncio.to_thread(inbox.drop_times, over)
        await asyncio.sleep(_FIGURES_EVERY_S)


def _save_counts(store: _FiguresStore, hosts: Mapping[str, Mapping[str, Any]], told: dict[str, Any]) -> None:
    """Keep what a host said since it was kept last: one that says nothing more grows old."""
    for source, said in hosts.items():
        if said.get("told_ns") == told.get(source):
            continue
        if (counts := forwarded_counts(source, said)) is not None:
            store.save_host(counts)
        told[source] = said.get("told_ns")


def _save_times(store: _FiguresStore, times: list[Times]) -> None:
    for one in times:
        store.save_latency(*one)


def _open_inbox(config: Config, drainer: _core.Drainer) -> Inbox:
    """What a judge takes its copies from. Its consumer is named by its lane, which one process has at a time."""
    lane, offload = drainer.lane_id(), config.offload
    return Inbox(
        open_stream(offload, consumer=f"{offload.called}/{config.lane.name}/{lane}"),
        drainer,
        qps=config.limits.qps,
        burst=config.limits.burst,
        most_bytes=2 * config.lane.max_body_bytes + _RECORD_SLACK,
        claim_s=offload.claim_s,
        max_deliveries=offload.max_deliveries,
    )


@contextlib.asynccontextmanager
async def judge(
    config: Config, drainer: _core.Drainer, stop: asyncio.Event, view: WorkerView
) -> AsyncIterator[Inbox | None]:
    """What a judge takes its copies from, once it may write to the store; ``None``: it was told to stop before."""
    async with _store_turn(config, stop, view) as mine:
        if not mine:
            yield None
            return
        inbox = await asyncio.to_thread(_open_inbox, config, drainer)
        inbox.open()
        beating = asyncio.create_task(_keep_beating(inbox))
        try:
            yield inbox
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await asyncio.to_thread(inbox.close)


async def _keep_beating(inbox: Inbox) -> None:
    """Let the judges know that this one's event loop lives, until cancelled."""
    while True:
        inbox.beat()
        await asyncio.sleep(_BEAT_EVERY_S)


@contextlib.asynccontextmanager
async def _store_turn(config: Config, stop: asyncio.Event, view: WorkerView) -> AsyncIterator[bool]:
    """Whether this judge may write to the store: waits for the other that does. ``False``: it was told to stop.

    A database for several writers has no turns. Raises :class:`~shadowlane.errors.StoreError`.
    """
    if not config.store.url.startswith("sqlite:"):
        yield True
        return
    path = config.store.path.with_name(config.store.path.name + ".judge")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: the judges' lock cannot be made: {error.strerror}; see store.url") from None
    try:
        told = False
        while not stop.is_set():
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    said = {"event": "waits_for_store"}
                    log.info("another judge writes to %s: this one waits for its turn", config.store.path, extra=said)
                    view.not_ready = "another judge writes to the store: this one waits for its turn"
                told = True
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stop.wait(), _TURN_EVERY_S)
            else:
                break
        yield not stop.is_set()
    finally:
        os.close(handle)
