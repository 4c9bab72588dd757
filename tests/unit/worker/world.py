"""A worker's surroundings without processes: a ring that is a list, shadows that are functions, a store on disk.

The accounting is looked at whenever something is stored: no moment of a run may break it.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shadowlane import _core
from shadowlane.config import StoreConfig
from shadowlane.dispatch.arm import Arm
from shadowlane.store import SqliteStore, open_store
from shadowlane.store.backlog import Backlog
from shadowlane.types import Copy, Headers, JudgeVerdict, Outcome, Pair, ShadowCounts
from shadowlane.worker.pipeline import Pipeline
from shadowlane.worker.writer import Writer

ANSWER = Outcome(shadow="s", status=200, headers=((b"content-type", b"text/plain"),), body=b"yes", duration_ns=5)
FIELDS = [field.name for field in msgspec.structs.fields(Copy)]


def copy_of(number: int, *, target: str = "/x", tenant: str = "", headers: Headers = (), at_ns: int = 0) -> Copy:
    return Copy(
        shadow_id=f"0190a8f0-0000-7000-8000-{number:012x}",
        req_hash=f"{number:032x}",
        started_ns=at_ns or 1_700_000_000 * 10**9 + number,
        method="GET",
        target=target,
        headers=(),
        body=b"",
        status=200,
        response_headers=headers,
        response_body=b"yes",
        ttfb_ns=1,
        duration_ns=2,
        ring=1,
        seq=number,
        tenant=tenant,
    )


class Rings:
    """What a drainer gives, with the cap in hand: ``units`` may be taken, and ``room`` is said to be there."""

    def __init__(self, copies: Sequence[Copy], units: int = 10**6) -> None:
        self.left = collections.deque(copies)
        self.mirrored = len(copies)
        self.acked: set[int] = set()
        self.units = units
        self.tries = 0
        self.empty = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]:
        some = [self.left.popleft() for _ in range(min(max_frames, len(self.left)))]
        if not some and not self.left:
            self._loop.call_soon_threadsafe(self.empty.set)  # all that was given before is dispatched by now
        return [tuple(getattr(copy, name) for name in FIELDS) for copy in some]

    def ack(self, ring: int, seq: int) -> None:
        assert seq not in self.acked, "acknowledged twice"
        self.acked.add(seq)

    def pending(self) -> int:
        return self.mirrored - len(self.acked)

    def live_producers(self) -> int:
        return 0

    def suspects(self) -> int:
        return 0

    def try_acquire(self, n: int = 1) -> bool:
        self.tries += 1
        if self.units < n:
            return False
        self.units -= n
        return True

    def wait_s(self, n: int = 1) -> float:
        return 0.0 if self.units >= n else 0.05

    def available(self, after_s: float = 0.0) -> float:
        return float(max(self.units, 0))


class Shadow:
    """A transport that is a function of the copy."""

    def __init__(self, send: Callable[[Copy], Awaitable[Outcome]] | None = None) -> None:
        self._send = send
        self.sent: list[str] = []
        self.began = asyncio.Condition()
        self.closed = False

    async def send(self, copy: Copy) -> Outcome:
        async with self.began:
            self.sent.append(copy.shadow_id)
            self.began.notify_all()
        return ANSWER if self._send is None else await self._send(copy)

    async def until_sent(self, count: int) -> None:
        async with self.began:
            await self.began.wait_for(lambda: len(self.sent) >= count)

    async def close(self) -> None:
        self.closed = True


class Store:
    """The real store, with the equation checked after every batch and any failure put in front."""

    def __init__(self, folder: Path, rings: Rings, arms: Sequence[str], fail: Callable[[Sequence[Pair]], None]) -> None:
        self.real: SqliteStore = open_store(StoreConfig(url=f"sqlite:///{folder / 'pairs.db'}"))
        self.real.set_epoch("e" * 32, dict.fromkeys(arms, 0))
        self._rings = rings
        self._fail = fail
        self.looks = 0

    def save(self, pairs: Sequence[Pair]) -> int:
        self._fail(pairs)
        new = self.real.save(pairs)
        for shadow, count in self.real.counts().items():
            stored = count.answered + sum(count.failed.values())
            assert len(self._rings.acked) <= stored <= self._rings.mirrored, shadow
        self.looks += 1
        return new

    def stored_keys(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return self.real.stored_keys(keys)

    def check(self) -> None:
        pass

    def prune(self, now_ns: int | None = None) -> int:
        return self.real.prune(now_ns)

    def roll_up(self) -> bool:
        return self.real.roll_up()

    def backlog(self) -> Backlog | None:
        return self.real.backlog()

    def damaged_blocks(self) -> int:
        return self.real.damaged_blocks()

    def save_verdicts(self, verdicts: Mapping[tuple[str, str], JudgeVerdict], state: str) -> int:
        return self.real.save_verdicts(verdicts, state)


class Plain:
    """A scorer that compares nothing."""

    def score(self, pairs: list[Pair]) -> list[Pair]:
        return pairs

    def save(self) -> None:
        """Nothing to keep."""


class Run:
    """One worker over some copies; ``await run()`` ends when all is stored, or when it is stopped."""

    def __init__(
        self,
        folder: Path,
        copies: Sequence[Copy],
        arms: Sequence[Arm],
        *,
        units: int = 10**6,
        fail: Callable[[Sequence[Pair]], None] = lambda pairs: None,
        sanitizer: Any = None,
        **options: Any,
    ) -> None:
        self.rings = Rings(copies, units)
        self.store = Store(folder, self.rings, [arm.name for arm in arms], fail)
        self.writer = Writer(self.store, Plain())
        self.stop = asyncio.Event()
        self.pipeline = Pipeline(
            drainer=self.rings,
            arms=arms,
            writer=self.writer,
            sanitizer=sanitizer or _core.Sanitizer(),
            **options,
        )

    async def __call__(self, grace_s: float = 5.0) -> dict[str, ShadowCounts]:
        await self.pipeline.run(self.stop, idle_exit_s=0.0, grace_s=grace_s)
        counts = self.store.real.counts()
        self.store.real.close()
        return counts
