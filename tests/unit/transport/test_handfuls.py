"""Calls go out, and their ends come in, in handfuls: none is lost or waits for what does not end, and no time of ours
is the shadow's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop

from shadowlane import _core
from shadowlane.config import ShadowConfig
from shadowlane.transport import NativeTransport, open_transport
from shadowlane.transport.call import Call
from tests.support.faulty import ANSWER, FaultyServer
from tests.unit.transport.test_http import make_copy

_PATIENCE_S = 60.0


@pytest.fixture
def dispatcher() -> Iterator[_core.Dispatcher]:
    made = _core.Dispatcher()
    yield made
    made.close()


def target(url: str, concurrency: int) -> _core.DispatchTarget:
    port = urlsplit(url).port
    assert port is not None
    return _core.DispatchTarget(
        "127.0.0.1", port, f"127.0.0.1:{port}", tls=False, bundle=None, concurrency=concurrency, most_bytes=1 << 20
    )


def test_a_call_that_ends_does_not_wait_for_one_that_hangs() -> None:
    async def go() -> None:
        async with FaultyServer("script", script=[b"", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]) as server:
            transport = open_transport("c", ShadowConfig(url=server.url, concurrency=8, timeout_s=600.0), None)
            hangs = asyncio.create_task(transport.send(make_copy()))
            await server.until(lambda: len(server.requests) == 1)
            for _ in range(3):
                outcome = await asyncio.wait_for(transport.send(make_copy()), _PATIENCE_S)
                assert (outcome.reason, outcome.status) == ("", 200)
            assert not hangs.done()
            await transport.close()
            assert (await asyncio.wait_for(hangs, _PATIENCE_S)).reason == "transport_error"

    uvloop.run(go())


def test_what_is_submitted_in_a_turn_goes_out_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            transport = open_transport("c", ShadowConfig(url=server.url, concurrency=64, timeout_s=600.0), None)
            assert isinstance(transport, NativeTransport)
            assert (await transport.send(make_copy())).body == ANSWER
            link = transport._link
            assert link is not None
            flushed = 0
            flush = link._flush

            def counted() -> None:
                nonlocal flushed
                flushed += 1
                flush()

            monkeypatch.setattr(link, "_flush", counted)
            outcomes = await asyncio.gather(*(transport.send(make_copy()) for _ in range(50)))
            assert [one.body for one in outcomes] == [ANSWER] * 50
            assert flushed == 1
            await transport.close()

    asyncio.run(go())


class Broken:
    """A dispatcher whose calls never go out."""

    def __init__(self, dispatcher: _core.Dispatcher) -> None:
        self._dispatcher = dispatcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dispatcher, name)

    def flush(self) -> None:
        raise Panic


class Panic(BaseException):
    """As one of the extension: no ``Exception``."""


def test_calls_that_cannot_go_out_fail_and_the_next_ones_have_a_thread_anew() -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            transport = open_transport("c", ShadowConfig(url=server.url, concurrency=64, timeout_s=600.0), None)
            assert isinstance(transport, NativeTransport)
            assert (await transport.send(make_copy())).body == ANSWER
            link = transport._link
            assert link is not None
            monkey: Any = link
            monkey._dispatcher = Broken(link._dispatcher)
            sends = [transport.send(make_copy()) for _ in range(3)]
            outcomes = await asyncio.wait_for(asyncio.gather(*sends), _PATIENCE_S)
            assert {(one.reason, one.detail) for one in outcomes} == {
                ("transport_error", "the dispatcher failed: Panic")
            }
            assert (await asyncio.wait_for(transport.send(make_copy()), _PATIENCE_S)).body == ANSWER
            assert transport._link is not link
            await transport.close()

    asyncio.run(go())


def test_nothing_is_sent_before_it_is_flushed_and_closing_ends_what_was_not(dispatcher: _core.Dispatcher) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            origin = dispatcher.open(target(server.url, 4))
            kept, left = (dispatcher.submit(origin, "GET", f"/{n}", [], b"", 600.0) for n in range(2))
            dispatcher.cancel(left)  # behind both of them
            done = []
            deadline = time.monotonic() + _PATIENCE_S
            while not done and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
                done = dispatcher.take()
            assert [row[0] for row in done] == [kept]
            never = dispatcher.submit(origin, "GET", "/never", [], b"", 600.0)
            dispatcher.close()
            (row,) = dispatcher.take()
            assert (row[0], row[1], row[3]) == (never, "transport_error", 0)
            assert "/never" not in {request.target for request in server.requests}
            with pytest.raises(RuntimeError):
                dispatcher.submit(origin, "GET", "/", [], b"", 1.0)
            with pytest.raises(RuntimeError):
                dispatcher.flush()

    asyncio.run(go())


def test_no_time_between_rounds_is_the_shadows(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now)
    call = Call("c", 0)
    for after_ns, took_ns, next_ns in ((40, 100, 5_000), (7, 50, 9_000), (1, 2, 20_000)):
        call.begin()
        call.head(200, (), after_ns)
        call.ended(took_ns)
        now = next_ns
    outcome = call.outcome()
    assert outcome.round_ns == (100, 50, 2)
    assert outcome.duration_ns == 152
    assert outcome.ttfb_ns == 151
    assert call.elapsed_s == pytest.approx(19e-6)  # the deadline counts all of it


def test_a_round_without_an_end_of_its_own_lasts_until_now(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now)
    call = Call("c", 0)
    call.begin()
    call.ended(100)
    now = 5_000
    call.begin()
    now = 5_030
    call.fail("transport_error", "")
    assert (call.outcome().duration_ns, call.outcome().round_ns) == (130, (100, 30))
