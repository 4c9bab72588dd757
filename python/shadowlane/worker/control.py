"""The control loop: writes how fast admission may go into the control file, and how the limits stand for ``status``.

Invariants: what asks for less is in the state file before it is in the control file, so that a worker that is killed at
any moment leaves its successor what a provider asked for; every value in the control file expires by itself unless it
is written again (a rate after ten seconds, a pause at its moment), so that a dead worker slows nobody for ever; the
state file is replaced at once, mode 0600, and holds no value of a request; a change is logged once when it begins and
once when it ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ..dispatch.arm import Arm
from ..errors import describe
from ..limits import LaneLimits
from .state import STATE_FILE, read_state, write_state

__all__ = ["ControlLoop", "keep_ticking"]

log = logging.getLogger("shadowlane.worker")

_SAME_S = 0.25
_RENEW_RATE_S = 2.0


class _Control(Protocol):
    def set_rate(self, qps: float) -> None: ...
    def pause(self, seconds: float, reason: str) -> None: ...
    def throttle(self) -> tuple[float, float, str]: ...
    def lane_id(self) -> str: ...


class ControlLoop:
    """Carries the lane's limits to the control file and the state file. Call :meth:`tick` about twice a second, and
    :meth:`update_admission` after anything that may have changed them.
    """

    def __init__(
        self,
        limits: LaneLimits,
        control: _Control,
        directory: Path,
        *,
        qps: float,
        arms: Mapping[str, Arm],
        revision: str = "",
        beside: Callable[[], Mapping[str, Any]] = dict,
        spans: Callable[[], Mapping[str, Any]] = dict,
        fleet: Callable[[], Mapping[str, Any]] = dict,
        offload: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._control = control
        self._directory = directory
        self._qps = qps
        self._arms = arms
        self._revision = revision
        self._beside = beside
        self._spans = spans
        self._fleet = fleet
        self._offload = offload
        self._clock = clock
        self._lane_id = control.lane_id()
        self._rate, self._rate_at = qps, clock()
        self._pause = ("", 0.0)
        self._heard: tuple[object, ...] = ()
        self._on: set[tuple[str, str]] = set()
        self._written: dict[str, Any] = {}
        self._cannot_write = ""

    def resume(self) -> None:
        """Go on where the last worker of this lane was: a restart must not undo what a provider asked for."""
        state = read_state(self._directory)
        known = False
        if state is not None and state.get("lane_id") == self._lane_id:
            try:
                self._limits.restore(state["limits"])
                known = True
            except (KeyError, TypeError, ValueError) as error:
                log.warning(
                    "%s: cannot go on from it (%s); limits start anew", self._directory / STATE_FILE, describe(error)
                )
        _, paused_s, reason = self._control.throttle()
        if paused_s and not known:
            self._limits.hold(paused_s)
        self._pause = (reason, self._clock() + paused_s if paused_s else 0.0)
        self.tick()

    def update_admission(self) -> None:
        """Tell admission what has changed, and a successor first."""
        if (heard := self._limits.heard()) != self._heard:
            self._write(self._limits.state())
            self._heard = heard
        now, wanted = self._clock(), self._limits.throttle()
        slowed = wanted.rate < self._qps
        if wanted.rate != self._rate or (slowed and now - self._rate_at >= _RENEW_RATE_S):
            self._control.set_rate(wanted.rate if slowed else 0.0)
            self._rate, self._rate_at = wanted.rate, now
        pause = (wanted.reason, now + wanted.pause_s if wanted.pause_s else 0.0)
        if pause[0] != self._pause[0] or abs(pause[1] - self._pause[1]) > _SAME_S:
            self._control.pause(wanted.pause_s, wanted.reason or "provider_limit")
            if pause[0] and not self._pause[0]:
                said = {"event": "paused", "reason": wanted.reason}
                log.warning("mirroring pauses for %.1f s: %s", wanted.pause_s, wanted.reason, extra=said)
            elif self._pause[0] and not pause[0]:
                log.info("mirroring goes on", extra={"event": "pause_over"})
            self._pause = pause

    def tick(self) -> None:
        """Update admission, log what has begun or ended, and write the state file."""
        self.update_admission()
        state = self._limits.state()
        for name, shadow in state["shadows"].items():
            self._log_budget(name, shadow["budget"])
            broken = bool(shadow["breaker"]) and shadow["breaker"]["state"] != "closed"
            if self._turned(name, "breaker", broken):
                text = "its circuit breaker is open, it gets single copies" if broken else "its circuit breaker closed"
                said = {"event": "breaker_open" if broken else "breaker_closed", "shadow": name}
                log.log(logging.WARNING if broken else logging.INFO, "shadow %s: %s", name, text, extra=said)
            if self._turned(name, "rate", shadow["slowed"]):
                text = "its provider asks for less, it gets less" if shadow["slowed"] else "its rate is whole again"
                said = {"event": "rate_slowed" if shadow["slowed"] else "rate_whole", "shadow": name}
                log.info("shadow %s: %s", name, text, extra=said)
        self._write(state)

    def _turned(self, name: str, what: str, on: bool) -> bool:
        before = (name, what) in self._on
        (self._on.add if on else self._on.discard)((name, what))
        return before != on

    def _log_budget(self, name: str, budget: Mapping[str, Any] | None) -> None:
        reached = budget["reached"] if budget else ""
        if not self._turned(name, "budget", bool(reached)):
            return
        if budget and reached:
            count = budget["limits"][reached]
            log.warning(
                "shadow %s: budget %s is reached (%g of %g): it gets no more copies until enough of that is old",
                name,
                reached,
                count["spent"],
                count["limit"],
                extra={"event": "budget_reached", "shadow": name, "reason": reached},
            )
        else:
            log.info("shadow %s: within its budget again", name, extra={"event": "budget_free", "shadow": name})

    def _write(self, limits: Mapping[str, Any]) -> None:
        state = {
            "lane_id": self._lane_id,
            "pid": os.getpid(),
            "revision": self._revision,
            "limits": limits,
            "beside": dict(self._beside()),
            "telemetry": dict(self._spans()),
            "fleet": dict(self._fleet()),
            "offload": dict(self._offload()),
            "arms": {
                name: {
                    "out": arm.out,
                    "waiting": arm.waiting,
                    "retries": arm.retries,
                    "transport": arm.kind,
                    "way": arm.way,
                }
                for name, arm in self._arms.items()
            },
        }
        if state == self._written:
            return
        try:
            write_state(self._directory, state)
        except OSError as error:
            if str(error.strerror) != self._cannot_write:
                log.warning("%s: cannot be written: %s", self._directory / STATE_FILE, error.strerror)
            self._cannot_write = str(error.strerror)
        else:
            self._written, self._cannot_write = state, ""


async def keep_ticking(control: ControlLoop, every_s: float) -> None:
    """Tick until cancelled. While ticks raise, each class of error is said once; then, that it is over."""
    told: set[type[Exception]] = set()
    while True:
        try:
            control.tick()
        except Exception as error:
            if type(error) not in told:
                log.error("the limits cannot be carried on: %s; please report it", describe(error))
                told.add(type(error))
        else:
            if told:
                log.info("the limits are carried on again")
            told.clear()
        await asyncio.sleep(every_s)
