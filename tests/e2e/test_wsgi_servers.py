"""The WSGI middleware under the servers that run it: bytes on the wire as without it, and what a copy carries."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shadowlane import _core
from shadowlane.types import FLAG_RESPONSE_CUT, FLAG_STREAMED, Copy
from tests.e2e.conftest import Process, World, until

APP = "tests.support.wsgiapp:application"
EVENTS = b"".join(b"data: %d\n\n" % number for number in range(5))


def gunicorn(*more: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, "-m", "gunicorn", APP, "--bind", f"127.0.0.1:{port}", *more]


SERVERS: dict[str, tuple[str, Callable[[int], list[str]]]] = {
    "gunicorn, forked after loading": ("gunicorn", gunicorn("--workers", "2", "--preload")),
    "gunicorn, threads": ("gunicorn", gunicorn("--worker-class", "gthread", "--threads", "4")),
    "gunicorn, gevent": ("gevent", gunicorn("--worker-class", "gevent")),
    "waitress": ("waitress", lambda port: [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", APP]),
    "uwsgi": (
        "pyuwsgi",
        lambda port: [
            str(Path(sys.executable).with_name("pyuwsgi")), "--http-socket", f"127.0.0.1:{port}", "--module", APP,
            "--pythonpath", ".", "--master", "--enable-threads", "--need-app", "--lazy-apps", "--die-on-term",
        ],
    ),
}  # fmt: skip
NO_CHUNKED = ("uwsgi",)
"""Its ``wsgi.input`` knows no chunked body: applications call ``uwsgi.chunked_read``, where nobody sees it."""


class Served:
    def __init__(self, world: World, name: str) -> None:
        package, command = SERVERS[name]
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
        self.world, self.name = world, name
        self.port = world.ports.reserve()
        world.configure(
            "http://127.0.0.1:9", lane={"worker": "external"}, routes={"read": ["POST /ask", "POST /unread"]}
        )
        # What an interpreter that a server embeds needs to find this tree and its dependencies.
        env = {
            "SHADOWLANE_CONFIG": str(world.config),
            "PYTHONPATH": ":".join(path for path in sys.path if path),
            "PYTHONWARNINGS": "ignore",
        }
        process = Process(command(self.port), world.folder / "server.log", env)
        world.processes.append(process)
        process.listening(self.port)
        self.exchange(head("GET", "/plain/sized"))  # some servers listen before they have loaded the application

    def exchange(self, request: bytes) -> bytes:
        """What comes back on a connection of its own, all of it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(request)
            answer = b""
            with contextlib.suppress(ConnectionResetError):  # a server may close with a request unread
                while piece := connection.recv(65536):
                    answer += piece
        return answer

    def rows(self, n: int, what: str) -> list[dict[str, Any]]:
        drainer = _core.Drainer(str(self.world.lane), policy=_core.Policy(read=["POST /ask", "POST /unread"]))
        names = Copy.__struct_fields__
        try:
            found: list[dict[str, Any]] = []

            def enough() -> bool:
                for row in drainer.drain(100, 1 << 26):
                    found.append(dict(zip(names, row, strict=True)))
                    drainer.ack(found[-1]["ring"], found[-1]["seq"])
                return len(found) >= n

            until(enough, what)
            return sorted(found, key=lambda row: row["started_ns"])
        finally:
            drainer.close()

    def status(self) -> dict[str, Any]:
        return _core.lane_status(str(self.world.lane))

    def settled(self, seen: int) -> dict[str, Any]:
        def done() -> bool:
            status = self.status()
            return status["seen"] == seen == status["mirrored"] + sum(status["dropped"].values())

        until(done, f"{seen} requests are settled")
        return self.status()


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    world = World(tmp_path_factory.mktemp("wsgi"))
    try:
        yield Served(world, request.param)
    finally:
        world.close()


def head(method: str, target: str, *more: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway", "Connection: close", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


LONG = b"x" * 70_000
REQUESTS: dict[str, tuple[bytes, ...]] = {
    "ask": (b"POST", b"Content-Length: 9", b"how high?"),
    "ask long": (b"POST", b"Content-Length: 70000", LONG),
    "ask chunked": (b"POST", b"Transfer-Encoding: chunked", b"4\r\nhow \r\n5\r\nhigh?\r\n0\r\n\r\n"),
    "events": (b"GET", b"X-A: b", b""),
    "file": (b"GET", b"X-A: b", b""),
    "written": (b"GET", b"X-A: b", b""),
    "sized": (b"GET", b"X-A: b", b""),
    "head sized": (b"HEAD", b"X-A: b", b""),
    "unread": (b"POST", b"Content-Length: 9", b"how high?"),
}


def sent(target: str, method: bytes, field: bytes, body: bytes) -> bytes:
    return head(method.decode(), target, field.decode()) + body


def test_every_byte_is_as_without_it(served: Served) -> None:
    """The same requests to the application as it is and behind the middleware, in one process."""
    before = served.status()["seen"]
    asked = 0
    for kind, request in REQUESTS.items():
        if kind == "ask chunked" and served.name in NO_CHUNKED:
            continue
        name = kind.split(" ")[-1] if kind.startswith("head") else kind.split(" ")[0]
        plain, ours = (served.exchange(sent(target, *request)) for target in (f"/plain/{name}", f"/{name}"))
        without_date = [re.sub(rb"\r\nDate: [^\r]*", b"", answer) for answer in (plain, ours)]
        assert without_date[0] == without_date[1], kind
        assert plain.startswith(b"HTTP/1."), kind
        asked += 1
    status = served.settled(before + asked)
    assert status["faults"] == 0
    rows = served.rows(asked - 1, "all but what was not read are mirrored")
    by_name = {(row["method"], row["target"]): row for row in rows}
    assert {target for _, target in by_name} == {"/ask", "/events", "/file", "/written", "/sized"}
    assert next(row["body"][:9] for row in rows if row["target"] == "/ask") == b"how high?"
    for row in rows:
        if row["target"] == "/ask":
            assert row["response_body"] == row["body"]
    assert by_name["GET", "/events"]["response_body"] == EVENTS
    assert by_name["GET", "/events"]["flags"] == FLAG_STREAMED
    assert (by_name["GET", "/file"]["response_body"], by_name["GET", "/file"]["flags"]) == (b"", FLAG_RESPONSE_CUT)
    assert by_name["GET", "/written"]["response_body"] == b"one tw"


def test_a_body_that_waits_for_100_continue_is_asked_for(served: Served) -> None:
    fields = ("Content-Length: 9", "Expect: 100-continue")
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(head("POST", "/ask", *fields))
        answer = b""
        if served.name not in NO_CHUNKED:  # uWSGI leaves it to its router
            while b"100 Continue\r\n\r\n" not in answer:
                piece = connection.recv(4096)
                assert piece, answer
                answer += piece
        connection.sendall(b"how high?")
        while piece := connection.recv(4096):
            answer += piece
    assert answer.endswith(b"how high?")
    [row] = served.rows(1, "it is mirrored")
    assert row["body"] == b"how high?"


def test_a_client_that_leaves_is_counted(served: Served) -> None:
    before = served.status()["dropped"].get("client_disconnected", 0)
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(head("GET", "/endless"))
        assert connection.recv(4096)
    until(
        lambda: served.status()["dropped"].get("client_disconnected", 0) == before + 1, "the server sees that it left"
    )


@pytest.mark.parametrize("name", ["gunicorn, forked after loading", "uwsgi"])
def test_the_worker_is_started_from_within_the_server(world: World, name: str) -> None:
    """Also where the interpreter's program is the server's own."""
    served_by = importlib.util.find_spec(SERVERS[name][0])
    if served_by is None:
        pytest.skip(f"{SERVERS[name][0]} is not installed")
    port = world.ports.reserve()
    world.configure(world.shadow())
    env = {
        "SHADOWLANE_CONFIG": str(world.config),
        "PYTHONPATH": ":".join(path for path in sys.path if path),
        "PYTHONWARNINGS": "ignore",
    }
    process = Process(SERVERS[name][1](port), world.folder / "server.log", env)
    world.processes.append(process)
    process.listening(port)
    for _ in range(4):
        answer = httpx.post(f"http://127.0.0.1:{port}/ask", content=b"how high?", trust_env=False, timeout=60)
        assert answer.content == b"how high?"
    status = world.settle(4)
    assert status["shadows"]["candidate"]["answered"] == 4
