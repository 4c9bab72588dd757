"""The demonstration's client: sends the planned requests at their times over HTTP, and shows how far it is.

Invariant: what a user would see is recorded for every request, also when it failed; nothing is retried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .load import Shot, run_open_loop

__all__ = ["Meter", "Sample", "send_all"]

_PLAIN_EVERY_S = 5.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a user saw of one request. ``latency_s`` counts from the time the request was due."""

    kind: str
    status: int
    """0 when no answer came."""
    latency_s: float
    error: str = ""


class _Advance(Protocol):
    def advance(self, errors: int) -> None: ...


async def send_all(
    base_url: str,
    plan: Sequence[Shot],
    offsets: Sequence[float],
    meter: _Advance,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> list[Sample]:
    """Send ``plan[i]`` at ``offsets[i]`` seconds from now; returns what came of each, in the order of the plan."""
    samples: list[Sample | None] = [None] * len(plan)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx.AsyncClient(
        base_url=base_url, timeout=30, limits=limits, trust_env=False, transport=transport
    ) as client:

        async def fire(index: int, due: float) -> None:
            shot = plan[index]
            status, error = 0, ""
            try:
                response = await client.request(
                    shot.method, shot.path, params=shot.params or None, headers=shot.headers, json=shot.json
                )
                status = response.status_code
            except httpx.HTTPError as failure:
                error = f"{type(failure).__name__}: {failure}"
            latency_s = time.perf_counter() - due
            samples[index] = Sample(kind=shot.kind, status=status, latency_s=latency_s, error=error)
            meter.advance(int(status == 0 or status >= 400))

        await run_open_loop(offsets, fire)
    return [sample for sample in samples if sample is not None]


class Meter:
    """A progress bar on a terminal; else a plain line every few seconds. A context manager."""

    def __init__(self, console: Console, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._total = total
        self._clock = clock
        self._done = 0
        self._errors = 0
        self._started = self._reported = clock()
        self._bar: Progress | None = None

    def __enter__(self) -> Meter:
        self._started = self._reported = self._clock()
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("  sending"),
                BarColumn(bar_width=40),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task("sending", total=self._total, note="")
            self._bar.start()
        return self

    def advance(self, errors: int) -> None:
        """One more request came back, with ``errors`` (0 or 1) of its own."""
        self._done += 1
        self._errors += errors
        if self._bar is not None:
            note = f"{self._errors} errors" if self._errors else ""
            self._bar.update(self._task, advance=1, note=note)
        elif self._clock() - self._reported >= _PLAIN_EVERY_S or self._done == self._total:
            self._reported = self._clock()
            self._console.print(
                f"  {self._reported - self._started:4.0f} s: {self._done} of {self._total} answered, "
                f"{self._errors} errors"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
