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
import signal
from pathlib import Path

import uvloop

from . import _core
from .config import Config, JudgeConfig, ShadowConfig
from .detect import DetectingDrainer, DetectingSanitizer, Hook, load_detector
from .errors import ShadowlaneError
from .lane import lane_directory
from .limits import Breaker, Budget, BudgetLimits, Price
from .pipeline import Arm, Pipeline
from .policy import lane_policy, stub_rounds
from .score import Scorer, extract_answer
from .score.judge import Judge
from .store import open_store
from .transport import HttpTransport, open_transport

__all__ = ["run_worker"]

log = logging.getLogger("shadowlane.worker")

_BEAT_EVERY_S = 0.5
_PRUNE_EVERY_S = 60.0
_ERROR_FILE = "worker.error"


def run_worker(config: Config, *, leave_when_idle: bool = False) -> None:
    """Run until SIGTERM, SIGINT, or (``leave_when_idle``) until the lane is idle and empty.

    Raises :class:`~shadowlane.errors.LaneError` when another worker has the lane,
    :class:`~shadowlane.errors.ConfigError`, :class:`~shadowlane.errors.MissingExtraError` or
    :class:`~shadowlane.errors.StoreError` when it cannot start. What went wrong is also left in the lane's directory,
    where ``shadowlane status`` and ``shadowlane doctor`` read it.
    """
    directory = lane_directory(config)
    give_way()
    drainer = _core.Drainer(
        str(directory),
        rules=config.sanitize.rules_dict(),
        ignore=config.sanitize.hash_ignore,
        policy=lane_policy(config),
    )
    error_file = directory / _ERROR_FILE
    try:
        uvloop.run(_run(config, directory, drainer, config.lane.idle_exit_s if leave_when_idle else None))
    except ShadowlaneError as error:
        _note(error_file, str(error))
        raise
    except Exception as error:
        _note(error_file, f"{type(error).__name__}: {error}")
        raise
    else:
        with contextlib.suppress(OSError):
            error_file.unlink()
    finally:
        drainer.close()


def last_error(directory: Path) -> str:
    """Why the last worker of this lane ended, when it ended with an error; else empty."""
    try:
        return (directory / _ERROR_FILE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def give_way() -> None:
    """Lower this process's priority, so that it takes no processor time that the gateway wants."""
    with contextlib.suppress(OSError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _note(file: Path, text: str) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text + "\n")
    except OSError as error:
        log.warning("%s: %s", file, error)


def _groups_folder(config: Config, directory: Path) -> Path:
    """Beside the database when it is a file, which outlives a restart of the machine; else in the lane's directory."""
    prefix = "sqlite:///"
    if config.store.url.startswith(prefix):
        return Path(config.store.url[len(prefix) :] + f".{config.lane.name}.groups")
    return directory / "groups"


def _open_judge(config: JudgeConfig, sanitizer: _core.Sanitizer, saved: str) -> Judge:
    place = ShadowConfig(
        url=config.url,
        credential_env=config.credential_env,
        credential_header=config.credential_header,
        credential_prefix=config.credential_prefix,
        timeout_s=config.timeout_s,
        concurrency=config.concurrency,
        ca_file=config.ca_file,
    )
    limits = BudgetLimits(tokens_per_day=config.tokens_per_day, money_per_day=config.money_per_day or math.inf)
    price = Price(input=config.price_input, output=config.price_output)
    return Judge(
        config,
        transport=open_transport("judge", place, place.credential()),
        budget=Budget(limits, {"*": price}),
        breaker=Breaker(),
        sanitizer=sanitizer,
        saved=saved,
    )


async def _run(config: Config, directory: Path, drainer: _core.Drainer, idle_exit_s: float | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    drainer.beat()
    arms = [
        Arm(
            name,
            _transport(config, name, arm),
            ratio=arm.ratio,
            concurrency=arm.concurrency,
            salt=arm.salt(name),
        )
        for name, arm in config.arms().items()
    ]
    store = open_store(config.store)
    try:
        store.set_epoch(drainer.lane_id(), dict.fromkeys(config.arms(), drainer.acked()))
        sanitizer = _core.Sanitizer(config.sanitize.rules_dict(), str(directory))
        hook = Hook(load_detector(config.sanitize.detector), sanitizer) if config.sanitize.detector else None
        pipeline = Pipeline(
            drainer=DetectingDrainer(drainer, hook) if hook else drainer,
            arms=arms,
            scorer=Scorer(config.score, groups_folder=_groups_folder(config, directory)),
            store=store,
            sanitizer=DetectingSanitizer(sanitizer, hook) if hook else sanitizer,
            judge=_open_judge(config.judge, sanitizer, store.judge_state()) if config.judge.url else None,
        )
        log.info("worker %d: lane %s, shadows %s", os.getpid(), config.lane.name, ", ".join(config.arms()))
        keepers = [asyncio.create_task(_beat(drainer)), asyncio.create_task(_prune(pipeline))]
        try:
            await pipeline.run(stop, idle_exit_s=idle_exit_s)
        finally:
            for task in keepers:
                task.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
        log.info("worker %d: done, %d pairs stored", os.getpid(), pipeline.stored)
    finally:
        store.close()


def _transport(config: Config, name: str, shadow: ShadowConfig) -> HttpTransport:
    return open_transport(name, shadow, shadow.credential(), read=extract_answer, stub_rounds=stub_rounds(config))


async def _beat(drainer: _core.Drainer) -> None:
    while True:
        drainer.beat()
        await asyncio.sleep(_BEAT_EVERY_S)


async def _prune(pipeline: Pipeline) -> None:
    while True:
        await asyncio.sleep(_PRUNE_EVERY_S)
        await pipeline.prune()
