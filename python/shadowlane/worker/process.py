"""The worker process: empties the lane's rings on an event loop of its own, at the lowest priority.

Invariants: one worker a lane (its lock file says so); it gives way to the gateway (nice 19, ``SCHED_IDLE`` where the
kernel has it); on SIGTERM or SIGINT it finishes what is in flight or gives it back; a worker that a gateway started
leaves when no gateway lives and all rings are empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from .. import _core
from ..config import Config, JudgeConfig, groups_folder, make_lane_directory, make_state_folder
from ..config.worker_file import START_LOCK_ENV
from ..detect.cleaner import open_cleaner
from ..errors import ShadowlaneError, StoreError, StoreLostError
from ..judge.language_model import Judge
from ..limits import Breaker, Budget, BudgetLimits, LaneLimits, Price, Prices, ProdQuota
from ..policy import lane_policy
from ..score import Scorer
from ..store import open_store
from ..transport import open_transport
from .arms import open_arm, open_limits
from .blocks import roll_up
from .control import ControlLoop, keep_ticking
from .counted import HostRecorder, keep_host
from .embedder import open_embedder
from .fleet import FleetPart, open_fleet
from .folds import keep_folds
from .handover import Displaced, Handover
from .leading import lead
from .log import log_left_alone
from .memory import collect_seldom, give_back, keep_arenas_few
from .overhead import OverheadRecorder
from .pipeline import SANITIZED_AT_ONCE, Pipeline
from .side import NoSide, Side, WorkerView
from .state import ERROR_FILE, clear_error, write_error
from .told import Told
from .undumpable import forbid_dumps
from .writer import Writer

if TYPE_CHECKING:
    from ..telemetry.traces import Traces
    from .inbox import Inbox

__all__ = ["open_judge", "run_worker"]

log = logging.getLogger("shadowlane.worker")

_BEAT_EVERY_S = 0.5
_PRUNE_EVERY_S = 60.0
_WELL_AFTER_S = 5.0
_RECORD_EVERY_S = 15.0


def run_worker(config: Config, *, leave_when_idle: bool = False, side: Side | None = None) -> None:
    """Run until SIGTERM, SIGINT, or (``leave_when_idle``) until the lane is idle and empty. ``side`` runs beside it.

    Raises :class:`~shadowlane.errors.LaneError` when another worker has the lane,
    :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.MissingExtraError` or
    :class:`~shadowlane.errors.StoreError` when it cannot start. What went wrong is also left in the lane's directory,
    where ``shadowlane status`` and ``shadowlane doctor`` read it.
    """
    told = Told()
    told.listen()
    give_way()
    forbid_dumps()
    keep_arenas_few()
    while _hold_lane(config, told, leave_when_idle=leave_when_idle, side=side or NoSide()):
        pass


def _hold_lane(config: Config, told: Told, *, leave_when_idle: bool, side: Side) -> bool:
    """Be the worker of the lane that is there. Returns whether another one is there now, in its place, to be served
    next. One that a gateway started leaves then: its successor is told where that is. So does one that was told to end.
    """
    directory = make_lane_directory(config)
    drainer = _core.Drainer(
        str(directory),
        rules=config.sanitize.rules_dict(),
        ignore=config.sanitize.hash_ignore,
        policy=lane_policy(config),
        tenant_key=config.limits.tenant_key or None,
    )
    _give_back_start_lock()
    displaced = Displaced(drainer.is_in_place)
    idle_exit_s = config.lane.idle_exit_s if leave_when_idle else None
    try:
        uvloop.run(_run(config, directory, drainer, displaced, told, idle_exit_s, side))
    except BaseException as error:  # a panic of an extension is no Exception; signals end the loop without raising
        _leave_error(directory, error)
        raise
    else:
        clear_error(directory)
    finally:
        drainer.close()
    return displaced.seen and not leave_when_idle and not told.heard


def _give_back_start_lock() -> None:
    """This worker has the lane: from here on its own lock says so, and another may be started when it ends."""
    handle = os.environ.pop(START_LOCK_ENV, "")
    if handle.isdecimal():
        with contextlib.suppress(OSError):
            os.close(int(handle))


def give_way() -> None:
    """Lower this process's priority, so that it takes no processor time that the gateway wants, and no memory: when
    there is too little, it is the one that goes."""
    with contextlib.suppress(OSError):
        os.nice(19)
    with contextlib.suppress(OSError):
        # In a memory cgroup that it shares with the gateway, the kernel's first choice must be the worker (proc(5)).
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _leave_error(directory: Path, error: BaseException) -> None:
    text = str(error) if isinstance(error, ShadowlaneError) else f"{type(error).__name__}: {error}"
    try:
        write_error(directory, text)
    except OSError as cause:
        log.warning("%s: cannot be written: %s", directory / ERROR_FILE, cause.strerror)


def open_judge(config: JudgeConfig, sanitizer: _core.Sanitizer, saved: str) -> Judge:
    """The language-model judge of ``[judge]``; ``saved`` is what its predecessor left."""
    service = config.service()
    limits = BudgetLimits(tokens_per_day=config.tokens_per_day, money_per_day=config.money_per_day or math.inf)
    price = Price(input=config.price_input, output=config.price_output)
    return Judge(
        config,
        transport=open_transport("judge", service, service.credential(where="judge."), where="judge."),
        budget=Budget(limits, {"*": price}),
        breaker=Breaker(),
        sanitizer=sanitizer,
        saved=saved,
    )


async def _run(
    config: Config,
    directory: Path,
    drainer: _core.Drainer,
    displaced: Displaced,
    told: Told,
    idle_exit_s: float | None,
    side: Side,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_left_alone)
    # From the first moment to the last: one that opens a large store, or closes it, does not hang.
    beating = asyncio.create_task(_beat(drainer))
    view = WorkerView(drainer.is_in_place)
    stop = asyncio.Event()

    def end() -> None:
        view.stopping()
        stop.set()

    with told.telling(loop, end):
        try:
            await side.start(view)
            await _work(config, directory, drainer, displaced, stop, idle_exit_s, side, view)
        finally:
            await side.close()
            beating.cancel()


async def _work(
    config: Config,
    directory: Path,
    drainer: _core.Drainer,
    displaced: Displaced,
    stop: asyncio.Event,
    idle_exit_s: float | None,
    side: Side,
    view: WorkerView,
) -> None:
    # One that was started by hand has its own file, and its starter decides when it is read again.
    handover = Handover(directory, config.revision()) if idle_exit_s is not None else None

    def handover_due() -> bool:
        return displaced.is_due() or (handover is not None and handover.is_due())

    fleet = open_fleet(config, drainer)
    try:
        if config.worker.role == "forward":
            from .roles import forward

            await forward(
                config,
                directory,
                drainer,
                stop,
                idle_exit_s=idle_exit_s,
                handover_due=handover_due,
                beside=side.state,
                opened=view.forwarding,
                fleet=fleet,
            )
            return
        _make_state_folder(config)
        if config.worker.role == "judge":
            from .roles import judge

            async with judge(config, drainer, stop, view) as inbox:
                if inbox is not None:
                    await _judge(config, directory, drainer, inbox, stop, idle_exit_s, handover_due, side, view, fleet)
        else:
            await _judge(config, directory, drainer, None, stop, idle_exit_s, handover_due, side, view, fleet)
    finally:
        await asyncio.to_thread(fleet.close)


async def _judge(
    config: Config,
    directory: Path,
    drainer: _core.Drainer,
    inbox: Inbox | None,
    stop: asyncio.Event,
    idle_exit_s: float | None,
    handover_due: Callable[[], bool],
    side: Side,
    view: WorkerView,
    fleet: FleetPart,
) -> None:
    """Dispatch, score and store what comes from the lane's rings, or from ``inbox``."""
    groups = groups_folder(config)
    origin = inbox or drainer
    embedder = await asyncio.to_thread(open_embedder, config.score, folder=groups)
    store = await asyncio.to_thread(open_store, config.store)
    try:
        bases = dict.fromkeys(config.arms(), drainer.acked())
        await asyncio.to_thread(store.set_epoch, drainer.lane_id(), bases)
        shadows = {name: open_limits(config, name, arm, store, origin) for name, arm in config.arms().items()}
        await asyncio.to_thread(fleet.share_budgets, config, shadows, store)
        redaction = open_cleaner(config, directory)
        native = None if redaction.hook else redaction.sanitizer
        arms = {
            name: open_arm(config, name, arm, shadows[name], origin, sanitizer=native)
            for name, arm in config.arms().items()
        }
        limits = LaneLimits(
            {name: (shadows[name], arm.ratio) for name, arm in config.arms().items()},
            qps=config.limits.qps,
            prod=ProdQuota(config.limits.prod_quota_floor) if config.limits.prod_quota_floor else None,
        )
        traces = _open_traces(config)
        control = ControlLoop(
            limits,
            origin,
            directory,
            qps=config.limits.qps,
            arms=arms,
            revision=config.revision(),
            beside=side.state,
            spans=traces.state if traces else dict,
            fleet=fleet.state,
            offload=inbox.state if inbox else dict,
        )
        control.resume()
        scorer = Scorer(
            config.score, embedder=embedder, groups_folder=groups, prices=Prices(config.prices), pins=config.pins
        )
        writer = Writer(store, scorer)
        pipeline = Pipeline(
            drainer=inbox or redaction.drainer(drainer),
            arms=list(arms.values()),
            writer=writer,
            sanitizer=redaction.cleaner,
            sanitize_at_once=0 if redaction.hook else SANITIZED_AT_ONCE,
            undrained=None if redaction.hook or inbox else drainer.undrained,
            flagged=inbox is None,
            judge=open_judge(config.judge, redaction.sanitizer, store.judge_state()) if config.judge.url else None,
            limits=limits,
            on_limits=control.update_admission,
            window_s=config.limits.window_s if config.limits.cap_mode == "reservoir" else 0.0,
            on_stored=fleet.seeing(traces.add if traces else None),
            handover_due=handover_due,
        )
        names = ", ".join(config.arms())
        log.info("worker %d: lane %s, shadows %s", os.getpid(), config.lane.name, names, extra={"event": "started"})
        overhead = OverheadRecorder(directory, store)
        periodic = [
            asyncio.create_task(keep_ticking(control, _BEAT_EVERY_S)),
            asyncio.create_task(fleet.run(limits, control.update_admission, control.tick)),
            asyncio.create_task(fleet.seed(config)),
            asyncio.create_task(_forgive(directory)),
            asyncio.create_task(_prune(writer)),
            asyncio.create_task(roll_up(writer)),
            asyncio.create_task(keep_folds(config, writer, store, lambda: fleet.state().get("pins", {}))),
            asyncio.create_task(lead(writer, store, fleet)),
            asyncio.create_task(_record_overhead(writer, overhead)),
        ]
        # A judge's own lane has no requests: it keeps what its forwarding hosts count.
        host = HostRecorder(config, directory, store) if config.store.on_server and inbox is None else None
        if host is not None:
            periodic.append(asyncio.create_task(keep_host(writer, host)))
        if inbox is not None:
            from .roles import keep_figures

            periodic.append(asyncio.create_task(keep_figures(inbox, writer, store, counts=config.store.on_server)))
        for task in periodic:
            task.add_done_callback(lambda _: stop.set())  # none ends by itself, but for a store that was taken away
        view.opened(writer, store)
        collect_seldom()
        try:
            await pipeline.run(stop, idle_exit_s=idle_exit_s)
        finally:
            view.closed()
            for task in periodic:
                task.cancel()
            ended = await asyncio.gather(*periodic, return_exceptions=True)
            if traces:
                await asyncio.to_thread(traces.close)
            control.tick()
            await asyncio.to_thread(overhead.record)  # writer has ended
            if host is not None:
                with contextlib.suppress(StoreLostError):  # nobody reads there
                    await asyncio.to_thread(host.record, ended=True)
        if lost := next((error for error in ended if isinstance(error, StoreLostError)), None):
            raise lost
        log.info("worker %d: done, %d pairs stored", os.getpid(), writer.stored, extra={"event": "done"})
    finally:
        store.close()
        await asyncio.to_thread(embedder.close)


def _open_traces(config: Config) -> Traces | None:
    if not config.telemetry.endpoint:
        return None
    from ..telemetry.traces import open_traces

    return open_traces(config)


def _make_state_folder(config: Config) -> None:
    try:
        make_state_folder(config)
    except OSError as error:
        raise StoreError(
            f"{groups_folder(config).parent}: the folder of the lane's memory cannot be made: {error.strerror}; set "
            "store.url, or XDG_STATE_HOME to a folder that this user can write"
        ) from None


async def _beat(drainer: _core.Drainer) -> None:
    while True:
        drainer.beat()
        await asyncio.sleep(_BEAT_EVERY_S)


async def _forgive(directory: Path) -> None:
    """What ended the last worker is over when this one has lived for a while."""
    await asyncio.sleep(_WELL_AFTER_S)
    clear_error(directory)
    await asyncio.Event().wait()


async def _prune(writer: Writer) -> None:
    while True:
        await asyncio.sleep(_PRUNE_EVERY_S)
        await writer.prune()
        await writer.call(give_back)


async def _record_overhead(writer: Writer, overhead: OverheadRecorder) -> None:
    while True:
        await asyncio.sleep(_RECORD_EVERY_S)
        await writer.call(overhead.record)
