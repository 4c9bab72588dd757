"""What is promised of a copy's way holds whether a transport is a coroutine or plain calls: tests that ask for ``way``
run over both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shadowlane.types import Answered, Copy

from .world import Shadow


def begin(self: Shadow, copy: Copy, answered: Answered) -> Callable[[], None]:
    """A shadow of :mod:`.world` as one that calls back. What its function raises is not caught: no transport raises."""

    async def send() -> None:
        answered(await self.send(copy))

    task = asyncio.create_task(send())

    def cancel() -> None:
        task.cancel()

    return cancel


@pytest.fixture(params=["coroutine", "calls"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How every :class:`.world.Shadow` of the test sends."""
    if request.param == "calls":
        monkeypatch.setattr(Shadow, "begin", begin, raising=False)
    chosen: str = request.param
    return chosen
