"""Alerts beside the worker: looks at its lane once a minute, and tells who wants to know.

Invariants: the gate is evaluated once for the endpoint and for alerts; nothing here is waited for by the pipeline, and
whatever fails here is said and ends neither the worker nor the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..config import AlertConfig, Config, lane_directory
from ..errors import ConfigError, LaneError, describe
from ..serve.endpoint import Endpoint
from ..serve.lane import Evaluated, LaneView
from ..status.lane import LaneStatus, read_lane
from ..status.limits import limits_of
from ..worker.side import WorkerView
from ..worker.state import last_error, read_state
from .common import Common, told_by_one
from .delivery import Delivery, Receiver
from .findings import Counters, Finding, Reading, gate_findings, lane_findings, pins_of, stood_in_of
from .incidents import Post, step
from .memory import Memory

__all__ = ["Alerting", "Watch"]

log = logging.getLogger("shadowlane.alerts")

_MINUTE_S = 60.0
_TOO_SOON_S = 20.0
"""The first look is at once; the second one is another minute's."""
_PAST_S = 1.0
_AGAIN_S = 0.2


class Alerting:
    """The endpoint, where there is one, and the alerts (:class:`shadowlane.worker.side.Side`)."""

    def __init__(self, config: Config, endpoint: Endpoint | None) -> None:
        self._config = config
        self._endpoint = endpoint
        self._lane: LaneView | None = None
        self._watch: Watch | None = None
        self._off = ""
        """Why there is no watch."""

    async def start(self, worker: WorkerView) -> None:
        """Begin. What is wrong is said."""
        view = None
        if self._endpoint is not None:
            await self._endpoint.start(worker)
            view = self._endpoint.lane
        if view is None:
            view = self._lane = LaneView(self._config, worker)
        try:
            self._watch = await asyncio.to_thread(Watch, self._config)
            self._watch.start(view, worker)
        except Exception as error:
            self._off = f"alerts are off: {describe(error)}; please report it"
            log.error("%s", self._off)

    async def close(self) -> None:
        """End, within moments."""
        if self._watch is not None:
            await self._watch.close()
        if self._endpoint is not None:
            await self._endpoint.close()
        if self._lane is not None:
            self._lane.close()
        self._watch = self._lane = None
        self._off = ""

    def state(self) -> Mapping[str, Any]:
        """The endpoint's, and of each receiver how it stands."""
        endpoint = self._endpoint.state() if self._endpoint is not None else {}
        if self._watch is not None:
            alerting = self._watch.state()
        elif self._off:
            alerting = {alert.called: _told(alert, (Post(),), self._off) for alert in self._config.alerts}
        else:
            alerting = {}
        return {**endpoint, "alerting": alerting}


class Watch:
    """Looks, remembers and tells. Reads its file, so made on a thread; belongs to the loop that starts it."""

    def __init__(self, config: Config, *, wall: Callable[[], float] = time.time) -> None:
        self._config = config
        self._wall = wall
        self._directory = lane_directory(config)
        self._memory = Memory(config, wall())
        self._source = socket.gethostname()
        self._saving = asyncio.Lock()
        self._deliveries: dict[str, Delivery] = {}
        self._receivers: list[Receiver] = []
        self._off: dict[str, str] = {}
        """Receivers that cannot be told anything, and why."""
        self._unseen = ""
        """Why the lane could not be looked at the last time."""
        self._last_worker = last_error(self._directory)
        self._tasks: list[asyncio.Task[None]] = []
        self._worker: WorkerView | None = None
        for position, alert in enumerate(config.alerts):
            try:
                receiver = Receiver(alert, position)
            except ConfigError as error:
                self._off[alert.called] = str(error)
                log.warning("alerts to %s are off: %s", alert.called, error)
                continue
            self._receivers.append(receiver)
            self._deliveries[alert.called] = Delivery(
                receiver,
                self._memory.posts[alert.called],
                self._save,
                serve=config.serve,
                wall=wall,
            )
        self._common: dict[str, Common] = {}
        """Where several hosts may write to one store, or share budgets: what all of them see is told by one."""
        if config.store.on_server or told_by_one(config, "budget"):
            self._common = {
                one.alert.called: Common(config, one, source=self._source, wall=wall) for one in self._receivers
            }

    def start(self, lane: LaneView, worker: WorkerView) -> None:
        """Look and tell from now on."""
        self._worker = worker
        self._tasks = [asyncio.create_task(self._look(lane, worker))]
        self._tasks += [asyncio.create_task(delivery.run()) for delivery in self._deliveries.values()]

    async def close(self) -> None:
        """End; what waits is told by the next worker."""
        pending = set(self._tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)  # before Python 3.12 wait_for may swallow one
        for common in self._common.values():
            await common.close()
        for receiver in self._receivers:
            with contextlib.suppress(Exception):
                await receiver.close()
        await self._save()

    def state(self) -> dict[str, Any]:
        """Of each receiver: what is told now, what waits, and what became of the rest."""
        return {
            alert.called: _told(alert, self._posts(alert.called, post), self._why(alert.called, post))
            for alert, post in zip(self._config.alerts, self._memory.posts.values(), strict=True)
        }

    def _posts(self, name: str, own: Post) -> tuple[Post, ...]:
        common = self._common.get(name)
        return (own, common.post) if common is not None and common.post is not None else (own,)

    def _why(self, name: str, own: Post) -> str:
        errors = (self._off.get(name, ""), self._unseen, *(post.error for post in self._posts(name, own)))
        common = self._common[name].error if name in self._common else ""
        return next(filter(None, errors), "") or common or self._memory.error

    async def _look(self, lane: LaneView, worker: WorkerView) -> None:
        await worker.ready()
        while True:
            try:
                await self.take(await self.read(lane, worker))
                self._unseen = ""
            except Exception as error:
                self._unseen = f"the lane could not be looked at for alerts: {describe(error)}; please report it"
                log.error("%s", self._unseen)
            left_s = _MINUTE_S - self._wall() % _MINUTE_S + _PAST_S
            await asyncio.sleep(left_s if left_s >= _TOO_SOON_S else left_s + _MINUTE_S)

    async def read(self, lane: LaneView, worker: WorkerView) -> Reading:
        """What is wrong now."""
        evaluated = await lane.evaluated()
        counted, limits = await asyncio.to_thread(self._counted)
        findings = [*gate_findings(evaluated.verdicts), *await self._health(evaluated, counted, limits, worker)]
        unknown = set() if counted is not None else {"drops", "cap"}
        unknown |= set() if limits is not None else {"breaker", "budget"}
        unknown |= set() if not worker.not_ready else {"store"}
        return Reading(
            findings=tuple(findings),
            gate_known=not evaluated.error,
            unknown=frozenset(unknown),
            verdicts={one.shadow: one.decision for one in evaluated.verdicts},
            pins=pins_of(evaluated.status) if evaluated.status else {},
            stood_in=stood_in_of(evaluated.status) if evaluated.status else {},
            baselines=frozenset(one.shadow for one in evaluated.verdicts if one.reverse),
        )

    async def take(self, reading: Reading) -> None:
        """Let each receiver's entry see what was found, and tell what is to be told."""
        now = self._wall()
        by_one = {one.rule for one in reading.findings if told_by_one(self._config, one.rule)}
        own = replace(reading, findings=tuple(one for one in reading.findings if one.rule not in by_one))
        for alert in self._config.alerts:
            post = self._memory.posts[alert.called]
            step(
                post,
                alert,
                own,
                lane=self._config.lane.name,
                source=self._source,
                minute=int(now // _MINUTE_S),
                now=now,
            )
        await self._save()
        for delivery in self._deliveries.values():
            delivery.wake()
        if self._worker is not None and self._common:
            about = replace(reading, findings=tuple(one for one in reading.findings if one.rule in by_one))
            if not self._config.store.on_server:  # of the verdict each host tells itself
                about = replace(about, gate_known=reading.knows("budget"))
            for common in self._common.values():
                await common.take(about, self._worker, int(now // _MINUTE_S))

    def _counted(self) -> tuple[LaneStatus | None, Mapping[str, Any] | None]:
        try:
            lane = read_lane(self._directory)
        except LaneError:
            return None, None
        return lane, limits_of(read_state(self._directory), lane.lane_id)[0]

    async def _health(
        self,
        evaluated: Evaluated,
        lane: LaneStatus | None,
        limits: Mapping[str, Any] | None,
        worker: WorkerView,
    ) -> list[Finding]:
        counters = Counters.of(lane) if lane is not None else None
        found = lane_findings(counters, self._memory.counters, limits)
        self._memory.counters = counters or self._memory.counters
        trouble = "" if worker.not_ready else await worker.trouble()
        if trouble and not worker.not_ready and worker.in_place:
            found.append(Finding("", "store", "the store cannot be written", "critical"))
        for wrong, name in (
            (self._last_worker, "the last worker ended with an error"),
            (evaluated.failed, "the gate could not be evaluated, by an error of ours"),
            (not worker.in_place, "the lane's files were removed or replaced"),
            (lane is None, "the lane cannot be read"),
            (lane is not None and bool(lane.ringless or lane.refused), "a process or a ring is left out"),
        ):
            if wrong:
                found.append(Finding("", "errors", name, "critical"))
        self._last_worker = ""
        return found

    async def _save(self) -> None:
        async with self._saving:
            await asyncio.to_thread(self._memory.write, self._memory.encoded())


def _told(alert: AlertConfig, posts: Sequence[Post], error: str) -> dict[str, Any]:
    return {
        "kind": alert.kind,
        "firing": sum(post.firing for post in posts),
        "waiting": sum(len(post.waiting) for post in posts),
        "sent": sum(post.sent for post in posts),
        "failed": sum(post.failed for post in posts),
        "dropped": sum(post.dropped for post in posts),
        "error": error,
    }
