"""`shadowlane ext-proc` and a gRPC client that is not Envoy: orders, breaks, garbage, bounds, drain, addresses."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("grpc", reason="extra ext-proc")

from tests.support.envoy import message
from tests.support.processorclient import Client, client

from .conftest import ROOT, Process, World, until

POST = {":method": "POST", ":path": "/ask", ":authority": "user.example", "content-type": "application/json"}
OK = {":status": "200", "content-type": "application/json"}
SECRET = b"the-users-own-words"
ASKED = message("request_headers", POST).SerializeToString()
BODY = message("request_body", body=b'{"question": "%s"}' % SECRET, end=True).SerializeToString()
HEAD = message("response_headers", OK).SerializeToString()
ANSWER = message("response_body", body=b'{"answer": 1}').SerializeToString()
LAST = message("response_body", body=b"\n", end=True).SerializeToString()


def start(world: World, *more: str) -> tuple[str, Process]:
    options = ["--listen", "127.0.0.1:0", "--config", str(world.config), "--json", *more]
    command = [sys.executable, "-m", "shadowlane", "ext-proc", *options]
    process = Process(command, world.folder / "ext-proc.log", {"PYTHONPATH": str(ROOT / "python")}, world.folder)
    world.processes.append(process)
    return str(json.loads(process.first_line())["listen"]), process


class Served:
    """A processor whose lane nobody empties, and a client of it."""

    def __init__(self, world: World, address: str, talker: Client) -> None:
        self.world, self.address, self.client = world, address, talker
        self.before = self.counts()

    def counts(self) -> dict[str, int]:
        status = self.world.lane_status()
        mirrored = {"seen": status["seen"], "mirrored": status["mirrored"], "open": status["open"]}
        return {**mirrored, "faults": status["faults"], **status["dropped"]}

    def more(self) -> dict[str, int]:
        """What was counted since the beginning of the test."""
        now = self.counts()
        more = {name: n - self.before.get(name, 0) for name, n in now.items()}
        return {name: n for name, n in more.items() if n}

    def settles(self, wanted: dict[str, int]) -> None:
        until(lambda: self.more() == wanted, f"{wanted} to be counted")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str, Client]]:
    world = World(tmp_path_factory.mktemp("ext-proc"))
    world.configure("http://127.0.0.1:1", lane={"worker": "external"})
    try:
        address, _ = start(world, "--streams", "4")
        with client(address) as talker:
            yield world, address, talker
        log = (world.folder / "ext-proc.log").read_bytes()
        assert SECRET not in log
        assert b"Traceback" not in log
    finally:
        world.close()


@pytest.fixture
def served(running: tuple[World, str, Client]) -> Served:
    return Served(*running)


def test_a_whole_exchange_is_taken_and_never_answered(served: Served) -> None:
    call = served.client.open(ASKED, BODY, HEAD, ANSWER, LAST)
    assert served.client.result(call) == ("OK", 0)
    served.settles({"seen": 1, "mirrored": 1})


def test_what_is_not_taken_is_ended_at_its_head(served: Served) -> None:
    """The client has said nothing of an end: the server tells that it wants no more."""
    call = served.client.open(message("request_headers", {**POST, ":path": "/other"}).SerializeToString())
    assert served.client.result(call) == ("OK", 0)
    served.settles({"seen": 1, "route": 1})


@pytest.mark.parametrize("how", ["end", "cancel"])
def test_a_stream_that_breaks_off(served: Served, how: str) -> None:
    call = served.client.open(ASKED, BODY, HEAD, ANSWER)
    served.settles({"open": 1})
    getattr(served.client, how)(call)
    assert served.client.result(call)[1] == 0
    served.settles({"seen": 1, "client_disconnected": 1})


FIRST = {
    "garbage": b"\xff\xfe garbage",
    "empty": b"",
    "body": BODY,
    "answer": HEAD,
    "end": LAST,
    "nothing": message("").SerializeToString(),
    "trailers": message("request_trailers").SerializeToString(),
}


@pytest.mark.parametrize("first", [*FIRST.values()], ids=[*FIRST])
def test_what_does_not_begin_as_a_request_is_not_seen(served: Served, first: bytes) -> None:
    call = served.client.open(first)
    assert served.client.result(call) == ("OK", 0)
    assert served.more() == {}


def test_garbage_in_the_middle(served: Served) -> None:
    call = served.client.open(ASKED, BODY, b"\xff\xfe garbage")
    assert served.client.result(call) == ("OK", 0)
    served.settles({"seen": 1, "unreadable": 1})


def test_a_message_above_the_bound_ends_its_stream_alone(served: Served) -> None:
    other = served.client.open(ASKED)
    served.settles({"open": 1})
    call = served.client.open(ASKED, message("request_body", body=b"x" * (17 << 20)).SerializeToString())
    assert served.client.result(call)[0] != "UNKNOWN"
    served.settles({"seen": 1, "open": 1, "client_disconnected": 1})
    for one in (BODY, HEAD, LAST):
        served.client.send(other, one)
    assert served.client.result(other) == ("OK", 0)
    served.settles({"seen": 2, "mirrored": 1, "client_disconnected": 1})


def test_a_client_that_is_killed(served: Served) -> None:
    """The connection breaks, with streams in every state."""
    with client(served.address) as other:
        for parts in ((ASKED,), (ASKED, BODY), (ASKED, BODY, HEAD, ANSWER)):
            other.open(*parts)
        other.open()
        served.settles({"open": 3})
        other.kill()
        served.settles({"seen": 3, "client_disconnected": 3})


def test_streams_above_the_bound_are_counted_and_ended(served: Served) -> None:
    kept = [served.client.open(ASKED) for _ in range(4)]
    served.settles({"open": 4})
    assert served.client.result(served.client.open(ASKED)) == ("OK", 0)
    served.settles({"seen": 1, "open": 4, "cap": 1})
    for call in kept:
        served.client.cancel(call)
    served.settles({"seen": 5, "cap": 1, "client_disconnected": 4})
    assert served.client.result(served.client.open(ASKED, BODY, HEAD, LAST)) == ("OK", 0)
    served.settles({"seen": 6, "mirrored": 1, "cap": 1, "client_disconnected": 4})


def test_an_envoy_that_waits_is_let_go_and_told_of_once(served: Served) -> None:
    asked = message("request_headers", POST)
    asked.observability_mode = False
    for _ in range(3):
        assert served.client.result(served.client.open(asked.SerializeToString())) == ("OK", 0)
    assert served.more() == {}
    assert (served.world.folder / "ext-proc.log").read_text().count("observability_mode: true") == 1


def test_another_process_on_the_same_port_is_told_so(served: Served) -> None:
    done = served.world.cli("ext-proc", "--listen", served.address)
    assert done.returncode == 3
    assert "cannot listen there" in done.stderr


def test_what_is_open_may_end_when_it_is_told_to_stop(world: World) -> None:
    """And no process, thread or port of it is left."""
    world.configure("http://127.0.0.1:1", lane={"worker": "external"})
    address, process = start(world, "--drain", "60")
    with client(address) as talker:
        call = talker.open(ASKED, BODY)
        until(lambda: world.lane_status()["open"] == 1, "the request to be seen")
        process.popen.send_signal(signal.SIGTERM)
        host, _, port = address.rpartition(":")
        until(lambda: _refused(host, int(port)), "no new connections are taken")
        for one in (HEAD, LAST):
            talker.send(call, one)
        assert talker.result(call) == ("OK", 0)
    assert process.popen.wait(60) == 0
    status = world.lane_status()
    assert (status["seen"], status["mirrored"], status["open"]) == (1, 1, 0)


def test_what_has_not_ended_by_then_is_counted(world: World) -> None:
    world.configure("http://127.0.0.1:1", lane={"worker": "external"})
    address, process = start(world, "--drain", "0")
    with client(address) as talker:
        call = talker.open(ASKED, BODY)
        until(lambda: world.lane_status()["open"] == 1, "the request to be seen")
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(60) == 0
        assert talker.result(call)[1] == 0
    status = world.lane_status()
    assert (status["seen"], status["open"]) == (1, 0)
    assert status["dropped"]["client_disconnected"] == 1
    assert "Traceback" not in (world.folder / "ext-proc.log").read_text()


def _refused(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--listen", "0.0.0.0:0"), "beyond loopback"),
        (("--listen", "nowhere"), "write HOST:PORT"),
        (("--streams", "0"), "--streams = 0: use 1 to"),
        (("--held", "0"), "--held = 0: use 1 to"),
        (("--drain", "-1"), "--drain = -1.0: use 0 to"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(world: World, options: tuple[str, ...], says: str) -> None:
    world.configure("http://127.0.0.1:1")
    done = world.cli("ext-proc", *options)
    assert done.returncode == 2
    assert says in done.stderr


def test_without_the_extra_it_says_what_to_install(world: World, tmp_path: Any) -> None:
    world.configure("http://127.0.0.1:1")
    (tmp_path / "grpc").mkdir()
    (tmp_path / "grpc" / "__init__.py").write_text("raise ModuleNotFoundError(name='grpc')\n")
    done = world.cli("ext-proc", env={"PYTHONPATH": f"{tmp_path}:{ROOT / 'python'}"})
    assert done.returncode == 2
    assert "pip install 'shadowlane[ext-proc]'" in " ".join(done.stderr.split())
