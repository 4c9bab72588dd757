"""What a receiver is told of the verdict, where several hosts write to one store: all see the same, and one tells it.

Each entry of ``[[alerts]]`` has a leader of its own (:mod:`shadowlane.store.leader`), among the hosts that have the
entry, can use it, and could evaluate the gate within the last looks; what was told, and is to be, is kept in the store,
under the leader's token. Invariants: before a message's first byte goes, that it is being sent was kept under the
token, and nobody can lead in this worker's stead for longer than sending takes; so a worker that was deposed sends
nothing, and its successor tells nothing again that was told, and ends what was begun.
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
from ..store import Store
from ..worker.side import WorkerView
from .delivery import TIMEOUT_S, Delivery, Receiver
from .findings import Reading
from .incidents import Post, step

__all__ = ["RULES_OF_A_HOST", "Common"]

log = logging.getLogger("shadowlane.alerts")

RULES_OF_A_HOST = frozenset(HEALTH_RULES)
"""What they are about each host counts for itself: each tells of its own."""
_VERSION = 1
_ROOM_S = TIMEOUT_S + 1.0
_TRIES = 5
_AGAIN_S = 0.2
_GO_ON_S = 5.0
_LOOKS_S = 150.0
"""After two looks and a half without one that knew the verdict, another host may lead."""


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
        self._worker: WorkerView | None = None
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
        """Let the entry see what was found about the verdict, where this host leads, or may."""
        self._worker = worker
        if not reading.gate_known:
            return
        try:
            token, kept = await worker.with_store(self._lead)
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

    def _take_over(self, token: int, kept: str) -> None:
        try:
            post = msgspec.json.decode(kept, type=_Kept).post if kept else Post()
        except msgspec.DecodeError:
            log.warning("what was told of the verdict before cannot be read: damaged, or of another release")
            post = Post()
        post.resume(self._wall())
        self._token, self.post = token, post
        self._delivery = Delivery(self._receiver, post, self._save, serve=self._config.serve, wall=self._wall)
        self._tasks = [asyncio.create_task(self._delivery.run()), asyncio.create_task(self._go_on())]
        log.info("this host tells %s of the verdict, for all", self._receiver.alert.called)

    async def _let_go(self) -> None:
        pending = set(self._tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
        self._token, self._tasks, self._delivery, self.post = 0, [], None, None

    async def _go_on(self) -> None:
        """Hold the lease while this host can say how the verdict is."""
        worker = self._worker
        while worker is not None:
            await asyncio.sleep(_GO_ON_S)
            if self._clock() - self._looked < _LOOKS_S:
                try:
                    await worker.with_store(self._hold)
                except StoreError as error:  # the next look finds out who leads
                    self.error = str(error)

    async def _save(self) -> None:
        """Keep the post under the token, with time enough to send one message under it."""
        async with self._saving:
            token, worker = self._token, self._worker
            if worker is None:
                raise StoreError("the store is not open")
            content = msgspec.json.encode(_Kept(_VERSION, self.post or Post())).decode()
            for _ in range(_TRIES):
                if await worker.with_store(lambda store: self._keep(store, token, content)) >= _ROOM_S:
                    return
            raise StoreError("the store is too slow for its leader's lease")

    def _lead(self, store: Store) -> tuple[int, str]:
        """This worker's token, 0 when another one leads, and what the last leader kept."""
        leader = store.leader(self._task)
        return (leader.token, leader.kept()) if leader is not None and leader.take() else (0, "")

    def _hold(self, store: Store) -> None:
        leader = store.leader(self._task)
        if leader is not None and leader.token == self._token:
            leader.go_on()

    def _keep(self, store: Store, token: int, content: str) -> float:
        """How long the lease holds then. Raises :class:`~shadowlane.errors.DeposedError`."""
        leader = store.leader(self._task)
        if leader is None:
            raise StoreError("the store has no leader")
        leader.keep(content, token)
        return leader.left_s
