"""The worker's part in a fleet: a round every now and then, beside the event loop, and the pauses both ways.

Invariants: the event loop never waits for the engine; a fault here leaves the host with the share that it has, until
that ends; a worker that leaves while gateways live leaves the share to its successor.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from .. import _core
from ..config import Config
from ..errors import describe
from ..fleet.keeper import EVERY_S, Keeper
from ..fleet.member import MICRO, Terms
from ..fleet.opening import open_engine
from ..limits import LaneLimits

__all__ = ["FleetPart", "open_fleet"]

log = logging.getLogger("shadowlane.worker")


class FleetPart:
    """This host's part in the fleet; without one it does nothing."""

    def __init__(self, keeper: Keeper | None, drainer: _core.Drainer) -> None:
        self._keeper = keeper
        self._drainer = drainer

    def state(self) -> dict[str, Any]:
        """For ``worker.json``; empty without a fleet."""
        return self._keeper.state() if self._keeper else {}

    async def run(self, limits: LaneLimits, update: Callable[[], None]) -> None:
        """Keep the share until cancelled; ``update`` is called when a pause of another host was learnt."""
        if self._keeper is None:
            await asyncio.Event().wait()
            return
        told: set[type[Exception]] = set()
        while True:
            try:
                learnt = await asyncio.to_thread(self._keeper.round, limits.pauses())
                if learnt:
                    limits.heed(learnt)
                    update()
            except Exception as error:  # the share ends by itself, and nothing is mirrored then
                if type(error) not in told:
                    log.error("the fleet's share cannot be kept: %s; please report it", describe(error))
                    told.add(type(error))
            await asyncio.sleep(EVERY_S)

    def close(self) -> None:
        """Give the share back when no gateway uses it, and the connection."""
        if self._keeper is not None:
            if self._drainer.live_producers() == 0:
                self._keeper.leave()
            self._keeper.close()


def open_fleet(config: Config, drainer: _core.Drainer) -> FleetPart:
    """The part of this lane's host. Admission is told whether it needs a share. A judge admits nothing, and takes none.

    Raises :class:`~shadowlane.errors.ConfigError` and :class:`~shadowlane.errors.MissingExtraError`.
    """
    fleet, limits = config.fleet, config.limits
    sharing = fleet.on and config.worker.role != "judge"
    drainer.require_lease(sharing)
    if not sharing:
        drainer.set_fleet_off(False)
        return FleetPart(None, drainer)
    terms = Terms(int(limits.qps * MICRO), limits.burst, max(limits.weights.values(), default=1), fleet.lease_s)
    engine = open_engine(fleet.address(), fleet.name or config.lane.name)
    keeper = Keeper(engine, drainer, host=drainer.lane_id(), name=socket.gethostname(), terms=terms)
    return FleetPart(keeper, drainer)
