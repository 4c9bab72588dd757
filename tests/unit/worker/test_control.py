"""What admission is told, what is said in the log, and what a successor finds."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import stat
import time
from pathlib import Path

import pytest

from shadowlane import _core
from shadowlane.dispatch.arm import Arm
from shadowlane.limits import Breaker, Budget, BudgetLimits, LaneLimits, ProdQuota, ShadowLimits
from shadowlane.types import Outcome
from shadowlane.worker.control import ControlLoop, keep_ticking
from shadowlane.worker.state import STATE_FILE, read_state

from .world import Shadow


@pytest.fixture
def lane(tmp_path: Path) -> _core.Lane:
    """A real lane: its control file is what is steered."""
    return _core.Lane(
        str(tmp_path / "lane"),
        ring_bytes=65536,
        max_body_bytes=16384,
        ratio=1.0,
        seed=1,
        qps=50.0,
        burst=50,
        sticky_key=None,
        read_routes=[],
        include=[],
        exclude=[],
    )


class Worker:
    def __init__(self, directory: Path, budget: Budget | None = None, *, prod: bool = True) -> None:
        self.drainer = _core.Drainer(str(directory), allow_headers=[])
        self.shadow = ShadowLimits(qps=50.0, breaker=Breaker(window=2, minimum=2), budget=budget)
        self.limits = LaneLimits({"s": (self.shadow, 1.0)}, qps=50.0, prod=ProdQuota(0.2) if prod else None)
        self.control = ControlLoop(
            self.limits, self.drainer, directory, qps=50.0, arms={"s": Arm("s", Shadow(), limits=self.shadow)}
        )
        self.control.resume()

    def refuse(self, **headers: str) -> None:
        self.shadow.aimd.observe(429, headers, self.shadow._clock())
        self.control.update_admission()

    def die(self) -> None:
        """Give the lane's lock back, and nothing else."""
        self.drainer.close()


def admitted(lane: _core.Lane, count: int = 200) -> int:
    tickets = [lane.admit("GET", "/x", []) for _ in range(count)]
    return sum(ticket is not None for ticket in tickets)


def status(directory: Path) -> dict[str, object]:
    cap: dict[str, object] = _core.lane_status(str(directory))["cap"]
    return cap


def test_a_refusal_slows_admission_itself_and_never_the_configured_cap(lane: _core.Lane, tmp_path: Path) -> None:
    worker = Worker(tmp_path / "lane")
    assert status(tmp_path / "lane")["rate"] == 50.0
    worker.refuse()
    cap = status(tmp_path / "lane")
    assert (cap["qps"], cap["rate"]) == (50.0, 25.0)
    assert admitted(lane) <= 30  # the burst shrinks with the rate
    worker.shadow.aimd.restore(50.0, 0.0, 0.0)
    worker.control.update_admission()
    assert status(tmp_path / "lane")["rate"] == 50.0
    # Whatever a worker says, the configured cap stays above it.
    worker.drainer.set_rate(1e6)
    assert status(tmp_path / "lane")["rate"] == 50.0


def test_a_pause_stops_admission_with_its_reason(lane: _core.Lane, tmp_path: Path) -> None:
    worker = Worker(tmp_path / "lane")
    worker.refuse(**{"retry-after": "30"})
    assert admitted(lane, 5) == 0
    assert _core.lane_status(str(tmp_path / "lane"))["dropped"] == {"provider_limit": 5}
    assert status(tmp_path / "lane")["paused_reason"] == "provider_limit"
    worker.shadow.aimd.restore(50.0, 0.0, 0.0)
    worker.control.update_admission()
    assert admitted(lane, 5) == 5


def test_a_successor_does_not_undo_a_pause_and_neither_does_a_gateway(lane: _core.Lane, tmp_path: Path) -> None:
    worker = Worker(tmp_path / "lane")
    worker.refuse(**{"retry-after": "30"})
    worker.die()  # at once: its next tick never comes
    later = Worker(tmp_path / "lane")
    assert admitted(lane, 5) == 0
    assert later.shadow.aimd.unpaused == 25.0
    lane.reopen()  # as a gateway process that starts
    assert admitted(lane, 5) == 0
    later.die()


def test_a_successor_keeps_what_was_asked_for_in_the_last_moment(lane: _core.Lane, tmp_path: Path) -> None:
    """A lower rate without a word, prod's quota, an open breaker: none of them waited for a tick."""
    worker = Worker(tmp_path / "lane")
    worker.refuse()
    worker.die()
    worker = Worker(tmp_path / "lane")
    assert (worker.shadow.aimd.unpaused, status(tmp_path / "lane")["rate"]) == (25.0, 25.0)
    for _ in range(2):
        worker.shadow.learn(worker.shadow.admit(), Outcome(shadow="s", reason="connect_error"))
    worker.control.update_admission()
    worker.die()
    worker = Worker(tmp_path / "lane")
    assert worker.shadow.refusal() == "breaker_open"
    low = (("x-ratelimit-limit-requests", "100"), ("x-ratelimit-remaining-requests", "1"))
    worker.limits.observe_prod((*low, ("x-ratelimit-reset-requests", "30s")), time.time(), "/x")
    worker.control.update_admission()
    worker.die()
    worker = Worker(tmp_path / "lane")
    assert worker.limits.refusal() == "provider_limit"
    assert admitted(lane, 5) == 0


def test_what_asks_for_less_is_written_before_admission_hears_of_it(
    lane: _core.Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, a worker has said it to its successor; and what repeats itself is not written again."""
    worker = Worker(tmp_path / "lane")
    monkeypatch.setattr(worker.control, "_control", None)  # the end of this worker: admission is not reached
    with pytest.raises(AttributeError):
        worker.refuse(**{"retry-after": "30"})
    worker.die()
    later = Worker(tmp_path / "lane")
    assert admitted(lane, 5) == 0
    written = (tmp_path / "lane" / STATE_FILE).stat()
    for _ in range(50):
        later.control.update_admission()
    now = (tmp_path / "lane" / STATE_FILE).stat()
    assert (now.st_ino, now.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_a_pause_whose_state_is_lost_is_kept_too(lane: _core.Lane, tmp_path: Path) -> None:
    worker = Worker(tmp_path / "lane")
    worker.refuse(**{"retry-after": "30"})
    worker.control.tick()
    worker.die()
    (tmp_path / "lane" / STATE_FILE).unlink()
    later = Worker(tmp_path / "lane")
    later.control.tick()
    assert admitted(lane, 5) == 0
    assert later.limits.refusal() == "provider_limit"


@pytest.mark.parametrize("text", ["", "[]", '{"lane_id": 7}', '{"lane_id": "LANE", "limits": {"shadows": {"s": {}}}}'])
def test_a_state_file_that_makes_no_sense_is_said_and_left(
    lane: _core.Lane, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = Worker(tmp_path / "lane")
    lane_id = first.drainer.lane_id()
    first.die()
    (tmp_path / "lane" / STATE_FILE).write_text(text.replace("LANE", lane_id))
    worker = Worker(tmp_path / "lane")
    assert worker.shadow.aimd.unpaused == 50.0
    assert ("limits start anew" in caplog.text) is ("LANE" in text)


def test_a_budget_is_said_once_and_again_only_when_it_was_free(
    lane: _core.Lane, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    worker = Worker(tmp_path / "lane", Budget(BudgetLimits(tokens_per_hour=100)))
    worker.control.tick()
    assert "budget" not in caplog.text
    worker.shadow.spend("m", {"total_tokens": 120})
    for _ in range(3):
        worker.control.tick()
    assert caplog.text.count("budget tokens_per_hour is reached (120 of 100)") == 1
    state = read_state(tmp_path / "lane")
    assert state is not None
    assert state["limits"]["shadows"]["s"]["budget"]["reached"] == "tokens_per_hour"


def test_the_state_file_is_private_and_whole(lane: _core.Lane, tmp_path: Path) -> None:
    worker = Worker(tmp_path / "lane")
    worker.control.tick()
    file = tmp_path / "lane" / STATE_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["limits"]["shadows"]["s"]["rate"] == 50.0
    assert not list((tmp_path / "lane").glob(".worker-*"))
    before = file.stat().st_ino
    worker.control.tick()
    assert file.stat().st_ino == before, "nothing changed, nothing is written"


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0.0, 1 / 50), (0.1, 5.0, 10.0)])
def test_the_cap_says_how_long_until_a_unit_can_be_had_at_the_rate_in_force(
    lane: _core.Lane, tmp_path: Path, rate: float, least: float, most: float
) -> None:
    drainer = _core.Drainer(str(tmp_path / "lane"), allow_headers=[])
    assert drainer.wait_s() == 0.0
    assert drainer.wait_s(51) == math.inf
    drainer.set_rate(rate)
    taken = 0
    while drainer.try_acquire():
        taken += 1
    assert taken
    assert least <= drainer.wait_s() <= most
    drainer.close()


def test_what_ticks_raise_is_said_once_while_it_lasts_without_its_words(
    lane: _core.Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(tmp_path / "lane")
    state = worker.limits.state
    # None: the real one. Two kinds in turn are two lines, and one that comes back later is said anew.
    plan = iter([ValueError, ValueError, KeyError, ValueError, KeyError, None, None, KeyError, KeyError, None])

    async def run() -> None:
        done = asyncio.Event()

        def fails() -> dict[str, object]:
            kind = next(plan, done)
            if kind is done:
                done.set()
            elif kind is not None:
                raise kind("planted-secret")
            return state()

        monkeypatch.setattr(worker.limits, "state", fails)
        ticking = asyncio.create_task(keep_ticking(worker.control, 0.0))
        await asyncio.wait_for(done.wait(), 30.0)
        ticking.cancel()

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    worker.die()
    said = [one.getMessage() for one in caplog.records if "carried on" in one.getMessage()]
    over = "the limits are carried on again"
    kinds = [
        over if line == over else line.removeprefix("the limits cannot be carried on: ").split()[0] for line in said
    ]
    assert kinds == ["ValueError", "KeyError", over, "KeyError", over]
    assert "planted-secret" not in caplog.text
