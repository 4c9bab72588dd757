"""The queue to a collector that is slow, fails or hangs: bounded, counted, and soon ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

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
    assert queue.close(10.0) == {"sent": 700, "waiting": 0, "lost": {}}
    assert sum(exporter.batches) == 700
    assert max(exporter.batches) <= 256
    assert exporter.ended.is_set()


def test_a_collector_that_hangs_fills_the_queue_and_no_more() -> None:
    go = threading.Event()

    def hang(_: Sequence[ReadableSpan]) -> SpanExportResult:
        go.wait(60)
        return SpanExportResult.FAILURE

    exporter = Exporter(hang)
    queue = SpanQueue(exporter, 300)
    put(queue, 256)
    until(lambda: exporter.batches, "the first batch is out")
    [out] = exporter.batches  # fewer than 256, where it was time before all were put in
    began = time.monotonic()
    put(queue, 1000)
    assert time.monotonic() - began < 5.0
    full = 1256 - out - 300
    assert queue.state() == {"sent": 0, "waiting": out + 300, "lost": {"queue_full": full}}
    began = time.monotonic()
    last = queue.close(0.2)
    assert time.monotonic() - began < 5.0
    assert last == {"sent": 0, "waiting": 0, "lost": {"queue_full": full, "ended": out + 300}}
    assert exporter.ended.is_set()
    go.set()
    put(queue, 1)
    assert queue.state()["lost"]["ended"] == out + 301
    assert total(queue) == 1257


@pytest.mark.parametrize("how", ["fails", "raises"])
def test_a_collector_that_is_not_there_is_asked_less_and_less_often(how: str) -> None:
    def export(_: Sequence[ReadableSpan]) -> SpanExportResult:
        if how == "raises":
            raise ConnectionError("nobody listens")
        return SpanExportResult.FAILURE

    exporter = Exporter(export)
    queue = SpanQueue(exporter, 100)
    put(queue, 10)
    until(lambda: queue.state()["lost"], "the first batch is lost")
    put(queue, 10)
    last = queue.close(10.0)  # what waits is tried once more, and at once
    assert last["lost"] == {"not_sent": 20}
    assert len(exporter.batches) == 2


def test_a_collector_that_comes_back_gets_the_next_spans() -> None:
    results = iter([SpanExportResult.FAILURE])
    exporter = Exporter(lambda _: next(results, SpanExportResult.SUCCESS))
    queue = SpanQueue(exporter, 100)
    put(queue, 5)
    until(lambda: queue.state()["lost"], "the first batch is lost")
    put(queue, 5)
    until(lambda: queue.state()["sent"] == 5, "the second batch is sent")
    assert queue.close(10.0)["lost"] == {"not_sent": 5}
