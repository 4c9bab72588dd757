"""``shadowlane guard`` as a process, real clients in front of it and a real upstream behind it: no write arrives."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import trustme

from tests.e2e.conftest import Process, until
from tests.support.ports import reserved_port
from tests.support.recorder import Recorder, recorder


@pytest.fixture
def upstream() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


class Guard:
    """A running proxy and its log."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.log = folder / "guard.log"
        arguments = [sys.executable, "-m", "shadowlane", "guard", "--listen", "127.0.0.1:0", "--json"]
        self.process = Process([*arguments, "--log", str(self.log), *options], folder / "guard.err")
        (first,) = until(lambda: self.events("listening") or self._alive(), "the guard listens")
        self.port = int(first["port"])
        self.url = f"http://127.0.0.1:{self.port}"

    def _alive(self) -> None:
        assert self.process.popen.poll() is None, self.process.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line.get("event") == name]

    def outcomes(self) -> list[str]:
        return [line["outcome"] for line in self.lines() if "outcome" in line]

    def stop(self) -> dict[str, Any]:
        """End it with SIGTERM; its result."""
        os.killpg(self.process.popen.pid, signal.SIGTERM)
        out, _ = self.process.popen.communicate(timeout=60)
        assert self.process.popen.returncode == 0, self.process.log.read_text()
        counts: dict[str, Any] = json.loads(out)
        return counts

    def raw(self, data: bytes) -> bytes:
        """What the proxy answers to raw bytes, up to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while part := connection.recv(65_536):
                    answer += part
            except ConnectionResetError:  # it closed with bytes of ours unread
                pass
            return answer


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Guard]]:
    made: list[Guard] = []

    def one(*options: str) -> Guard:
        made.append(Guard(tmp_path, *options))
        return made[-1]

    yield one
    for guard in made:
        guard.process.stop()


WRITES: list[tuple[str, str, dict[str, str], bytes]] = [
    ("POST", "/x", {}, b"body"),
    ("PUT", "/x", {}, b"body"),
    ("PATCH", "/x", {}, b"body"),
    ("DELETE", "/x", {}, b""),
    ("PROPFIND", "/x", {}, b""),
    ("TRACE", "/x", {}, b""),
    ("GET", "/x", {"X-HTTP-Method-Override": "DELETE"}, b""),
    ("GET", "/x?_method=DELETE", {}, b""),
    ("POST", "/graphql", {"content-type": "application/json"}, b'{"query": "mutation { a }"}'),
    ("POST", "/v1/files", {"content-type": "application/json"}, b"{}"),
    ("POST", "/v1/chat/completions", {"content-type": "application/json"}, b'{"model": "m", "background": true}'),
]


@pytest.mark.parametrize("preset", ["", "=openai", "=graphql"])
def test_no_write_arrives_and_all_is_logged(start: Callable[..., Guard], upstream: Recorder, preset: str) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}{preset}")
    with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
        for method, target, headers, body in WRITES:
            answer = client.request(method, upstream.url + target, headers=headers, content=body)
            assert answer.status_code == 403, target
            assert answer.json()["error"] == "shadow_write_refused"
            assert answer.json()["reason"]
        assert upstream.seen == []
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = client.request(method, upstream.url + "/read?q=1", headers={"x-own": "1", "baggage": "a=b"})
            assert answer.status_code == 200
            assert answer.headers["x-upstream"] == "yes"
    assert [(seen.method, seen.target) for seen in upstream.seen] == [
        ("GET", "/read?q=1"),
        ("HEAD", "/read?q=1"),
        ("OPTIONS", "/read?q=1"),
    ]
    for seen in upstream.seen:
        assert seen.all("x-shadow") == ["1"]
        assert seen.all("baggage") == ["shadow=true,a=b"]
        assert seen.all("x-own") == ["1"]
        assert seen.all("host") == [f"127.0.0.1:{upstream.port}"]
        assert seen.all("proxy-connection") == []
    counts = guard.stop()
    assert counts["requests"] == len(WRITES) + 3
    assert counts["refused_write"] == len(WRITES)
    assert counts["forwarded"] == 3
    assert guard.outcomes() == ["refused_write"] * len(WRITES) + ["forwarded"] * 3
    assert stat.S_IMODE(guard.log.stat().st_mode) == 0o600


ACTING: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
    ("openai", "/v1/chat/completions", {"messages": [], "store": True, "metadata": {"a": "b"}}, ("store", "metadata")),
    (
        "openai",
        "/v1/responses",
        {"input": "x", "tools": [{"type": "code_interpreter"}, {"type": "mcp", "require_approval": "never"}]},
        ("tools",),
    ),
    ("anthropic", "/v1/messages", {"messages": [], "mcp_servers": [{"url": "http://mcp.internal"}]}, ("mcp_servers",)),
    ("mistral", "/v1/chat/completions", {"messages": [], "tools": [{"type": "web_search"}]}, ("tools",)),
]


@pytest.mark.parametrize(("preset", "path", "body", "acting"), ACTING)
def test_the_body_that_was_classified_is_the_one_that_is_sent(
    start: Callable[..., Guard],
    upstream: Recorder,
    preset: str,
    path: str,
    body: dict[str, Any],
    acting: tuple[str, ...],
) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}={preset}")
    with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
        answer = client.post(upstream.url + path, json={"model": "m", **body})
        assert answer.status_code == 200
        harmless = {"model": "m", **{name: value for name, value in body.items() if name not in acting}}
        assert client.post(upstream.url + path, json=harmless).status_code == 200
    sent, plain = upstream.seen
    said = json.loads(sent.body)
    assert said["model"] == "m"
    for member in acting:
        assert not said.get(member), sent.body
    assert sent.all("content-length") == [str(len(sent.body))]
    assert {**harmless, **json.loads(plain.body)} == json.loads(plain.body)
    first, second = until(
        lambda: len(lines := [line for line in guard.lines() if "outcome" in line]) == 2 and lines, "both are logged"
    )
    assert all(any(member in change for change in first["changed"]) for member in acting)
    assert not any("tools" in change or "mcp" in change for change in second.get("changed", ()))


@pytest.mark.parametrize("name", ["X-Original-URL", "x-rewrite-url", "X-Http-DestinationURL", "X_Original_Uri"])
def test_headers_that_name_another_target_do_not_pass(
    start: Callable[..., Guard], upstream: Recorder, name: str
) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}")
    with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
        client.get(upstream.url + "/read", headers={name: "/admin/delete", "x-curl-version": "1"})
    (seen,) = upstream.seen
    assert seen.all(name.lower()) == []
    assert seen.all("x-curl-version") == ["1"]


def test_graphql_queries_pass_and_mutations_in_disguise_do_not(start: Callable[..., Guard], upstream: Recorder) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}=graphql")
    documents = [
        ({"query": "{ a }"}, 200),
        ({"query": "query A { a } mutation B { b }", "operationName": "A"}, 200),
        ({"query": "query A { a } mutation B { b }", "operationName": "B"}, 403),
        ({"query": "query A { a } mutation B { b }"}, 403),
        ({"query": "#comment {\nmutation{ b }"}, 403),
        ({"query": "subscription { b }"}, 403),
        ({"query": "{ a"}, 403),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}, 403),
    ]
    with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
        for document, status in documents:
            assert client.post(upstream.url + "/graphql", json=document).status_code == status, document
    assert len(upstream.seen) == 2


def _smuggled(port: int) -> list[tuple[bytes, int]]:
    """Heads and bodies in which a second reader could see another request, and how many honest GETs they start with."""
    host = f"127.0.0.1:{port}".encode()
    url = b"http://" + host
    evil = b"POST " + url + b"/evil HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 0\r\n\r\n"
    get = b"GET " + url + b"/ok HTTP/1.1\r\nHost: " + host + b"\r\n"
    return [
        (get + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\n\r\n0;ext=\n\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\n\r\n1\r\nAX0\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\n\r\n1\nA\n0\n\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + evil, 0),
        (get + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + evil, 0),
        (get + b"Host: other\r\n\r\n" + evil, 0),
        (b"GET " + url + b"/ok HTTP/1.1\r\nHost: other\r\n\r\n" + evil, 0),
        (b"GET " + url + b"/ok HTTP/1.1\nHost: " + host + b"\n\n" + evil, 0),
        (b"GET " + url + b"/a\r\nX: y HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" + evil, 0),
        (b"GET /ok HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" + evil, 0),
        # Honest ones: the second request is read as one, and judged.
        (get + b"\r\n" + evil, 1),
        (get + b"Content-Length: 0\r\n\r\n" + evil, 1),
        (get + b"\r\n" + get + b"\r\n" + evil, 2),
    ]


def test_nothing_is_smuggled(start: Callable[..., Guard], upstream: Recorder) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}=search")
    for data, honest in _smuggled(upstream.port):
        upstream.seen.clear()
        answer = guard.raw(data)
        assert [(seen.method, seen.target) for seen in upstream.seen] == [("GET", "/ok")] * honest, data
        assert answer.count(b"HTTP/1.1 200") == honest, data
        assert answer.count(b"HTTP/1.1 4") == 1, (data, answer)
        assert b"/evil" not in answer
    counts = guard.stop()
    assert counts["requests"] == sum(counts[name] for name in ("forwarded", "refused_write", "bad_request"))


def test_many_clients_at_once_are_counted_exactly(start: Callable[..., Guard], upstream: Recorder) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}")

    async def work() -> list[int]:
        async with httpx.AsyncClient(proxy=guard.url, trust_env=False, timeout=60) as client:
            asked = [client.request("POST" if n % 3 else "GET", f"{upstream.url}/{n}") for n in range(90)]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    statuses = asyncio.run(work())
    assert statuses == [403 if n % 3 else 200 for n in range(90)]
    assert sorted(int(seen.target[1:]) for seen in upstream.seen) == list(range(0, 90, 3))
    counts = guard.stop()
    assert (counts["requests"], counts["forwarded"], counts["refused_write"]) == (90, 30, 60)


def test_a_chunked_body_is_classified_whole_and_sent_anew(start: Callable[..., Guard], upstream: Recorder) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}=graphql")
    body = b'{"query": "{ a }"}'
    with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
        answer = client.post(
            upstream.url + "/graphql", content=iter([body[:7], body[7:]]), headers={"content-type": "application/json"}
        )
    assert answer.status_code == 200
    (seen,) = upstream.seen
    assert seen.body == body
    assert seen.all("transfer-encoding") == []
    assert seen.all("content-length") == [str(len(body))]


def test_a_client_that_waits_for_100_is_told(start: Callable[..., Guard], upstream: Recorder) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}=graphql")
    body = b'{"query": "{ a }"}'
    host = f"127.0.0.1:{upstream.port}"
    head = (
        f"POST http://{host}/graphql HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", guard.port), timeout=30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_hosts_that_are_not_listed_are_refused(start: Callable[..., Guard], upstream: Recorder) -> None:
    with recorder() as other:
        guard = start("--allow", f"127.0.0.1:{upstream.port}")
        with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
            for url in (other.url, f"http://localhost:{upstream.port}", f"http://127.1:{upstream.port}"):
                answer = client.get(url)
                assert (answer.status_code, answer.json()["error"]) == (403, "shadow_host_refused")
        assert other.seen == upstream.seen == []
        assert guard.stop()["refused_host"] == 3


def test_writes_go_to_the_sink(start: Callable[..., Guard], upstream: Recorder) -> None:
    with recorder() as sink:
        guard = start("--allow", f"127.0.0.1:{upstream.port}", "--sink", f"{sink.url}/sunk")
        with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
            answer = client.post(upstream.url + "/x?q=1", json={"a": 1}, headers={"authorization": "Bearer t"})
            assert answer.status_code == 200
            assert client.get("http://unlisted.invalid/").status_code == 403
        assert upstream.seen == []
        (seen,) = sink.seen
        assert (seen.method, seen.target, json.loads(seen.body)) == ("POST", "/sunk", {"a": 1})
        assert seen.all("x-shadow-guard-target") == ["/x?q=1"]
        assert seen.all("x-shadow-guard-host") == [f"127.0.0.1:{upstream.port}"]
        assert seen.all("x-shadow-guard-reason") != []
        assert seen.all("authorization") == []
        counts = guard.stop()
        assert (counts["sunk"], counts["refused_host"]) == (1, 1)


def test_a_redirect_to_a_write_comes_back_to_the_guard(start: Callable[..., Guard], upstream: Recorder) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}=graphql")
    upstream.redirects["/graphql"] = "/write"
    with httpx.Client(proxy=guard.url, timeout=60, trust_env=False, follow_redirects=True) as client:
        answer = client.post(upstream.url + "/graphql", json={"query": "{ a }"})
    assert (answer.status_code, str(answer.url)) == (403, upstream.url + "/write")
    assert [seen.target for seen in upstream.seen] == ["/graphql"]


def test_the_environment_variables_of_real_clients(
    start: Callable[..., Guard], upstream: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}")
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", guard.url)

    async def by_aiohttp() -> tuple[int, int]:
        async with aiohttp.ClientSession(trust_env=True) as session:
            async with session.get(upstream.url) as read:
                await read.read()
            async with session.post(upstream.url) as write:
                return read.status, write.status

    assert (
        requests.get(upstream.url, timeout=30).status_code,
        requests.post(upstream.url, timeout=30).status_code,
    ) == (
        200,
        403,
    )
    assert (httpx.get(upstream.url, timeout=60).status_code, httpx.post(upstream.url, timeout=60).status_code) == (
        200,
        403,
    )
    assert asyncio.run(by_aiohttp()) == (200, 403)
    assert [seen.method for seen in upstream.seen] == ["GET"] * 3


def test_connect_is_checked_by_its_host_alone(start: Callable[..., Guard], tmp_path: Path) -> None:
    """And this is what the proxy cannot see: the POST inside TLS arrives. The log says so."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    import ssl
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.command)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        port = server.server_address[1]
        guard = start("--connect", f"127.0.0.1:{port}")
        (warning,) = until(lambda: guard.events("warning"), "the warning behind the first line")
        assert "cannot see into" in warning["message"]
        assert warning["hosts"] == [f"127.0.0.1:{port}"]
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        with httpx.Client(proxy=guard.url, timeout=60, trust_env=False, verify=trust) as client:
            assert client.post(f"https://127.0.0.1:{port}/x").status_code == 200
            with pytest.raises(httpx.ProxyError, match="403"):
                client.post(f"https://localhost:{port}/x")
            assert client.get(f"http://127.0.0.1:{port}/x").status_code == 403
        until(lambda: "tunnelled" in guard.outcomes(), "the tunnel's line")
        (line,) = [line for line in guard.lines() if line.get("outcome") == "tunnelled"]
        assert line["opaque"] is True
        assert line["sent_bytes"] > 0
        assert line["received_bytes"] > 0
        assert seen == ["POST"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_log_holds_neither_queries_nor_what_looks_personal(start: Callable[..., Guard], upstream: Recorder) -> None:
    guard = start("--allow", f"127.0.0.1:{upstream.port}")
    with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
        client.get(upstream.url + "/users/jane.doe@example.com/mail?token=topsecret")
        client.post(upstream.url + "/x", content=b"bodysecret", headers={"authorization": "Bearer headersecret"})
    guard.stop()
    text = guard.log.read_text()
    for secret in ("jane.doe", "topsecret", "bodysecret", "headersecret"):
        assert secret not in text
    assert "[EMAIL]/mail" in text


def test_an_upstream_that_is_away_is_502(start: Callable[..., Guard]) -> None:
    with reserved_port() as port:
        guard = start("--allow", f"127.0.0.1:{port}", "--connect", f"127.0.0.1:{port}")
        with httpx.Client(proxy=guard.url, timeout=60, trust_env=False) as client:
            assert client.get(f"http://127.0.0.1:{port}/").status_code == 502
            with pytest.raises(httpx.ProxyError, match="502"):
                client.get(f"https://127.0.0.1:{port}/")
        assert guard.stop()["upstream_error"] == 2


def test_an_answer_that_is_cut_stays_cut(start: Callable[..., Guard]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        guard = start("--allow", f"127.0.0.1:{port}")
        with socket.create_connection(("127.0.0.1", guard.port), timeout=30) as client:
            client.sendall(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            upstream, _ = server.accept()
            upstream.recv(65_536)
            upstream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            upstream.close()
            answer = b""
            try:
                while part := client.recv(65_536):
                    answer += part
            except ConnectionResetError:
                pass
            assert not answer.endswith(b"0\r\n\r\n")
    assert guard.stop()["upstream_error"] == 1


def test_counts_on_sigusr1_and_a_clean_end_with_a_hanging_tunnel(start: Callable[..., Guard]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        guard = start("--connect", f"127.0.0.1:{port}")
        with socket.create_connection(("127.0.0.1", guard.port), timeout=30) as client:
            client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
            os.kill(guard.process.popen.pid, signal.SIGUSR1)
            (line,) = until(lambda: guard.events("counts"), "the counts")
            assert line["counts"]["requests"] == 1
            counts = guard.stop()
        assert counts["tunnelled"] == 1


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ([], 2, "nothing could pass"),
        (["--allow", "http://x"], 2, "--allow"),
        (["--allow", "x", "--sink", "https://x"], 2, "--sink"),
        (["--allow", "x", "--listen", "nonsense"], 2, "--listen"),
        (["--allow", "x", "--log", "/nonexistent/x"], 2, "--log"),
        (["--allow", "x", "--listen", "192.0.2.1:1"], 3, "--listen"),
        (["--no-such-option"], 2, "unrecognized"),
    ],
)
def test_exit_codes(options: list[str], code: int, text: str) -> None:
    arguments = [sys.executable, "-m", "shadowlane", "guard", *options]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
