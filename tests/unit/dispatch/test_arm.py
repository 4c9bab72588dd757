"""One copy's way to a shadow: slots, deadline, limits asked twice, tries within the cap, and nothing raised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from shadowlane.dispatch.arm import Arm, ArmOptions
from shadowlane.limits import Breaker, Budget, BudgetLimits, Retry, ShadowLimits
from shadowlane.types import Copy, Outcome

from ..worker.world import ANSWER, Shadow, copy_of

pytestmark = pytest.mark.usefixtures("way")

COPY = copy_of(1)


def limits_of(**more: object) -> ShadowLimits:
    return ShadowLimits(qps=50.0, breaker=Breaker(window=2, minimum=2, ratio=1.0), **more)  # type: ignore[arg-type]


def failing(*outcomes: Outcome) -> Callable[[Copy], Awaitable[Outcome]]:
    """Answers these in turn, then well."""
    left = list(outcomes)

    async def send(copy: Copy) -> Outcome:
        return left.pop(0) if left else ANSWER

    return send


DOWN = Outcome(shadow="s", reason="connect_error")
BUSY = Outcome(shadow="s", status=503)


def test_no_more_are_out_than_there_are_places() -> None:
    async def main() -> None:
        open_, most = 0, 0

        async def send(copy: Copy) -> Outcome:
            nonlocal open_, most
            open_ += 1
            most = max(most, open_)
            await asyncio.sleep(0)
            open_ -= 1
            return ANSWER

        arm = Arm("s", Shadow(send), ArmOptions(concurrency=3))
        outcomes = await asyncio.gather(*(arm.deliver(COPY) for _ in range(20)))
        assert (most, {outcome.status for outcome in outcomes}) == (3, {200})
        assert (arm.out, arm.waiting) == (0, 0)

    asyncio.run(main())


def test_a_copy_that_waited_too_long_for_a_place_never_goes_out() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def send(copy: Copy) -> Outcome:
            await release.wait()
            return ANSWER

        shadow = Shadow(send)
        # A slot is waited for as long as a whole call still fits into the deadline: not at all, here.
        arm = Arm("s", shadow, ArmOptions(concurrency=1, deadline_s=5.0, timeout_s=5.0))
        first = asyncio.create_task(arm.deliver(COPY))
        await shadow.until_sent(1)
        late = await arm.deliver(COPY)
        assert (late.reason, late.duration_ns) == ("deadline", 0)
        assert "no slot among shadows.s.concurrency = 1" in late.detail
        release.set()
        assert (await first).status == 200
        assert (await arm.deliver(COPY)).status == 200
        assert len(shadow.sent) == 2

    asyncio.run(main())


def test_an_arm_that_gives_way_keeps_its_share_and_lets_the_oldest_go() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def send(copy: Copy) -> Outcome:
            await release.wait()
            return ANSWER

        arm = Arm("s", Shadow(send), ArmOptions(concurrency=2, most=5))

        async def give(numbers: range, *, give_way: bool) -> list[asyncio.Task[Outcome]]:
            tasks = [asyncio.create_task(arm.deliver(copy_of(number), give_way=give_way)) for number in numbers]
            for _ in range(4):
                await asyncio.sleep(0)
            return tasks

        held = await give(range(7), give_way=False)
        assert (arm.out, arm.waiting, arm.has_room) == (2, 5, False)
        more = await give(range(7, 9), give_way=True)
        assert (arm.out, arm.waiting, arm.has_room) == (2, 3, False)
        gone = [task.result() for task in held if task.done()]
        assert [held.index(task) for task in held if task.done()] == [2, 3, 4, 5]
        assert {(outcome.reason, outcome.duration_ns) for outcome in gone} == {("deadline", 0)}
        assert "held its share of 5 copies" in gone[0].detail
        release.set()
        assert {(await task).status for task in (*held[:2], held[6], *more)} == {200}
        assert (arm.out, arm.waiting, arm.has_room) == (0, 0, True)

    asyncio.run(main())


def test_an_arm_whose_share_is_out_lets_the_new_copy_go() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def send(copy: Copy) -> Outcome:
            await release.wait()
            return ANSWER

        for arm in (
            Arm("s", Shadow(send), ArmOptions(concurrency=9, most=2)),
            Arm("s", Shadow(send), ArmOptions(concurrency=9, most_bytes=2 * len(COPY.response_body))),
        ):
            release.clear()
            out = [asyncio.create_task(arm.deliver(COPY)) for _ in range(2)]
            for _ in range(4):
                await asyncio.sleep(0)
            assert (await arm.deliver(COPY, give_way=True)).reason == "deadline"
            release.set()
            assert [outcome.status for outcome in await asyncio.gather(*out)] == [200, 200]
            assert arm.has_room

    asyncio.run(main())


def test_limits_are_asked_again_when_a_place_is_free() -> None:
    async def main() -> None:
        shadow = Shadow(failing(Outcome(shadow="s", status=429, headers=((b"retry-after", b"60"),))))
        arm = Arm("s", shadow, ArmOptions(concurrency=1), limits=limits_of())
        outcomes = await asyncio.gather(*(arm.deliver(COPY) for _ in range(5)))
        assert [outcome.reason for outcome in outcomes] == ["", *["provider_limit"] * 4]
        assert len(shadow.sent) == 1

    asyncio.run(main())


def test_a_retry_that_succeeds_and_one_that_gives_up() -> None:
    async def main() -> None:
        arm = Arm("s", Shadow(failing(DOWN, BUSY)), retry=Retry(3, draw=lambda: 0.0))
        assert (await arm.deliver(COPY)).status == 200
        assert arm.retries == 2
        arm = Arm("s", Shadow(failing(DOWN, BUSY, DOWN)), retry=Retry(3, draw=lambda: 0.0))
        assert (await arm.deliver(COPY)).reason == "connect_error"

    asyncio.run(main())


def test_a_retry_needs_the_cap_the_deadline_and_the_limits() -> None:
    async def main() -> None:
        shadow = Shadow(failing(DOWN))
        arm = Arm("s", shadow, retry=Retry(3, draw=lambda: 0.0), cap=lambda: False)
        assert (await arm.deliver(COPY)).reason == "connect_error"
        assert len(shadow.sent) == 1
        # The wait would end too late for a whole call.
        shadow = Shadow(failing(DOWN))
        arm = Arm(
            "s",
            shadow,
            ArmOptions(deadline_s=6.0, timeout_s=5.0),
            retry=Retry(3, base_s=2.0, max_s=2.0, draw=lambda: 0.99),
        )
        assert (await arm.deliver(COPY)).reason == "connect_error"
        assert len(shadow.sent) == 1
        # The first two failures open the breaker.
        shadow = Shadow(failing(DOWN, DOWN, DOWN))
        arm = Arm("s", shadow, retry=Retry(5, draw=lambda: 0.0), limits=limits_of())
        assert (await arm.deliver(COPY)).reason == "connect_error"
        assert len(shadow.sent) == 2
        # A provider's pause is waited for only within the deadline.
        shadow = Shadow(failing(Outcome(shadow="s", status=429, headers=((b"retry-after", b"3600"),))))
        arm = Arm("s", shadow, retry=Retry(5, draw=lambda: 0.0), limits=limits_of())
        assert (await arm.deliver(COPY)).status == 429
        assert len(shadow.sent) == 1

    asyncio.run(main())


def test_usage_is_counted_once_and_stops_the_next_copy() -> None:
    async def main() -> None:
        limits = limits_of(budget=Budget(BudgetLimits(tokens_per_hour=10)))
        arm = Arm("s", Shadow(), limits=limits, meter=lambda outcome: ("m", {"total_tokens": 10}))
        assert (await arm.deliver(COPY)).tokens == 10
        refused = await arm.deliver(COPY)
        assert (refused.reason, refused.tokens) == ("budget", 0)

    asyncio.run(main())


def test_a_meter_that_raises_is_counted_and_the_answer_stays(caplog: pytest.LogCaptureFixture) -> None:
    def meter(outcome: Outcome) -> tuple[str, dict[str, int]]:
        raise ValueError("odd")

    async def main() -> None:
        limits = limits_of(budget=Budget(BudgetLimits(tokens_per_hour=10)))
        arm = Arm("s", Shadow(), limits=limits, meter=meter)
        assert (await arm.deliver(COPY)).status == 200
        assert limits.unmetered == 1

    asyncio.run(main())
    assert "could not be accounted for" in caplog.text


def test_a_cancelled_call_gives_its_place_and_its_probe_back() -> None:
    async def main() -> None:
        shadow = Shadow(failing(DOWN, DOWN))
        now = [0.0]
        limits = ShadowLimits(
            qps=50.0, breaker=Breaker(window=2, minimum=2, ratio=1.0, open_s=5.0), clock=lambda: now[0]
        )
        arm = Arm("s", shadow, ArmOptions(concurrency=1), limits=limits)
        for _ in range(2):
            await arm.deliver(COPY)
        now[0] = 5.0

        async def hang(copy: Copy) -> Outcome:
            await asyncio.Event().wait()
            return ANSWER

        shadow._send = hang
        probe = asyncio.create_task(arm.deliver(COPY))
        await shadow.until_sent(3)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        shadow._send = None
        assert (await arm.deliver(COPY)).status == 200
        assert (arm.out, arm.waiting) == (0, 0)

    asyncio.run(main())


def test_a_refused_copy_has_no_time_and_no_status() -> None:
    refused = Arm("s", Shadow()).refused("budget")
    assert msgspec.structs.replace(refused, started_ns=0) == Outcome(shadow="s", reason="budget")


def test_an_outcome_says_how_long_it_waited_for_a_slot_and_how_often_it_was_sent() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        released = asyncio.Event()

        async def send(copy: Copy) -> Outcome:
            await released.wait()
            return ANSWER

        arm = Arm("s", Shadow(send), ArmOptions(concurrency=1))
        began = loop.time()
        first = asyncio.create_task(arm.deliver(COPY))
        second = asyncio.create_task(arm.deliver(COPY))
        loop.call_later(0.05, released.set)
        at_once, waited = await asyncio.gather(first, second)
        took_ns = (loop.time() - began) * 1e9
        assert (at_once.tries, waited.tries) == (1, 1)
        assert at_once.waited_ns < waited.waited_ns <= took_ns
        assert waited.waited_ns >= 0.04e9

        again = Arm("s", Shadow(failing(BUSY, DOWN)), retry=Retry(3, base_s=1e-3, max_s=1e-3))
        assert (await again.deliver(COPY)).tries == 3
        limits = limits_of()
        refusing = Arm("s", Shadow(failing(DOWN, DOWN)), limits=limits)
        await refusing.deliver(COPY)
        await refusing.deliver(COPY)
        unsent = await refusing.deliver(COPY)
        assert (unsent.reason, unsent.tries) == ("breaker_open", 0)

    asyncio.run(main())
