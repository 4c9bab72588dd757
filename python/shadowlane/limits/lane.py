"""How fast admission may go, or not at all. Prod's quota first, then what the shadows can take.

Invariants: never faster than the configured cap; admission is slowed to what the least slowed shadow takes, so that one
shadow's provider never costs another its copies; prod's quota stops everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..types import Headers
from .quota import ProdQuota
from .shadow import ShadowLimits

__all__ = ["LaneLimits", "Throttle"]


class Throttle(NamedTuple):
    """Copies a second; seconds during which there are none, and why."""

    rate: float
    pause_s: float = 0.0
    reason: str = ""


class LaneLimits:
    """The limits of a lane over those of its shadows.

    ``shadows`` by name, each with the share of the mirrored traffic that it gets, in (0, 1]; ``qps`` the configured
    cap; ``prod`` watches prod's quota, ``None``: it is not read. ``wall`` is the Unix time in seconds.
    """

    def __init__(
        self,
        shadows: Mapping[str, tuple[ShadowLimits, float]],
        *,
        qps: float,
        prod: ProdQuota | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._shadows = dict(shadows)
        self._qps = qps
        self._prod = prod
        self._wall = wall

    @property
    def shadows(self) -> dict[str, ShadowLimits]:
        """Each shadow's limits."""
        return {name: limits for name, (limits, _) in self._shadows.items()}

    @property
    def reads_prod(self) -> bool:
        """Whether answers of prod teach anything."""
        return self._prod is not None

    def observe_prod(self, headers: Headers, at: float, key: str) -> None:
        """Learn from an answer of prod that was given at the Unix time ``at``; ``key`` tells quotas apart (a route)."""
        if self._prod is not None:
            self._prod.observe(headers, at, key)

    def hold(self, pause_s: float) -> None:
        """Keep a pause whose cause is not known any more."""
        if self._prod is not None:
            self._prod.restore(self._wall() + pause_s, self._wall())

    def pauses(self) -> dict[str, float]:
        """The pauses that other hosts of a fleet should keep, too, by shadow (prod's quota: ``""``), in seconds
        left."""
        pauses = {name: limits.paused_s() for name, (limits, _) in self._shadows.items()}
        pauses[""] = self._prod.paused_s(self._wall()) if self._prod is not None else 0.0
        return {name: seconds for name, seconds in pauses.items() if seconds > 0}

    def heed(self, pauses: Mapping[str, float]) -> None:
        """Keep other hosts' :meth:`pauses`; a shadow that is not here is none of ours."""
        for name, seconds in pauses.items():
            if name == "":
                self.hold(seconds)
            elif name in self._shadows:
                self._shadows[name][0].pause(seconds)

    def refusal(self) -> str:
        """Why no shadow may get a copy now; empty when nothing speaks against it."""
        return "provider_limit" if self._prod is not None and not self._prod.allow(self._wall()) else ""

    def heard(self) -> tuple[object, ...]:
        """Changes when prod's quota or a shadow asked for less: what another worker must not undo."""
        shadows = tuple(limits.heard() for limits, _ in self._shadows.values())
        return (self._prod.heard if self._prod is not None else 0.0, *shadows)

    def throttle(self) -> Throttle:
        """What admission should do now."""
        pauses = [limits.paused_s() for limits, _ in self._shadows.values()]
        paused = bool(pauses) and all(pauses)
        # While all of them pause, what holds afterwards is said already.
        heard = [pair for pair, pause in zip(self._shadows.values(), pauses, strict=True) if paused or not pause]
        wanted = max((limits.aimd.unpaused / share for limits, share in heard), default=self._qps)
        rate = min(wanted, self._qps)
        if self._prod is not None and (pause_s := self._prod.paused_s(self._wall())) > 0:
            return Throttle(rate, pause_s, "provider_limit")
        return Throttle(rate, min(pauses), "provider_limit") if paused else Throttle(rate)

    def state(self) -> dict[str, Any]:
        """Everything as plain values, for ``shadowlane status`` and for :meth:`restore`. Moments are Unix times."""
        throttle = self.throttle()
        paused = self._prod.paused_s(self._wall()) if self._prod is not None else 0.0
        return {
            "rate": throttle.rate,
            "prod_paused_until": round(self._wall() + paused, 1) if paused else None,
            "shadows": {name: limits.state() for name, (limits, _) in self._shadows.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where another worker's :meth:`state` was; a shadow that it did not know starts anew."""
        for name, (limits, _) in self._shadows.items():
            if name in state["shadows"]:
                limits.restore(state["shadows"][name])
        if self._prod is not None and state["prod_paused_until"]:
            self._prod.restore(float(state["prod_paused_until"]), self._wall())
