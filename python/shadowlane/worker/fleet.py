"""The worker's part in a fleet: a round every now and then, beside the event loop; pauses and versions both ways.

Invariants: the event loop never waits for the engine; a fault here leaves the host with the share and the slices that
it has, until they end; a worker that leaves while gateways live leaves the share to its successor, and gives back what
it has of budgets.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .. import _core
from ..config import Config
from ..errors import describe
from ..fleet.budget import Earlier
from ..fleet.budget_keeper import LEDGER, BudgetKeeper
from ..fleet.keeper import EVERY_S, Keeper, PinKeeper
from ..fleet.ledger import Amount
from ..fleet.member import MICRO, Terms
from ..fleet.opening import open_engine
from ..fleet.pins import PinBoard, Sighted
from ..limits import Allowance, LaneLimits, ShadowLimits
from ..types import Pair

if TYPE_CHECKING:
    from ..store.leader import Leading

__all__ = ["FleetPart", "open_fleet"]

log = logging.getLogger("shadowlane.worker")


_LEAST_S = 0.05
"""Between two rounds, the second of which is due at once."""


class _Store(Protocol):
    def spent(self, shadow: str) -> list[tuple[float, float, float]]: ...
    def identity(self) -> str: ...


class FleetPart:
    """This host's part in the fleet; without one it does nothing."""

    def __init__(
        self,
        keeper: Keeper | None,
        drainer: _core.Drainer,
        *,
        pins: PinBoard | None = None,
        hearing: PinKeeper | None = None,
    ) -> None:
        self._keeper = keeper
        self._drainer = drainer
        self._pins = pins
        self._hearing = hearing
        """Of a judge, which takes no share."""
        self._news = False
        """Whether a window may begin elsewhere by what answered here."""
        self._due: Callable[[], object] = lambda: None
        """Lets the next round be at once; from any thread."""
        self._budgets: BudgetKeeper | None = None
        self.leading: dict[str, Leading] = {}
        """By task who does it, for all who write to the store; empty: nobody else does, or it is not known."""

    def share_budgets(self, config: Config, limits: Mapping[str, ShadowLimits], store: _Store) -> None:
        """Let the shadows' budgets be those of all hosts of the fleet; before anything is sent. Nothing is sent to a
        shadow with a budget until :meth:`run` has got a slice of it."""
        budgets = {name: one.budget for name, one in limits.items() if one.budget is not None}
        if not config.fleet.on or not budgets:
            return
        allowances = {name: Allowance(budget.limits) for name, budget in budgets.items()}
        for name, budget in budgets.items():
            budget.shared = allowances[name]
        now = time.time()
        earlier = {
            name: [Earlier(max(now - when - 60.0, 0.0), Amount(tokens, money)) for when, tokens, money in rows]
            for name in budgets
            if (rows := store.spent(name))
        }
        self._budgets = BudgetKeeper(
            open_engine(config.fleet.address(), (config.fleet.name or config.lane.name) + LEDGER),
            allowances,
            process=secrets.token_hex(8),
            name=socket.gethostname(),
            lease_s=config.fleet.lease_s,
            store=store.identity(),
            earlier=earlier,
        )

    def seeing(self, then: Callable[[Sequence[Pair]], None] | None) -> Callable[[Sequence[Pair]], None] | None:
        """What is to be called with pairs once they are rows: hears which versions answered them, and calls ``then``;
        ``None``: nothing is."""
        if self._pins is None:
            return then
        from .pins import pins_of

        def seen(pairs: Sequence[Pair]) -> None:
            self._saw(pins_of(pairs))
            if then is not None:
                then(pairs)

        return seen

    async def seed(self, config: Config) -> None:
        """Let the fleet know which versions the rows of before have; runs until cancelled."""
        if self._pins is None:
            await asyncio.Event().wait()
            return
        from .pins import seed

        await seed(config, self._saw)

    def _saw(self, sighted: list[Sighted]) -> None:
        """From any thread; what others should hear of is told at once."""
        if self._pins is not None and self._pins.saw(sighted):
            self._news = True
            self._due()

    def state(self) -> dict[str, Any]:
        """For ``worker.json``; empty without a fleet."""
        state = self._keeper.state() if self._keeper else {}
        if self._pins is not None:
            seen: dict[str, list[tuple[str, str, int, int]]] = {}
            for shadow, *pin in self._pins.sighted():
                seen.setdefault(shadow, []).append(tuple(pin))  # type: ignore[arg-type]
            state["pins"] = seen
        if self._budgets is not None:
            state["budgets"] = self._budgets.state()
        if self.leading:
            state["leaders"] = {task: leading._asdict() for task, leading in self.leading.items()}
        return state

    async def run(
        self, limits: LaneLimits, update: Callable[[], None], tell: Callable[[], None] = lambda: None
    ) -> None:
        """Keep the share until cancelled; ``update`` is called when a pause of another host was learnt, ``tell`` when
        a window begins elsewhere by what another host saw."""
        if self._keeper is None and self._budgets is None and self._hearing is None:
            await asyncio.Event().wait()
            return
        loop, due = asyncio.get_running_loop(), asyncio.Event()
        self._due = lambda: loop.call_soon_threadsafe(due.set)
        told: set[type[Exception]] = set()
        while True:
            due.clear()
            try:
                await self._round(limits, update, tell)
            except Exception as error:  # the share ends by itself, and nothing is mirrored then
                if type(error) not in told:
                    log.error("the fleet's share cannot be kept: %s; please report it", describe(error))
                    told.add(type(error))
            await asyncio.sleep(_LEAST_S)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(due.wait(), EVERY_S - _LEAST_S)

    async def _round(self, limits: LaneLimits, update: Callable[[], None], tell: Callable[[], None]) -> None:
        if self._budgets is not None:
            await asyncio.to_thread(self._budgets.round)
        learnt = await asyncio.to_thread(self._keeper.round, limits.pauses()) if self._keeper else {}
        if learnt:
            limits.heed(learnt)
            update()
        if self._hearing is not None:
            await asyncio.to_thread(self._hearing.round)
        hears = self._keeper or self._hearing
        heard = hears is not None and hears.pins_changed
        if hears is not None and heard:
            hears.pins_changed = False
            log.info("the gate's window begins elsewhere: a pin, as other hosts saw it", extra={"event": "fleet_pins"})
        if heard or self._news:
            self._news = False
            tell()

    def close(self) -> None:
        """Give the share back when no gateway uses it, the rest of the slices, and the connections."""
        if self._budgets is not None:
            self._budgets.leave()
            self._budgets.close()
        if self._hearing is not None:
            self._hearing.close()
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
    pins = None
    if fleet.on and config.worker.role != "forward":  # whose copies are answered elsewhere
        from .pins import open_board

        pins = open_board(config)
    name = fleet.name or config.lane.name
    if not sharing:
        drainer.set_fleet_off(False)
        hearing = PinKeeper(open_engine(fleet.address(), name), pins) if pins is not None else None
        return FleetPart(None, drainer, pins=pins, hearing=hearing)
    terms = Terms(int(limits.qps * MICRO), limits.burst, max(limits.weights.values(), default=1), fleet.lease_s)
    engine = open_engine(fleet.address(), name)
    keeper = Keeper(engine, drainer, host=drainer.lane_id(), name=socket.gethostname(), terms=terms, pins=pins)
    return FleetPart(keeper, drainer, pins=pins)
