"""The endpoint beside a real worker: health, backlog, the verdict, and who may ask."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import select
import shutil
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import ROOT, Process, World, until
from tests.support.ports import reserved_port

ASKED = {"question": "how high is the deposit?"}


def started(world: World, *options: str, env: dict[str, str] | None = None, **sections: dict[str, Any]) -> str:
    """A worker with its endpoint on a free port; the URL, once it says that it is ready."""
    world.configure(sections.pop("url", "http://127.0.0.1:9"), lane={"worker": "external"}, **sections)  # type: ignore[arg-type]
    url = serving(world, "worker", *(options or ("--serve", "127.0.0.1:0")), env=env)
    until(lambda: httpx.get(f"{url}/readyz", trust_env=False, timeout=60).status_code == 200, "the worker is ready")
    return url


def process(world: World, *arguments: str, env: dict[str, str] | None = None) -> Process:
    command = [sys.executable, "-m", "shadowlane", *arguments, "--config", str(world.config)]
    made = Process(command, world.folder / f"{arguments[0]}.log", {"PYTHONPATH": str(ROOT / "python"), **(env or {})})
    world.processes.append(made)
    return made


def serving(world: World, *arguments: str, env: dict[str, str] | None = None) -> str:
    world.lane.mkdir(mode=0o700, exist_ok=True)
    one = process(world, *arguments, env=env)

    def address() -> str:
        assert one.popen.poll() is None, one.log.read_text()
        said = re.findall(r"endpoint: listening on ([0-9.:]+)", one.log.read_text())
        return said[-1] if said else ""

    return f"http://{until(address, 'the endpoint listens')}"


def test_a_worker_serves_its_lane(world: World, client: httpx.Client) -> None:
    url = started(world, url=world.shadow())  # type: ignore[arg-type]
    gateway = world.gateway()
    for number in range(5):
        assert client.post(f"{gateway}/ask", json={"question": f"how {number}?"}).status_code == 200
    world.settle(5)
    assert client.get(f"{url}/healthz").text == "ok\n"
    assert client.get(f"{url}/readyz").text == "ready\n"
    scale = client.get(f"{url}/scale").json()
    assert (scale["lane"], scale["backlog"], scale["started"]) == ("default", 0, True)
    gate = client.get(f"{url}/gate").json()
    said = json.loads(world.cli("gate", "--json").stdout)
    assert gate.keys() == {*said, "evaluated_ns"}
    assert [rule["key"] for rule in gate["rules"]] == [rule["key"] for rule in said["rules"]]
    assert (gate["verdict"], gate["shadow"], gate["lane"]) == ("HOLD", "candidate", "default")
    served = {"listen": url.removeprefix("http://"), "error": ""}
    until(lambda: world.status()["endpoint"] == served, "the status has the endpoint")
    assert url in world.cli("status").stdout


def test_the_backlog_is_what_waits_and_what_is_out(world: World, client: httpx.Client) -> None:
    url = started(world, url=world.shadow("hang"), shadows__candidate={"concurrency": 1, "timeout_s": 30.0})  # type: ignore[arg-type]
    gateway = world.gateway()
    for number in range(7):
        assert client.post(f"{gateway}/ask", json={"question": f"how {number}?"}).status_code == 200
    until(lambda: client.get(f"{url}/scale").json()["backlog"] == 7, "all seven to wait or be out")
    assert client.get(f"{url}/scale").json()["ring_fill"] > 0


def test_what_a_request_may_not_be(world: World, client: httpx.Client) -> None:
    url = started(world)
    port = int(url.rpartition(":")[2])
    refused = [
        ({"Host": "evil.example"}, 403),
        ({"Host": f"evil.example:{port}"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[::1"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://127.0.0.1:{port + 1}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
    ]
    for headers, status in refused:
        for method, path in (("GET", "/gate"), ("GET", "/scale"), ("POST", "/gate/promote")):
            answer = client.request(method, f"{url}{path}", headers=headers)
            assert (answer.status_code, answer.text.count("\n")) == (status, 1), headers
    allowed = [
        {},
        {"Host": "localhost"},
        {"Host": f"[::1]:{port}"},
        {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ]
    for headers in allowed:
        answer = client.get(f"{url}/gate", headers=headers)
        assert answer.status_code == 200, headers
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert not any(name.startswith("access-control-") for name in answer.headers)
    assert client.post(f"{url}/gate/promote", content=b"x" * 70_000).status_code == 413
    assert client.get(f"{url}/gate", headers={"x-long": "x" * 20_000}).status_code == 400
    assert client.get(f"{url}/nothing").status_code == 404
    assert client.put(f"{url}/gate").status_code == 405


def test_connections_are_bounded_and_an_idle_one_costs_no_other(world: World, client: httpx.Client) -> None:
    url = started(world)
    host, port = url.removeprefix("http://").split(":")
    began = time.monotonic()
    with contextlib.ExitStack() as opened:
        first = socket.create_connection((host, int(port)))
        half = opened.enter_context(first)
        half.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx-slow: ")
        for _ in range(99):
            half = opened.enter_context(socket.create_connection((host, int(port))))
            half.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx-slow: ")
        half.settimeout(60)
        with contextlib.suppress(ConnectionResetError):
            assert half.recv(1) == b"", "one beyond the bound is closed"
        ended = select.select([first], [], [], 0)[0]
        # Unless the machine stood still for as long as an idle one has.
        assert not ended or time.monotonic() - began > 15, "at once: the first, which is idle for longer, is open still"

    def answered() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return client.get(f"{url}/healthz").status_code == 200
        return False

    until(answered, "room again when they are gone")


REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
FLOODS = {
    "requests whose answers nobody reads": (b"", (REQUEST + b"\r\n") * 1000),
    "what follows an upgrade that is not had": (
        REQUEST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"x" * 65536,
    ),
    "headers without an end": (REQUEST, b"".join(b"x-%d: %s\r\n" % (number, b"x" * 99) for number in range(500))),
}


@pytest.mark.parametrize(("first", "more"), FLOODS.values(), ids=FLOODS)
def test_what_no_handler_takes_is_not_kept(world: World, client: httpx.Client, first: bytes, more: bytes) -> None:
    """Of somebody without a token, since it is kept before anybody looks at one."""
    url = started(world, env={"LANE_TOKEN": "open-sesame-for-tests"}, serve={"token_env": "LANE_TOKEN"})
    host, port = url.removeprefix("http://").split(":")

    def memory() -> int:
        """Of the worker, in MiB."""
        [kib] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{world.processes[-1].popen.pid}/status").read_text())
        return int(kib) // 1024

    before, sent = memory(), 0
    with socket.create_connection((host, int(port))) as flood, contextlib.suppress(ConnectionError, TimeoutError):
        flood.settimeout(2)  # as long as it may not take any more
        flood.sendall(first)
        while sent < 64 << 20:
            sent += flood.send(more)
    assert memory() - before < 40, f"{sent} bytes were sent"
    assert client.get(f"{url}/healthz").status_code == 200


def test_a_token_opens_all_but_health(world: World, client: httpx.Client) -> None:
    env = {"LANE_TOKEN": "open-sesame-for-tests", "GATE_TOKEN": "only-the-verdict-please"}
    serve = {"listen": "0.0.0.0:0", "token_env": "LANE_TOKEN", "gate_token_env": "GATE_TOKEN"}
    url = started(world, "--log-level", "debug", env=env, serve=serve).replace("0.0.0.0", "127.0.0.1")
    named = {"Host": "lane.default.svc:9797"}

    def get(path: str, authorization: str | None) -> int:
        given = {} if authorization is None else {"Authorization": authorization}
        return client.get(f"{url}{path}", headers={**named, **given}).status_code

    basic = "Basic " + base64.b64encode(f"flagger:{env['GATE_TOKEN']}".encode()).decode()
    assert [get(path, None) for path in ("/healthz", "/readyz")] == [200, 200]
    for path in ("/gate", "/scale", "/nothing"):
        wrong = (
            None,
            "",
            "Bearer",
            "Bearer x",
            f"Bearer {env['LANE_TOKEN']}x",
            "Basic =",
            f"Digest {env['LANE_TOKEN']}",
        )
        assert {get(path, one) for one in wrong} == {401}
    assert get("/gate", f"Bearer {env['LANE_TOKEN']}") == 200
    assert get("/gate", f"bearer  {env['GATE_TOKEN']}") == 200
    assert get("/scale", basic) == 200
    assert get("/nothing", f"Bearer {env['LANE_TOKEN']}") == 404
    assert get("/nothing", basic) == 401, "the gate's token opens the gate alone"
    said = (world.folder / "worker.log").read_text() + world.cli("status", "--json").stdout
    assert not any(token in said for token in env.values())


def test_a_port_in_use_leaves_the_worker_at_work_and_status_says_so(world: World, client: httpx.Client) -> None:
    with reserved_port() as port, socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        world.configure(world.shadow(), lane={"worker": "external"}, serve={"listen": f"127.0.0.1:{port}"})
        world.lane.mkdir(mode=0o700)
        worker = process(world, "worker")
        gateway = world.gateway()
        assert client.post(f"{gateway}/ask", json=ASKED).status_code == 200
        status = world.settle(1)
        assert status["shadows"]["candidate"]["answered"] == 1
        listens = until(lambda: world.status()["endpoint"], "the endpoint is said")
        assert f"serve.listen = '127.0.0.1:{port}': cannot listen there" in listens["error"]
        assert f"the worker's HTTP endpoint is off: serve.listen = '127.0.0.1:{port}'" in world.cli("status").stdout
        assert worker.log.read_text().count("cannot listen there") == 1
    until(lambda: world.status()["endpoint"]["error"] == "", "the endpoint is had when its port is free")
    assert client.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("listen", "says"),
    [
        ("192.0.2.7:9797", "cannot listen there"),
        (f"{'a' * 70}.example:9797", "cannot listen there"),
        ("no-such-host.invalid:9797", "cannot listen there"),
        ("0.0.0.0:0", "the environment variable is not set"),
    ],
)
def test_an_address_or_token_that_is_not_there_leaves_the_worker_at_work(world: World, listen: str, says: str) -> None:
    world.configure(
        "http://127.0.0.1:9", lane={"worker": "external"}, serve={"listen": listen, "token_env": "UNSET_TOKEN"}
    )
    world.lane.mkdir(mode=0o700)
    worker = process(world, "worker", env={"UNSET_TOKEN": "set-for-the-address"} if listen != "0.0.0.0:0" else None)
    until(lambda: (world.lane / "worker.json").exists(), "the worker works")
    assert says in until(lambda: world.status()["endpoint"], "the endpoint is said")["error"]
    assert worker.popen.poll() is None
    assert worker.stop() == 0


def test_a_store_that_cannot_be_written_is_not_ready_and_holds(world: World, client: httpx.Client) -> None:
    url = started(world)
    other = sqlite3.connect(world.database, isolation_level=None, timeout=60)
    other.execute("BEGIN IMMEDIATE")
    trouble = until(lambda: (answer := client.get(f"{url}/readyz")).status_code == 503 and answer.text, "not ready")
    assert trouble == "the store did not take a write within 3 s\n"
    assert client.get(f"{url}/healthz").status_code == 200
    payload = {"name": "rag", "namespace": "prod", "phase": "Progressing", "checksum": "c1"}
    answers = {name: client.post(f"{url}/gate/{name}", json=payload) for name in ("promote", "check", "rollback")}
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "promote": 409,
        "check": 200,
        "rollback": 409,
    }
    assert answers["promote"].text.startswith("HOLD the checksum cannot be kept: ")
    other.execute("ROLLBACK")
    other.close()
    until(lambda: client.get(f"{url}/readyz").status_code == 200, "ready again")
    world.database.unlink()
    trouble = until(lambda: (answer := client.get(f"{url}/readyz")).status_code == 503 and answer.text, "not ready")
    assert str(world.folder) not in trouble
    gate = client.get(f"{url}/gate")
    assert (gate.status_code, gate.json()["verdict"]) == (200, "HOLD")


def test_alone_it_reads_store_and_lane_and_restarts_the_window(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    gateway = world.gateway()
    assert client.post(f"{gateway}/ask", json=ASKED).status_code == 200
    world.settle(1)
    url = serving(world, "serve", "--listen", "127.0.0.1:0")
    assert client.get(f"{url}/readyz").status_code == 200
    assert client.get(f"{url}/gate?shadow=candidate").json()["shadow"] == "candidate"
    for checksum in ("c1", "c1", "c2"):
        payload = {"name": "rag", "namespace": "prod", "phase": "Progressing", "checksum": checksum}
        assert client.post(f"{url}/gate/promote", json=payload).status_code == 409
    [shadow] = client.get(f"{url}/gate").json()["shadows"]
    assert shadow["window"]["why"] == "checksum of prod/rag changed from c1 to c2"
    assert client.post(f"{gateway}/ask", json=ASKED).status_code == 200
    world.settle(2)
    world.database.write_bytes(b"no database at all" * 100)
    assert client.get(f"{url}/gate").status_code == 200
    os.kill(world.processes[-1].popen.pid, 2)
    assert world.processes[-1].popen.wait(60) == 0


def test_the_command_says_what_is_wrong(world: World) -> None:
    world.configure("http://127.0.0.1:9")
    done = world.cli("serve", "--listen", "0.0.0.0:1")
    assert (done.returncode, done.stderr.splitlines()[-1].startswith("shadowlane: --listen = '0.0.0.0:1': beyond")) == (
        2,
        True,
    )
    with reserved_port() as port, socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = world.cli("serve", "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 3
    assert f"'127.0.0.1:{port}': cannot listen there: address already in use" in done.stderr


def test_a_worker_that_a_gateway_started_serves_and_so_does_its_successor(world: World, client: httpx.Client) -> None:
    with reserved_port() as port:
        world.configure(world.shadow(), serve={"listen": f"127.0.0.1:{port}"}, lane={"idle_exit_s": 60.0})
        gateway = world.gateway()
        assert client.post(f"{gateway}/ask", json=ASKED).status_code == 200
        world.settle(1)

        def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).status_code == 200
            return False

        until(ready, "the first worker serves")
        first = world.worker_pid()
        os.kill(first, 9)
        until(lambda: world.worker_pid() not in (0, first), "a successor", patience_s=90)
        until(ready, "the successor serves")
        served = {"listen": f"127.0.0.1:{port}", "error": ""}
        until(lambda: world.status()["endpoint"] == served, "the status has the endpoint")


def test_a_worker_whose_lane_was_made_anew_goes_on_serving(world: World, client: httpx.Client) -> None:
    with reserved_port() as port:
        url = started(world, "--log-level", "info", serve={"listen": f"127.0.0.1:{port}"})
        before = world.lane_status()["lane_id"]
        world.lane.rename(f"{world.lane}-old")
        world.lane.mkdir(mode=0o700)
        until(lambda: (world.lane / "worker.json").exists(), "the worker opened the new one")
        assert world.lane_status()["lane_id"] != before

        def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return client.get(f"{url}/readyz").status_code == 200
            return False

        until(ready, "ready again")
        assert client.get(f"{url}/scale").json()["started"] is True
        shutil.rmtree(f"{world.lane}-old")
