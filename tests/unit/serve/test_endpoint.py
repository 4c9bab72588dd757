"""The endpoint in this process: bounds in time, and what its own faults and strange requests leave in the log."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from aiohttp import web

from shadowlane import Lane
from shadowlane.config import Config
from shadowlane.report.command import restart_window, run_gate
from shadowlane.serve import endpoint, guarded, lane
from shadowlane.serve.endpoint import Endpoint
from shadowlane.serve.lane import LaneView
from shadowlane.store import SqliteStore
from shadowlane.worker.state import write_state
from tests.support.lanes import config_at, make_pairs, save

SECRET = "a text of somebody's request"


def config(folder: Path) -> Config:
    return config_at(folder, serve={"listen": "127.0.0.1:0"})


def strange_routes(_: LaneView) -> Iterable[web.RouteDef]:
    async def fails(_: web.Request) -> web.Response:
        raise ValueError(SECRET)

    async def hangs(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    return [web.get("/fails/{name}", fails), web.get("/hangs", hangs)]


def served(folder: Path, work: Callable[[str, int], Awaitable[None]]) -> None:
    async def run() -> None:
        one = Endpoint(config(folder))
        host, _, port = (await one.listen(None)).partition(":")
        try:
            await work(host, int(port))
        finally:
            await one.close()

    asyncio.run(run())


async def raw(host: str, port: int, request: bytes) -> bytes:
    """What is answered until the server closes."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


def test_its_own_fault_is_logged_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint, "ROUTES", [*endpoint.ROUTES, strange_routes])
    caplog.set_level(logging.DEBUG)

    async def work(host: str, port: int) -> None:
        path = SECRET.replace(" ", "%20").encode()
        head = b"GET /fails/" + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await raw(host, port, head)
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert answer.endswith(b"\r\n\r\nan error of ours; the log says where\n")

    served(tmp_path, work)
    [said] = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert said.startswith("GET /fails/{name}: ValueError in fails (test_endpoint.py:")
    assert "somebody" not in caplog.text


SEALED = (
    b"server: shadowlane",
    b"cache-control: no-store",
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options: nosniff",
    b"referrer-policy: no-referrer",
    b"cross-origin-resource-policy: same-origin",
)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + SECRET.encode() + b"\r\n\r\n",
        b"\x16\x03\x01" + SECRET.encode(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + SECRET.encode() + b"\r\n\r\n",
        b"GET /" + b"x" * 10_000 + SECRET.encode() + b" HTTP/1.1\r\n\r\n",
        b"POST /gate/promote HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n" + SECRET.encode(),
        b"POST /gate/check HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + SECRET.encode(),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_read_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, request_: bytes
) -> None:
    caplog.set_level(logging.DEBUG)

    async def work(host: str, port: int) -> None:
        answer = await raw(host, port, request_)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ", b"HTTP/1.1 404 ")), answer
        assert b"somebody" not in answer
        head = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
        for line in SEALED:
            assert head.count(line) == 1, (line, answer)

    served(tmp_path, work)
    assert "somebody" not in caplog.text


def test_a_head_that_does_not_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_IDLE_S", 0.2)

    async def work(host: str, port: int) -> None:
        assert await raw(host, port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx-slow: ") == b""
        assert await raw(host, port, b"") == b""

    served(tmp_path, work)


def test_a_body_that_does_not_end_and_a_handler_that_does_not_are_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "ROUTES", [*endpoint.ROUTES, strange_routes])
    monkeypatch.setattr(guarded, "_HANDLER_S", 0.2)

    async def work(host: str, port: int) -> None:
        head = b"POST /gate/promote HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
        assert (await raw(host, port, head)).startswith(b"HTTP/1.1 503 ")
        head = b"GET /hangs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert (await raw(host, port, head)).startswith(b"HTTP/1.1 503 ")

    served(tmp_path, work)


def test_it_can_be_started_again_and_says_where_it_listens(tmp_path: Path) -> None:
    async def run() -> None:
        one = Endpoint(config(tmp_path))
        assert one.state() == {"endpoint": {"listen": "127.0.0.1:0", "error": "not started"}}
        for _ in range(2):
            await one.start(None)
            assert one.state()["endpoint"]["error"] == ""
            host, _, port = one.state()["endpoint"]["listen"].partition(":")
            assert (await raw(host, int(port), b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")).endswith(b"ok\n")
            await one.close()
            with socket.socket() as probe:
                assert probe.connect_ex((host, int(port))) != 0

    asyncio.run(run())


def test_a_name_that_takes_long_to_be_looked_up_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_LOOK_UP_S", 0.1)
    named = config_at(tmp_path, serve={"listen": "localhost:0"})

    async def run() -> None:
        loop, known = asyncio.get_running_loop(), asyncio.Event()

        async def slow(*_: object, **__: object) -> list[object]:
            await known.wait()
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

        monkeypatch.setattr(loop, "getaddrinfo", slow)
        one = Endpoint(named)
        await asyncio.wait_for(one.start(None), 60)
        assert one.state()["endpoint"]["error"] == "serve.listen = 'localhost:0': its address is being looked up"
        await one.close()
        await asyncio.wait_for(one.start(None), 60)
        known.set()
        assert one._trying is not None
        await one._trying
        assert one.state()["endpoint"]["error"] == ""
        host, _, port = one.state()["endpoint"]["listen"].partition(":")
        assert (await raw(host, int(port), b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")).endswith(b"ok\n")
        await one.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_alone_it_is_ready_while_the_gate_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, really = threading.Event(), lane.read_verdicts

    def slow(config: Config, **more: object) -> object:
        assert go.wait(60)
        return really(config, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(lane, "read_verdicts", slow)
    monkeypatch.setattr(lane, "_EVALUATE_S", 0.5)
    save(config(tmp_path), make_pairs(3))

    async def work(host: str, port: int) -> None:
        try:
            assert b"the evaluation takes longer than" in await asked(host, port, "GET /gate")
            monkeypatch.setattr(lane, "_EVALUATE_S", 60.0)  # which it does still, while this is asked
            assert (await asked(host, port, "GET /readyz")).endswith(b"\r\n\r\nready\n")
        finally:
            go.set()

    served(tmp_path, work)


@pytest.mark.parametrize("with_store", [False, True])
def test_a_window_that_somebody_else_began_anew_is_that_of_the_next_answer(tmp_path: Path, with_store: bool) -> None:
    given = config(tmp_path)
    if with_store:
        save(given, make_pairs(60))

    async def why(host: str, port: int) -> str:
        data = json.loads((await asked(host, port, "GET /gate")).rpartition(b"\r\n\r\n")[2])
        return str(data["shadows"][0]["window"]["why"])

    async def work(host: str, port: int) -> None:
        assert await why(host, port) != "restarted by hand"
        restart_window(given)
        assert await why(host, port) == "restarted by hand"

    served(tmp_path, work)


def test_a_version_that_another_host_saw_begins_the_window_of_the_next_answer(tmp_path: Path) -> None:
    given = config_at(
        tmp_path, fleet={"url": "redis://127.0.0.1:9"}, lane={"directory": str(tmp_path / "lane"), "worker": "external"}
    )
    save(given, make_pairs(60))
    now = time.time_ns()

    def heard(*pins: tuple[str, int, int]) -> None:
        seen = [("model_rev", value, now + first, now + last) for value, first, last in pins]
        write_state(tmp_path / "lane", {"fleet": {"pins": {"candidate": seen}}})

    async def run() -> None:
        view = LaneView(given, None)
        try:
            windows = []
            for pins in ([("1", -50, -40)], [("1", -50, -40), ("2", -30, -20)], [("1", -50, -10), ("2", -30, -20)]):
                heard(*pins)
                (verdict,) = (await view.evaluated()).verdicts
                windows.append((verdict.window.why, verdict.window.since_ns == now - 30))
            assert windows == [("", False), ("pin model_rev changed from 1 to 2", True), ("", False)]
        finally:
            view.close()

    with Lane.open(given):
        asyncio.run(run())


_TWO = {name: {"url": "http://127.0.0.1:9"} for name in ("candidate", "other")}


@pytest.mark.parametrize("shadow", [None, "other"])
@pytest.mark.parametrize("shadows", [_TWO, {"other": _TWO["other"]}])
def test_the_verdict_has_every_member_that_the_command_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shadow: str | None, shadows: dict[str, dict[str, str]]
) -> None:
    given = config_at(tmp_path, serve={"listen": "127.0.0.1:0"}, shadows=shadows)
    save(given, [pair for name in shadows for pair in make_pairs(60, shadow=name)])

    async def ask() -> bytes:
        one = Endpoint(given)
        host, _, port = (await one.listen(None)).partition(":")
        try:
            return await asked(host, int(port), "GET /gate" + (f"?shadow={shadow}" if shadow else ""))
        finally:
            await one.close()

    answered = json.loads(asyncio.run(ask()).rpartition(b"\r\n\r\n")[2])
    run_gate(given, shadow, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert answered.keys() - {"evaluated_ns"} == printed.keys()
    for name in ("lane", "shadow", "verdict", "decision", "pins", "reason"):
        assert answered[name] == printed[name]
    beside = [arms and [one["name"] for one in arms["arms"]] for arms in (answered["arms"], printed["arms"])]
    assert beside[0] == beside[1] == (["candidate", "other"] if len(shadows) == 2 and shadow is None else None)


_ANSWERS = {"promote": b" 409 ", "check": b" 200 ", "rollback": b" 409 "}


async def asked(host: str, port: int, line: str, body: bytes = b"") -> bytes:
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return await raw(host, port, head.encode() + body)


def test_what_breaks_in_the_evaluation_is_a_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Config, **__: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(lane, "read_verdicts", broken)
    caplog.set_level(logging.DEBUG)

    async def work(host: str, port: int) -> None:
        answer = await asked(host, port, "GET /gate")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"verdict": "HOLD"' in answer
        assert b"an error of ours: ValueError in broken" in answer
        for name, status in _ANSWERS.items():
            answer = await asked(host, port, f"POST /gate/{name}")
            assert status in answer.splitlines()[0]
            assert b"\r\n\r\nHOLD an error of ours: ValueError in broken" in answer

    served(tmp_path, work)
    assert "somebody" not in caplog.text


def test_an_evaluation_that_takes_too_long_is_a_hold_and_its_result_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, really = threading.Event(), lane.read_verdicts

    def slow(config: Config, **more: object) -> object:
        assert go.wait(60)
        return really(config, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(lane, "read_verdicts", slow)
    monkeypatch.setattr(lane, "_EVALUATE_S", 0.1)

    async def work(host: str, port: int) -> None:
        assert b"the evaluation takes longer than" in await asked(host, port, "GET /gate")
        assert (await asked(host, port, "GET /healthz")).endswith(b"ok\n"), "meanwhile the loop turns"
        monkeypatch.setattr(lane, "_EVALUATE_S", 60.0)
        go.set()
        assert b"needs more data for mean" in await asked(host, port, "GET /gate")

    served(tmp_path, work)


def test_a_fault_while_a_checksum_is_kept_is_a_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> bool:
        raise ValueError(SECRET)

    monkeypatch.setattr(LaneView, "note_release", broken)
    payload = b'{"name": "rag", "namespace": "prod", "checksum": "c1"}'

    async def work(host: str, port: int) -> None:
        for name, status in _ANSWERS.items():
            answer = await asked(host, port, f"POST /gate/{name}", payload)
            assert status in answer.splitlines()[0]
            assert SECRET.encode() not in answer

    served(tmp_path, work)


_ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"


def test_an_evaluation_that_runs_is_not_waited_for_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends a process waits for its threads: one that reads a large store stops."""
    given = config_at(tmp_path, serve={"listen": "127.0.0.1:0"})
    save(given, make_pairs(3))
    reads = threading.Event()
    real = SqliteStore.pieces

    def endless(store: SqliteStore, *args: object, **more: object) -> object:
        reads.set()
        store._db.execute(_ENDLESS).fetchone()
        return real(store, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(SqliteStore, "pieces", endless)

    async def run() -> threading.Thread:
        view = LaneView(given, None)
        asking = asyncio.create_task(view.evaluated())
        await asyncio.to_thread(reads.wait, 60)
        [thread] = view._thread._threads
        view.close()
        asking.cancel()
        await asyncio.wait({asking})
        return thread

    thread = asyncio.run(run())
    thread.join(60)
    assert not thread.is_alive()
