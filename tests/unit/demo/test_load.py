"""The load: requests leave when they are due, whatever became of earlier ones, and latencies count from then."""

from __future__ import annotations

import asyncio
from collections import Counter

import numpy as np
import pytest

from shadowlane.demo.corpus import load_questions
from shadowlane.demo.load import poisson_offsets, run_open_loop, shots, steady_offsets, summarize
from shadowlane.demo.planted import PLANTED, find_planted


class _Time:
    """A clock that only sleeping moves, and that oversleeps by ``late`` seconds."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 100.0
        self._late = late

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds + self._late


def test_requests_leave_when_due() -> None:
    time = _Time()
    sent: list[tuple[int, float, float]] = []

    async def fire(index: int, due: float) -> None:
        sent.append((index, due, time.now))

    offsets = [0.0, 0.5, 0.5, 2.0]
    started = asyncio.run(run_open_loop(offsets, fire, clock=time.clock, sleep=time.sleep))
    assert started == 100.0
    assert [(index, due) for index, due, _ in sent] == [(0, 100.0), (1, 100.5), (2, 100.5), (3, 102.0)]
    assert time.now == pytest.approx(102.0)


def test_a_request_that_hangs_delays_no_other() -> None:
    time = _Time()
    sent: list[int] = []
    release = asyncio.Event()

    async def fire(index: int, _: float) -> None:
        sent.append(index)
        if index == 0:
            await release.wait()
        if index == 4:
            release.set()

    asyncio.run(run_open_loop(steady_offsets(5, 1), fire, clock=time.clock, sleep=time.sleep))
    assert sent == [0, 1, 2, 3, 4]


def test_due_times_do_not_drift_when_the_client_is_late() -> None:
    time = _Time(late=0.3)
    waits: list[float] = []

    async def fire(_: int, due: float) -> None:
        waits.append(time.now - due)

    asyncio.run(run_open_loop(steady_offsets(20, 10), fire, clock=time.clock, sleep=time.sleep))
    assert len(waits) == 200
    # Lateness shows in the latencies, and never adds up.
    assert max(waits) >= 0.2
    assert max(waits) <= 0.3 + 1e-6


def test_a_failure_ends_the_run_and_the_other_requests() -> None:
    time = _Time()
    cancelled: list[int] = []

    async def fire(index: int, _: float) -> None:
        if index == 3:
            raise RuntimeError("broken client")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(index)
            raise

    async def run() -> None:
        with pytest.raises(RuntimeError, match="broken client"):
            await run_open_loop(steady_offsets(1000, 1), fire, clock=time.clock, sleep=time.sleep)

    asyncio.run(run())
    assert {0, 1, 2} <= set(cancelled)
    assert len(cancelled) < 20, "the run went on after the failure"


def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() -> None:
    offsets = np.asarray(poisson_offsets(1000.0, 20.0, np.random.default_rng(1)))
    assert np.all(np.diff(offsets) > 0)
    assert offsets[0] >= 0
    assert offsets[-1] < 1000
    assert offsets.size == pytest.approx(20_000, rel=0.03)
    counts = np.histogram(offsets, bins=1000, range=(0, 1000))[0]
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.15)


def test_the_plan_is_repeatable_and_asks_every_wording_before_any_twice() -> None:
    questions = load_questions()
    plan = shots(questions, 300)
    assert plan == shots(questions, 300)
    assert plan != shots(questions, 300, seed=8)
    kinds = Counter(shot.kind for shot in plan)
    assert kinds["planted"] == 15
    assert kinds["feedback"] + kinds["delete"] == 15
    assert kinds["feedback"] > 0
    assert kinds["delete"] > 0
    assert kinds["stream"] == 45
    assert kinds["get"] == 60
    forms = {form for question in questions for form in question.forms}
    asked = [text for shot in plan if (text := _asked(shot.json, shot.params)) in forms]
    assert len(set(asked)) == len(asked)


def _asked(body: object, params: dict[str, str]) -> str:
    if params:
        return params["q"]
    if isinstance(body, dict) and "messages" in body:
        return str(body["messages"][-1]["content"])
    return str(body.get("question", "")) if isinstance(body, dict) else ""


def test_only_planted_requests_carry_secrets_and_every_kind_is_planted() -> None:
    plan = shots(load_questions(), 300)
    kinds: set[str] = set()
    for shot in plan:
        found = find_planted(" ".join([str(shot.json), *shot.params.values(), *shot.headers.values()]))
        assert bool(found) == (shot.kind == "planted")
        kinds.update(found)
    assert kinds == set(PLANTED)


def test_percentiles() -> None:
    latencies = summarize([value / 1000 for value in range(1, 101)])
    assert latencies.count == 100
    assert latencies.p50_ms == pytest.approx(51)
    assert latencies.p99_ms == pytest.approx(100)
    with pytest.raises(ValueError, match="no latencies"):
        summarize([])
