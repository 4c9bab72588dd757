"""Faults on the way of a copy, through a real ring: each costs its own row, and never the lane."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from shadowlane import _core
from shadowlane.capture.lane import Lane
from shadowlane.config import Config
from shadowlane.detect import DetectingDrainer, DetectingSanitizer, Detector, Found, Hook
from shadowlane.dispatch.arm import Arm
from shadowlane.policy import lane_policy
from shadowlane.store import StoredPair, open_store
from shadowlane.types import Copy, Outcome, StubbedCall
from shadowlane.worker.pipeline import Pipeline
from shadowlane.worker.writer import Writer
from tests.support.panics import PROBE, can_panic

from .world import Plain, Shadow

TEXT = ((b"content-type", b"text/plain"),)
COPIES = 12
BAD_REQUEST, BAD_ANSWER = 3, 7


def config_at(tmp_path: Path) -> Config:
    return Config.from_dict(
        {
            "lane": {
                "directory": str(tmp_path / "lane"),
                "worker": "external",
                "ring_bytes": 1 << 18,
                "max_body_bytes": 4096,
            },
            "sampling": {"ratio": 1.0},
            "limits": {"qps": 1000.0, "burst": 1000},
            "routes": {"read": ["POST /ask"]},
            "store": {"url": f"sqlite:///{tmp_path / 'pairs.db'}"},
            "shadows": {"s": {"url": "http://127.0.0.1:9"}},
        }
    )


def mirrored(config: Config, bad_request: str) -> None:
    """A gateway that mirrored and ended: one request holds ``bad_request``."""
    with Lane.open(config) as lane:
        for number in range(COPIES):
            ticket = lane.admit("POST", "/ask", list(TEXT))
            assert ticket is not None
            question = bad_request if number == BAD_REQUEST else f"question {number}"
            assert lane.offer(ticket, "/ask", list(TEXT), question.encode(), 200, list(TEXT), b"yes", 1, 0)


class Fails:
    """A detector that fails on a text with ``word``."""

    def __init__(self, word: str, error: BaseException) -> None:
        self.word = word
        self.error = error

    def detect(self, texts: Sequence[str]) -> list[list[Found]]:
        if any(self.word in text for text in texts):
            raise self.error
        return [[] for _ in texts]


def rows_of_a_run(
    config: Config, bad_answer: str, detector: Detector | None, calls: tuple[StubbedCall, ...] = ()
) -> list[StoredPair]:
    """The rows when a worker has emptied the lane; one answer holds ``bad_answer`` and ``calls``.

    Nothing may be left in the ring.
    """
    rules = config.sanitize.rules_dict()
    drainer = _core.Drainer(config.lane.directory, rules=rules, policy=lane_policy(config))
    sanitizer = _core.Sanitizer(rules, config.lane.directory)
    hook = Hook(detector, sanitizer) if detector is not None else None
    answers = iter(range(COPIES))

    async def answer(_: Copy) -> Outcome:
        bad = next(answers) == BAD_ANSWER
        text = bad_answer if bad else "an answer"
        made = calls if bad else ()
        return Outcome(shadow="s", status=200, headers=TEXT, body=text.encode(), duration_ns=5, calls=made)

    async def main() -> None:
        pipeline = Pipeline(
            drainer=DetectingDrainer(drainer, hook) if hook else drainer,
            arms=[Arm("s", Shadow(answer))],
            writer=Writer(store, Plain()),
            sanitizer=DetectingSanitizer(sanitizer, hook) if hook else sanitizer,
        )
        await asyncio.wait_for(pipeline.run(asyncio.Event(), idle_exit_s=0.0), 60)

    with open_store(config.store) as store:
        store.set_epoch(drainer.lane_id(), {"s": 0})
        try:
            asyncio.run(main())
            assert (drainer.pending(), drainer.acked()) == (0, COPIES)
        finally:
            drainer.close()
        counts = store.counts()["s"]
        assert counts.answered + sum(counts.failed.values()) == COPIES
        return list(store.iter_pairs(with_bodies=True))


class Panic(BaseException):
    """What an extension module raises when it panics: no ``Exception``."""


@pytest.mark.parametrize("error", [RuntimeError(), Panic(), SystemExit(3), MemoryError()], ids=repr)
def test_a_detector_that_fails_costs_the_contents_of_its_row(tmp_path: Path, error: BaseException) -> None:
    config = config_at(tmp_path)
    mirrored(config, "planted words")
    rows = rows_of_a_run(config, "planted words", Fails("planted", error))
    unreadable = [row.pair for row in rows if row.pair.outcome.reason == "unreadable"]
    assert [(pair.copy.body, pair.copy.blocked) for pair in unreadable] == [(b"", "unreadable")]
    left_out = [row.pair for row in rows if not row.pair.outcome.reason and not row.pair.outcome.body]
    assert [(pair.outcome.status, pair.outcome.detail) for pair in left_out] == [(200, "detector")]
    assert len(rows) - len(unreadable) - len(left_out) == COPIES - 2


def test_a_call_that_could_not_be_looked_at_is_not_kept(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    mirrored(config, "a question")
    calls = (StubbedCall(name="find", arguments='{"to": "planted words"}'),)
    rows = rows_of_a_run(config, "an answer", Fails("planted", RuntimeError()), calls)
    [one] = [row.pair.outcome for row in rows if row.pair.outcome.reason]
    assert (one.reason, one.body, one.calls) == ("unreadable", b"", ())
    assert "planted" not in str(rows)


@can_panic
def test_a_panic_of_the_core_costs_the_contents_of_its_row(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    mirrored(config, PROBE)
    rows = rows_of_a_run(config, PROBE, None)
    unreadable = [row.pair for row in rows if row.pair.outcome.reason == "unreadable"]
    assert len(unreadable) == 2
    assert all(PROBE.encode() not in pair.copy.body + pair.outcome.body for pair in unreadable)
    assert len(rows) == COPIES
