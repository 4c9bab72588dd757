"""What a receiver is told of what all hosts see alike, and one tells: the verdict, where they write to one store, and a
budget that a fleet shares.

Each entry of ``[[alerts]]`` has a leader of its own (:mod:`.leads`), among the hosts that have the entry, can use it,
and knew what is told within the last looks; what was told, and is to be, is kept under the leader's token. Invariants:
before a message's first byte goes, that it is being sent was kept under the token, and nobody can lead in this worker's
stead for longer than sending takes; so a worker that was deposed sends nothing, and its successor tells nothing again
that was told, and ends what was begun.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable

import msgspec

from ..config import Config
from ..config.alerts import HEALTH_RULES
from ..errors import StoreError
from ..worker.side import WorkerView
from .delivery import TIMEOUT_S, Delivery, Receiver
from .findings import Reading
from .incidents import Post, step
from .leads import FleetLeads, Leads, StoreLeads

__all__ = ["Common", "told_by_one"]

log = logging.getLogger("shadowlane.alerts")

_VERSION = 1
_ROOM_S = TIMEOUT_S + 1.0
_TRIES = 5
_AGAIN_S = 0.2
_GO_ON_S = 5.0
_LOOKS_S = 150.0
"""After two looks and a half without one that knew the verdict, another host may lead."""


def told_by_one(config: Config, rule: str) -> bool:
    """Whether what a rule says is the same on several hosts, so that one tells it for all."""
    if config.fleet.on and rule == "budget":
        return True
    return config.store.on_server and rule not in HEALTH_RULES


class _Kept(msgspec.Struct):
    version: int
    post: Post


class Common:
    """What all hosts owe to one receiver. Belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        receiver: Receiver,
        *,
        source: str,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._receiver = receiver
        self._source = source
        self._wall, self._clock = wall, clock
        self._task = f"alerts {receiver.alert.called}"
        self._leads: Leads | None = None
        self._token = 0
        self._looked = -math.inf
        self._saving = asyncio.Lock()
        self._delivery: Delivery | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.post: Post | None = None
        """While this host leads."""
        self.error = ""
        """Why nothing could be kept the last time."""

    async def take(self, reading: Reading, worker: WorkerView, minute: int) -> None:
        """Let the entry see what was found that all see alike, where this host leads, or may."""
        if not reading.gate_known:
            return
        if self._leads is None:
            on_store = self._config.store.on_server
            self._leads = StoreLeads(worker, self._task) if on_store else FleetLeads(self._config, self._task)
        try:
            token, kept = await self._leads.lead()
            if token != self._token:
                await self._let_go()
                if token:
                    self._take_over(token, kept)
            self.error = ""
            if self.post is None:
                return
            self._looked = self._clock()
            step(
                self.post,
                self._receiver.alert,
                reading,
                lane=self._config.lane.name,
                source=self._source,
                minute=minute,
                now=self._wall(),
            )
            await self._save()
        except StoreError as error:
            self.error = str(error)
            return
        if self._delivery is not None:
            self._delivery.wake()

    async def close(self) -> None:
        """End; what waits is told by the next leader."""
        await self._let_go()
        if self._leads is not None:
            await self._leads.close()

    def _take_over(self, token: int, kept: str) -> None:
        try:
            post = msgspec.json.decode(kept, type=_Kept).post if kept else Post()
        except msgspec.DecodeError:
            log.warning("what was told for all hosts before cannot be read: damaged, or of another release")
            post = Post()
        post.resume(self._wall())
        self._token, self.post = token, post
        self._delivery = Delivery(self._receiver, post, self._save, serve=self._config.serve, wall=self._wall)
        self._tasks = [asyncio.create_task(self._delivery.run()), asyncio.create_task(self._go_on())]
        what = "the verdict" if self._config.store.on_server else "the fleet's budgets"
        log.info("this host tells %s of %s, for all", self._receiver.alert.called, what)

    async def _let_go(self) -> None:
        pending = set(self._tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
        self._token, self._tasks, self._delivery, self.post = 0, [], None, None

    async def _go_on(self) -> None:
        """Hold the lease while this host can say how the verdict is."""
        leads = self._leads
        while leads is not None:
            await asyncio.sleep(_GO_ON_S)
            if self._clock() - self._looked < _LOOKS_S:
                try:
                    await leads.hold(self._token)
                except StoreError as error:  # the next look finds out who leads
                    self.error = str(error)

    async def _save(self) -> None:
        """Keep the post under the token, with time enough to send one message under it."""
        async with self._saving:
            token, leads = self._token, self._leads
            if leads is None:
                raise StoreError("the store is not open")
            content = msgspec.json.encode(_Kept(_VERSION, self.post or Post())).decode()
            for _ in range(_TRIES):
                if await leads.keep(token, content) >= _ROOM_S:
                    return
            raise StoreError("who keeps the leader's lease is too slow for it")
