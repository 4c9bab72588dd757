"""A forwarding host's work: drain and redact, publish to the stream, acknowledge. Nothing is sent, scored or stored.

Invariants: only what the drain made leaves, sanitized; a frame is acknowledged in its ring only after the server took
its copy; while the server is away or full, frames stay in the rings, and what no longer fits there is counted by the
gateway (``ring_full``). A stream that is full or old, and a server without memory, pause admission (``backlog``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import msgspec

from ..config import OffloadConfig
from ..errors import OffloadError, OffloadFullError, describe
from ..limits import LaneLimits, ProdQuota, Throttle
from ..offload import Forwarded, Stream, StreamState, encode
from ..types import drained_copies

__all__ = ["ForwardLimits", "Forwarder", "Pressure"]

log = logging.getLogger("shadowlane.worker")

_DRAIN_FRAMES = 128
_DRAIN_BYTES = 8 * 1024 * 1024
_POLL_MIN_S, _POLL_MAX_S = 0.02, 0.1
_AGAIN_MIN_S, _AGAIN_MAX_S = 0.05, 2.0
_LOOK_EVERY_S = 0.5
_PAUSE_S = 2.0
_FREE_AGAIN = 0.8


class _Drainer(Protocol):
    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]: ...
    def ack(self, ring: int, seq: int) -> None: ...
    def pending(self) -> int: ...
    def live_producers(self) -> int: ...


class Pressure:
    """Whether the stream asks forwarding hosts to pause. It does not end at the bound where it began."""

    def __init__(self, offload: OffloadConfig) -> None:
        self._most, self._oldest_s = offload.max_length, offload.max_age_s
        self._full = False
        self._no_memory = False

    def observe(self, state: StreamState) -> None:
        """The stream as it is now."""
        share = max(state.length / self._most, state.age_s / self._oldest_s)
        self._full = share >= (_FREE_AGAIN if self._full else 1.0)

    def refused(self, error: OffloadError | None) -> None:
        """What the server said to the last copies; ``None``: it took them."""
        self._no_memory = isinstance(error, OffloadFullError)

    @property
    def pause_s(self) -> float:
        """How long admission pauses from now on, unless this is asked again; 0: not."""
        return _PAUSE_S if self._full or self._no_memory else 0.0


class ForwardLimits(LaneLimits):
    """The limits of a forwarding host: prod's quota, and the stream's pressure. Shadows' are the judges'."""

    def __init__(self, pressure: Pressure, *, qps: float, prod: ProdQuota | None = None) -> None:
        super().__init__({}, qps=qps, prod=prod)
        self._pressure = pressure

    def throttle(self) -> Throttle:
        """What admission should do now."""
        wanted = super().throttle()
        pause_s = self._pressure.pause_s
        return Throttle(wanted.rate, pause_s, "backlog") if pause_s > wanted.pause_s else wanted


class Forwarder:
    """Runs until ``stop`` is set; then publishes what it drained within ``grace_s``, and gives the rest back.

    ``source`` is how this life of the lane is called in the accounts; ``acked`` counts the frames of it that are
    acknowledged, on any thread. ``on_limits`` is called when ``limits`` may have
    changed; ``handover_due`` as in :class:`.pipeline.Pipeline`.
    """

    def __init__(
        self,
        *,
        drainer: _Drainer,
        stream: Stream,
        source: str,
        acked: Callable[[], int],
        limits: ForwardLimits,
        pressure: Pressure,
        on_limits: Callable[[], None] = lambda: None,
        handover_due: Callable[[], bool] = lambda: False,
    ) -> None:
        self._drainer = drainer
        self._stream = stream
        self._source = source
        self._count_acked = acked
        self._seen_acked = 0
        self._limits = limits
        self._pressure = pressure
        self._on_limits = on_limits
        self._handover_due = handover_due
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="shadowlane-drain")
        self._left: list[str] | None = None
        """What the server remembers of a worker that was killed, and whose frames may come again; ``None``: it was not
        asked yet."""
        self._forget: list[str] = []
        """Of frames whose acknowledgement is in the ring, so that they cannot come again."""
        self._acked: list[str] = []
        """Acknowledged since the last drain: in the ring with the next one."""
        self._state = StreamState()
        self._error = ""
        self._unseen = ""
        """Why the stream could not be looked at."""

    def state(self) -> Mapping[str, Any]:
        """For ``shadowlane status``."""
        stream = msgspec.to_builtins(self._state)
        return {
            "source": self._source,
            "acked": self._seen_acked,
            "error": self._error or self._unseen,
            "stream": stream,
        }

    async def run(self, stop: asyncio.Event, *, idle_exit_s: float | None = None, grace_s: float = 10.0) -> None:
        """Empty the rings into the stream until ``stop`` is set, or until no gateway lives and all was empty for
        ``idle_exit_s``."""
        looking = asyncio.create_task(self._look())
        try:
            await self._drain(stop, idle_exit_s, grace_s)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await asyncio.to_thread(self._threads.shutdown)

    async def _drain(self, stop: asyncio.Event, idle_exit_s: float | None, grace_s: float) -> None:
        loop = asyncio.get_running_loop()
        pause, idle_since = _POLL_MIN_S, math.inf
        while not stop.is_set() and not self._handover_due():
            rows = await loop.run_in_executor(self._threads, self._drainer.drain, _DRAIN_FRAMES, _DRAIN_BYTES)
            self._forget += self._acked
            self._acked = []
            if not rows and self._left and not self._drainer.pending():
                self._forget += self._left
                self._left = []
            if rows:
                if self._handover_due():
                    return  # by rules that are no longer in force: the successor drains them anew
                await self._forward(rows, stop, grace_s)
                pause = _POLL_MIN_S
                if len(rows) >= _DRAIN_FRAMES:
                    continue
            if idle_exit_s is not None:
                idle = not rows and not self._drainer.live_producers() and not self._drainer.pending()
                idle_since = min(idle_since, loop.time()) if idle else math.inf
                if loop.time() - idle_since >= idle_exit_s:
                    return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, _POLL_MAX_S)

    async def _forward(self, rows: Sequence[tuple[Any, ...]], stop: asyncio.Event, grace_s: float) -> None:
        """Publish what was drained, however long the server needs; when told to stop, no longer than ``grace_s``."""
        copies = drained_copies(rows)
        for copy in copies:
            self._limits.observe_prod(copy.response_headers, (copy.started_ns + copy.ttfb_ns) / 1e9, copy.route)
        loop = asyncio.get_running_loop()
        records = [encode(copy) for copy in copies]
        wait_s, at, latest = _AGAIN_MIN_S, 0, math.inf
        while at < len(copies):
            taken = await loop.run_in_executor(self._threads, self._publish, records[at:])
            for copy in copies[at : at + taken]:
                self._drainer.ack(copy.ring, copy.seq)
                self._acked.append(copy.shadow_id)
            at += taken
            self._on_limits()
            if at == len(copies):
                return
            if stop.is_set():
                latest = min(latest, loop.time() + grace_s)
            if loop.time() >= latest or self._handover_due():
                return  # not acknowledged: the next worker gets them again
            wait_s = _AGAIN_MIN_S if taken else min(2 * wait_s, _AGAIN_MAX_S)
            if stop.is_set():
                await asyncio.sleep(_AGAIN_MIN_S)
            else:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait_s)

    def _publish(self, records: Sequence[Forwarded]) -> int:
        """How many of the first records the server took. On a thread."""
        try:
            if self._left is None:
                self._left = self._stream.join(self._source, self._count_acked())
            taken = self._stream.publish(self._source, records, self._forget)
        except OffloadError as error:
            self._failed(error, str(error))
            return 0
        except Exception as error:  # of the client: the worker goes on
            self._failed(None, describe(error))
            return 0
        self._forget = []
        self._pressure.refused(None)
        if self._error:
            log.warning("the stream can be used again", extra={"event": "stream_works"})
        self._error = ""
        return taken

    def _failed(self, error: OffloadError | None, text: str) -> None:
        self._pressure.refused(error)
        if text != self._error:
            said = {"event": "stream_failed"}
            log.error("copies cannot be published and stay in the rings, will try again: %s", text, extra=said)
        self._error = text

    def _observe(self) -> None:
        acked = self._count_acked()  # first: what is acknowledged was published before
        self._state, self._seen_acked = self._stream.state(), acked

    async def _look(self) -> None:
        """Follow the stream's length."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._threads, self._observe)
            except OffloadError as error:
                if str(error) != self._unseen and not self._error:
                    log.error("the stream cannot be looked at: %s", error, extra={"event": "stream_failed"})
                self._unseen = str(error)
            else:
                self._unseen = ""
                self._pressure.observe(self._state)
                self._on_limits()
            await asyncio.sleep(_LOOK_EVERY_S)
