"""One call in progress: what is known of its outcome, and its times.

Invariant: ``detail`` is one line, and what describes the answer is the last round's alone.
"""

from __future__ import annotations

import time

from ..types import Headers, Outcome, header
from .stub import Conversation

__all__ = ["Call", "kept_headers"]

_CODING = (b"content-encoding", b"content-length", b"transfer-encoding")


class Call:
    """One call in progress: what is known of its outcome, and its times."""

    def __init__(self, shadow: str, started_ns: int) -> None:
        self._shadow = shadow
        self._started_ns = started_ns
        self._start = time.perf_counter_ns()
        self._end = 0
        self._ours = 0
        """What lay between rounds that had ended and the next ones: no time of the shadow's, and in no other."""
        self._ttfb_ns = 0
        self._status = 0
        self._headers: Headers = ()
        self._reason = self._detail = ""
        self._rounds: list[int] = []
        self.body = b""
        self.normalised: list[str] = []
        self.talk: Conversation | None = None

    @property
    def failed(self) -> bool:
        return bool(self._reason)

    @property
    def elapsed_s(self) -> float:
        return (time.perf_counter_ns() - self._start) / 1e9

    @property
    def content_type(self) -> str:
        return header(self._headers, b"content-type")

    def begin(self) -> None:
        """A round: what is known of an earlier one's answer is past."""
        now = time.perf_counter_ns()
        if self._end:
            self._ours = now - self._end
        self._rounds.append(now - self._ours)
        self._end = 0
        self._status, self._ttfb_ns, self._headers, self.body = 0, 0, (), b""

    def head(self, status: int, headers: Headers, after_ns: int | None = None) -> None:
        """The head has come: now, or ``after_ns`` from the round's beginning. ``headers`` describe the decoded body."""
        at = self._now() if after_ns is None else self._rounds[-1] + after_ns
        self._ttfb_ns = at - self._start
        self._status = status
        self._headers = headers

    def ended(self, after_ns: int) -> None:
        """The round took so long from its beginning, whatever was done since."""
        self._end = self._rounds[-1] + after_ns

    def _now(self) -> int:
        return time.perf_counter_ns() - self._ours

    def fail(self, reason: str, detail: str) -> None:
        self._reason, self._detail = reason, " ".join(detail.split())

    def outcome(self) -> Outcome:
        end = self._end or self._now()
        several = len(self._rounds) > 1
        ends = [*self._rounds[1:], end]
        talk = self.talk
        return Outcome(
            shadow=self._shadow,
            reason=self._reason,
            detail=self._detail,
            status=self._status,
            headers=self._headers,
            body=self.body,
            started_ns=self._started_ns,
            ttfb_ns=self._ttfb_ns,
            duration_ns=end - self._start,
            rounds=max(1, len(self._rounds)),
            round_ns=tuple(b - a for a, b in zip(self._rounds, ends, strict=True)) if several else (),
            usage=dict(talk.usage) if talk is not None and several else {},
            calls=tuple(talk.calls) if talk is not None else (),
            findings=talk.findings if talk is not None else {},
            normalised=tuple(self.normalised),
        )


def kept_headers(headers: Headers) -> Headers:
    """Without those that would describe the body wrongly, which is kept decoded."""
    return tuple((name, value) for name, value in headers if name.lower() not in _CODING)
