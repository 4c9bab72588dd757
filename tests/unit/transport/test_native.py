"""What the native transport alone has: HTTP/2, its thread, and one process."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from shadowlane import _core
from shadowlane.config import ShadowConfig
from shadowlane.transport import NativeTransport, open_transport
from shadowlane.types import Outcome
from tests.support.faulty import ANSWER, FaultyServer
from tests.support.http2server import Http2Server, Mode
from tests.unit.transport.test_http import make_copy

Run = Any


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return request.param


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def opened(url: str, **fields: Any) -> NativeTransport:
    transport = open_transport("c", ShadowConfig(url=url, **{"timeout_s": 30.0, **fields}), None)
    assert isinstance(transport, NativeTransport)
    assert transport.kind == "native"
    return transport


def senders() -> int:
    """Threads of this process that send."""
    gc.collect()
    names = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # another thread that ended meanwhile
            names.append((task / "comm").read_text().strip())
    return names.count("shadowlane-send")


# ---- one connection or many, over HTTP/1.1


def test_a_thousand_calls_at_once(run: Run) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            transport = opened(server.url, concurrency=32, timeout_s=100.0)
            outcomes = await asyncio.gather(*(transport.send(make_copy(target=f"/{n}")) for n in range(1000)))
            assert [(one.reason, one.body) for one in outcomes] == [("", ANSWER)] * 1000
            assert sorted(request.target for request in server.requests) == sorted(f"/{n}" for n in range(1000))
            assert server.connections <= 32
            await transport.close()
            await server.until(lambda: server.open_connections == 0)

    run(go())


def test_the_thread_begins_with_a_call_and_ends_with_the_last_transport(run: Run) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            first, second = opened(server.url), opened(server.url)
            assert senders() == 0
            await first.send(make_copy())
            await second.send(make_copy())
            assert senders() == 1
            await first.close()
            assert (await second.send(make_copy())).reason == ""
            await second.close()
            await second.close()
            assert senders() == 0
            # Opened again, as the one over aiohttp is.
            assert (await first.send(make_copy())).reason == ""
            await first.close()

    run(go())
    assert senders() == 0


def test_a_loop_that_ended_without_closing_leaves_nothing(run: Run) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            assert (await opened(server.url).send(make_copy())).reason == ""

    run(go())
    assert senders() == 0


def test_calls_that_are_out_when_it_closes_have_failed(run: Run) -> None:
    async def go() -> list[Outcome]:
        async with FaultyServer("hang") as server:
            transport = opened(server.url)
            calls = [asyncio.create_task(transport.send(make_copy())) for _ in range(3)]
            await server.until(lambda: len(server.requests) == 3)
            await transport.close()
            return await asyncio.gather(*calls)

    for outcome in run(go()):
        assert (outcome.reason, outcome.detail) == ("transport_error", "the transport was closed")


def test_cancelling_ends_the_connection_and_frees_its_slot(run: Run) -> None:
    async def go() -> None:
        async with FaultyServer("hang") as server:
            transport = opened(server.url, concurrency=2)
            calls = [asyncio.create_task(transport.send(make_copy())) for _ in range(4)]
            await server.until(lambda: len(server.requests) == 2)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await server.until(lambda: server.open_connections == 0)
            server.mode = "ok"
            assert (await transport.send(make_copy())).reason == ""
            await transport.close()

    run(go())


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_connection_that_was_closed_while_idle_is_not_taken(method: str, run: Run) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            transport = opened(server.url)
            assert (await transport.send(make_copy(method))).reason == ""
            port = server.port
        async with FaultyServer("ok", port=port) as server:
            assert (await transport.send(make_copy(method))).reason == ""
            assert len(server.requests) == 1
        await transport.close()

    run(go())


def test_an_early_answer_to_a_large_request_is_read(run: Run) -> None:
    """The shadow answers behind the head and never reads the body."""
    answered = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += connection.recv(1024)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
            answered.wait(60)

    async def go() -> Outcome:
        transport = opened(f"http://127.0.0.1:{listener.getsockname()[1]}")
        outcome = await transport.send(make_copy(body=bytes(32 << 20)))
        await transport.close()
        return outcome

    with socket.create_server(("127.0.0.1", 0)) as listener:
        shadow = threading.Thread(target=answer)
        shadow.start()
        outcome = run(go())
        answered.set()
        shadow.join()
    assert (outcome.reason, outcome.status, outcome.body) == ("", 413, b"no")


def test_another_process_is_refused_and_has_a_thread_of_its_own() -> None:
    program = """
import asyncio, os
from shadowlane import _core
from shadowlane.config import ShadowConfig
from shadowlane.transport import open_transport
from tests.support.faulty import FaultyServer
from tests.unit.transport.test_http import make_copy

def in_child(transport, dispatcher):
    try:
        dispatcher.submit(1, "GET", "/", [], b"", 1.0)
    except RuntimeError as error:
        assert f"belongs to process {os.getppid()}; open one in this process" in str(error), error
    else:
        raise AssertionError("it was taken")
    dispatcher.close()
    async def again():
        outcome = await transport.send(make_copy())
        await transport.close()
        return outcome.reason
    assert asyncio.run(again()) == ""

async def go():
    async with FaultyServer("ok") as server:
        transport, dispatcher = open_transport("c", ShadowConfig(url=server.url), None), _core.Dispatcher()
        assert (await transport.send(make_copy())).reason == ""
        child = os.fork()
        if not child:
            code = 3
            try:
                in_child(transport, dispatcher)
                del transport, dispatcher
                code = 0
            finally:
                os._exit(code)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
        assert (await transport.send(make_copy())).reason == ""
        await transport.close()
        dispatcher.close()

asyncio.run(go())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_and_opening_start_no_thread() -> None:
    before = threading.active_count()
    opened("https://shadow.example")
    assert threading.active_count() == before
    assert senders() == 0


# ---- TLS


def test_an_expired_certificate_is_refused(authority: trustme.CA, bundle: str, run: Run) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_before=past, not_after=past + datetime.timedelta(days=1)).configure_cert(tls)

    async def go() -> None:
        async with FaultyServer("ok", tls=tls) as server:
            transport = opened(server.url, ca_file=bundle)
            outcome = await transport.send(make_copy())
            await transport.close()
            assert outcome.reason == "connect_error"
            assert outcome.detail.startswith("certificate refused:")
            assert "expired" in outcome.detail
            assert server.requests == []

    run(go())


@pytest.mark.parametrize(("names", "reason"), [(["127.0.0.1"], ""), (["other.example"], "connect_error")])
def test_a_certificate_that_signed_itself_is_taken_from_the_file_alone(
    names: list[str], reason: str, tmp_path: Path, run: Run
) -> None:
    """As ``openssl req -x509`` makes it: an authority's by its form. It must still name the host."""
    kind = "IP" if names[0][0].isdigit() else "DNS"
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=x"]
    subprocess.run([*command, "-addext", f"subjectAltName={kind}:{names[0]}"], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    async def go() -> None:
        async with FaultyServer("ok", tls=tls) as server:
            for ca_file, expected in (("", "connect_error"), (str(certificate), reason)):
                transport = opened(server.url, ca_file=ca_file)
                assert (await transport.send(make_copy())).reason == expected
                await transport.close()

    run(go())


# ---- HTTP/2


def over_http2(run: Run, authority: trustme.CA, bundle: str, mode: Mode, times: int = 1) -> tuple[list[Outcome], Any]:
    async def go() -> tuple[list[Outcome], Http2Server]:
        async with Http2Server(authority, mode) as server:
            transport = opened(server.url, ca_file=bundle)
            outcomes = [await transport.send(make_copy(target=f"/{n}")) for n in range(times)]
            await transport.close()
            await server.until_left()
            return outcomes, server

    found: tuple[list[Outcome], Http2Server] = run(go())
    return found


def test_http2_where_the_shadow_speaks_it(authority: trustme.CA, bundle: str, run: Run) -> None:
    (outcome, again), server = over_http2(run, authority, bundle, "ok", 2)
    assert (outcome.reason, outcome.status) == ("", 200)
    assert outcome.body == b'/0 {"model":"prod-1","messages":[]}'
    assert (b"content-type", b"text/plain") in outcome.headers
    assert 0 < outcome.ttfb_ns <= outcome.duration_ns
    assert again.body.startswith(b"/1 ")
    assert server.connections == 1
    request = server.requests[0]
    assert (request[":method"], request[":authority"], request[":scheme"]) == (
        "POST",
        f"127.0.0.1:{server.port}",
        "https",
    )
    assert (request["content-length"], request["x-shadow"]) == ("32", "1")
    assert "host" not in request


@pytest.mark.parametrize(
    ("mode", "reason", "status", "words"),
    [
        ("goaway before", "transport_error", 0, "did not take the request"),
        ("refuse", "transport_error", 0, "did not take the request"),
        ("reset", "transport_error", 0, "ended the stream"),
        ("cut", "transport_error", 200, "ended early"),
    ],
)
def test_http2_failures_have_their_reasons_and_nothing_is_sent_again(
    mode: Mode, reason: str, status: int, words: str, authority: trustme.CA, bundle: str, run: Run
) -> None:
    outcomes, server = over_http2(run, authority, bundle, mode, 2)
    for outcome in outcomes:
        assert (outcome.reason, outcome.status) == (reason, status)
        assert words in outcome.detail
    assert [request[":path"] for request in server.requests] == ["/0", "/1"]


def test_http2_goaway_behind_an_answer_is_no_failure(authority: trustme.CA, bundle: str, run: Run) -> None:
    outcomes, server = over_http2(run, authority, bundle, "goaway after", 3)
    assert [one.reason for one in outcomes] == [""] * 3
    assert server.connections == 3


def test_http2_shares_connections_within_what_the_shadow_allows(authority: trustme.CA, bundle: str, run: Run) -> None:
    async def go() -> None:
        async with Http2Server(authority, "ok", streams=5) as server:
            transport = opened(server.url, ca_file=bundle, concurrency=20, timeout_s=100.0)
            outcomes = await asyncio.gather(*(transport.send(make_copy(target=f"/{n}")) for n in range(200)))
            assert {one.detail for one in outcomes} == {""}
            assert len(server.requests) == 200
            assert server.most_at_once <= 5
            assert server.connections <= 20
            await transport.close()
            await server.until_left()

    run(go())


def test_http2_bodies_of_both_sides_are_bounded_and_whole(authority: trustme.CA, bundle: str, run: Run) -> None:
    async def go() -> None:
        sent, answer = bytes(3 << 20), b"answer. " * (1 << 18)
        async with Http2Server(authority, "ok") as server:
            transport = opened(server.url, ca_file=bundle)
            outcome = await transport.send(make_copy(body=sent))
            assert (outcome.reason, len(outcome.body)) == ("", len(sent) + len("/v1/chat/completions?a=1 "))
            server.answer = answer
            assert (await transport.send(make_copy())).body == answer
            await transport.close()
            small = opened(server.url, ca_file=bundle, max_response_bytes=1024)
            cut = await small.send(make_copy())
            assert (cut.reason, cut.body) == ("response_too_large", answer[:1024])
            await small.close()
            await server.until_left()

    run(go())


def test_http2_deadlines_and_cancelled_calls_leave_the_connection_to_others(
    authority: trustme.CA, bundle: str, run: Run
) -> None:
    async def go() -> None:
        async with Http2Server(authority, "hang") as server:
            transport = opened(server.url, ca_file=bundle, concurrency=1)
            call = asyncio.create_task(transport.send(make_copy()))
            await server.until(1)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            server.mode = "ok"
            assert (await transport.send(make_copy())).reason == ""
            assert server.connections == 1
            await transport.close()
            server.mode = "hang"
            hasty = opened(server.url, ca_file=bundle, timeout_s=0.3)
            assert (await hasty.send(make_copy())).reason == "deadline"
            await hasty.close()

    run(go())


def test_what_one_connection_agreed_on_does_not_hold_for_the_next(authority: trustme.CA, bundle: str, run: Run) -> None:
    """A name with several servers behind it, of which not all speak HTTP/2: HTTP/1.1, then 2, then 1.1 again."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    async def go() -> None:
        async with FaultyServer("ok", tls=tls) as server:
            transport, port = opened(server.url, ca_file=bundle), server.port
            assert (await transport.send(make_copy())).body == ANSWER
        async with Http2Server(authority, "ok", port=port) as server2:
            for n in range(2):
                outcome = await transport.send(make_copy(target=f"/{n}"))
                assert (outcome.reason, outcome.body[:3]) == ("", b"/%d " % n)
            assert server2.connections == 1
        async with FaultyServer("ok", tls=tls, port=port):
            # The first may go over a connection of which nobody knows yet that it is closed.
            outcomes = [await transport.send(make_copy()) for _ in range(2)]
            assert outcomes[-1].body == ANSWER
        await transport.close()

    run(go())


def test_an_http2_connection_that_fell_silent_is_left(authority: trustme.CA, bundle: str, run: Run) -> None:
    """Nothing comes any more, not even a reset, as behind a router that forgot it."""

    async def go() -> None:
        async with Http2Server(authority, "ok") as server:
            transport = opened(server.url, ca_file=bundle, timeout_s=1.0)
            deadline = asyncio.get_running_loop().time() + 60
            while (await transport.send(make_copy())).reason != "":
                assert asyncio.get_running_loop().time() < deadline
            server.mode = "silent"
            while (await transport.send(make_copy())).reason != "deadline":
                assert asyncio.get_running_loop().time() < deadline
            server.mode = "ok"  # for new connections: the first one stays silent
            while (await transport.send(make_copy())).reason != "":
                assert asyncio.get_running_loop().time() < deadline
            assert server.connections >= 2
            await transport.close()

    run(go())


# ---- the dispatcher itself


def test_calls_that_are_out_when_the_dispatcher_is_closed_come_out() -> None:
    """Somebody waits for each of them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        dispatcher = _core.Dispatcher()
        target = _core.DispatchTarget(
            "127.0.0.1", port, f"127.0.0.1:{port}", tls=False, bundle=None, concurrency=1, most_bytes=1024
        )
        origin = dispatcher.open(target)
        numbers = {dispatcher.submit(origin, "GET", "/", [], b"", 60.0) for _ in range(3)}
        dispatcher.close()
        rows = dispatcher.take()
    assert {(row[0], row[1], row[2]) for row in rows} == {
        (number, "transport_error", "the transport was closed") for number in numbers
    }
    assert dispatcher.take() == []


def test_a_thread_that_ended_costs_a_call_and_not_the_shadow(run: Run) -> None:
    """Two shadows of one loop: the first call of each that finds no thread fails, and later ones have another."""

    async def go() -> list[str]:
        async with FaultyServer("ok") as server:
            one, other = opened(server.url), opened(server.url)
            reasons = [(await transport.send(make_copy())).reason for transport in (one, other)]
            assert one._link is not None
            one._link._dispatcher.close()
            reasons += [(await transport.send(make_copy())).reason for transport in (one, one, other)]
            await one.close()
            reasons.append((await other.send(make_copy())).reason)
            await other.close()
            return reasons

    assert run(go()) == ["", "", "transport_error", "", "", ""]
    assert senders() == 0


def test_without_a_free_descriptor_the_outcome_says_so() -> None:
    program = """
import asyncio, resource
from shadowlane.config import ShadowConfig
from shadowlane.transport import open_transport
from tests.support.faulty import FaultyServer
from tests.unit.transport.test_http import make_copy

async def go():
    async with FaultyServer("ok") as server:
        first, second = (open_transport("c", ShadowConfig(url=server.url), None) for _ in range(2))
        assert (await first.send(make_copy())).reason == ""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        outcome = await second.send(make_copy())
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        print(outcome.reason, outcome.detail.rpartition(": ")[2])
        await first.close()
        await second.close()

asyncio.run(go())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.stdout.strip(), done.stderr) == ("connect_error Too many open files", "")
