"""From ring to row: every copy becomes one row a shadow and is acknowledged, whatever raises on its way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from shadowlane import _core
from shadowlane.dispatch.arm import MOST_COPIES, Arm, ArmOptions
from shadowlane.errors import CoreError, StoreError
from shadowlane.limits import LaneLimits, ProdQuota, ShadowLimits
from shadowlane.types import FLAG_REDELIVERED, Copy, Headers, Outcome, Pair, ShadowCounts

from .world import ANSWER, Run, Shadow, copy_of

pytestmark = pytest.mark.usefixtures("way")

COPIES = [copy_of(number) for number in range(300)]


class Panic(BaseException):
    """What an extension module raises when it panics: no ``Exception``."""


def test_all_is_stored_and_acknowledged_for_two_shadows(tmp_path: Path) -> None:
    async def main() -> None:
        run = Run(tmp_path, COPIES, [Arm("a", Shadow()), Arm("b", Shadow(), ArmOptions(ratio=0.5))])
        counts = await run()
        assert counts["a"] == ShadowCounts(answered=300)
        assert counts["b"].failed == {"sampled_out": 300 - counts["b"].answered}
        assert 100 < counts["b"].answered < 200
        assert len(run.rings.acked) == 300
        assert run.store.looks > 0

    asyncio.run(main())


def redelivered(numbers: range) -> list[Copy]:
    return [msgspec.structs.replace(copy_of(number), flags=FLAG_REDELIVERED) for number in numbers]


@pytest.mark.parametrize("flagged", [False, True])
def test_the_store_is_asked_only_for_copies_that_may_be_rows_already(tmp_path: Path, flagged: bool) -> None:
    async def main() -> None:
        shadow = Shadow()
        run = Run(tmp_path, [*redelivered(range(3)), *map(copy_of, range(3, 6))], [Arm("s", shadow)], flagged=flagged)
        stored = [Pair(copy=copy_of(number), outcome=ANSWER) for number in (1, 4)]
        assert run.store.real.save(stored) == 2
        counts = await run()
        sent = {int(shadow_id[-12:], 16) for shadow_id in shadow.sent}
        # What no worker has had in hand is no row: where rings say so, it is sent without a look.
        assert sent == ({0, 2, 3, 4, 5} if flagged else {0, 2, 3, 5})
        assert counts["s"] == ShadowCounts(answered=6)
        assert len(run.rings.acked) == 6

    asyncio.run(main())


def test_copies_that_a_dead_worker_held_take_their_units_again(tmp_path: Path) -> None:
    async def main() -> None:
        shadows = [Shadow(), Shadow()]
        options = ArmOptions(deadline_s=1.0, timeout_s=0.1)
        arms = [Arm(name, shadow, options) for name, shadow in zip("ab", shadows, strict=True)]
        run = Run(tmp_path, [*redelivered(range(30)), *map(copy_of, range(30, 50))], arms, units=12)
        counts = await run()
        # A unit is for one copy, whatever the number of its shadows; new copies have paid at admission.
        assert counts["a"] == counts["b"] == ShadowCounts(answered=32, failed={"cap": 18})
        assert len(run.rings.acked) == 50

    asyncio.run(main())


def test_a_copy_waits_for_its_unit_as_long_as_it_may_take(tmp_path: Path) -> None:
    async def main() -> None:
        shadow = Shadow()
        run = Run(tmp_path, [*redelivered(range(3)), copy_of(3)], [Arm("s", shadow)], units=0)
        running = asyncio.create_task(run())
        await shadow.until_sent(1)
        assert shadow.sent == [copy_of(3).shadow_id]
        run.rings.units = 3
        assert (await running)["s"] == ShadowCounts(answered=4)

    asyncio.run(main())


def test_copies_that_wait_for_their_units_ask_as_one(tmp_path: Path) -> None:
    async def main() -> None:
        options = ArmOptions(deadline_s=1.0, timeout_s=0.1)
        run = Run(tmp_path, redelivered(range(1000)), [Arm("s", Shadow(), options)], units=100)
        assert (await run())["s"] == ShadowCounts(answered=100, failed={"cap": 900})
        assert run.rings.tries < 1000, "one asks for all that wait, when the cap says that there may be another unit"

    asyncio.run(main())


def test_each_waits_as_long_as_its_own_shadows_allow(tmp_path: Path) -> None:
    async def main() -> None:
        fast, slow = Shadow(), Shadow()
        arms = [
            Arm("fast", fast, ArmOptions(ratio=0.5, deadline_s=1.0, timeout_s=0.1)),
            Arm("slow", slow, ArmOptions(ratio=0.5, deadline_s=60.0, timeout_s=1.0)),
        ]
        copies = redelivered(range(40))
        alone = sum(arms[0].takes(copy) and not arms[1].takes(copy) for copy in copies)
        both = sum(arms[0].takes(copy) and arms[1].takes(copy) for copy in copies)
        waits = sum(arms[1].takes(copy) for copy in copies)
        assert min(alone, both, waits - both) > 0
        refused: list[Pair] = []
        all_refused, loop = asyncio.Event(), asyncio.get_running_loop()

        def seen(pairs: Sequence[Pair]) -> None:
            refused.extend(pair for pair in pairs if pair.outcome.reason == "cap")
            if len(refused) >= alone:
                loop.call_soon_threadsafe(all_refused.set)

        run = Run(tmp_path, copies, arms, units=0, fail=seen)
        running = asyncio.create_task(run())
        await asyncio.wait_for(all_refused.wait(), 30)
        run.rings.units = 40
        counts = await running
        assert counts["fast"] == ShadowCounts(answered=both, failed={"cap": alone, "sampled_out": 40 - both - alone})
        assert counts["slow"] == ShadowCounts(answered=waits, failed={"sampled_out": 40 - waits})

    asyncio.run(main())


@pytest.mark.parametrize("what", ["try_acquire", "wait_s"])
@pytest.mark.parametrize("kind", [ValueError, CoreError, Panic])
def test_a_cap_that_raises_costs_a_row_not_a_frame(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    kind: type[BaseException],
) -> None:
    async def main() -> None:
        run = Run(tmp_path, redelivered(range(9)), [Arm("s", Shadow())], units=4)
        asked = iter(range(100))
        real = getattr(run.rings, what)

        def fails(n: int = 1) -> object:
            if next(asked) < 3:
                raise kind("planted-secret")
            run.rings.units = 9
            return real(n)

        monkeypatch.setattr(run.rings, what, fails)
        assert (await run())["s"] == ShadowCounts(answered=6, failed={"unreadable": 3})
        assert len(run.rings.acked) == 9

    asyncio.run(main())
    assert caplog.text.count(f"could not take its unit of the cap again: {kind.__name__}") == 3
    assert "planted-secret" not in caplog.text


@pytest.mark.parametrize("flags", [0, FLAG_REDELIVERED])
def test_limits_of_the_lane_that_raise_cost_a_row_not_a_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, flags: int
) -> None:
    limits = LaneLimits({}, qps=10.0)
    asked = iter(range(100))

    def refusal() -> str:
        if next(asked) < 3:
            raise Panic("planted-secret")
        return ""

    monkeypatch.setattr(limits, "refusal", refusal)

    async def main() -> None:
        copies = [msgspec.structs.replace(copy, flags=flags) for copy in COPIES[:9]]
        run = Run(tmp_path, copies, [Arm("s", Shadow())], limits=limits)
        assert (await run())["s"] == ShadowCounts(answered=6, failed={"unreadable": 3})
        assert len(run.rings.acked) == 9

    asyncio.run(main())
    assert "limits of the lane could not be asked: Panic" in caplog.text
    assert "planted-secret" not in caplog.text


@pytest.mark.parametrize("way", ["coroutine"], indirect=True)  # plain calls do not raise later
def test_a_transport_that_raises_costs_a_row_not_a_frame(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def send(copy: Copy) -> Outcome:
        if copy.seq % 3 == 0:
            raise RuntimeError("what the shadow sent")
        return ANSWER

    async def main() -> None:
        run = Run(tmp_path, COPIES, [Arm("s", Shadow(send))])
        assert (await run())["s"] == ShadowCounts(answered=200, failed={"transport_error": 100})
        assert len(run.rings.acked) == 300

    asyncio.run(main())
    assert "the transport to s failed: RuntimeError" in caplog.text
    assert "what the shadow sent" not in caplog.text


def test_a_transport_that_does_not_close_is_told_without_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Shadow):
        async def close(self) -> None:
            raise RuntimeError("what the shadow sent")

    async def main() -> None:
        other = Shadow()
        run = Run(tmp_path, COPIES[:3], [Arm("s", Stuck()), Arm("t", other)])
        assert (await run())["s"] == ShadowCounts(answered=3)
        assert other.closed

    asyncio.run(main())
    assert "the transport to s did not close: RuntimeError in close (test_pipeline.py:" in caplog.text
    assert "what the shadow sent" not in caplog.text


class BrokenSanitizer:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def response(
        self, headers: object, body: bytes, cut: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes, dict[str, int], str]:
        raise self.error


@pytest.mark.parametrize("at_once", [0, 1024])
@pytest.mark.parametrize("kind", [ValueError, CoreError, Panic, MemoryError])
def test_what_cannot_be_sanitized_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: type[BaseException], at_once: int
) -> None:
    async def main() -> None:
        broken = BrokenSanitizer(kind("planted-secret"))
        run = Run(tmp_path, COPIES[:3], [Arm("s", Shadow())], sanitizer=broken, sanitize_at_once=at_once)
        assert (await run())["s"] == ShadowCounts(failed={"unreadable": 3})
        assert len(run.rings.acked) == 3

    asyncio.run(main())
    assert kind.__name__ in caplog.text
    assert "planted-secret" not in caplog.text


@pytest.mark.parametrize(
    ("size", "headers", "at_once", "on_the_loop"),
    [
        (1024, (), 1024, True),
        (0, (), 1024, True),
        (1025, (), 1024, False),
        (100, ((b"Content-Encoding", b"gzip"),), 1024, False),
        (100, (), 0, False),
    ],
)
def test_only_small_answers_are_sanitized_on_the_event_loop(
    tmp_path: Path, size: int, headers: Headers, at_once: int, on_the_loop: bool
) -> None:
    class Watched:
        threads: ClassVar[set[int]] = set()

        def response(self, *answer: Any) -> Any:
            self.threads.add(threading.get_ident())
            return _core.Sanitizer().response(*answer)

    async def answer(copy: Copy) -> Outcome:
        return msgspec.structs.replace(ANSWER, body=b"a" * size, headers=headers)

    async def main() -> None:
        run = Run(tmp_path, COPIES[:3], [Arm("s", Shadow(answer))], sanitizer=Watched(), sanitize_at_once=at_once)
        assert (await run())["s"] == ShadowCounts(answered=3)
        assert (threading.get_ident() in Watched.threads) is on_the_loop
        assert len(Watched.threads) >= 1

    asyncio.run(main())


def test_a_store_that_fails_for_a_while_loses_nothing(tmp_path: Path) -> None:
    tries = iter(range(1000))

    def fail(pairs: Sequence[Pair]) -> None:
        if next(tries) < 2:
            raise StoreError("disk full")

    async def main() -> None:
        run = Run(tmp_path, COPIES[:40], [Arm("s", Shadow())], fail=fail)
        assert (await run())["s"] == ShadowCounts(answered=40)
        assert run.writer.error == ""

    asyncio.run(main())


@pytest.mark.parametrize("error", [StoreError("string or blob too big"), OverflowError("too large"), TypeError("odd")])
def test_one_odd_pair_does_not_stop_the_lane(tmp_path: Path, error: Exception) -> None:
    def fail(pairs: Sequence[Pair]) -> None:
        if any(pair.copy.seq == 7 and pair.outcome.body for pair in pairs):
            raise error

    async def main() -> None:
        run = Run(tmp_path, COPIES[:40], [Arm("s", Shadow())], fail=fail)
        assert (await run())["s"] == ShadowCounts(answered=39, failed={"store_error": 1})
        assert len(run.rings.acked) == 40

    asyncio.run(main())


def test_a_store_that_never_works_ends_with_its_error_and_acknowledges_nothing(tmp_path: Path) -> None:
    def fail(pairs: Sequence[Pair]) -> None:
        raise TypeError("a bug of ours")

    async def main() -> None:
        run = Run(tmp_path, COPIES[:5], [Arm("s", Shadow())], fail=fail)
        with pytest.raises(TypeError, match="a bug of ours"):
            await run(grace_s=1.0)
        assert not run.rings.acked

    asyncio.run(main())


def test_what_is_out_when_the_grace_ends_is_given_back(tmp_path: Path) -> None:
    async def main() -> None:
        began = asyncio.Event()

        async def hang(copy: Copy) -> Outcome:
            began.set()
            await asyncio.Event().wait()
            return ANSWER

        shadow = Shadow(hang)
        run = Run(tmp_path, COPIES[:30], [Arm("s", shadow, ArmOptions(concurrency=4))])
        running = asyncio.create_task(run(grace_s=0.0))
        await began.wait()
        run.stop.set()
        assert (await running)["s"] == ShadowCounts()
        assert not run.rings.acked
        assert shadow.closed

    asyncio.run(main())


def test_one_shadow_that_hangs_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    copies = [copy_of(number) for number in range(2 * MOST_COPIES + 500)]

    async def main() -> None:
        release = asyncio.Event()

        async def hang(copy: Copy) -> Outcome:
            await release.wait()
            return ANSWER

        well, hanging = Shadow(), Arm("hanging", Shadow(hang), ArmOptions(concurrency=16))
        run = Run(tmp_path, copies, [hanging, Arm("well", well)])
        running = asyncio.create_task(run())
        await well.until_sent(len(copies))
        assert len(set(well.sent)) == len(copies)
        assert (hanging.out, hanging.out + hanging.waiting) == (16, MOST_COPIES)
        release.set()
        counts = await running
        assert counts["well"] == ShadowCounts(answered=len(copies))
        assert counts["hanging"] == ShadowCounts(answered=MOST_COPIES, failed={"deadline": len(copies) - MOST_COPIES})
        assert len(run.rings.acked) == len(copies)

    asyncio.run(main())


@pytest.mark.parametrize("other", ["none", "refuses at once"])
def test_a_slow_shadow_keeps_its_copies_in_the_ring_while_no_other_is_ahead(tmp_path: Path, other: str) -> None:
    """Alone, or beside one that has room only because it answers nothing, it loses nothing in a burst."""
    copies = [copy_of(number) for number in range(2 * MOST_COPIES + 500)]

    async def main() -> None:
        release, full = asyncio.Event(), asyncio.Event()

        async def hang(copy: Copy) -> Outcome:
            full.set()
            await release.wait()
            return ANSWER

        async def refuse(copy: Copy) -> Outcome:
            return Outcome(shadow="down", reason="connect_error")

        slow = Arm("slow", Shadow(hang), ArmOptions(concurrency=1))
        run = Run(tmp_path, copies, [slow] if other == "none" else [slow, Arm("down", Shadow(refuse))])
        running = asyncio.create_task(run())
        await full.wait()
        # The shadow answers one by one, and is never more over its share than what was drained before this was seen.
        most = 0

        async def look() -> None:
            nonlocal most
            while True:
                most = max(most, slow.out + slow.waiting)
                await asyncio.sleep(0)

        looking = asyncio.create_task(look())
        while slow.has_room:  # noqa: ASYNC110
            await asyncio.sleep(0)
        release.set()
        counts = await running
        looking.cancel()
        assert counts["slow"] == ShadowCounts(answered=len(copies))
        assert MOST_COPIES <= most < MOST_COPIES + 2 * 128

    asyncio.run(main())


def test_what_is_stored_already_is_not_sent_again(tmp_path: Path) -> None:
    async def main() -> None:
        await Run(tmp_path, COPIES[:20], [Arm("s", Shadow())])()
        shadow = Shadow()
        run = Run(tmp_path, COPIES[:30], [Arm("s", shadow)])
        await run()
        assert shadow.sent == [copy.shadow_id for copy in COPIES[20:30]]
        assert len(run.rings.acked) == 30

    asyncio.run(main())


def test_prods_low_quota_refuses_what_is_already_in_the_ring(tmp_path: Path) -> None:
    low = (
        (b"x-ratelimit-limit-requests", b"100"),
        (b"x-ratelimit-remaining-requests", b"10"),
        (b"x-ratelimit-reset-requests", b"6m0s"),
    )

    async def main() -> None:
        steered: list[float] = []
        limits = LaneLimits({"s": (ShadowLimits(qps=50.0), 1.0)}, qps=50.0, prod=ProdQuota(0.2))
        copies = [copy_of(number, headers=low if number == 5 else (), at_ns=time.time_ns()) for number in range(20)]
        run = Run(
            tmp_path,
            copies,
            [Arm("s", Shadow())],
            limits=limits,
            on_limits=lambda: steered.append(limits.throttle().pause_s),
        )
        assert (await run())["s"] == ShadowCounts(failed={"provider_limit": 20})
        assert max(steered) == pytest.approx(360, abs=5)

    asyncio.run(main())


def test_a_window_sends_as_many_as_the_cap_gives_and_refuses_the_rest(tmp_path: Path) -> None:
    # A burst of one tenant, and a few copies of another: first come would leave none of the few.
    copies = [copy_of(number, target="/busy", tenant="t1") for number in range(200)]
    copies += [copy_of(200 + number, target="/rare", tenant="t2") for number in range(5)]

    async def main() -> None:
        shadow = Shadow()
        run = Run(tmp_path, copies, [Arm("s", shadow)], units=20, window_s=3600.0)
        running = asyncio.create_task(run())
        await run.rings.empty.wait()
        assert shadow.sent == []
        run.stop.set()
        counts = (await running)["s"]
        assert counts == ShadowCounts(answered=20, failed={"reservoir": 185})
        assert len(run.rings.acked) == 205
        chosen = {int(shadow_id[-12:], 16) for shadow_id in shadow.sent}
        assert set(range(200, 205)) <= chosen
        assert len(chosen) == 20

    asyncio.run(main())


def test_a_window_is_closed_when_the_worker_is_stopped(tmp_path: Path) -> None:
    async def main() -> None:
        run = Run(tmp_path, COPIES[:10], [Arm("s", Shadow())], units=4, window_s=3600.0)
        running = asyncio.create_task(run())
        await run.rings.empty.wait()
        run.stop.set()
        assert (await running)["s"] == ShadowCounts(answered=4, failed={"reservoir": 6})
        assert len(run.rings.acked) == 10

    asyncio.run(main())
