"""What holds a process's calls together, without gRPC's own threads: silence, what is said once, what is swallowed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("grpc", reason="extra ext-proc")

import grpc.aio

from shadowlane.ext_proc.server import SILENT_S, Processor
from shadowlane.ext_proc.stream import Room
from tests.support.captured import Captured, captured
from tests.support.envoy import message

POST = {":method": "POST", ":path": "/ask", ":authority": "user.example"}
OK = {":status": "200"}
ASKED = message("request_headers", POST).SerializeToString()
HEAD = message("response_headers", OK).SerializeToString()


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Call:
    """A call as grpc.aio gives it to a handler: what is put in is read, an exception is raised."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def read(self) -> Any:
        one = await self.queue.get()
        if isinstance(one, BaseException):
            raise one
        return one


@pytest.fixture
def lane() -> Iterator[Captured]:
    with captured() as made:
        yield made


def processor(lane: Captured, clock: Time | None = None) -> Processor:
    return Processor(lane.lane, Room(100, 1 << 20, clock or Time()))


def run(lane: Captured, *parts: Any, by: Processor | None = None) -> None:
    async def call() -> None:
        made = Call()
        for one in parts:
            made.queue.put_nowait(one)
        await (by or processor(lane)).process(None, made)

    asyncio.run(call())


async def turns(n: int = 20) -> None:
    """Let every task that can go on do so."""
    for _ in range(n):
        await asyncio.sleep(0)


def test_silent_calls_are_found_and_ended_whether_they_have_begun_or_not(lane: Captured) -> None:
    clock = Time()
    made = processor(lane, clock)

    async def calls() -> None:
        begun, never, lively = Call(), Call(), Call()
        begun.queue.put_nowait(ASKED)
        tasks = [asyncio.create_task(made.process(None, one)) for one in (begun, never, lively)]
        await turns()
        clock.now += SILENT_S + 1
        lively.queue.put_nowait(ASKED)
        await turns()
        assert len(made.silent()) == 2
        made.end(made.silent())
        await turns()
        assert [task.done() for task in tasks] == [True, True, False]
        made.end_all()
        await asyncio.gather(*tasks)  # each as one that has come to its end, not as one that was cancelled

    asyncio.run(calls())
    assert lane.dropped() == {"client_disconnected": 2}
    assert not made.room.streams
    assert lane.accounted()


def test_a_fault_of_grpcs_is_counted_and_ends_the_call(lane: Captured, caplog: pytest.LogCaptureFixture) -> None:
    run(lane, ASKED, RuntimeError("the user's own words"))
    assert lane.status()["faults"] == 1
    assert lane.dropped() == {"client_disconnected": 1}
    assert not caplog.records


def test_bodies_that_never_come_are_told_of_once_and_not_for_one_user_who_left(
    lane: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    made = processor(lane)
    with caplog.at_level(logging.WARNING):
        for _ in range(19):
            run(lane, ASKED, HEAD, grpc.aio.EOF, by=made)
        assert not caplog.records
        for _ in range(10):
            run(lane, ASKED, HEAD, grpc.aio.EOF, by=made)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["no stream had a body"]


def test_where_bodies_come_nothing_is_said(lane: Captured, caplog: pytest.LogCaptureFixture) -> None:
    made = processor(lane)
    body = message("request_body", body=b"{}", end=True).SerializeToString()
    run(lane, ASKED, body, HEAD, grpc.aio.EOF, by=made)
    for _ in range(30):
        run(lane, ASKED, HEAD, grpc.aio.EOF, by=made)
    assert not caplog.records
