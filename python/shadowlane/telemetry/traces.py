"""The worker's spans: a root span for each copy that was sent, linked to prod's trace and no part of it.

A copy's span has a trace of its own, since a trace of prod's must not grow by what no user waited for, nor its sampling
decide about copies: they are a sample already, so every one is recorded.

Invariant: nothing here raises or waits for a collector; a span that cannot be made is counted as lost.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..config import Config
from ..errors import MissingExtraError, describe
from ..types import Pair
from . import conventions as names
from .spans import SpanRecord, record_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Traces", "open_traces"]

log = logging.getLogger("shadowlane.telemetry")

_CLOSE_S = 3.0


def open_traces(config: Config) -> Traces:
    """Spans to the collector of ``[telemetry]``. Connects nowhere yet. Raises
    :class:`~shadowlane.errors.MissingExtraError`."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise MissingExtraError("[telemetry]", "otel", "opentelemetry-exporter-otlp-proto-http") from None
    # It says every batch that fails; here they are counted, and shown by status.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    telemetry = config.telemetry
    return Traces(config, OTLPSpanExporter(endpoint=telemetry.traces_url(), timeout=telemetry.timeout_s))


class Traces:
    """Makes spans of stored pairs, on one thread, and gives them to ``exporter`` on another."""

    def __init__(self, config: Config, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import IdGenerator
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        from .queue import SpanQueue

        class Ids(IdGenerator):
            """Those of the span that is begun next."""

            trace_id = span_id = 1

            def generate_trace_id(self) -> int:
                return self.trace_id

            def generate_span_id(self) -> int:
                return self.span_id

        self._arms = config.arms()
        self._lane = config.lane.name
        self._ids = Ids()
        self._queue = SpanQueue(exporter, config.telemetry.queue)
        resource = Resource.create({names.SERVICE_NAME: config.telemetry.service_name})
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(self._queue)
        self._tracer = self._provider.get_tracer("shadowlane", __version__, schema_url=names.SCHEMA_URL)
        self._said = False

    def add(self, pairs: Sequence[Pair]) -> None:
        """Make the spans of pairs that are stored. Never raises."""
        for pair in pairs:
            try:
                shadow = self._arms.get(pair.outcome.shadow)
                record = None if shadow is None else record_of(pair, self._lane, shadow)
                if record is not None:
                    self._make(record)
            except Exception as error:
                self._queue.lose("not_made")
                if not self._said:
                    self._said = True
                    log.error("a copy's span cannot be made; please report it: %s", describe(error))

    def state(self) -> Mapping[str, Any]:
        """What became of the spans, see :meth:`.queue.SpanQueue.state`."""
        return self._queue.state()

    def close(self) -> None:
        """Send what waits, for some seconds at most."""
        lost = sum(self._queue.close(_CLOSE_S)["lost"].values())
        if lost:
            log.warning("%d spans did not reach the collector", lost, extra={"event": "spans_lost"})

    def _make(self, record: SpanRecord) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

        links = []
        if record.link is not None:
            trace, span, flags = record.link
            context = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
            links = [Link(context, {names.LINKED: "prod"})]
        self._ids.trace_id, self._ids.span_id = record.trace_id, record.span_id
        made = self._tracer.start_span(
            record.name,
            context=Context(),  # a root, whatever is current here
            kind=SpanKind.CLIENT,
            attributes=record.attributes,
            links=links,
            start_time=record.start_ns,
        )
        for event in record.events:
            made.add_event(event.name, event.attributes, timestamp=record.end_ns)
        if record.error:
            made.set_status(Status(StatusCode.ERROR))
        made.end(record.end_ns)
