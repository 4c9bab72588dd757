"""The acknowledgement queue: an exchange is acknowledged once, with its last row, whatever order the rows come in."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowlane.dispatch.arm import Arm, ArmOptions
from shadowlane.types import Copy, Outcome, Pair
from shadowlane.worker.in_flight import InFlight, Tracked

from .world import ANSWER, Shadow, copy_of

pytestmark = pytest.mark.usefixtures("way")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.integers(1, 7), st.randoms())
def test_every_exchange_is_acknowledged_with_its_last_row(arms: list[int], most: int, random: Random) -> None:
    async def main() -> None:
        acked: list[tuple[int, int]] = []
        held = InFlight(lambda ring, seq: acked.append((ring, seq)))
        left: dict[int, int] = {}
        rows: list[Tracked] = []
        for number, count in enumerate(arms):
            tracked = held.add(copy_of(number), [Arm(f"s{arm}", Shadow()) for arm in range(count)])
            rows += [tracked] * count
            left[number] = count
        assert len(held) == len(arms)
        assert held.bytes == len(arms) * len(copy_of(0).response_body)
        random.shuffle(rows)
        for tracked in rows:
            held.put(tracked, Pair(copy=tracked.copy, outcome=ANSWER))
        stored = 0
        while stored < len(rows):
            batch = await held.take(most, 0.0)
            assert 1 <= len(batch) <= most
            for tracked, _, _ in batch:
                left[tracked.copy.seq] -= 1
            held.stored(batch)
            stored += len(batch)
            assert sorted(seq for _, seq in acked) == sorted(number for number, open_ in left.items() if not open_)
        await held.settled()
        assert (len(held), held.bytes, len(acked)) == (0, 0, len(arms))

    asyncio.run(main())


def test_rows_are_waited_for_together() -> None:
    async def main() -> None:
        held = InFlight(lambda ring, seq: None)
        tracked = held.add(copy_of(1), [Arm("a", Shadow()), Arm("b", Shadow())])
        taking = asyncio.create_task(held.take(2, 60.0))
        for _ in range(2):
            held.put(tracked, Pair(copy=tracked.copy, outcome=ANSWER))
        assert len(await asyncio.wait_for(taking, 30.0)) == 2

    asyncio.run(main())


def test_no_call_begins_while_too_many_answers_wait_to_be_stored() -> None:
    """Ten calls at a time, answers of a megabyte, a store that takes none: what is held stays within the bound and the
    calls that were out."""
    size, bound, concurrency = 1 << 20, 8 << 20, 10

    async def main() -> None:
        held = InFlight(lambda ring, seq: None, bound)
        peak = 0

        class Large(Shadow):
            async def send(self, copy: Copy) -> Outcome:
                await asyncio.sleep(0)
                return Outcome(shadow="s", status=200, body=b"x" * size)

        arm = Arm("s", Large(), ArmOptions(concurrency=concurrency))
        arm.memory = held.memory
        waiting = 0

        async def send(number: int) -> None:
            nonlocal peak, waiting
            tracked = held.add(copy_of(number), [arm])
            outcome = await arm.deliver(tracked.copy)
            held.answered(len(outcome.body))
            waiting += len(outcome.body)
            peak = max(peak, waiting)
            held.put(tracked, Pair(copy=tracked.copy, outcome=outcome), len(outcome.body))

        tasks = [asyncio.ensure_future(send(number)) for number in range(60)]
        done = 0
        while done < 60:
            batch = await held.take(4, 0.0)
            waiting -= sum(len(pair.outcome.body) for _, pair, _ in batch)
            held.stored(batch)
            done += len(batch)
        await asyncio.gather(*tasks)
        assert peak <= bound + concurrency * size
        assert held.memory.is_set()

    asyncio.run(main())


def test_a_copy_for_which_there_is_no_memory_in_time_is_not_sent() -> None:
    async def main() -> None:
        arm = Arm("s", Shadow(), ArmOptions(deadline_s=0.05, timeout_s=0.0))
        arm.memory = asyncio.Event()
        outcome = await arm.deliver(copy_of(0))
        assert (outcome.reason, outcome.duration_ns) == ("deadline", 0)
        assert "wait to be stored" in outcome.detail
        arm.memory.set()
        assert (await arm.deliver(copy_of(0))).reason == ""

    asyncio.run(main())


def test_a_batch_ends_where_its_bodies_are_enough() -> None:
    async def main() -> None:
        held = InFlight(lambda ring, seq: None)
        arms = [Arm("s", Shadow())]
        for number in range(5):
            tracked = held.add(copy_of(number), arms)
            held.put(tracked, Pair(copy=tracked.copy, outcome=ANSWER), 100)
        each = 100 + len(copy_of(0).response_body)
        assert [len(await held.take(9, 0.0, most)) for most in (each - 1, each + 1, 9 * each)] == [1, 2, 2]

    asyncio.run(main())


def test_a_taker_is_woken_once_for_many_rows_and_what_is_put_meanwhile_waits_for_the_next() -> None:
    async def main() -> None:
        held = InFlight(lambda ring, seq: None)
        tracked = held.add(copy_of(1), [Arm("a", Shadow()), Arm("b", Shadow()), Arm("c", Shadow())])
        taking = asyncio.create_task(held.take(2, 60.0))
        await asyncio.sleep(0)
        for _ in range(3):
            held.put(tracked, Pair(copy=tracked.copy, outcome=ANSWER))
        batch = await asyncio.wait_for(taking, 30.0)
        held.stored(batch)
        rest = await asyncio.wait_for(held.take(2, 0.0), 30.0)
        held.stored(rest)
        assert (len(batch), len(rest)) == (2, 1)
        await asyncio.wait_for(held.settled(), 30.0)

    asyncio.run(main())


def test_bytes_in_the_queue_are_those_at_which_a_row_was_put() -> None:
    """An exchange may grow behind a row of it: the next batch still ends where its bodies are enough."""

    async def main() -> None:
        held = InFlight(lambda ring, seq: None)
        tracked = held.add(copy_of(1), [Arm("a", Shadow()), Arm("b", Shadow())])
        held.put(tracked, Pair(copy=tracked.copy, outcome=ANSWER))
        held.grew(tracked, msgspec.structs.replace(tracked.copy, body=b"x" * 1000))
        held.put(tracked, Pair(copy=tracked.copy, outcome=ANSWER))
        held.stored(await held.take(2, 0.0))
        assert (held.bytes, len(held)) == (0, 0)
        for number in (2, 3):
            other = held.add(copy_of(number), [Arm("a", Shadow())])
            held.put(other, Pair(copy=other.copy, outcome=ANSWER), 500)
        assert len(await asyncio.wait_for(held.take(9, 60.0, 500), 30.0)) == 1

    asyncio.run(main())
