"""A value for many: computed once at a time, never from before it was made void, and never waited for too long."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shadowlane.serve.cached import Cached

PATIENCE_S = 60.0


class Counted:
    """Computes 1, 2, 3, ...; each time only when :attr:`go` is set, and with how many at a time."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.most = self._now = self._n = 0

    def __call__(self) -> int:
        self._now += 1
        self.most = max(self.most, self._now)
        self._n += 1
        n = self._n
        self.begun.release()
        assert self.go.wait(PATIENCE_S)
        self._now -= 1
        return n

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.acquire, timeout=PATIENCE_S)


def made(compute: Counted, clock: list[float]) -> Cached[int]:
    # Many threads: that one computation runs at a time is not the pool's doing.
    return Cached(compute, ThreadPoolExecutor(8), keep_s=5.0, clock=lambda: clock[0])


def test_many_who_ask_get_one_computation() -> None:
    async def run() -> None:
        compute, clock = Counted(), [0.0]
        cached = made(compute, clock)
        asked = [asyncio.create_task(cached.get(PATIENCE_S)) for _ in range(50)]
        await compute.has_begun()
        compute.go.set()
        assert set(await asyncio.gather(*asked)) == {1}
        clock[0] = 5.0
        assert await cached.get(PATIENCE_S) == 1
        clock[0] = 5.1
        assert {*await asyncio.gather(*(cached.get(PATIENCE_S) for _ in range(50)))} == {2}
        assert compute.most == 1

    asyncio.run(run())


def test_what_takes_long_is_kept_for_thirty_times_as_long() -> None:
    async def run() -> None:
        compute, clock = Counted(), [0.0]
        cached = made(compute, clock)
        first = asyncio.create_task(cached.get(PATIENCE_S))
        await compute.has_begun()
        clock[0] = 3.0  # it took three seconds
        compute.go.set()
        assert await first == 1
        clock[0] = 93.0
        assert await cached.get(PATIENCE_S) == 1
        clock[0] = 93.1
        assert await cached.get(PATIENCE_S) == 2

    asyncio.run(run())


def test_nobody_waits_longer_than_asked_and_the_result_is_kept() -> None:
    async def run() -> None:
        compute, clock = Counted(), [0.0]
        cached = made(compute, clock)
        with pytest.raises(asyncio.TimeoutError):
            await cached.get(0.01)
        compute.go.set()
        assert await cached.get(PATIENCE_S) == 1, "the one that was begun, not another"
        compute.go.clear()
        clock[0] = 100.0
        assert await cached.get(0.01) == 1, "older, and better than nothing"
        clock[0] = 901.0
        with pytest.raises(asyncio.TimeoutError):
            await cached.get(0.01)
        compute.go.set()
        assert await cached.get(PATIENCE_S) == 2

    asyncio.run(run())


def test_what_was_begun_before_it_was_void_is_given_to_nobody() -> None:
    async def run() -> None:
        compute, clock = Counted(), [0.0]
        cached = made(compute, clock)
        before = asyncio.create_task(cached.get(PATIENCE_S))
        await compute.has_begun()
        cached.invalidate()
        after = asyncio.create_task(cached.get(PATIENCE_S))
        compute.go.set()
        assert [await before, await after] == [2, 2]
        assert compute.most == 1
        cached.invalidate()
        compute.go.clear()
        with pytest.raises(asyncio.TimeoutError):
            await cached.get(0.01)
        compute.go.set()
        assert await cached.get(PATIENCE_S) == 3

    asyncio.run(run())


def test_who_gives_up_ends_nobody_elses_computation() -> None:
    async def run() -> None:
        compute, clock = Counted(), [0.0]
        cached = made(compute, clock)
        gone = asyncio.create_task(cached.get(PATIENCE_S))
        await compute.has_begun()
        stays = asyncio.create_task(cached.get(PATIENCE_S))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        compute.go.set()
        assert await stays == 1

    asyncio.run(run())
