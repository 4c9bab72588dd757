"""A copy's way in plain calls: no task where nothing waits, every decision once, and one end whatever raises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shadowlane.dispatch.arm import Arm, ArmOptions
from shadowlane.dispatch.delivery import Sending
from shadowlane.limits import Breaker, Permit, Retry, ShadowLimits
from shadowlane.types import Answered, CleanAnswer, Copy, Outcome

from ..worker.world import ANSWER, copy_of

DOWN = Outcome(shadow="s", reason="connect_error")
CLEAN = CleanAnswer((), b"clean", {}, "")


class Panic(BaseException):
    """As one of the extension: no ``Exception``."""


class Calls:
    """A transport of plain calls, whose calls end when the test says so."""

    def __init__(self) -> None:
        self.out: list[tuple[Copy, Answered]] = []
        self.cancelled: list[Copy] = []

    def begin(self, copy: Copy, answered: Answered) -> Callable[[], None]:
        self.out.append((copy, answered))
        return lambda: self.cancelled.append(copy)

    def end(self, outcome: Outcome = ANSWER, clean: CleanAnswer | None = None) -> None:
        """End the call that has been out longest."""
        self.out.pop(0)[1](outcome, clean)

    async def send(self, copy: Copy) -> Outcome:
        raise AssertionError("asked as a coroutine")

    async def close(self) -> None:
        pass


class Ends(list[Sending]):
    """What has ended."""

    def outcomes(self) -> list[Outcome]:
        return [sending.outcome for sending in self if sending.outcome is not None]


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_copy_that_waits_for_nothing_costs_no_task() -> None:
    async def main() -> None:
        calls, ends = Calls(), Ends()
        arm = Arm("s", calls, limits=ShadowLimits(qps=1e3, breaker=Breaker()))
        for number in range(3):
            arm.begin(copy_of(number), ends.append)
        assert [copy.seq for copy, _ in calls.out] == [0, 1, 2], "they are out at once"
        assert len(asyncio.all_tasks()) == 1
        for _ in range(3):
            calls.end(clean=CLEAN)
        assert [(one.status, one.tries) for one in ends.outcomes()] == [(200, 1)] * 3
        assert [sending.clean for sending in ends] == [CLEAN] * 3
        assert (arm.out, arm.waiting, arm.has_room) == (0, 0, True)

    asyncio.run(main())


def test_who_comes_does_not_pass_who_waits() -> None:
    async def main() -> None:
        calls, ends = Calls(), Ends()
        arm = Arm("s", calls, ArmOptions(concurrency=1))
        for number in range(3):
            arm.begin(copy_of(number), ends.append)
        calls.end()  # the slot is the second's, though its turn is the loop's next one
        arm.begin(copy_of(3), ends.append)
        assert calls.out == []
        for number in (1, 2, 3):
            await turns()
            assert [copy.seq for copy, _ in calls.out] == [number]
            calls.end()
        assert len(ends) == 4

    asyncio.run(main())


def test_many_that_are_refused_one_behind_the_other_end_without_recursion() -> None:
    async def main() -> None:
        calls, ends = Calls(), Ends()
        arm = Arm("s", calls, ArmOptions(concurrency=1, most=10_000), limits=ShadowLimits(qps=1e3))
        for number in range(5000):
            arm.begin(copy_of(number), ends.append)
        calls.end(Outcome(shadow="s", status=429, headers=((b"retry-after", b"60"),)))
        while len(ends) < 5000:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert [one.reason for one in ends.outcomes()[1:]] == ["provider_limit"] * 4999
        assert (arm.out, arm.waiting) == (0, 0)

    asyncio.run(main())


def test_a_second_try_waits_without_a_slot_and_its_answer_stands() -> None:
    async def main() -> None:
        calls, ends = Calls(), Ends()
        units = iter([True, True, False])
        arm = Arm(
            "s",
            calls,
            ArmOptions(concurrency=1),
            retry=Retry(5, base_s=1e-3, max_s=1e-3),
            cap=lambda: next(units),
        )
        arm.begin(copy_of(0), ends.append)
        calls.end(DOWN)
        arm.begin(copy_of(1), ends.append)  # the slot is free while the first waits for its second try
        assert [copy.seq for copy, _ in calls.out] == [1]
        calls.end()
        while not calls.out:  # noqa: ASYNC110
            await asyncio.sleep(0)
        calls.end(DOWN, CLEAN)
        while not calls.out:  # noqa: ASYNC110
            await asyncio.sleep(0)
        calls.end(Outcome(shadow="s", status=503), CLEAN)
        while len(ends) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        # The cap had no unit for a fourth: the third try's answer stands.
        assert [(one.status, one.tries) for one in ends.outcomes()] == [(200, 1), (503, 3)]
        assert ends[1].clean is CLEAN
        assert (arm.retries, arm.out) == (2, 0)

    asyncio.run(main())


@pytest.mark.parametrize("what", ["refusal", "admit", "cap", "begin", "learn", "wait_s"])
@pytest.mark.parametrize("kind", [ValueError, Panic])
def test_whatever_raises_costs_a_row_and_no_slot(
    what: str, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise kind("planted-secret")

    async def main() -> None:
        calls, ends = Calls(), Ends()
        limits, retry = ShadowLimits(qps=1e3), Retry(2, draw=lambda: 0.0)
        arm = Arm("s", calls, ArmOptions(concurrency=1), limits=limits, retry=retry)
        if what == "cap":
            arm.cap = fails  # type: ignore[assignment]
        elif what == "begin":
            arm._begin = fails  # type: ignore[assignment]
        else:
            monkeypatch.setattr(retry if what == "wait_s" else limits, what, fails)
        for number in range(2):
            arm.begin(copy_of(number), ends.append)
        while len(ends) < 2:
            await asyncio.sleep(0)
            while calls.out:
                calls.end(DOWN)
        said = [one.reason for one in ends.outcomes()]
        sent = {"refusal": "unreadable", "admit": "unreadable", "begin": "transport_error"}
        assert said == [sent.get(what, "connect_error")] * 2
        assert (arm.out, arm.waiting, arm.has_room) == (0, 0, True)
        assert arm.slots.acquire(), "every slot went back"

    asyncio.run(main())
    assert kind.__name__ in caplog.text
    assert "planted-secret" not in caplog.text


def test_what_is_cancelled_says_nothing_and_gives_all_back() -> None:
    async def main() -> None:
        calls, ends = Calls(), Ends()
        limits = ShadowLimits(qps=1e3)
        answered: list[Permit] = []
        limits.cancel = answered.append  # type: ignore[method-assign]
        arm = Arm("s", calls, ArmOptions(concurrency=1), limits=limits, retry=Retry(2, base_s=9.0, max_s=9.0))
        out, waits, next_ = (arm.begin(copy_of(number), ends.append) for number in range(3))
        late = calls.out[0][1]
        assert waits.cancel() is None
        assert out.cancel() is None
        assert (arm.out, [copy.seq for copy in calls.cancelled], len(answered)) == (0, [0], 1)
        late(ANSWER)  # its end was on the way already
        assert ends == []
        await turns()
        assert [copy.seq for copy, _ in calls.out[1:]] == [2]
        calls.out.pop(0)
        calls.end(DOWN)
        next_.cancel()  # between two tries
        assert (ends, arm.out, arm.waiting, arm.has_room) == ([], 0, 0, True)
        assert arm.slots.acquire()

    asyncio.run(main())


def test_one_that_is_cancelled_with_its_slot_in_hand_leaves_it_to_the_next() -> None:
    async def main() -> None:
        calls, ends = Calls(), Ends()
        arm = Arm("s", calls, ArmOptions(concurrency=1))
        sendings = [arm.begin(copy_of(number), ends.append) for number in range(3)]
        calls.end()
        sendings[1].cancel()
        await turns()
        assert [copy.seq for copy, _ in calls.out] == [2]

    asyncio.run(main())


def test_a_copy_without_memory_waits_for_it_and_is_cancelled_like_any() -> None:
    async def main() -> None:
        calls, ends = Calls(), Ends()
        arm = Arm("s", calls, ArmOptions(concurrency=2))
        arm.memory = asyncio.Event()
        kept, given_up = (arm.begin(copy_of(number), ends.append) for number in range(2))
        await turns()
        assert calls.out == []
        left = given_up.cancel()
        assert left is not None
        await asyncio.wait([left])
        arm.memory.set()
        while not calls.out:  # noqa: ASYNC110
            await asyncio.sleep(0)
        calls.end()
        assert kept.outcome is not None
        assert (ends, kept.outcome.status, calls.out) == ([kept], 200, [])
        assert arm.slots.acquire()
        assert arm.slots.acquire()

    asyncio.run(main())
