"""The gate's rule on mirroring's own cost: kept when the lane is gone, and refused when mirroring truly costs."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import httpx

from shadowlane import Lane
from shadowlane.asgi import ShadowMiddleware

from .conftest import World, until


def rule_of(world: World) -> dict[str, Any]:
    """The rule as ``shadowlane gate --json`` gives it."""
    done = world.cli("gate", "--json")
    assert done.returncode == 1, done.stderr
    (verdict,) = json.loads(done.stdout)["shadows"]
    rule: dict[str, Any] = next(rule for rule in verdict["rules"] if rule["name"] == "overhead")
    return rule


def leave(world: World) -> None:
    """Everything ends but the store: as after a restart of the machine, or on another one."""
    for process in reversed(world.processes):
        process.stop()
    until(lambda: not world.worker_pid(), "the worker leaves when the gateway is gone", 300)
    shutil.rmtree(world.lane)


def test_the_rule_has_its_evidence_when_the_lane_is_gone(world: World, client: httpx.Client) -> None:
    sizes = []
    for _ in range(2):
        world.configure(world.shadow(), sampling={"ratio": 0.5})
        url = world.gateway()
        for number in range(200):
            assert client.get(f"{url}/x?n={number}").status_code == 200
        world.settle(200)
        seen = world.status()["overhead"]["all"]
        sizes.append((seen["taken"], seen["not_taken"]))
        leave(world)
    taken, others = (sum(group) for group in zip(*sizes, strict=True))
    assert min(taken, others) > 100
    counted = f"{taken} mirrored requests against {others} of the others"
    assert counted in rule_of(world)["evidence"]
    page = world.folder / "r.html"
    report = world.cli("report", "--html", str(page))
    assert report.returncode == 0, report.stderr
    assert report.stdout.count(counted) == 2  # the lane's line, and the rule
    assert page.read_text().count(counted) == 2


def test_mirroring_that_costs_too_much_is_refused(world: World) -> None:
    """An application that does nothing: what the middleware adds to it is a multiple of its own time."""
    world.configure(world.shadow(), sampling={"ratio": 0.5}, lane={"ring_bytes": 1 << 26})
    answer = b"x" * 2048

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        """A client that takes everything at once."""

    async def main(lane: Lane) -> None:
        mirrored = ShadowMiddleware(app, config=lane)
        scope = {"type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"", "headers": []}
        for _ in range(24_000):
            await mirrored(dict(scope), receive, send)

    with Lane.open(world.config) as lane:
        asyncio.run(main(lane))
        until(world.worker_pid, "the worker comes")
    leave(world)
    rule = rule_of(world)
    assert (rule["ok"], rule["beyond"]) == (False, False), rule
    assert "not surely" not in rule["evidence"]
    assert world.cli("gate").stdout.count("NOT MET    overhead") == 1
