"""A real worker that tells what is wrong with its lane, over its own death; and a real Alertmanager that is told."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from shadowlane.alerts.delivery import Receiver as Target
from shadowlane.alerts.incidents import Incident, Message
from shadowlane.config import AlertConfig, ServeConfig
from tests.e2e.conftest import Process, World, until
from tests.e2e.test_serve import process
from tests.support.ports import reserved_port
from tests.support.receiver import Receiver, receiver

MINUTES_S = 150.0
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def configure(world: World, *alerts: dict[str, Any], **sections: Any) -> None:
    world.configure("http://127.0.0.1:9", lane={"worker": "external"}, **sections)
    world.lane.mkdir(mode=0o700, exist_ok=True)
    lines = []
    for alert in alerts:
        lines.append("[[alerts]]")
        lines += [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in alert.items()]
    world.config.write_text(world.config.read_text() + "\n".join(lines) + "\n")


def told_of(world: World, name: str) -> dict[str, Any]:
    """What the worker says of a receiver; empty before it has said anything."""
    said: dict[str, Any] = world.status()["alerting"].get(name, {})
    return said


@pytest.mark.timeout(400)
def test_told_once_over_a_kill_and_its_end_once(world: World, server: Receiver) -> None:
    """The worker before could not open its store; the next one tells that, is killed, and its successor ends it."""
    alert = {"kind": "json", "url": server.url, "rules": ["errors", "store"], "for": "1 of 1"}
    world.database.mkdir()
    configure(world, alert, serve={"listen": "127.0.0.1:0"})
    assert process(world, "worker").popen.wait(60) == 3
    world.database.rmdir()
    server.plan = [(500, {}, b"oops"), (429, {"retry-after": "1"}, b"")]
    first = process(world, "worker")
    until(lambda: len(server.got) == 3, "told after a 500 and a 429", MINUTES_S)
    until(lambda: told_of(world, "json").get("sent") == 1, "the status says so")
    status = world.status()
    assert status["alerting"]["json"]["failed"] == 2
    assert status["endpoint"]["error"] == ""
    assert "json: 1 firing, 0 waiting; 1 sent, 2 tries failed, 0 given up" in world.cli("status").stdout
    first.stop(signal.SIGKILL)
    second = process(world, "worker")
    until(lambda: len(server.got) == 4, "its end is told", MINUTES_S)
    until(lambda: told_of(world, "json").get("firing") == 0, "the status says so")
    told = [got.data for got in server.got]
    assert [one["event"] for one in told] == ["firing", "firing", "firing", "resolved"]
    assert len({one["id"] for one in told}) == 1
    assert (told[0]["rule"], told[0]["shadow"]) == ("errors", None)
    assert second.stop() == 0
    assert world.status()["alerting"] == {}


@pytest.mark.timeout(400)
def test_a_store_that_takes_no_write_is_told_and_a_wrong_url_counted(world: World, server: Receiver) -> None:
    rules = {"rules": ["store"], "for": "1 of 1", "kind": "json"}
    configure(world, {"url": server.url, **rules}, {"url": world.nobody(), "name": "nobody", **rules})
    worker = process(world, "worker")
    until(lambda: (world.lane / "worker.json").exists(), "the worker works")
    other = sqlite3.connect(world.database, isolation_level=None, timeout=60)
    other.execute("BEGIN IMMEDIATE")
    until(lambda: server.got, "the store is told", MINUTES_S)
    assert (server.got[0].data["rule"], server.got[0].data["severity"]) == ("store", "critical")
    until(lambda: told_of(world, "nobody").get("failed", 0) >= 2, "tried again", MINUTES_S)
    other.execute("ROLLBACK")
    other.close()
    until(lambda: len(server.got) == 2, "its end is told", MINUTES_S)
    assert server.got[1].data["event"] == "resolved"
    # What did not reach anybody has no end to be told: it waits no longer.
    until(lambda: told_of(world, "nobody").get("firing") == 0, "the status says that it is over")
    status = world.status()["alerting"]["nobody"]
    assert (status["sent"], status["waiting"]) == (0, 0), "nobody heard of it: no end is told"
    assert "cannot connect to http://127.0.0.1:" in status["error"]
    assert worker.stop() == 0


@pytest.fixture
def alertmanager(tmp_path: Path, server: Receiver) -> Iterator[str]:
    """A real one that notifies ``server`` at once."""
    if ALERTMANAGER is None:
        pytest.skip("needs Alertmanager (Debian: prometheus-alertmanager)")
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        "route: {receiver: ours, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
        f"receivers: [{{name: ours, webhook_configs: [{{url: '{server.url}/notified', send_resolved: true}}]}}]\n"
    )
    with reserved_port() as port:
        options = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        command = [ALERTMANAGER, f"--config.file={config}", f"--storage.path={tmp_path / 'am'}", *options]
        process = Process(command, tmp_path / "alertmanager.log")
        try:
            process.listening(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop()


async def tell(url: str, *messages: Message) -> list[str]:
    target = Target(msgspec.convert({"kind": "alertmanager", "url": url}, AlertConfig), 0)
    try:
        said = []
        for message in messages:
            now = time.time()
            said.append(
                (
                    await target.post(target.request(message, ServeConfig(public_url="https://lane.example"), now), now)
                ).text
            )
        return said
    finally:
        await target.close()


def test_a_real_alertmanager_takes_refreshes_and_ends_an_alert(alertmanager: str, server: Receiver) -> None:
    now = time.time()
    incident = Incident(
        id="0123456789abcdef",
        lane="default",
        source="host-1",
        shadow="candidate",
        rule="p95_latency",
        name="P95 <latency>",
        severity="critical",
        figure=1.25,
        limit=1.03,
        verdict="REJECT",
        pins={"build": "7"},
        first_seen=now - 120,
    )
    firing = Message(event="firing", incident=incident, put_at=now)
    assert asyncio.run(tell(alertmanager, firing, firing)) == ["HTTP 200", "HTTP 200"]
    [known] = httpx.get(f"{alertmanager}/api/v2/alerts", trust_env=False, timeout=60).json()
    assert known["labels"] == {
        "alertname": "ShadowlaneP95Latency",
        "lane": "default",
        "shadow": "candidate",
        "rule": "p95_latency",
        "severity": "critical",
        "instance": "host-1",
    }
    assert (known["status"]["state"] != "suppressed", known["generatorURL"]) == (
        True,
        "https://lane.example/gate?shadow=candidate",
    )
    until(lambda: server.got, "Alertmanager notifies")
    over = msgspec.structs.replace(incident, resolved_at=time.time())
    assert asyncio.run(tell(alertmanager, Message(event="resolved", incident=over, put_at=now))) == ["HTTP 200"]
    until(lambda: len(server.got) == 2, "Alertmanager notifies of the end")
    assert [got.data["status"] for got in server.got] == ["firing", "resolved"]
    assert httpx.get(f"{alertmanager}/api/v2/alerts", trust_env=False, timeout=60).json() == []


def test_the_command_tells_a_real_alertmanager(alertmanager: str, world: World) -> None:
    configure(world, {"kind": "alertmanager", "url": alertmanager})
    done = world.cli("alert", "--test")
    assert (done.returncode, done.stdout) == (0, "alertmanager (alertmanager): took it: HTTP 200\n"), done.stderr
    [known] = httpx.get(f"{alertmanager}/api/v2/alerts", trust_env=False, timeout=60).json()
    assert (known["labels"]["alertname"], known["labels"]["severity"]) == ("ShadowlaneTest", "info")
