"""The queue to a collector that is slow, fails or hangs: bounded, counted, and soon ended."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from shadowlane.telemetry import queue as module
from shadowlane.telemetry.queue import SpanQueue
from tests.e2e.conftest import until


class Exporter(SpanExporter):
    """Does what the test says with each batch."""

    def __init__(self, export: Callable[[Sequence[ReadableSpan]], SpanExportResult]) -> None:
        self._export = export
        self.ended = threading.Event()
        self.batches: list[int] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches.append(len(spans))
        return self._export(spans)

    def shutdown(self) -> None:
        self.ended.set()


def put(queue: SpanQueue, n: int) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(queue)
    tracer = provider.get_tracer("test")
    for _ in range(n):
        tracer.start_span("copy").end()


def total(queue: SpanQueue) -> int:
    state = queue.state()
    return int(state["sent"] + state["waiting"] + sum(state["lost"].values()))


def test_what_is_put_in_is_sent_once() -> None:
    exporter = Exporter(lambda _: SpanExportResult.SUCCESS)
    queue = SpanQueue(exporter, 2048)
    put(queue, 700)
    assert queue.close(60.0) == {"sent": 700, "waiting": 0, "lost": {}}
    assert sum(exporter.batches) == 700
    assert max(exporter.batches) <= 256
    assert exporter.ended.is_set()


def test_a_collector_that_hangs_fills_the_queue_and_no_more() -> None:
    go, over = threading.Event(), threading.Event()

    def hang(_: Sequence[ReadableSpan]) -> SpanExportResult:
        go.wait(600)
        over.set()
        return SpanExportResult.FAILURE

    exporter = Exporter(hang)
    queue = SpanQueue(exporter, 300)
    put(queue, 256)
    until(lambda: exporter.batches, "the first batch is out")
    [out] = exporter.batches  # fewer than 256, where it was time before all were put in
    put(queue, 1000)
    assert not over.is_set(), "who puts in waits for no collector"
    full = 1256 - out - 300
    assert queue.state() == {"sent": 0, "waiting": out + 300, "lost": {"queue_full": full}}
    began = time.monotonic()
    last = queue.close(0.2)
    assert not over.is_set(), "who ends waits for no collector"
    assert time.monotonic() - began < 30.0, "0.2 s, and what a machine stands still"
    assert last == {"sent": 0, "waiting": 0, "lost": {"queue_full": full, "ended": out + 300}}
    assert exporter.ended.is_set()
    go.set()
    put(queue, 1)
    assert queue.state()["lost"]["ended"] == out + 301
    assert total(queue) == 1257


def none_arrives(how: str) -> Callable[[Sequence[ReadableSpan]], SpanExportResult]:
    def export(_: Sequence[ReadableSpan]) -> SpanExportResult:
        if how == "raises":
            raise ConnectionError("nobody listens")
        return SpanExportResult.FAILURE

    return export


# One span at a time below: two may become two batches where the machine stands still between them.


@pytest.mark.parametrize("how", ["fails", "raises"])
def test_a_collector_that_is_not_there_is_asked_less_and_less_often(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_MIN_S", 0.1)
    monkeypatch.setattr(module, "_COLLECT_S", 0.001)
    tried: list[float] = []

    def export(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        tried.append(time.monotonic())
        return none_arrives(how)(spans)

    queue = SpanQueue(Exporter(export), 100)
    for n in range(1, 5):
        put(queue, 1)
        until(lambda n=n: queue.state()["lost"] == {"not_sent": n}, f"batch {n} is lost")
    queue.close(30.0)
    waits = [after - before for before, after in itertools.pairwise(tried)]
    # No upper bound: that a machine stands still makes a wait longer, never shorter.
    assert [wait >= least for wait, least in zip(waits, [0.1, 0.2, 0.4], strict=True)] == [True] * 3, waits


@pytest.mark.parametrize("how", ["fails", "raises"])
def test_what_waits_at_the_end_is_tried_once_more_and_at_once(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_MIN_S", 3600.0)
    monkeypatch.setattr(module, "_RETRY_MAX_S", 3600.0)
    exporter = Exporter(none_arrives(how))
    queue = SpanQueue(exporter, 100)
    put(queue, 1)
    until(lambda: queue.state()["lost"], "the first batch is lost")
    put(queue, 10)
    assert queue.close(60.0)["lost"] == {"not_sent": 11}
    assert exporter.batches == [1, 10]


def test_a_collector_that_comes_back_gets_the_next_spans() -> None:
    results = iter([SpanExportResult.FAILURE])
    exporter = Exporter(lambda _: next(results, SpanExportResult.SUCCESS))
    queue = SpanQueue(exporter, 100)
    put(queue, 1)
    until(lambda: queue.state()["lost"], "the first batch is lost")
    put(queue, 5)
    until(lambda: queue.state()["sent"] == 5, "the next spans are sent")
    assert queue.close(30.0)["lost"] == {"not_sent": 1}
