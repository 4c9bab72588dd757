"""What is measured: each case runs a batch of calls and puts back in order, outside the clock, what the batch used up.

Invariant: no case measures a queue that is full, or one that another thread empties while the clock runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import queue
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Literal

import numpy as np
import simsimd

from shadowlane import Config, Lane, _core
from shadowlane.asgi import ShadowMiddleware
from shadowlane.score.delta import delta_s
from shadowlane.score.groups import ParaphraseGroups
from shadowlane.score.leaders import open_leaders
from shadowlane.types import Copy

Case = Callable[[int], float]
"""``case(n)``: nanoseconds a call, over ``n`` calls."""

HEADERS = [
    (b"host", b"gateway.example:8000"),
    (b"user-agent", b"python-httpx/0.28.1"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"content-type", b"application/json"),
    (b"authorization", b"Bearer 0123456789abcdef"),
    (b"x-request-id", b"0190f3c2-7c1e-7d44-9f3a-0d5c0a1b2c3d"),
    (b"connection", b"keep-alive"),
]
TARGET = "/v1/search"
NOT_TAKEN = 1e-9
_RING, _SEQ = (Copy.__struct_fields__.index(name) for name in ("ring", "seq"))
_RING_BYTES = 64 * 1024 * 1024


@contextlib.contextmanager
def lane(ratio: float) -> Iterator[Lane]:
    """A lane of its own, without a worker: what is offered stays in the ring until the case drains it."""
    shared = Path("/dev/shm")
    directory = Path(tempfile.gettempdir() if not shared.is_dir() else shared) / f"shadowlane-{secrets.token_hex(8)}"
    config = {
        "lane": {"directory": str(directory), "worker": "external", "ring_bytes": _RING_BYTES},
        "sampling": {"ratio": ratio},
        "limits": {"qps": 1e6, "burst": 1_000_000},
        "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
    }
    opened = Lane.open(Config.from_dict(config))
    try:
        if opened.ring_error:
            raise RuntimeError(opened.ring_error)
        yield opened
    finally:
        opened.close()
        shutil.rmtree(directory, ignore_errors=True)


def empty(opened: Lane, drainer: _core.Drainer) -> None:
    """Drain and acknowledge everything, and make sure that nothing had been dropped for want of room."""
    while rows := drainer.drain(4096, 1 << 30):
        for row in rows:
            drainer.ack(row[_RING], row[_SEQ])
    drainer.pending()
    dropped = _core.lane_status(str(opened.directory))["dropped"]
    if dropped.get("ring_full"):
        raise RuntimeError("the ring was full while the clock ran: the batch is too large")


def admit_not_taken(opened: Lane) -> Case:
    """The one call that a request costs which is not mirrored."""

    def case(n: int) -> float:
        admit = opened.admit
        start = perf_counter_ns()
        for _ in range(n):
            admit("GET", TARGET, HEADERS)
        return (perf_counter_ns() - start) / n

    return case


def offer(opened: Lane, drainer: _core.Drainer, size: int) -> Case:
    """A whole exchange into the ring: ``size`` bytes of request and as many of response, eight headers each."""
    body = b"x" * size

    def case(n: int) -> float:
        tickets = [opened.admit("GET", TARGET, HEADERS) for _ in range(n)]
        put = opened.offer
        start = perf_counter_ns()
        for ticket in tickets:
            put(ticket, TARGET, HEADERS, body, 200, HEADERS, body, 1, 0)
        spent = (perf_counter_ns() - start) / n
        empty(opened, drainer)
        return spent

    return case


def queue_put(size: int) -> Case:
    """The standard library's thread queue: it keeps references, and copies nothing."""
    body = b"x" * size

    def case(n: int) -> float:
        kept: queue.Queue[Any] = queue.Queue()
        start = perf_counter_ns()
        for _ in range(n):
            kept.put_nowait((TARGET, HEADERS, body, 200, HEADERS, body, 1, 0))
        return (perf_counter_ns() - start) / n

    return case


def process_queue_put(size: int) -> Case:
    """The standard library's process queue: its feeder thread pickles, beside the caller."""
    body = b"x" * size

    def case(n: int) -> float:
        kept: Any = multiprocessing.Queue()
        start = perf_counter_ns()
        for _ in range(n):
            kept.put((TARGET, HEADERS, body, 200, HEADERS, body, 1, 0))
        spent = (perf_counter_ns() - start) / n
        for _ in range(n):
            kept.get()
        kept.close()
        kept.join_thread()
        return spent

    return case


async def bare_app(scope: Any, receive: Any, send: Any) -> None:
    """The smallest application that reads its request and answers 1 KiB."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


_ANSWER = b"y" * 1024
_REQUEST = {"type": "http.request", "body": b"x" * 1024, "more_body": False}
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": TARGET,
    "raw_path": TARGET.encode(),
    "query_string": b"",
    "headers": HEADERS,
}


async def receive() -> Any:
    return _REQUEST


async def send(_: Any) -> None:
    return None


def asgi_call(app: Any, after: Callable[[], None] = lambda: None) -> Case:
    """One request through an ASGI application, without a server or an event loop's turn in between."""

    async def calls(n: int) -> float:
        start = perf_counter_ns()
        for _ in range(n):
            await app(SCOPE, receive, send)
        return (perf_counter_ns() - start) / n

    def case(n: int) -> float:
        spent = asyncio.run(calls(n))
        after()
        return spent

    return case


def mirrored_call(opened: Lane, drainer: _core.Drainer | None = None) -> Case:
    """The same behind the middleware; with ``drainer`` every request is taken."""
    app = ShadowMiddleware(bare_app, opened)
    return asgi_call(app, (lambda: empty(opened, drainer)) if drainer else (lambda: None))


def delta_cases() -> tuple[Case, Case]:
    """ΔS of 8192 pairs of 384-dimension unit rows: ours, and simsimd's cosine over the same rows."""
    random = np.random.default_rng(0)
    sides = random.standard_normal((2, 8192, 384)).astype(np.float32)
    sides /= np.linalg.norm(sides, axis=2, keepdims=True)
    a, b = sides

    def timed(score: Callable[[Any, Any], Any]) -> Case:
        def case(n: int) -> float:
            start = perf_counter_ns()
            for _ in range(n):
                score(a, b)
            return (perf_counter_ns() - start) / n

        return case

    return timed(delta_s), timed(simsimd.cosine)


def lookup_cases(groups: int = 4096, dim: int = 256) -> tuple[Case, Case]:
    """The nearest of a full table of leaders, all of one scope, for questions that are new: exact, and by HNSW."""
    leaders, questions = _unit_rows(groups, dim, 1), _unit_rows(512, dim, 2)

    def timed(kind: Literal["exact", "hnsw"]) -> Case:
        index = open_leaders(kind, dim, groups, 0)
        for slot, row in enumerate(leaders):
            index.set(slot, 0, row)

        def case(n: int) -> float:
            start = perf_counter_ns()
            for number in range(n):
                index.nearest(questions[number % len(questions)], 0, 0.7)
            return (perf_counter_ns() - start) / n

        return case

    return timed("exact"), timed("hnsw")


def grouping_cases(capacity: int = 4096, dim: int = 256) -> tuple[Case, Case]:
    """A new question's group in a full table: the look-up, and its leader in the stead of the oldest one's."""
    rows = _unit_rows(capacity + 8192, dim, 3)

    def timed(kind: Literal["exact", "hnsw"]) -> Case:
        groups = ParaphraseGroups(dim, capacity=capacity, index=kind)
        groups.assign(rows[:capacity])
        place = capacity

        def case(n: int) -> float:
            nonlocal place
            start = perf_counter_ns()
            for _ in range(n):
                groups.assign(rows[place : place + 1])
                place = (place + 1) % len(rows)
            return (perf_counter_ns() - start) / n

        return case

    return timed("exact"), timed("hnsw")


def _unit_rows(count: int, dim: int, seed: int) -> Any:
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
