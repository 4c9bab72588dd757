"""One real request to a shadow, on the way that every copy goes: admission, redaction, policy, transport.

Invariants: at most one request leaves, whatever the shadow answers: no second try, no round of tool calls. It travels
through a lane of its own in a temporary folder, so that no counter, row or cap of the real one knows of it. No word of
the shadow is shown before it went through the redaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from .. import _core
from ..capture.lane import Lane
from ..config import Config, GateConfig, LimitsConfig, SamplingConfig, WorkerConfig
from ..config.shadows import section_of
from ..detect.cleaner import open_cleaner
from ..errors import LaneError
from ..policy import lane_policy
from ..providers.cleaning import read_answer
from ..providers.refusals import Refusal, refused_words, remedy_of
from ..transport import open_transport
from ..types import Copy, Outcome, Transport, drained_copies, route_of
from .check import Check
from .sample import Request

__all__ = ["Attempt", "attempt", "attempt_checks"]

_MOST_CHARS = 160
_NOT_ADMITTED = {
    "route": "no preset and no pattern of routes.read lists it, or routes.include or routes.exclude leaves it out",
    "method": "only GET, HEAD and declared POST routes are mirrored",
    "write_intent": "the policy takes it for a write",
    "loop": "it carries the tag of a copy, and copies are never mirrored again",
    "request_too_large": "its body is larger than lane.max_body_bytes",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of the one request."""

    shadow: str
    request: str
    """Method and path, redacted."""
    sent: bool = False
    status: int = 0
    """0 where there was no HTTP answer: then ``reason`` says why."""
    reason: str = ""
    latency_ms: float = 0.0
    words: str = ""
    """What the shadow said, redacted, or why there was no answer: one line."""
    remedy: str = ""
    redacted: dict[str, int] = field(default_factory=dict)
    """How many values of each kind were taken out of the request."""
    normalised: tuple[str, ...] = ()
    """What was changed for the shadow."""
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the shadow was asked rightly, and answered."""
        return self.sent and not self.reason and 200 <= self.status < 300


def attempt(config: Config, shadow: str, request: Request) -> Attempt:
    """Send the request to one shadow, once. Where it is not sent, ``reason`` and ``words`` say why.

    Raises :class:`~shadowlane.errors.ConfigError` when the configuration cannot be carried out (a credential that is
    not set), :class:`~shadowlane.errors.MissingExtraError`, and :class:`~shadowlane.errors.LaneError` when there is no
    folder for the lane.
    """
    arm = config.arms()[shadow]
    where = f"{section_of(shadow)}."
    transport = open_transport(shadow, arm, arm.credential(where=where), where=where)
    with _folder() as folder:
        directory = folder / "lane"
        copy, dropped = _drained(config, directory, request)
        if copy is None:
            cleaner = open_cleaner(config, directory).cleaner
            asked = route_of(cleaner.text(request.method), cleaner.text(request.target))
            words = _NOT_ADMITTED.get(dropped, "the lane does not take it")
            return _not_sent(Attempt(shadow, asked, note=request.note), dropped, words)
        found = Attempt(
            shadow,
            f"{copy.method} {copy.target}",
            redacted=dict(copy.findings),
            normalised=copy.normalised,
            note=request.note,
        )
        if copy.blocked:
            return _not_sent(found, copy.blocked, copy.why)
        outcome = asyncio.run(_send(transport, copy))
        return _answered(config, replace(found, sent=True), copy, _clean(config, directory, outcome))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix="shadowlane-try-", ignore_cleanup_errors=True)
    except OSError as error:
        raise LaneError(f"--try: no temporary folder can be used: {error.strerror}; set TMPDIR to one") from None
    with made as folder:
        yield Path(folder)


def _drained(config: Config, directory: Path, request: Request) -> tuple[Copy | None, str]:
    """The copy as a worker of this configuration drains it; or why the lane does not take the request."""
    own = msgspec.structs.replace(
        config,
        lane=msgspec.structs.replace(config.lane, directory=str(directory), worker="external"),
        sampling=SamplingConfig(ratio=1.0),
        limits=LimitsConfig(),
        gate=GateConfig(),
        worker=WorkerConfig(),
    )
    with Lane.open(own) as lane:
        if lane.ring_error:
            raise LaneError(f"--try: {lane.ring_error}; set TMPDIR to a folder with room")
        headers = list(request.headers)
        ticket = lane.admit(request.method, request.target.partition("?")[0], headers)
        if ticket is not None:
            lane.offer(ticket, request.target, headers, request.body, 200, [], b"", 0, 0)
        dropped = next((reason for reason, n in lane.status()["dropped"].items() if n), "")
        if dropped or ticket is None:
            return None, dropped
        drainer = _core.Drainer(
            str(directory),
            rules=config.sanitize.rules_dict(),
            ignore=config.sanitize.hash_ignore,
            policy=lane_policy(config),
        )
        try:
            rows = open_cleaner(config, directory).drainer(drainer).drain(1, config.lane.ring_bytes)
        finally:
            drainer.close()
    if not rows:
        return None, "unreadable"
    return drained_copies(rows[:1])[0], ""


async def _send(transport: Transport, copy: Copy) -> Outcome:
    try:
        return await transport.send(copy)
    finally:
        await transport.close()


def _clean(config: Config, directory: Path, outcome: Outcome) -> Outcome:
    cleaner = open_cleaner(config, directory).cleaner
    headers, body, _, _ = cleaner.response(outcome.headers, outcome.body, outcome.reason == "response_too_large")
    return msgspec.structs.replace(outcome, headers=tuple(headers), body=body)


def _not_sent(found: Attempt, reason: str, words: str) -> Attempt:
    remedy = "give a request that this lane mirrors (--try FILE), or correct [routes]"
    return replace(found, reason=reason, words=words, remedy=remedy)


def _answered(config: Config, found: Attempt, copy: Copy, outcome: Outcome) -> Attempt:
    arm = config.arms()[found.shadow]
    words = outcome.detail or refused_words(outcome.status, outcome.headers, outcome.body)
    refusal = Refusal(outcome.status, outcome.reason, words, copy.target, copy.method, 1)
    remedy = remedy_of(refusal, section_of(found.shadow), arm) if outcome.reason or outcome.status >= 400 else ""
    if outcome.status and outcome.status < 400 and not outcome.reason:
        words, remedy = _answer(config, outcome)
    return replace(
        found,
        status=outcome.status,
        reason=outcome.reason,
        latency_ms=outcome.duration_ns / 1e6,
        words=words,
        remedy=remedy,
        normalised=(*found.normalised, *outcome.normalised),
    )


def _answer(config: Config, outcome: Outcome) -> tuple[str, str]:
    """What a good answer says, in one short line, and what to do when it says nothing that could be compared."""
    answer = read_answer(
        outcome.headers,
        outcome.body,
        text_pointer=config.score.text_pointer,
        citations_pointer=config.score.citations_pointer,
    )
    words = " ".join(answer.text.split())
    if words:
        return (words if len(words) <= _MOST_CHARS else f"{words[: _MOST_CHARS - 1].rstrip()}…"), ""
    if outcome.status >= 300:
        return "redirects are not followed", f"set {section_of(outcome.shadow)}.url to where the service answers itself"
    return (
        "",
        "its answer has no text to compare; name where it stands with score.text_pointer, when it should have one",
    )


def attempt_checks(tried: Attempt) -> Iterator[Check]:
    """The lines that ``shadowlane doctor`` prints of it."""
    name = f"try {tried.shadow}"
    if not tried.sent:
        yield Check(name, "fail", f"{tried.request}: not sent, {tried.reason}: {tried.words}", tried.remedy)
        return
    said = (
        f"{tried.status} in {tried.latency_ms:.0f} ms" if tried.status else f"{tried.reason}, {tried.latency_ms:.0f} ms"
    )
    text = f"{tried.request}: {said}" + (f": {tried.words}" if tried.words else "")
    remedy = tried.remedy or ("" if tried.good else "correct what it says, then try again")
    yield Check(name, ("warn" if remedy else "ok") if tried.good else "fail", text, remedy)
    if tried.note:
        yield Check(name, "ok", tried.note)
    taken = ", ".join(f"{kind} {n}" for kind, n in sorted(tried.redacted.items()))
    yield Check(name, "ok", f"redacted before it was sent: {taken or 'nothing had to be'}")
    if tried.normalised:
        yield Check(name, "ok", f"changed for the shadow: {'; '.join(tried.normalised)}")
