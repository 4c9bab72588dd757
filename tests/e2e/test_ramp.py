"""A ramp: more of the traffic, faster, while the lane lives on."""

from __future__ import annotations

import json

import httpx
import pytest

from .conftest import World, until
from .test_limits import reasons, send


@pytest.mark.parametrize("over", ["a worker that lives", "a worker that has left"])
def test_a_ramp_is_judged_by_its_own_ratio_and_loses_no_copy(world: World, client: httpx.Client, over: str) -> None:
    shadow = world.shadow()
    lane = {"idle_exit_s": 60.0 if over == "a worker that lives" else 0.5}
    world.configure(shadow, lane=lane, sampling={"ratio": 0.05}, limits={"qps": 20.0, "burst": 20})
    url = world.gateway()
    send(client, url, 200)
    until(lambda: world.status()["shadows"]["candidate"]["in_flight"] == 0, "all to be stored")
    world.processes[-1].stop()
    if over == "a worker that has left":
        until(lambda: world.worker_pid() == 0, "the worker to leave")
    world.configure(shadow, lane=lane, sampling={"ratio": 0.5}, limits={"qps": 400.0, "burst": 400})
    url = world.gateway()
    send(client, url, 600)
    status = world.settle(800)
    first, second = status["sampler"]["revisions"]
    assert (first["ratio"], first["qps"], first["eligible"]) == (0.05, 20.0, 200)
    assert (second["ratio"], second["qps"], second["eligible"]) == (0.5, 400.0, 600)
    assert abs(first["taken"] - 10) <= 2
    assert abs(second["taken"] - 300) <= 2
    assert set(reasons(world)) == {""}, "no copy is lost by the old rate"
    assert set(status["dropped"]) == {"sampled_out"}
    until(lambda: world.status()["limits"]["rate"] == 400.0, "the worker says the new rate")
    done = world.cli("gate", "--json")
    rules = {rule["key"]: rule for rule in json.loads(done.stdout)["rules"]}
    assert rules["sampling"]["ok"] is True, rules["sampling"]
    assert "before, at 5.00 % and 20 a second" in rules["sampling"]["evidence"]
