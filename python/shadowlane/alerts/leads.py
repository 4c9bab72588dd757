"""Who tells a receiver what several hosts see alike: a lease on the store that all write to, or on the fleet's engine.

Invariant: what is kept is kept under the token of the lease, or not at all.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from ..config import Config
from ..errors import FleetError, StoreError
from ..fleet.leader import LEADER, FleetLeader
from ..fleet.opening import open_engine
from ..store import Store
from ..worker.side import WorkerView

__all__ = ["FleetLeads", "Leads", "StoreLeads"]

_T = TypeVar("_T")


class Leads(Protocol):
    """One host's part in it. Calls raise :class:`~shadowlane.errors.StoreError`, and of it
    :class:`~shadowlane.errors.DeposedError` where another host leads."""

    async def lead(self) -> tuple[int, str]:
        """This host's token, 0 when another one leads, and what the last leader kept."""
        ...

    async def hold(self, token: int) -> None:
        """Hold the lease for longer, where it is that of the token."""
        ...

    async def keep(self, token: int, content: str) -> float:
        """Keep it; how long the lease holds then, in seconds."""
        ...

    async def close(self) -> None:
        """End. Raises nothing."""
        ...


class StoreLeads:
    """By the store that all hosts write to; its leader resigns when the worker closes the store."""

    def __init__(self, worker: WorkerView, task: str) -> None:
        self._worker = worker
        self._task = task

    async def lead(self) -> tuple[int, str]:
        def ask(store: Store) -> tuple[int, str]:
            leader = store.leader(self._task)
            return (leader.token, leader.kept()) if leader is not None and leader.take() else (0, "")

        return await self._worker.with_store(ask)

    async def hold(self, token: int) -> None:
        def hold(store: Store) -> None:
            leader = store.leader(self._task)
            if leader is not None and leader.token == token:
                leader.go_on()

        await self._worker.with_store(hold)

    async def keep(self, token: int, content: str) -> float:
        def keep(store: Store) -> float:
            leader = store.leader(self._task)
            if leader is None:
                raise StoreError("the store has no leader")
            leader.keep(content, token)
            return leader.left_s

        return await self._worker.with_store(keep)

    async def close(self) -> None:
        pass


class FleetLeads:
    """By the fleet's engine, where each host has a store of its own."""

    def __init__(self, config: Config, task: str) -> None:
        self._config = config
        self._task = task
        self._leader: FleetLeader | None = None
        self._turn = threading.Lock()
        """Of threads, since one goes on when who waits for it was cancelled."""

    async def lead(self) -> tuple[int, str]:
        return await self._do(lambda leader: (leader.token, leader.kept()) if leader.take() else (0, ""))

    async def hold(self, token: int) -> None:
        def hold(leader: FleetLeader) -> None:
            if leader.token == token:
                leader.go_on()

        await self._do(hold)

    async def keep(self, token: int, content: str) -> float:
        def keep(leader: FleetLeader) -> float:
            leader.keep(content, token)
            return leader.left_s

        return await self._do(keep)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._turn:
            leader, self._leader = self._leader, None
            if leader is not None:
                leader.close()

    async def _do(self, what: Callable[[FleetLeader], _T]) -> _T:
        return await asyncio.to_thread(self._work, what)

    def _work(self, what: Callable[[FleetLeader], _T]) -> _T:
        config = self._config
        try:
            with self._turn:
                if self._leader is None:
                    name = f"{config.fleet.name or config.lane.name}{LEADER}{self._task}"
                    self._leader = FleetLeader(open_engine(config.fleet.address(), name))
                return what(self._leader)
        except FleetError as error:
            raise StoreError(f"the fleet's engine: {error}") from None
