"""Wires the steps together in the worker: drain, dispatch, score, store, acknowledge. Only this file knows them all.

Invariants: a frame is acknowledged only after the rows of all its shadows are committed; what is not acknowledged
when the worker ends is drained again by its successor, and rows that are stored already are not sent again. At most
``_MAX_TRACKED`` exchanges and ``_MAX_TRACKED_BYTES`` of bodies are held at a time: when shadows are slow, the rings
fill and the gateway drops with a count, instead of this process growing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import msgspec

from .core import StickySampler
from .errors import ScoreError, StoreError
from .types import Copy, Headers, JudgeVerdict, Outcome, Pair, ShadowCounts, StubbedCall

__all__ = ["Arm", "Pipeline"]

log = logging.getLogger("shadowlane.worker")

_MAX_TRACKED = 1024
_MAX_TRACKED_BYTES = 64 * 1024 * 1024
_DRAIN_FRAMES = 128
_DRAIN_BYTES = 8 * 1024 * 1024
_BATCH_PAIRS = 256
_BATCH_WAIT_S = 0.1
_POLL_MIN_S, _POLL_MAX_S = 0.002, 0.05
_STORE_RETRY_MAX_S = 5.0
_RATE_LIMIT_PREFIXES = (b"x-ratelimit-", b"ratelimit", b"anthropic-ratelimit-", b"x-rate-limit-")

_COPY_FIELDS = tuple(field.name for field in msgspec.structs.fields(Copy))


class _Transport(Protocol):
    async def send(self, copy: Copy) -> Outcome: ...
    async def close(self) -> None: ...


class _Store(Protocol):
    def save(self, pairs: Sequence[Pair]) -> int: ...
    def known(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]: ...
    def counts(self) -> dict[str, ShadowCounts]: ...
    def prune(self, now_ns: int) -> int: ...
    def save_verdicts(self, verdicts: Mapping[tuple[str, str], JudgeVerdict], state: str) -> int: ...


class _Scorer(Protocol):
    def score(self, pairs: list[Pair]) -> list[Pair]: ...
    def save(self) -> None: ...


class _Judge(Protocol):
    @property
    def busy(self) -> bool: ...
    def start(self, save: Callable[..., Awaitable[int]]) -> None: ...
    def offer(self, pairs: Sequence[Pair]) -> None: ...
    async def close(self, save: Callable[..., Awaitable[int]], grace_s: float) -> None: ...


class _Drainer(Protocol):
    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]: ...
    def ack(self, ring: int, seq: int) -> None: ...
    def pending(self) -> int: ...
    def live_producers(self) -> int: ...


class _Sanitizer(Protocol):
    def text(self, text: str) -> str: ...
    def response(
        self, headers: Headers, body: bytes, cut: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes, dict[str, int], str]: ...


class Arm:
    """One service that gets copies: its transport, its share of the mirrored traffic, its bound on concurrency."""

    def __init__(
        self, name: str, transport: _Transport, *, ratio: float, concurrency: int, salt: str | None = None
    ) -> None:
        self.name = name
        self.transport = transport
        self.slots = asyncio.Semaphore(concurrency)
        # By shadow_id, so that a redelivered copy meets the same decision.
        self._sampler = StickySampler(ratio, salt=name if salt is None else salt) if ratio < 1 else None

    def takes(self, copy: Copy) -> bool:
        return self._sampler is None or self._sampler.take(copy.shadow_id.encode())


class _Tracked:
    """A drained exchange and how many of its rows are still to be stored."""

    __slots__ = ("copy", "open", "size")

    def __init__(self, copy: Copy, arms: int) -> None:
        self.copy = copy
        self.open = arms
        self.size = len(copy.body) + len(copy.response_body)


class Pipeline:
    """Runs until ``stop`` is set; then finishes what is in flight within ``grace_s`` and gives the rest back."""

    def __init__(
        self,
        *,
        drainer: _Drainer,
        arms: Sequence[Arm],
        scorer: _Scorer,
        store: _Store,
        sanitizer: _Sanitizer,
        judge: _Judge | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._drainer = drainer
        self._arms = arms
        self._scorer = scorer
        self._store = store
        self._sanitizer = sanitizer
        self._judge = judge
        self._clock_ns = clock_ns
        self._tracked: dict[tuple[int, int], _Tracked] = {}
        self._tracked_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: asyncio.Queue[tuple[_Tracked, Pair]] = asyncio.Queue()
        # One thread each: draining must not wait for scoring, and SQLite has one writer.
        self._drain_thread = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-drain")
        self._store_thread = ThreadPoolExecutor(1, thread_name_prefix="shadowlane-store")
        self.stored = 0
        self.store_error = ""

    @property
    def in_flight(self) -> int:
        """Exchanges drained and not acknowledged yet."""
        return len(self._tracked)

    async def run(self, stop: asyncio.Event, *, idle_exit_s: float | None = None, grace_s: float = 10.0) -> None:
        """Empty the rings until ``stop`` is set, or until no gateway lives and all was empty for ``idle_exit_s``."""
        writer = asyncio.create_task(self._write())
        halted = asyncio.create_task(stop.wait())
        if self._judge is not None:
            self._judge.start(self._save_verdicts)
        try:
            await self._drain(stop, idle_exit_s, writer)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=grace_s)
            for task in list(self._tasks):
                task.cancel()  # given back: not acknowledged, so the next worker gets it again
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._flush(grace_s, writer)
        finally:
            writer.cancel()
            halted.cancel()
            written, _ = await asyncio.gather(writer, halted, return_exceptions=True)
            if self._judge is not None:
                await self._judge.close(self._save_verdicts, grace_s if not isinstance(written, Exception) else 0.0)
            await self._keep()
            for arm in self._arms:
                await arm.transport.close()
            self._drain_thread.shutdown()
            self._store_thread.shutdown()
        if isinstance(written, Exception):
            raise written

    async def _flush(self, grace_s: float, writer: asyncio.Task[None]) -> None:
        joined = asyncio.ensure_future(self._done.join())
        await asyncio.wait({joined, writer}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()

    async def _drain(self, stop: asyncio.Event, idle_exit_s: float | None, writer: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        pause = _POLL_MIN_S
        idle_since: float | None = None
        while not stop.is_set() and not writer.done():
            rows: list[tuple[Any, ...]] = []
            if len(self._tracked) < _MAX_TRACKED and self._tracked_bytes < _MAX_TRACKED_BYTES:
                rows = await loop.run_in_executor(self._drain_thread, self._drainer.drain, _DRAIN_FRAMES, _DRAIN_BYTES)
            if rows:
                idle_since, pause = None, _POLL_MIN_S
                await self._dispatch([Copy(**dict(zip(_COPY_FIELDS, row, strict=True))) for row in rows])
                continue
            if idle_exit_s is not None:
                judging = self._judge is not None and self._judge.busy
                if judging or self._tracked or self._drainer.live_producers() or self._drainer.pending():
                    idle_since = None
                elif idle_since is None:
                    idle_since = loop.time()
                elif loop.time() - idle_since >= idle_exit_s:
                    return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, _POLL_MAX_S)

    async def _dispatch(self, copies: list[Copy]) -> None:
        loop = asyncio.get_running_loop()
        keys = [(copy.shadow_id, arm.name) for copy in copies for arm in self._arms]
        known = await loop.run_in_executor(self._store_thread, self._known, keys)
        for copy in copies:
            arms = [arm for arm in self._arms if (copy.shadow_id, arm.name) not in known]
            if not arms:
                self._drainer.ack(copy.ring, copy.seq)
                continue
            tracked = _Tracked(copy, len(arms))
            self._tracked[copy.ring, copy.seq] = tracked
            self._tracked_bytes += tracked.size
            for arm in arms:
                if copy.blocked or not arm.takes(copy):
                    reason = copy.blocked or "sampled_out"
                    pair = Pair(copy=copy, outcome=Outcome(shadow=arm.name, reason=reason, started_ns=self._clock_ns()))
                    self._done.put_nowait((tracked, pair))
                    continue
                task = asyncio.create_task(self._send(tracked, arm))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _known(self, keys: list[tuple[str, str]]) -> set[tuple[str, str]]:
        try:
            return self._store.known(keys)
        except StoreError as error:
            # A second send is harmless, since copies are reads; a second row cannot be, since the key is unique.
            log.warning("cannot look up stored pairs: %s", error)
            return set()

    async def _send(self, tracked: _Tracked, arm: Arm) -> None:
        async with arm.slots:
            outcome = await arm.transport.send(tracked.copy)
        headers, body, findings, note = await asyncio.to_thread(
            self._sanitizer.response, outcome.headers, outcome.body, outcome.reason == "response_too_large"
        )
        outcome = msgspec.structs.replace(
            outcome,
            headers=tuple(headers),
            body=body,
            detail=outcome.detail or note,
            calls=tuple(_clean_call(self._sanitizer, call) for call in outcome.calls),
        )
        copy = tracked.copy
        if findings:
            merged = dict(copy.findings)
            for kind, count in findings.items():
                merged[kind] = merged.get(kind, 0) + count
            copy = msgspec.structs.replace(copy, findings=merged)
        self._done.put_nowait((tracked, Pair(copy=copy, outcome=outcome, rate_limit=_rate_limit(outcome.headers))))

    async def _write(self) -> None:
        """Score and store in batches, then acknowledge. A store that fails is tried again; nothing is given up."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._done.get()]
            deadline = loop.time() + _BATCH_WAIT_S
            while len(batch) < _BATCH_PAIRS:
                try:
                    batch.append(await asyncio.wait_for(self._done.get(), deadline - loop.time()))
                except asyncio.TimeoutError:
                    break
            pairs = await loop.run_in_executor(self._store_thread, self._score, [pair for _, pair in batch])
            await self._save(pairs)
            if self._judge is not None:
                self._judge.offer(pairs)
            for tracked, _ in batch:
                tracked.open -= 1
                if tracked.open == 0:
                    key = (tracked.copy.ring, tracked.copy.seq)
                    self._drainer.ack(*key)
                    del self._tracked[key]
                    self._tracked_bytes -= tracked.size
                self._done.task_done()

    def _score(self, pairs: list[Pair]) -> list[Pair]:
        try:
            return self._scorer.score(pairs)
        except Exception as error:
            log.exception("scoring failed; the pairs are stored without scores")
            note = f"scoring failed: {type(error).__name__}"
            return [
                msgspec.structs.replace(pair, scores=msgspec.structs.replace(pair.scores, note=note)) for pair in pairs
            ]

    async def _save(self, pairs: list[Pair]) -> None:
        loop = asyncio.get_running_loop()
        wait_s = 0.1
        while True:
            try:
                self.stored += await loop.run_in_executor(self._store_thread, self._store.save, pairs)
            except StoreError as error:
                if str(error) != self.store_error:
                    log.error("cannot store, will try again: %s", error)
                self.store_error = str(error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _STORE_RETRY_MAX_S)
            else:
                if self.store_error:
                    log.warning("storing works again")
                self.store_error = ""
                return

    async def _save_verdicts(self, verdicts: Mapping[tuple[str, str], JudgeVerdict], state: str) -> int:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._store_thread, self._store.save_verdicts, verdicts, state)

    async def prune(self) -> None:
        """Retention: delete what is older or larger than the configuration allows."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._store_thread, self._store.prune, self._clock_ns())
        except StoreError as error:
            log.warning("retention: %s", error)
        await self._keep()

    async def _keep(self) -> None:
        """What the scorer's successor goes on with. Losing it costs readings of repeated questions, never a pair."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._store_thread, self._scorer.save)
        except ScoreError as error:
            log.warning("%s", error)


def _clean_call(sanitizer: _Sanitizer, call: StubbedCall) -> StubbedCall:
    """A shadow's tool call as it may be stored: its words are the shadow's."""
    return msgspec.structs.replace(call, name=sanitizer.text(call.name), arguments=sanitizer.text(call.arguments))


def _rate_limit(headers: Headers | Mapping[bytes, bytes]) -> dict[str, str]:
    """The rate-limit headers of a shadow's answer, as sent."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in pairs
        if name.lower() == b"retry-after" or name.lower().startswith(_RATE_LIMIT_PREFIXES)
    }
