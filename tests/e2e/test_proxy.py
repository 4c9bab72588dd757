"""`shadowlane proxy` between a user and an upstream over plain sockets: what goes in comes out, and is mirrored."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests.support.chatserver import ChatServer, chat, serving
from tests.support.upstream import Upstream, Wire

from .conftest import ROOT, Process, World, until

pytest.importorskip("websockets", reason="extra proxy")

CHAT = json.dumps(
    {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "Prod."}}]}
).encode()
ASKED = {"model": "m", "messages": [{"role": "user", "content": "How long?"}]}
ALONE = {"worker": "external"}
"""Where nothing is mirrored: no worker, which could still be starting when the test has ended."""
EVENTS = [b"data: one\n\n", b"data: \xf0\x9f\x90\xb5\n\n", b"data: [DONE]\n\n"]


class Prod:
    """What the upstream answers, by path; streams go on when the test lets them."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.gone = threading.Event()

    def __call__(self, wire: Wire) -> None:
        kind = wire.path.partition("?")[0]
        if kind == "/odd":
            wire.send(
                b"HTTP/1.1 299 Odd\r\nX-One: a\r\nset-cookie: a=1\r\nX-Two: \xc3\xbc\r\nset-cookie: b=2\r\n"
                b"Content-Encoding: br\r\n"
                b"Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\n\x00\xff\x01"
            )
        elif kind == "/events":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for event in EVENTS:
                wire.send(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                assert self.go_on.wait(60)
            wire.send(b"0\r\n\r\n")
        elif kind == "/cut":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            wire.connection.shutdown(socket.SHUT_RDWR)
        elif kind == "/long":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            wire.connection.settimeout(60)
            if not wire.connection.recv(1):
                self.gone.set()
        elif kind == "/head":
            wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n")
        elif kind == "/status":
            status = int(wire.path.partition("?")[2])
            wire.send(b"HTTP/1.1 %d Odd\r\ncontent-length: 3\r\n\r\nodd" % status)
        elif kind == "/empty":
            wire.send(b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n")
        else:
            wire.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(CHAT) + CHAT
            )


class Served:
    """The proxy, what is behind it and beside it."""

    def __init__(self, world: World, upstream: Upstream, prod: Prod, shadow: ChatServer) -> None:
        self.world, self.upstream, self.prod, self.shadow = world, upstream, prod, shadow
        world.configure(shadow.url, routes={"presets": ["openai"], "read": ["GET /events", "GET /cut"]})
        self.address, self.process = start(world, upstream.url)
        self.url = f"http://{self.address}"


def start(world: World, upstream: str, *more: str) -> tuple[str, Process]:
    options = ["--upstream", upstream, "--listen", "127.0.0.1:0", "--config", str(world.config), "--json", *more]
    env = {"PYTHONPATH": str(ROOT / "python")}
    process = Process(
        [sys.executable, "-m", "shadowlane", "proxy", *options], world.folder / "proxy.log", env, world.folder
    )
    world.processes.append(process)
    return str(json.loads(process.first_line())["listen"]), process


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    prod, world = Prod(), World(tmp_path_factory.mktemp("proxy"))
    with Upstream(prod) as upstream, serving(lambda got: chat("Shadow.")) as shadow:
        try:
            yield Served(world, upstream, prod, shadow)
        finally:
            prod.go_on.set()
            world.close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as made:
        yield made


def raw(address: str, request: bytes) -> bytes:
    """An answer to its end, on a connection that is closed by then."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def test_an_answer_passes_byte_by_byte(served: Served) -> None:
    answer = raw(
        served.address,
        b"GET /odd?x=%2f&y= HTTP/1.1\r\nhost: user.example\r\nx-a: 1\r\nx-a: 2\r\nconnection: close\r\n\r\n",
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 299 ")
    assert body == b"\x00\xff\x01"
    fields = [line.partition(b": ")[::2] for line in head.split(b"\r\n")[1:]]
    assert [pair for pair in fields if pair[0].lower() != b"connection"] == [
        (b"x-one", b"a"),
        (b"set-cookie", b"a=1"),
        (b"x-two", b"\xc3\xbc"),
        (b"set-cookie", b"b=2"),
        (b"content-encoding", b"br"),
        (b"content-length", b"3"),
    ]
    wire = served.upstream.seen[-1]
    assert wire.path == "/odd?x=%2f&y="
    assert wire.fields == [
        (b"host", b"user.example"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"user.example"),
    ]


@pytest.mark.parametrize("target", ["@{}/stolen", ".example/x", "0/x", "x"])
def test_a_target_never_names_another_host(served: Served, target: str) -> None:
    """Behind the upstream's address it would be a part of that: a user, a longer name, a longer port."""

    def stolen(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen")

    with Upstream(stolen) as other:
        asked = target.format(other.url.removeprefix("http://")).encode()
        answer = raw(served.address, b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n" % asked)
        assert other.seen == []
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("hosts", [["user@other"], ["a b"], [""], ["a/b"], ["a", "b"], ["a", "a"]])
def test_a_host_that_is_none_goes_no_further(served: Served, hosts: list[str]) -> None:
    before = len(served.upstream.seen)
    lines = "".join(f"host: {host}\r\n" for host in hosts)
    answer = raw(served.address, f"GET /x HTTP/1.1\r\n{lines}connection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert len(served.upstream.seen) == before


def test_an_absolute_target_is_its_path(served: Served) -> None:
    target = b"http://user.example/odd?x=%2f"
    answer = raw(served.address, b"GET %s HTTP/1.1\r\nhost: user.example\r\nconnection: close\r\n\r\n" % target)
    assert answer.startswith(b"HTTP/1.1 299 ")
    assert served.upstream.seen[-1].path == "/odd?x=%2f"


@pytest.mark.parametrize("length", [b"2", b"900"])
def test_a_length_beside_chunks_does_not_travel_on(served: Served, length: bytes) -> None:
    answer = raw(
        served.address,
        b"POST /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %s\r\ntransfer-encoding: chunked\r\n\r\n"
        b"5\r\nwhole\r\n0\r\n\r\n" % length,
    )
    assert CHAT in answer
    wire = served.upstream.seen[-1]
    assert wire.body == b"whole"
    assert b"content-length" not in dict(wire.fields)


def test_bodies_pass_with_their_length_or_in_chunks(served: Served, client: httpx.Client) -> None:
    data = bytes(range(256)) * 5000
    client.put(f"{served.url}/x", content=data)
    wire = served.upstream.seen[-1]
    assert (wire.body, dict(wire.fields)[b"content-length"]) == (data, str(len(data)).encode())
    client.post(f"{served.url}/x", content=iter([b"abc", b"", b"def"]))
    wire = served.upstream.seen[-1]
    assert (wire.body, dict(wire.fields).get(b"transfer-encoding")) == (b"abcdef", b"chunked")


@pytest.mark.parametrize(("method", "path", "status"), [("HEAD", "/head", 200), ("GET", "/empty", 204)] * 2)
def test_an_answer_without_a_body_keeps_its_fields(
    served: Served, client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, served.url + path)
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers.get("content-length", "12345") == "12345"


@pytest.mark.parametrize(("status", "seen"), [(418, 418), (599, 599), (600, 502), (999, 502)])
def test_a_status_that_is_none_of_http_is_a_bad_gateway(
    served: Served, client: httpx.Client, status: int, seen: int
) -> None:
    answer = client.get(f"{served.url}/status?{status}")
    assert answer.status_code == seen
    assert (str(status) if seen == 502 else "odd") in answer.text


def test_an_upload_is_asked_for_when_it_waits(served: Served) -> None:
    host, _, port = served.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
        )
        assert connection.recv(25).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        answer = b""
        while data := connection.recv(65536):
            answer += data
    assert CHAT in answer
    assert served.upstream.seen[-1].body == b"abc"


def test_a_stream_comes_as_it_is_sent(served: Served, client: httpx.Client) -> None:
    served.prod.go_on.clear()
    with client.stream("GET", f"{served.url}/events") as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == EVENTS[0]  # while the upstream waits with the next one
        served.prod.go_on.set()
        assert b"".join(chunks) == b"".join(EVENTS[1:])


def test_an_answer_that_breaks_off_does_not_look_whole(served: Served) -> None:
    with pytest.raises(httpx.TransportError), httpx.Client(timeout=60, trust_env=False) as client:
        client.get(f"{served.url}/cut")


def test_a_user_who_leaves_ends_the_request_upstream(served: Served) -> None:
    served.prod.gone.clear()
    with httpx.Client(timeout=60, trust_env=False) as client, client.stream("GET", f"{served.url}/long") as answer:
        assert next(answer.iter_raw()) == b"half"
    assert served.prod.gone.wait(60)


def test_what_passes_is_mirrored_and_nobody_waits_for_it(served: Served, client: httpx.Client) -> None:
    target = "/v1/chat/completions?a=b"
    url = served.url + target
    answer = client.post(url, json=ASKED, headers={"authorization": "Bearer secret-of-a-user"})
    assert answer.content == CHAT
    got = until(lambda: next((one for one in served.shadow.requests if one.path == target), None), "the copy")
    assert got.body["messages"] == ASKED["messages"]
    assert "secret-of-a-user" not in json.dumps(got.headers)
    wire = served.upstream.seen[-1]
    assert dict(wire.fields)[b"authorization"] == b"Bearer secret-of-a-user"
    # Two more that were not whole are counted, and not sent.
    until(lambda: served.world.lane_status()["open"] == 0, "all requests to end")
    status = served.world.lane_status()
    assert status["seen"] == status["mirrored"] + sum(status["dropped"].values())


def test_an_upstream_that_is_not_there_is_a_bad_gateway(tmp_path: Path, client: httpx.Client) -> None:
    world = World(tmp_path)
    try:
        with serving(lambda got: chat("x")) as shadow:
            world.configure(shadow.url, lane=ALONE, routes={"presets": ["openai"]})
            address, _ = start(world, world.nobody())
            answer = client.post(f"http://{address}/v1/chat/completions", json=ASKED)
            assert answer.status_code == 502
            assert answer.text.startswith("shadowlane proxy: the upstream gave no answer")
    finally:
        world.close()


def test_tls_by_file_and_a_drain_at_the_end(tmp_path: Path, served: Served) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "tls.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    world = World(tmp_path)
    try:
        world.configure(served.shadow.url, lane=ALONE)
        address, process = start(world, served.upstream.url, "--certificate", str(tmp_path / "tls.pem"))
        served.prod.go_on.clear()
        secure = httpx.Client(timeout=60, trust_env=False, verify=context)
        with secure as client, client.stream("GET", f"https://{address}/events") as answer:
            chunks = answer.iter_raw()
            assert next(chunks) == EVENTS[0]
            assert dict(served.upstream.seen[-1].fields)[b"x-forwarded-proto"] == b"https"
            process.popen.send_signal(signal.SIGTERM)
            host, _, port = address.rpartition(":")
            until(lambda: _refused(host, int(port)), "no new connection to be taken")
            served.prod.go_on.set()
            assert b"".join(chunks) == b"".join(EVENTS[1:])
        assert process.popen.wait(60) == 0
    finally:
        world.close()


def _refused(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) != 0


@pytest.mark.parametrize("options", [(), ("--http2", "--upstream-http2")])
def test_websockets_pass_both_ways(tmp_path: Path, served: Served, options: tuple[str, ...]) -> None:
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    left: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()

    async def echo(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                if message == "end":
                    await connection.close(4001, "enough")
                    return
                await connection.send(message)
        await left.put((connection.close_code, connection.close_reason))

    def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(403, "no\n") if request.path == "/no" else None

    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0, subprotocols=["v2"], process_request=refuse) as server:  # type: ignore[list-item]
            port = server.sockets[0].getsockname()[1]
            address, _ = await asyncio.to_thread(start, world, f"http://127.0.0.1:{port}", *options)
            async with connect(f"ws://{address}/ws?a=1", subprotocols=["v1", "v2"]) as user:  # type: ignore[list-item]
                assert user.subprotocol == "v2"
                for message in ("text", b"\x00\xff", "", "x" * 100_000):
                    await user.send(message)
                    assert await user.recv() == message
                await user.send("end")
                with pytest.raises(ConnectionClosed) as closed:
                    await user.recv()
                assert closed.value.rcvd is not None
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")
            async with connect(f"ws://{address}/ws", subprotocols=["v2"]) as user:  # type: ignore[list-item]
                await user.close(4002, "seen \u00fc")
            assert await asyncio.wait_for(left.get(), 60) == (4002, "seen \u00fc")
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"ws://{address}/no"):
                    pass
            assert refused.value.response.status_code == 403

    world = World(tmp_path)
    try:
        world.configure(served.shadow.url, lane=ALONE)
        asyncio.run(asyncio.wait_for(main(), 100))
    finally:
        world.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--upstream", "ftp://x"), "--upstream = 'ftp://x'"),
        (("--upstream", "http://u:p@x"), "without a password"),
        (("--upstream", "http://x", "--listen", "x"), "write HOST:PORT"),
        (("--upstream", "http://x", "--key", "a"), "--key: belongs to a certificate"),
        (("--upstream", "http://x", "--certificate", "gone.pem"), "no such file"),
        (("--upstream", "http://x", "--drain", "-1"), "--drain"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(
    tmp_path: Path, options: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from shadowlane.cli import main

    (tmp_path / "lane.toml").write_text('[shadows.a]\nurl = "http://127.0.0.1:1"\n', encoding="utf-8")
    assert main(["proxy", *options, "--config", str(tmp_path / "lane.toml")]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
