"""The worker's state as status reads it: the real one passes, anything else is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.dispatch.arm import Arm
from shadowlane.limits import Breaker, Budget, BudgetLimits, LaneLimits, ShadowLimits
from shadowlane.status.collect import collect_status
from shadowlane.status.limits import limits_of
from shadowlane.status.render import render_status
from shadowlane.worker.control import ControlLoop
from shadowlane.worker.state import STATE_FILE, read_state
from tests.support.lanes import config_at
from tests.unit.worker.world import Shadow


def state_of(tmp_path: Path) -> dict[str, Any]:
    """What a real worker writes, with a breaker and a budget."""
    drainer = _core.Drainer(str(tmp_path / "lane"), rules={})
    try:
        budget = Budget(BudgetLimits(tokens_per_hour=100.0))
        limits = ShadowLimits(qps=50.0, min_qps=0.1, breaker=Breaker(), budget=budget)
        lane_limits = LaneLimits({"s": (limits, 1.0)}, qps=50.0)
        control = ControlLoop(lane_limits, drainer, tmp_path / "lane", qps=50.0, arms={"s": Arm("s", Shadow())})
        control.tick()
    finally:
        drainer.close()
    state = read_state(tmp_path / "lane")
    assert state is not None
    return state


def test_what_a_worker_writes_is_shown_and_what_it_does_not_is_named(tmp_path: Path) -> None:
    lane = {"directory": str(tmp_path / "lane"), "worker": "external", "ring_bytes": 1 << 18, "max_body_bytes": 4096}
    config = config_at(tmp_path, lane=lane)
    with Lane.open(config):
        state = state_of(tmp_path)
        expected = {**state["limits"]["shadows"]["s"], **state["arms"]["s"]}
        status = collect_status(config)
        assert status["limits"] == {**state["limits"], "shadows": {"s": expected}}
        assert status["alerts"] == []
        del state["limits"]["shadows"]["s"]["breaker"]
        (tmp_path / "lane" / STATE_FILE).write_text(json.dumps(state))
        status = collect_status(config)
        assert status["limits"] is None
        assert "worker.json is damaged or of another release" in render_status(status)


@pytest.mark.parametrize("state", [{}, {"limits": []}, {"limits": {}, "arms": 3}, {"limits": {"shadows": {"s": {}}}}])
def test_a_state_of_another_shape_is_named(state: dict[str, Any]) -> None:
    limits, trouble = limits_of({"lane_id": "one", **state}, "one")
    assert limits is None
    assert "start the worker again" in trouble
    assert limits_of({"lane_id": "two", **state}, "one") == (None, "")
