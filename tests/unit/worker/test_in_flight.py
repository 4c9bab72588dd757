"""The acknowledgement queue: an exchange is acknowledged once, with its last row, whatever order the rows come in."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.dispatch.arm import Arm
from shadowlane.types import Pair
from shadowlane.worker.in_flight import InFlight, Tracked

from .world import ANSWER, Shadow, copy_of


@settings(max_examples=60, deadline=None)
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
            for tracked, _ in batch:
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
