"""Where nobody saw prod's answer, the control's stands in its stead; every copy is a row whatever becomes of that."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.dispatch.arm import Arm
from shadowlane.types import FLAG_NO_PROD, Copy, Outcome, ShadowCounts

from .world import ANSWER, Run, Shadow, copy_of

pytestmark = pytest.mark.usefixtures("way")

KEY = b"sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"


def unanswered(number: int) -> Copy:
    gone: dict[str, Any] = {"status": 0, "response_headers": (), "response_body": b"", "flags": FLAG_NO_PROD}
    return msgspec.structs.replace(copy_of(number), **gone)


def run_all(folder: Path, copies: list[Copy], arms: list[Arm]) -> tuple[dict[str, ShadowCounts], list[Any]]:
    stored: list[Any] = []

    async def main() -> dict[str, ShadowCounts]:
        run = Run(folder, copies, arms, on_stored=stored.extend)
        counts = await run()
        assert len(run.rings.acked) == len(copies)
        assert run.pipeline._in_flight.bytes == 0
        return counts

    return asyncio.run(main()), stored


def test_the_control_is_asked_first_and_what_it_says_is_prods(tmp_path: Path) -> None:
    body = b'{"text": "key ' + KEY + b'"}'
    answer = msgspec.structs.replace(
        ANSWER, shadow="control", body=body, headers=((b"content-type", b"application/json"),), duration_ns=7, ttfb_ns=5
    )

    async def say(copy: Copy) -> Outcome:
        return answer

    control, candidate = Shadow(say), Shadow()
    copies = [unanswered(0), copy_of(1), unanswered(2)]
    counts, pairs = run_all(tmp_path, copies, [Arm("candidate", candidate), Arm("control", control)])
    assert counts == {"candidate": ShadowCounts(answered=3), "control": ShadowCounts(answered=3)}
    # In prod's stead for two of them, and as the noise floor for all.
    assert len(control.sent) == 5
    for pair in pairs:
        if pair.copy.flags & FLAG_NO_PROD:
            assert (pair.copy.status, pair.copy.ttfb_ns, pair.copy.duration_ns) == (200, 5, 7)
            assert b"key" in pair.copy.response_body
            assert KEY not in pair.copy.response_body
        else:
            assert pair.copy.response_body == copy_of(1).response_body


@pytest.mark.parametrize("reason", ["connect_error", "deadline", "budget"])
def test_a_control_without_an_answer_costs_the_copy_and_not_the_shadow(tmp_path: Path, reason: str) -> None:
    async def fail(copy: Copy) -> Outcome:
        return msgspec.structs.replace(ANSWER, shadow="control", reason=reason, status=0)

    candidate = Shadow()
    arms = [Arm("candidate", candidate), Arm("control", Shadow(fail))]
    counts, pairs = run_all(tmp_path, [unanswered(0), unanswered(1)], arms)
    assert counts["candidate"] == ShadowCounts(failed={"prod_failed": 2})
    assert not candidate.sent
    assert all(reason in pair.outcome.detail for pair in pairs)


def test_without_a_control_nothing_is_sent(tmp_path: Path) -> None:
    candidate = Shadow()
    counts, pairs = run_all(tmp_path, [unanswered(0)], [Arm("candidate", candidate)])
    assert counts["candidate"] == ShadowCounts(failed={"prod_failed": 1})
    assert not candidate.sent
    assert "[control]" in pairs[0].outcome.detail


@pytest.mark.parametrize("way", ["coroutine"], indirect=True)  # plain calls do not raise later
def test_a_control_that_panics_is_a_row_too(tmp_path: Path) -> None:
    class Panic(BaseException):
        pass

    async def panic(copy: Copy) -> Outcome:
        raise Panic

    counts, _ = run_all(tmp_path, [unanswered(0)], [Arm("candidate", Shadow()), Arm("control", Shadow(panic))])
    assert counts["candidate"] == ShadowCounts(failed={"prod_failed": 1})
