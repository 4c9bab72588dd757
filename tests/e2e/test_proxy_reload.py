"""`shadowlane proxy` while its processes change: under a steady load no connection is refused and no request broken."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme

from tests.support.chatserver import ChatServer, chat, serving
from tests.support.upstream import Upstream, Wire

from .conftest import Process, World, until
from .test_proxy import ALONE, ASKED, CHAT, start

pytest.importorskip("websockets", reason="extra proxy")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(CHAT) + CHAT


class Prod:
    """Answers at once; ``/stream`` says its first half, and the other one when the test lets it."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, wire: Wire) -> None:
        if wire.path == "/stream":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
            assert self.go_on.wait(60)
            wire.send(b"half")
        else:
            wire.send(ANSWER)


class User(Protocol):
    """A call is one request; it raises when that was not answered as it should be."""

    def __call__(self) -> None: ...
    def close(self) -> None: ...


class Load:
    """Users that ask without a pause, each on a thread of its own, as long as it lasts."""

    def __init__(self, users: Sequence[User]) -> None:
        self._end = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(user,)) for user in users]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def more(self, count: int) -> None:
        """Wait for so many further answers."""
        goal = self.answered + count
        until(lambda: self.answered >= goal or self.failures, f"{count} more answers")

    def _run(self, user: User) -> None:
        while not self._end.is_set():
            try:
                user()
            except Exception as error:
                with self._lock:
                    self.failures.append(repr(error))
            else:
                with self._lock:
                    self.answered += 1
        user.close()


class Http1:
    """A user on one connection, or on a new one for each request. As any client library does, it sees whether the other
    side has ended the connection before it asks on it again."""

    def __init__(self, connect: Callable[[], http.client.HTTPConnection], *, stays: bool) -> None:
        self._connection = connect()
        self._stays = stays

    def __call__(self) -> None:
        connection = self._connection
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(ASKED))
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, CHAT)
        except BaseException:
            self.close()
            raise
        if not self._stays:
            self.close()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Upstream, Prod, ChatServer]]:
    prod = Prod()
    with Upstream(prod) as upstream, serving(lambda got: chat("Shadow.")) as shadow:
        try:
            yield upstream, prod, shadow
        finally:
            prod.go_on.set()


def event(process: Process) -> dict[str, Any]:
    """The next line that the proxy says."""
    said: dict[str, Any] = json.loads(process.first_line())
    return said


def listening(process: Process, address: str) -> Callable[[], http.client.HTTPConnection]:
    host, _, port = address.rpartition(":")
    return lambda: http.client.HTTPConnection(host, int(port), timeout=60)


def gone(process_id: int) -> bool:
    return not Path(f"/proc/{process_id}").exists()


def served_by(process: Process) -> list[int]:
    """The processes that serve, by the kernel's word."""
    children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children").read_text(encoding="utf-8")
    return [int(one) for one in children.split()]


def test_a_reload_breaks_nothing(tmp_path: Path, behind: tuple[Upstream, Prod, ChatServer]) -> None:
    upstream, prod, shadow = behind
    authorities = [trustme.CA(), trustme.CA()]
    context = ssl.create_default_context()
    pem = tmp_path / "tls.pem"
    for authority in authorities:
        authority.configure_trust(context)

    def certify(authority: trustme.CA) -> bytes:
        made = authority.issue_cert("127.0.0.1")
        made.private_key_and_cert_chain_pem.write_to_path(str(pem))
        return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())

    def shown() -> bytes | None:
        raw = socket.create_connection((host, int(port)), 60)
        with raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
            return secure.getpeercert(binary_form=True)

    world = World(tmp_path)
    try:
        first = certify(authorities[0])
        world.configure(world.nobody(), routes={"presets": ["openai"]})
        address, process = start(world, upstream.url, "--certificate", str(pem), "--workers", "2")
        host, _, port = address.rpartition(":")
        before = served_by(process)
        assert len(before) == 2
        assert shown() == first

        def connect() -> http.client.HTTPConnection:
            return http.client.HTTPSConnection(host, int(port), timeout=60, context=context)

        long = connect()
        long.request("GET", "/stream")
        stream = long.getresponse()
        assert stream.read(4) == b"half"
        with Load([Http1(connect, stays=user % 2 == 0) for user in range(4)]) as load:
            load.more(20)
            # A configuration that is wrong changes nothing.
            good = world.config.read_text(encoding="utf-8")
            world.config.write_text("[lane]\nnone = 1\n", encoding="utf-8")
            process.popen.send_signal(signal.SIGHUP)
            assert event(process) == {"event": "reload failed", "exit_code": 2}
            load.more(20)
            # So does a certificate that is none.
            world.config.write_text(good, encoding="utf-8")
            pem.write_text("no certificate", encoding="utf-8")
            process.popen.send_signal(signal.SIGHUP)
            assert event(process) == {"event": "reload failed", "exit_code": 2}
            load.more(20)
            assert shown() == first
            assert set(before) <= set(served_by(process))
            said = process.log.read_text()
            assert "none" in said
            assert "--certificate" in said
            # What is right is taken: another shadow, another certificate.
            second = certify(authorities[1])
            world.configure(shadow.url, routes={"presets": ["openai"]})
            process.popen.send_signal(signal.SIGHUP)
            taken = event(process)
            assert taken["event"] == "reloaded"
            assert not set(taken["processes"]) & set(before)
            load.more(50)
            until(lambda: shown() == second, "the new certificate")
            until(lambda: shadow.requests, "a copy at the new shadow")
            prod.go_on.set()
            assert stream.read() == b"half"  # of the process that leaves
            long.close()
            until(lambda: all(map(gone, before)), "the processes before to leave")
            load.more(20)
        assert load.failures == []
    finally:
        world.close()


def test_what_streams_on_is_cut_when_the_drain_is_over(
    tmp_path: Path, behind: tuple[Upstream, Prod, ChatServer]
) -> None:
    upstream, prod, shadow = behind
    world = World(tmp_path)
    try:
        world.configure(shadow.url, lane=ALONE)
        address, process = start(world, upstream.url, "--drain", "1")
        before = served_by(process)
        prod.go_on.clear()
        connection = listening(process, address)()
        connection.request("GET", "/stream")
        stream = connection.getresponse()
        assert stream.read(4) == b"half"
        process.popen.send_signal(signal.SIGHUP)
        assert event(process)["event"] == "reloaded"
        until(lambda: all(map(gone, before)), "the process before to end")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            stream.read()
        connection.close()
        with contextlib.closing(listening(process, address)()) as other:
            other.request("GET", "/x")
            assert other.getresponse().read() == CHAT
    finally:
        prod.go_on.set()
        world.close()


def test_a_process_that_is_killed_is_followed_by_another(
    tmp_path: Path, behind: tuple[Upstream, Prod, ChatServer]
) -> None:
    upstream, _, shadow = behind
    world = World(tmp_path)
    try:
        world.configure(shadow.url, lane=ALONE)
        address, process = start(world, upstream.url)
        (killed,) = served_by(process)
        os.kill(killed, signal.SIGKILL)
        assert event(process) == {"event": "process ended", "process": killed, "exit_code": -signal.SIGKILL}
        with contextlib.closing(listening(process, address)()) as user:  # waits at the socket, which is still there
            user.request("GET", "/x")
            assert user.getresponse().read() == CHAT
        assert event(process)["event"] == "process started"
        # Who serves does not outlive who holds the socket.
        (serves,) = served_by(process)
        process.popen.kill()
        until(lambda: gone(serves), "the process to leave")
    finally:
        world.close()


def test_what_cannot_begin_ends_with_its_reason(tmp_path: Path, behind: tuple[Upstream, Prod, ChatServer]) -> None:
    upstream, _, shadow = behind
    world = World(tmp_path)
    try:
        world.configure(shadow.url, lane=ALONE)
        pem = tmp_path / "tls.pem"
        pem.write_text("no certificate", encoding="utf-8")
        options = ["--upstream", upstream.url, "--listen", "127.0.0.1:0", "--certificate", str(pem), "--workers", "2"]
        done = world.cli("proxy", *options)
        assert done.returncode == 2
        assert "--certificate" in done.stderr
        assert "PEM" in done.stderr
    finally:
        world.close()
