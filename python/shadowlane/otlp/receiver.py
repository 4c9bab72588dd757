"""From what telemetry tells to exchanges in a lane, each record in one count.

Invariants: ``received = offered + Σ skipped + Σ rejected``; what is offered goes the way of every exchange (switch,
loop guard, routes, sampler, cap, redaction, policy) and is in the lane's own counts; nothing is made up: no time, no
header, no answer.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..capture.lane import Lane
from ..capture.received import Counts
from ..errors import DataError
from ..sources.genai import Telling, rebuilt
from ..sources.records import Recorded, Unusable
from ..tag import is_copys
from ..types import FLAG_NO_PROD, FLAG_STREAMED, FLAG_TOLD, Headers
from .decode import Told
from .seen import Seen

__all__ = ["Account", "Receiver"]

log = logging.getLogger("shadowlane.otlp")


@dataclass(slots=True)
class Account:
    """What became of records."""

    received: int = 0
    offered: int = 0
    """Put into the lane, whose ``status`` says what it mirrored of them and why not the rest."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Not an exchange, by reason."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Not readable, by reason: an exporter is told of them."""
    why: str = ""
    """Of the first that was rejected."""

    def add(self, more: Account) -> None:
        """Count those of a batch, too."""
        self.received += more.received
        self.offered += more.offered
        self.skipped += more.skipped
        self.rejected += more.rejected

    def reject(self, why: str) -> None:
        """Count a record that cannot be read."""
        self.rejected["damaged"] += 1
        self.why = self.why or why

    def data(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "received": self.received,
            "offered": self.offered,
            "skipped": dict(sorted(self.skipped.items())),
            "rejected": dict(sorted(self.rejected.items())),
        }


class Receiver:
    """Puts what is told into ``lane``, one batch at a time. ``services``: whose telemetry is taken; of all when empty.
    ``target`` is that of the requests."""

    def __init__(self, lane: Lane, *, target: str, services: Iterable[str] = ()) -> None:
        self._lane = lane
        self._target = target
        self._services = frozenset(services)
        self._stands_in = bool(lane.config.control.url)
        self._seen = Seen()
        self._taking = threading.Lock()
        self._counting = threading.Lock()  # never held for long: the event loop asks for the counts
        self._account = Account()
        self._answers: Counter[str] = Counter()

    def take(self, records: Iterable[Told]) -> Account:
        """What became of the records of one batch."""
        batch = Account()
        with self._taking:
            for told in records:
                batch.received += 1
                if told is None:
                    batch.skipped["not_genai"] += 1
                elif isinstance(told, DataError):
                    batch.reject(f"record {batch.received}: {told}")
                else:
                    self._take_safely(told, batch)
            with self._counting:
                self._account.add(batch)
        return batch

    def account(self) -> Account:
        """What became of all records since the start; those of a batch are in it when the batch is done."""
        with self._counting:
            total = Account()
            total.add(self._account)
        return total

    def note_answer(self, status: int) -> None:
        """An exporter is answered so."""
        with self._counting:
            self._answers[str(status)] += 1

    def counts(self) -> Counts:
        """The same and the answers, for those who ask the lane."""
        with self._counting:
            told = self._account
            return Counts(told.received, told.offered, dict(told.skipped), dict(told.rejected), dict(self._answers))

    def settled(self) -> Account:
        """The same, after the batch that is in work."""
        with self._taking:
            return self.account()

    def _take_safely(self, told: Telling, batch: Account) -> None:
        """A fault of ours costs the record, and its count is right."""
        try:
            self._take(told, batch)
        except Exception as error:
            log.error("what telemetry told could not be taken: %s", type(error).__name__)
            batch.reject(f"record {batch.received}: it could not be taken: {type(error).__name__}")

    def _take(self, told: Telling, batch: Account) -> None:
        if self._services and told.service not in self._services:
            batch.skipped["other_service"] += 1
            return
        try:
            record = rebuilt(f"record {batch.received}", told, self._target, "")
        except (DataError, RecursionError) as error:
            batch.reject(f"record {batch.received}: {error}")
            return
        if isinstance(record, Unusable):
            batch.skipped[record.reason] += 1
        elif record.prod is None and not told.failed and not self._stands_in:
            batch.skipped["no_answer"] += 1
        elif again := self._seen.note(told):
            batch.skipped[again] += 1
        else:
            self._offer(told, record)
            batch.offered += 1

    def _offer(self, told: Telling, record: Recorded) -> None:
        headers: Headers = record.headers
        if _of_a_copy(told):
            headers = (*headers, (b"x-shadow", b"1"))
        if len(told.trace_id) == 32 and len(told.span_id) == 16:  # what the copy's own span is linked to; never sent
            headers = (*headers, (b"traceparent", f"00-{told.trace_id}-{told.span_id}-01".encode()))
        ticket = self._lane.admit(record.method, record.target.partition("?")[0], headers)
        if ticket is None:
            return
        if told.failed:
            self._lane.drop(ticket, "prod_failed")
            return
        flags = FLAG_TOLD | (FLAG_STREAMED if told.attributes.get("gen_ai.request.stream") is True else 0)
        prod = record.prod
        if prod is None:
            self._lane.offer(ticket, record.target, headers, record.body, 0, (), b"", 0, flags | FLAG_NO_PROD, 0)
            return
        self._lane.offer(
            ticket,
            record.target,
            headers,
            record.body,
            prod.status,
            prod.headers,
            prod.body,
            0,
            flags,
            prod.duration_ns,
        )


def _of_a_copy(told: Telling) -> bool:
    """Whether it tells of what a shadow did for a copy: by the lane's own attributes, by the tag where a processor made
    an attribute of the baggage, or by the trace state that goes with a copy."""
    if str(told.attributes.get("shadow")).lower() == "true" or "shadowlane.shadow_id" in told.attributes:
        return True
    return is_copys(told.trace_state)
