"""A forwarding host, with a real ring and a real server: nothing unsanitized leaves, and no frame is given up before
the server has its copy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.config import Config, OffloadConfig
from shadowlane.offload import decode
from shadowlane.policy import lane_policy
from shadowlane.worker.forward import Forwarder, ForwardLimits, Pressure
from tests.e2e.conftest import until

from .conftest import Open

TEXT = ((b"content-type", b"text/plain"), (b"authorization", b"Bearer planted-secret"))
SECRETS = (b"planted-secret", b"jane.doe@example.org", b"4111 1111 1111 1111")


class Host:
    """A gateway's lane and the worker that forwards."""

    def __init__(self, folder: Path, opened: Open, **offload: Any) -> None:
        self.opened = opened
        self.offload = offload
        self.config = Config.from_dict(
            {
                "lane": {"directory": str(folder / "lane"), "worker": "external", "ring_bytes": 1 << 18,
                         "max_body_bytes": 4096},
                "limits": {"qps": 1e5, "burst": 100_000},
                "sampling": {"ratio": 1.0},
                "routes": {"read": ["POST /ask"]},
                "shadows": {"s": {"url": "http://127.0.0.1:9"}},
            }
        )  # fmt: skip
        self.lane = Lane.open(self.config)

    def ask(self, first: int, count: int) -> int:
        """So many requests; how many were mirrored."""
        taken = 0
        for number in range(first, first + count):
            ticket = self.lane.admit("POST", "/ask", list(TEXT))
            question = f"question {number} of jane.doe@example.org, card 4111 1111 1111 1111"
            if ticket is not None:
                taken += self.lane.offer(ticket, "/ask", list(TEXT), question.encode(), 200, list(TEXT), b"yes", 1, 0)
        return taken

    def status(self) -> dict[str, Any]:
        return _core.lane_status(str(self.config.lane.directory))

    async def forward(
        self,
        while_it_runs: Callable[[Forwarder, ForwardLimits, _core.Drainer], Any],
        due: Callable[[], bool] | None = None,
    ) -> None:
        """Be its worker as long as ``while_it_runs``, on a thread of its own, takes."""
        drainer = _core.Drainer(
            self.config.lane.directory, rules=self.config.sanitize.rules_dict(), policy=lane_policy(self.config)
        )
        offload = OffloadConfig(url="redis://set-by-the-fixture", **self.offload)
        pressure = Pressure(offload)
        limits = ForwardLimits(pressure, qps=1e5)
        forwarder = Forwarder(
            drainer=drainer,
            stream=self.opened(**self.offload),
            source="host/lane/0123",
            acked=drainer.acked,
            limits=limits,
            pressure=pressure,
            on_limits=lambda: drainer.pause(limits.throttle().pause_s, "backlog"),
            handover_due=due or (lambda: False),
        )
        stop = asyncio.Event()
        running = asyncio.create_task(forwarder.run(stop, grace_s=1.0))
        try:
            await asyncio.to_thread(while_it_runs, forwarder, limits, drainer)
        finally:
            stop.set()
            await running
            drainer.drain(0, 0)  # what was acknowledged last
            drainer.close()


@pytest.fixture
def host(tmp_path: Path, opened: Open) -> Iterator[Host]:
    made = Host(tmp_path, opened)
    yield made
    made.lane.close()


def test_what_leaves_is_sanitized_and_acknowledged_then(host: Host, opened: Open, raw: Any) -> None:
    assert host.ask(0, 20) == 20
    stream = opened()

    def wait(*_: Any) -> None:
        until(lambda: stream.state().length == 20, "all are in the stream")

    asyncio.run(host.forward(wait))
    assert host.status()["acked"] == 20
    kept = raw.xrange(stream._keys[0])  # type: ignore[attr-defined]
    assert not any(secret in value for _, fields in kept for value in fields.values() for secret in SECRETS)
    copies = [decode("1", fields[b"copy"], 1 << 20) for _, fields in kept]
    assert [copy.body.startswith(f"question {number} of [EMAIL]".encode()) for number, copy in enumerate(copies)]
    assert all(b"[EMAIL]" in copy.body for copy in copies)
    assert stream.state().total.forwarded == 20


def test_while_the_server_is_away_the_ring_keeps_them(host: Host, opened: Open, server: Any) -> None:
    stream = opened()

    def away(forwarder: Forwarder, *_: Any) -> None:
        until(lambda: not forwarder.state()["error"] and stream.state() is not None, "it is there")
        server.stop()
        host.ask(0, 30)
        until(lambda: "cannot connect" in forwarder.state()["error"], "its state says so")
        assert host.status()["acked"] == 0
        server.start()
        until(lambda: stream.state().length == 30, "all are in the stream")
        until(lambda: not forwarder.state()["error"], "all is well")

    asyncio.run(host.forward(away))
    assert host.status()["acked"] == 30
    assert stream.state().total.forwarded == 30
    assert host.status()["dropped"] == {}


def test_a_full_stream_pauses_admission_and_nothing_is_lost(tmp_path: Path, opened: Open) -> None:
    host = Host(tmp_path, opened, max_length=10)
    stream = opened("judge", max_length=10)
    taken = host.ask(0, 15)

    def full(forwarder: Forwarder, limits: ForwardLimits, drainer: _core.Drainer) -> None:
        nonlocal taken
        until(lambda: limits.throttle().reason == "backlog" and drainer.throttle()[2] == "backlog", "a pause")
        while not host.status()["dropped"]:  # at once, but where this thread stood still for seconds
            taken += host.ask(taken, 1)
        assert set(host.status()["dropped"]) == {"backlog"}
        assert stream.state().length == 10
        done = []

        def judged() -> bool:
            found = stream.read(4)
            done.extend(found)
            stream.acknowledge([(one.id, one.source) for one in found])
            return len(done) == taken

        until(judged, "what waited in the ring comes")
        until(lambda: not limits.throttle().reason and not drainer.throttle()[2], "the pause is over")
        assert host.ask(taken, 1) == 1
        until(lambda: stream.state().length == 1, "it goes on")

    asyncio.run(host.forward(full))
    assert stream.state().missing == 0
    assert host.status()["mirrored"] == host.status()["acked"] == taken + 1
    host.lane.close()


def test_the_bound_has_two_ends_and_age_is_one_too() -> None:
    from shadowlane.offload import StreamState

    pressure = Pressure(OffloadConfig(max_length=100, max_age_s=60.0))
    said = []
    for length, age_s in [(99, 0.0), (100, 0.0), (81, 0.0), (79, 0.0), (1, 61.0), (1, 49.0), (1, 47.0), (99, 59.0)]:
        pressure.observe(StreamState(length=length, age_s=age_s))
        said.append(pressure.pause_s > 0)
    assert said == [False, True, True, False, True, True, False, False]


def test_a_server_without_memory_pauses_admission_until_it_has_some(host: Host, opened: Open, raw: Any) -> None:
    stream = opened()
    host.ask(0, 2)

    def full(forwarder: Forwarder, limits: ForwardLimits, _: Any) -> None:
        until(lambda: stream.state().length == 2, "they are in the stream")
        raw.config_set("maxmemory", "1mb")
        try:
            host.ask(2, 3)
            until(lambda: limits.throttle().reason == "backlog", "a pause")
            assert "full" in forwarder.state()["error"]
        finally:
            raw.config_set("maxmemory", "0")
        until(lambda: stream.state().length == 5, "they come")
        until(lambda: not limits.throttle().reason, "the pause is over")

    asyncio.run(host.forward(full))
    assert host.status()["acked"] == 5


def test_drained_by_rules_that_are_no_longer_in_force_nothing_leaves(host: Host, opened: Open) -> None:
    host.ask(0, 5)
    asked = []

    def due() -> bool:
        asked.append(True)
        return len(asked) > 1  # between the drain and the publishing

    def wait(*_: Any) -> None:
        until(lambda: len(asked) > 1, "it was asked")

    asyncio.run(host.forward(wait, due))
    assert opened().state().length == 0
    assert host.status()["acked"] == 0


def test_a_worker_that_was_killed_before_its_acknowledgement_publishes_nothing_twice(host: Host, opened: Open) -> None:
    """What it published is remembered until its frames cannot come again."""
    host.ask(0, 8)
    stream = opened()
    drainer = _core.Drainer(host.config.lane.directory, policy=lane_policy(host.config))
    from shadowlane.offload import encode
    from shadowlane.types import Copy

    rows = drainer.drain(100, 1 << 20)
    copies = [Copy(**dict(zip(Copy.__struct_fields__, row, strict=True))) for row in rows]
    stream.publish("host/lane/0123", [encode(copy) for copy in copies[:5]], [])
    drainer.close()  # killed: nothing of it is acknowledged
    host.ask(8, 3)

    def wait(*_: Any) -> None:
        until(lambda: host.status()["acked"] == 11 or stream.state().length >= 11, "all are forwarded")
        until(lambda: not stream.join("host/lane/0123", 0) or stream.state().length >= 11, "it is forgotten")

    asyncio.run(host.forward(wait))
    assert stream.state().length == stream.state().total.forwarded == 11
    assert host.status()["acked"] == 11
