"""Open-loop load: every request is sent when it is due, whether or not earlier ones were answered.

Invariant: latencies count from the time a request was due, not from the time it was sent, so that a stall of the
service or of this client shows in full (Tene, "How NOT to Measure Latency", on coordinated omission).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from .corpus import Question
from .planted import PLANTED

__all__ = ["Latencies", "Shot", "poisson_offsets", "run_open_loop", "shots", "steady_offsets", "summarize"]


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the demonstration's client."""

    kind: str
    """``ask``, ``get``, ``stream``, ``planted``, ``feedback`` or ``delete``."""
    method: str
    path: str
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    json: Any = None


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of latencies, in milliseconds, nearest rank upwards."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def steady_offsets(seconds: float, rate: float) -> list[float]:
    """When each of ``seconds * rate`` requests is due, in seconds from the start, evenly spaced."""
    return [index / rate for index in range(int(seconds * rate))]


def poisson_offsets(seconds: float, rate: float, rng: np.random.Generator) -> list[float]:
    """When requests of a Poisson process of ``rate`` a second are due within ``seconds``."""
    gaps = rng.exponential(1 / rate, size=int(seconds * rate + 10 * (seconds * rate) ** 0.5 + 20))
    arrivals = np.cumsum(gaps)
    due: list[float] = arrivals[arrivals < seconds].tolist()
    return due


async def run_open_loop(
    offsets: Sequence[float],
    fire: Callable[[int, float], Awaitable[None]],
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> float:
    """Call ``fire(index, due)`` at each offset, in tasks of their own, and wait for all of them.

    ``due`` is on ``clock``'s scale: a latency is ``clock() - due``. Returns the start on that scale. What ``fire``
    raises is raised here, after the tasks that are left were cancelled.
    """
    started = clock()
    async with _TaskGroup() as group:
        for index, offset in enumerate(offsets):
            due = started + offset
            while (wait := due - clock()) > 0:
                await sleep(wait)
            group.start(fire, index, due)
    return started


class _TaskGroup:
    """What asyncio.TaskGroup (Python 3.11) does for us, on 3.10 too, keeping only tasks that are not done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    def start(self, fire: Callable[[int, float], Awaitable[None]], index: int, due: float) -> None:
        if self._error is not None:
            raise self._error
        task = asyncio.ensure_future(fire(index, due))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and self._error is None:
            self._error = task.exception()

    async def __aenter__(self) -> _TaskGroup:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        while self._tasks and kind is None and self._error is None:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if kind is None and self._error is not None:
            raise self._error


def shots(questions: Sequence[Question], count: int, *, seed: int = 7) -> list[Shot]:
    """The requests of a run: every wording of every question before any is repeated, mixed with writes and secrets.

    Of twenty requests, one plants a secret in its question, one is a write, three stream, four are GETs, the rest
    POSTs. The same ``seed`` gives the same requests.
    """
    rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    forms = [form for question in questions for form in question.forms]
    kinds = ["planted", "write", *["stream"] * 3, *["get"] * 4, *["ask"] * 11]
    out: list[Shot] = []
    waiting: list[str] = []
    batch: list[str] = []
    for index in range(count):
        if not waiting:
            waiting = rng.sample(forms, len(forms))
        if not batch:
            batch = rng.sample(kinds, len(kinds))
        kind = batch.pop()
        out.append(_write(index) if kind == "write" else _question(kind, waiting.pop(), index))
    return out


def _question(kind: str, text: str, index: int) -> Shot:
    if kind == "get":
        return Shot(kind=kind, method="GET", path="/ask", params={"q": text})
    if kind == "stream":
        body = {"model": "handbook", "stream": True, "messages": [{"role": "user", "content": text}]}
        return Shot(kind=kind, method="POST", path="/v1/chat/completions", json=body)
    if kind == "planted":
        return _planted(text, index // 20)
    return Shot(kind=kind, method="POST", path="/ask", json={"question": text})


def _planted(text: str, turn: int) -> Shot:
    """A question that carries something the shadow must not see: in the body, in the query, or in a header."""
    sentence = (
        f"{text} You can write to me at {PLANTED['email']}.",
        f"{text} My token is {PLANTED['github_token']}",
        f"{text} I paid with {PLANTED['card']}.",
        f"{text} My account is {PLANTED['iban']}.",
    )[turn % 4]
    headers = {"authorization": f"Bearer {PLANTED['bearer']}", "cookie": f"session={PLANTED['bearer']}"}
    if turn % 2:
        return Shot(kind="planted", method="GET", path="/ask", params={"q": sentence}, headers=headers)
    return Shot(kind="planted", method="POST", path="/ask", json={"question": sentence}, headers=headers)


def _write(index: int) -> Shot:
    if index % 2:
        return Shot(kind="delete", method="DELETE", path=f"/history/{index}")
    return Shot(kind="feedback", method="POST", path="/feedback", json={"stars": 1 + index % 5, "about": index})


def summarize(seconds: Sequence[float]) -> Latencies:
    """Percentiles of latencies given in seconds. Raises ValueError when there are none."""
    if not seconds:
        raise ValueError("no latencies to summarize")
    p50, p95, p99 = np.percentile(np.asarray(seconds) * 1e3, [50, 95, 99], method="higher").tolist()
    return Latencies(count=len(seconds), p50_ms=p50, p95_ms=p95, p99_ms=p99)
