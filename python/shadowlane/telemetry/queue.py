"""Spans on their way to the collector: a bounded queue and one thread that empties it.

Invariants: whoever puts a span in never waits; what is held is bounded; every span that is put in is counted once, as
sent or as lost, by why. A collector that does not answer is asked less and less often, and ending takes no longer than
it is told.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["SpanQueue"]

_BATCH = 256
_COLLECT_S = 0.5
_RETRY_MIN_S, _RETRY_MAX_S = 1.0, 60.0


class SpanQueue(SpanProcessor):
    """At most ``most`` spans wait."""

    def __init__(self, exporter: SpanExporter, most: int) -> None:
        self._exporter = exporter
        self._most = most
        self._spans: deque[ReadableSpan] = deque()
        self._lock = threading.Condition()
        self._sent = 0
        self._lost: Counter[str] = Counter()
        self._out = 0
        self._wait_s = 0.0
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="shadowlane-spans", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Put a span in, or count it as lost."""
        with self._lock:
            if self._ended or len(self._spans) >= self._most:
                self._lost["ended" if self._ended else "queue_full"] += 1
                return
            self._spans.append(span)
            if len(self._spans) >= _BATCH:
                self._lock.notify()

    def lose(self, why: str) -> None:
        """Count a span that could not be made."""
        with self._lock:
            self._lost[why] += 1

    def state(self) -> dict[str, Any]:
        """``sent``, ``waiting`` and ``lost`` by why."""
        with self._lock:
            return {"sent": self._sent, "waiting": len(self._spans) + self._out, "lost": dict(self._lost)}

    def close(self, within_s: float) -> Mapping[str, Any]:
        """Send what waits, for so long at most, and count the rest as lost. Returns the last state."""
        until = time.monotonic() + within_s
        with self._lock:
            self._ended = True
            self._lock.notify()
        self._thread.join(within_s)
        if self._thread.is_alive():  # it waits for a collector: no try comes after this one
            self._exporter.shutdown()
            self._thread.join(max(until - time.monotonic(), 0.0))
        with self._lock:
            if left := len(self._spans) + self._out:
                self._lost["ended"] += left
            self._spans.clear()
            self._out = 0
        return self.state()

    def _run(self) -> None:
        while batch := self._next():
            good = self._export(batch)
            with self._lock:
                if self._out:  # else they were given up, and counted
                    self._out = 0
                    if good:
                        self._sent += len(batch)
                    else:
                        self._lost["not_sent"] += len(batch)
                self._wait_s = 0.0 if good else min(max(2 * self._wait_s, _RETRY_MIN_S), _RETRY_MAX_S)
        self._exporter.shutdown()

    def _next(self) -> list[ReadableSpan]:
        """The next batch; empty: there will be none."""
        with self._lock:
            self._lock.wait_for(lambda: self._ended, self._wait_s)
            self._lock.wait_for(lambda: self._ended or len(self._spans) >= _BATCH, _COLLECT_S)
            while not self._spans and not self._ended:
                self._lock.wait(_COLLECT_S)
            batch = [self._spans.popleft() for _ in range(min(_BATCH, len(self._spans)))]
            self._out = len(batch)
            return batch

    def _export(self, batch: list[ReadableSpan]) -> bool:
        try:
            return self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:  # counted like any batch that did not arrive
            return False
