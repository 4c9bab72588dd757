"""The user path under pytest-benchmark: admit, offer, the middleware, and the standard library's queues.

For ratios with intervals from interleaved rounds, see ``python -m benches.ratios``.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from shadowlane import Lane, _core
from shadowlane.asgi import ShadowMiddleware

from . import cases

BATCH = 100


@pytest.fixture(scope="module")
def idle() -> Iterator[Lane]:
    with cases.lane(cases.NOT_TAKEN) as lane:
        yield lane


@pytest.fixture(scope="module")
def busy() -> Iterator[tuple[Lane, _core.Drainer]]:
    with cases.lane(1.0) as lane:
        drainer = _core.Drainer(str(lane.directory), allow_headers=[])
        yield lane, drainer
        drainer.close()


@pytest.mark.benchmark(group="a request that is not mirrored")
def test_admit_not_taken(benchmark: BenchmarkFixture, idle: Lane) -> None:
    assert benchmark(idle.admit, "GET", cases.TARGET, cases.HEADERS) is None


@pytest.mark.benchmark(group="a request that is not mirrored")
def test_queue_put_nowait(benchmark: BenchmarkFixture) -> None:
    kept: queue.Queue[Any] = queue.Queue()
    benchmark(kept.put_nowait, (cases.TARGET, cases.HEADERS))


@pytest.mark.benchmark(group="100 exchanges into the ring")
@pytest.mark.parametrize("kib", [1, 16, 128])
def test_offer(benchmark: BenchmarkFixture, busy: tuple[Lane, _core.Drainer], kib: int) -> None:
    lane, drainer = busy
    body = b"x" * kib * 1024
    taken: list[bool] = []

    def prepare() -> tuple[tuple[list[Any]], dict[str, Any]]:
        cases.empty(lane, drainer)
        return ([lane.admit("GET", cases.TARGET, cases.HEADERS) for _ in range(BATCH)],), {}

    def offers(tickets: list[Any]) -> None:
        offer = lane.offer
        for ticket in tickets:
            taken.append(offer(ticket, cases.TARGET, cases.HEADERS, body, 200, cases.HEADERS, body, 1, 0))

    benchmark.pedantic(offers, setup=prepare, rounds=30)
    assert all(taken)


@pytest.mark.benchmark(group="100 ASGI calls")
@pytest.mark.parametrize("how", ["bare", "not taken", "taken"])
def test_middleware(benchmark: BenchmarkFixture, idle: Lane, busy: tuple[Lane, _core.Drainer], how: str) -> None:
    apps = {
        "bare": cases.bare_app,
        "not taken": ShadowMiddleware(cases.bare_app, idle),
        "taken": ShadowMiddleware(cases.bare_app, busy[0]),
    }
    call = cases.asgi_call(apps[how])
    benchmark.pedantic(call, args=(BATCH,), setup=lambda: cases.empty(*busy), rounds=30)
