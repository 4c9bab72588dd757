"""The native transport without coroutines: what it hands out sanitized, and what becomes of calls that are given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from shadowlane import _core
from shadowlane.config import ShadowConfig
from shadowlane.dispatch.arm import Arm, ArmOptions
from shadowlane.score import extract_answer
from shadowlane.transport import NativeTransport, open_transport
from shadowlane.types import CleanAnswer, Outcome, ShadowCounts
from tests.support.faulty import ANSWER, FaultyServer
from tests.support.panics import PROBE, can_panic
from tests.unit.transport.test_http import make_copy
from tests.unit.worker.world import Run, copy_of

KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"
MOST = 1024
End = tuple[Outcome, CleanAnswer | None]


def opened(url: str, sanitizer: _core.Sanitizer | None, **fields: Any) -> NativeTransport:
    shadow = ShadowConfig(url=url, timeout_s=30.0, **fields)
    transport = open_transport(
        "s", shadow, None, read=extract_answer, stub_rounds=3, sanitizer=sanitizer, sanitized_bytes=MOST
    )
    assert isinstance(transport, NativeTransport)
    return transport


async def end_of(transport: NativeTransport, **fields: Any) -> End:
    over: asyncio.Future[End] = asyncio.get_running_loop().create_future()
    began = True

    def answered(outcome: Outcome, clean: CleanAnswer | None = None) -> None:
        assert not began, "told before it had begun"
        over.set_result((outcome, clean))

    transport.begin(make_copy(**fields), answered)
    began = False
    return await over


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"text": f"the key {KEY}, mail jo@example.com"}).encode(),
        b'{"text": "nothing to hide"}',
        b"",
        b"a" * MOST,
        b"a" * (MOST + 1),
    ],
    ids=["secret", "clean", "empty", "as large as may be", "too large"],
)
def test_small_answers_are_handed_out_sanitized_as_well(body: bytes, run: Callable[..., None]) -> None:
    async def go() -> None:
        sanitizer = _core.Sanitizer()
        async with FaultyServer("ok", answer=body, headers=(f"authorization: {KEY}", "x-request-id: 7")) as server:
            transport, plain = opened(server.url, sanitizer), opened(server.url, None)
            outcome, clean = await end_of(transport)
            assert outcome.body == body, "the outcome itself is as received: limits and tool calls are read of it"
            assert (await end_of(plain))[1] is None
            await transport.close()
            await plain.close()
        if len(body) > MOST:
            assert clean is None
        else:
            assert clean == sanitizer.response(outcome.headers, body, False)
            assert KEY.encode() not in repr(clean).encode()

    run(go())


def test_a_call_without_an_answer_has_nothing_to_sanitize() -> None:
    async def go() -> None:
        transport = opened("http://127.0.0.1:9", _core.Sanitizer())
        outcome, clean = await end_of(transport)
        assert (outcome.reason, clean) == ("connect_error", ([], b"", {}, ""))
        await transport.close()

    asyncio.run(go())


def test_what_is_sanitized_is_the_last_rounds_answer() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}
    asks = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [call]}}]}
    says = {"choices": [{"message": {"role": "assistant", "content": f"it is {KEY}"}}]}

    async def go() -> None:
        script = [json.dumps(one).encode() for one in (asks, says)]
        async with FaultyServer("script", script=script) as server:
            transport = opened(server.url, _core.Sanitizer())
            body = b'{"model":"m","messages":[{"role":"user","content":"find it"}],"tools":[{"type":"function"}]}'
            outcome, clean = await end_of(transport, body=body, preset="openai", target="/v1/chat/completions")
            assert (outcome.rounds, len(server.requests), json.loads(outcome.body)) == (2, 2, says)
            assert clean is not None
            assert b"it is [" in clean.body
            await transport.close()

    asyncio.run(go())


def test_a_call_that_is_given_up_is_not_told_of() -> None:
    async def go() -> None:
        async with FaultyServer("hang") as server:
            transport = opened(server.url, None)
            told: list[Outcome] = []
            cancel = transport.begin(make_copy(), lambda outcome, clean=None: told.append(outcome))
            await server.until(lambda: len(server.requests) == 1)
            cancel()
            await server.until(lambda: server.open_connections == 0)
            server.mode = "ok"
            assert (await end_of(transport))[0].body == ANSWER
            await transport.close()
            assert told == []

    asyncio.run(go())


def test_what_cannot_be_made_into_a_request_is_told_of_later() -> None:
    """The same for a dispatcher that fails: nobody is told before ``begin`` has returned."""

    async def go() -> None:
        transport = opened("http://127.0.0.1:9", None)
        transport.rounds.first = _fails  # type: ignore[method-assign]
        outcome, _ = await end_of(transport)
        assert (outcome.reason, outcome.detail) == ("transport_error", "ValueError")
        await transport.close()

    asyncio.run(go())


def _fails(*_: object) -> Any:
    raise ValueError("planted-secret")


def test_calls_that_are_out_when_the_grace_ends_are_given_back(tmp_path: Path) -> None:
    async def go() -> None:
        async with FaultyServer("hang") as server:
            arm = Arm("s", opened(server.url, _core.Sanitizer()), ArmOptions(concurrency=4))
            run = Run(tmp_path, [copy_of(number) for number in range(30)], [arm])
            running = asyncio.create_task(run(grace_s=0.0))
            await server.until(lambda: len(server.requests) == 4)
            run.stop.set()
            assert (await running)["s"] == ShadowCounts()
            assert not run.rings.acked
            assert (arm.out, arm.waiting) == (0, 0)
            await server.until(lambda: server.open_connections == 0)

    asyncio.run(go())


@pytest.mark.parametrize("mode", ["close_mid_body", "close_at_once", "garbage"])
def test_a_shadow_that_fails_in_the_middle_costs_its_own_rows(tmp_path: Path, mode: str) -> None:
    async def go() -> None:
        async with FaultyServer("ok") as server:
            arm = Arm("s", opened(server.url, _core.Sanitizer(), concurrency=1), ArmOptions(concurrency=1))
            run = Run(tmp_path, [copy_of(number) for number in range(12)], [arm])
            running = asyncio.create_task(run())
            await server.until(lambda: len(server.requests) == 3)
            server.mode = mode
            await server.until(lambda: len(server.requests) >= 6)
            server.mode = "ok"
            counts = (await running)["s"]
            assert counts.answered + sum(counts.failed.values()) == 12
            assert counts.answered >= 2
            assert set(counts.failed) == {"transport_error"}
            assert len(run.rings.acked) == 12

    asyncio.run(go())


@can_panic
def test_a_panic_in_sanitizing_costs_that_answer_alone(tmp_path: Path) -> None:
    async def go() -> None:
        script = [json.dumps(text).encode() for text in ("yes", PROBE, "yes", "yes")]
        async with FaultyServer("script", script=script) as server:
            arm = Arm("s", opened(server.url, _core.Sanitizer(), concurrency=1), ArmOptions(concurrency=1))
            run = Run(tmp_path, [copy_of(number) for number in range(4)], [arm])
            assert (await run())["s"] == ShadowCounts(answered=3, failed={"unreadable": 1})

    asyncio.run(go())
