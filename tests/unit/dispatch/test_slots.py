"""The slots of a shadow: never more than there are, first come first served, and no gap is left by who goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.dispatch.slots import Slots, Turn

FAR = float(1 << 40)


async def acquire(slots: Slots, latest: float, gone: Callable[[], None] = lambda: None) -> bool:
    """Wait for a slot, as a copy does; whether it came. ``gone`` is called by an eviction, at once."""
    if slots.acquire():
        return True
    turned: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()

    def turn(what: Turn) -> None:
        if what == "evicted":
            gone()
        if not turned.cancelled():
            turned.set_result(what)
        elif what == "slot":
            slots.release()

    waiter = slots.wait(latest, turn)
    try:
        return await turned == "slot"
    except asyncio.CancelledError:
        slots.leave(waiter)
        if not turned.cancelled() and turned.result() == "slot":
            slots.release()
        raise


STEPS = st.lists(st.sampled_from(["come", "give back", "let go", "cancel first", "cancel last", "rest"]), max_size=60)


@given(concurrency=st.integers(1, 4), steps=STEPS)
@settings(deadline=None)
def test_they_behave_like_a_line_at_a_counter(concurrency: int, steps: list[str]) -> None:
    async def main() -> None:
        slots = Slots(concurrency)
        inside: list[int] = []
        line: list[int] = []
        tasks: dict[int, asyncio.Task[bool]] = {}
        gone: list[int] = []

        async def rest() -> None:
            for _ in range(4):
                await asyncio.sleep(0)

        for number, step in enumerate(steps):
            if step == "come":
                tasks[number] = asyncio.create_task(acquire(slots, FAR, lambda n=number: gone.append(n)))  # type: ignore[misc]
                await rest()
                (inside if len(inside) < concurrency else line).append(number)
            elif step == "give back" and inside:
                slots.release()
                inside.pop(0)
                inside += line[:1]
                del line[:1]
            elif step == "let go":
                assert slots.evict() is bool(line)
                if line:
                    assert gone[-1] == line.pop(0)
            elif step.startswith("cancel") and line:
                await rest()
                leaver = line.pop(0 if step == "cancel first" else -1)
                tasks[leaver].cancel()
                await rest()
                assert tasks[leaver].cancelled()
            elif step == "rest":
                await rest()
            assert slots.waiting == len(line)
        await rest()
        assert {n for n, task in tasks.items() if not task.done()} == set(line)
        assert all(tasks[n].result() for n in inside)
        assert not any(tasks[n].result() for n in gone)
        while inside:  # everybody who waits gets in
            slots.release()
            inside = [*inside[1:], *line[:1]]
            del line[:1]
        await rest()
        assert all(task.done() for task in tasks.values())
        assert slots.waiting == 0

    asyncio.run(main())


def test_a_place_that_comes_with_the_cancellation_is_the_next_ones() -> None:
    async def main() -> None:
        slots = Slots(1)
        assert slots.acquire()
        first, second = (asyncio.create_task(acquire(slots, FAR)) for _ in range(2))
        await asyncio.sleep(0)
        slots.release()
        first.cancel()
        assert await second is True
        assert first.cancelled()

    asyncio.run(main())


def test_who_waited_until_it_was_too_late_leaves_the_line() -> None:
    async def main() -> None:
        slots = Slots(1)
        assert slots.acquire()
        assert await acquire(slots, asyncio.get_running_loop().time()) is False
        assert slots.waiting == 0

    asyncio.run(main())
