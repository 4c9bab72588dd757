"""The mark follows the work: over tasks, threads, background work and concurrent requests, and nowhere else."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.guard import (
    ContextThreadPoolExecutor,
    Shadow,
    ShadowWriteError,
    cache_key,
    carry,
    current,
    is_shadow,
    shadow_context,
    writes,
)

SHADOW = Shadow(id="one")


def test_outside_nothing_is_marked() -> None:
    assert not is_shadow()
    assert current() is None
    with shadow_context(SHADOW):
        assert is_shadow()
        assert current() is SHADOW
        with shadow_context(None):
            assert not is_shadow()
        assert is_shadow()
    assert not is_shadow()


def test_concurrent_requests_do_not_see_each_other() -> None:
    async def request(number: int, gate: asyncio.Barrier) -> None:
        shadow = Shadow(id=str(number)) if number % 3 else None
        with shadow_context(shadow):
            for _ in range(5):
                await gate.wait()  # every request goes on only after all others had their turn
                assert current() is shadow
                assert await asyncio.to_thread(current) is shadow
                assert await asyncio.create_task(_current()) is shadow

    async def _current() -> Shadow | None:
        await asyncio.sleep(0)
        return current()

    async def run() -> None:
        gate = asyncio.Barrier(20)
        await asyncio.gather(*(request(number, gate) for number in range(20)))
        assert current() is None

    asyncio.run(run())


def test_background_work_keeps_the_mark_after_the_request() -> None:
    async def run() -> list[bool]:
        seen: list[bool] = []
        answered = asyncio.Event()

        async def background() -> None:
            await answered.wait()
            seen.append(is_shadow())

        with shadow_context(SHADOW):
            task = asyncio.create_task(background())
            asyncio.get_running_loop().call_soon(lambda: seen.append(is_shadow()))
        answered.set()
        await task
        return seen

    assert asyncio.run(run()) == [True, True]


def test_threads_need_help() -> None:
    with ThreadPoolExecutor(1) as plain, ContextThreadPoolExecutor(1) as helped, shadow_context(SHADOW):
        assert plain.submit(is_shadow).result() is False  # why the helpers exist
        assert plain.submit(carry(is_shadow)).result() is True
        assert helped.submit(is_shadow).result() is True
        assert list(helped.map(lambda _: current(), range(3))) == [SHADOW] * 3
        with shadow_context(None):
            assert helped.submit(is_shadow).result() is False
        assert plain.submit(is_shadow).result() is False
        found: list[Any] = []
        thread = threading.Thread(target=carry(lambda: found.append(current())))
        thread.start()
        thread.join()
        assert found == [SHADOW]
    assert not is_shadow()


def test_a_loop_can_use_the_executor() -> None:
    async def run() -> bool:
        with ContextThreadPoolExecutor(1) as executor, shadow_context(SHADOW):
            return await asyncio.get_running_loop().run_in_executor(executor, is_shadow)

    assert asyncio.run(run())


@given(st.text())
def test_cache_keys(key: str) -> None:
    assert cache_key(key) == key
    assert cache_key(key.encode("utf-8", "surrogatepass")) == key.encode("utf-8", "surrogatepass")
    with shadow_context(SHADOW):
        marked = cache_key(key)
        assert marked.startswith("shadow=true:")
        assert marked.endswith(key)
        assert cache_key(marked) == marked
        raw = cache_key(key.encode("utf-8", "surrogatepass"))
        assert raw == marked.encode("utf-8", "surrogatepass")


class Orders:
    def __init__(self) -> None:
        self.done: list[str] = []

    @writes
    def save(self, name: str) -> str:
        self.done.append(name)
        return "saved"

    def dry(self, name: str) -> str:
        return f"would save {name}"

    @writes(instead=dry)
    def save_or_say(self, name: str) -> str:
        self.done.append(name)
        return "saved"

    @writes
    async def send(self, name: str) -> str:
        self.done.append(name)
        return "sent"

    @writes(instead=dry)
    async def send_or_say(self, name: str) -> str:
        self.done.append(name)
        return "sent"

    @writes
    def each(self, name: str) -> Any:
        self.done.append(name)
        yield name

    @writes
    async def each_async(self, name: str) -> Any:
        self.done.append(name)
        yield name

    @staticmethod
    @writes
    def plain(done: list[str]) -> None:
        done.append("plain")


def test_writes_run_outside_and_not_inside() -> None:
    orders = Orders()
    assert orders.save("a") == "saved"
    assert orders.save_or_say("b") == "saved"
    assert asyncio.run(orders.send("c")) == "sent"
    assert asyncio.run(orders.send_or_say("d")) == "sent"
    assert list(orders.each("e")) == ["e"]
    Orders.plain(orders.done)
    assert orders.done == ["a", "b", "c", "d", "e", "plain"]
    orders.done.clear()
    with shadow_context(SHADOW):
        for attempt in (
            lambda: orders.save("a"),
            lambda: asyncio.run(orders.send("c")),
            lambda: orders.each("e"),
            lambda: orders.each_async("f"),
            lambda: Orders.plain(orders.done),
        ):
            with pytest.raises(ShadowWriteError, match=r"test_context\.Orders\.\w+\(\) writes"):
                attempt()
        assert orders.save_or_say("b") == "would save b"
        assert asyncio.run(orders.send_or_say("d")) == "would save d"
    assert orders.done == []


def test_a_coroutine_is_checked_when_it_runs() -> None:
    orders = Orders()
    made = orders.send("early")
    with shadow_context(SHADOW), pytest.raises(ShadowWriteError):
        asyncio.run(made)
    assert orders.done == []


def test_instead_may_be_a_coroutine_beside_one() -> None:
    async def dry() -> str:
        return "dry"

    @writes(instead=dry)
    async def wet() -> str:
        return "wet"

    with shadow_context(SHADOW):
        assert asyncio.run(wet()) == "dry"
    assert asyncio.run(wet()) == "wet"


def test_the_decorator_keeps_the_name_and_refuses_what_it_cannot_mark() -> None:
    assert Orders.save.__name__ == "save"

    async def dry() -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        writes(instead=dry)(lambda: None)
    for wrong in (staticmethod(lambda: None), classmethod(lambda cls: None), 3):
        with pytest.raises(TypeError, match="marks functions"):
            writes(wrong)  # type: ignore[call-overload]
