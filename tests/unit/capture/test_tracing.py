"""Where a request belongs in prod's traces: a real FastAPI application under OpenTelemetry's instrumentation, with the
mirroring middleware inside it and around it."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from shadowlane import Config, Lane, _core
from shadowlane.asgi import ShadowMiddleware
from shadowlane.capture import tracing
from shadowlane.types import Copy

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Traced:
    """A lane without a worker, and the spans of the application before it."""

    def __init__(self, endpoint: str = "http://127.0.0.1:9") -> None:
        self.directory = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
        self.lane = Lane.open(
            Config.from_dict(
                {
                    "lane": {"directory": str(self.directory), "worker": "external", "max_body_bytes": 4096},
                    "sampling": {"ratio": 1.0},
                    "routes": {"read": ["POST /ask"]},
                    "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
                    "telemetry": {"endpoint": endpoint},
                }
            )
        )
        self.drainer = _core.Drainer(str(self.directory), allow_headers=["traceparent", ":traceparent"])
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def application(self) -> FastAPI:
        app = FastAPI()

        @app.post("/ask")
        async def ask(question: dict[str, str]) -> dict[str, str]:
            return {"answer": question["question"]}

        return app

    def ask(self, app: Any, **headers: str) -> Copy:
        async def call() -> None:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://prod") as client:
                answer = await client.post("/ask", json={"question": "how high?"}, headers=headers)
                assert answer.json() == {"answer": "how high?"}

        asyncio.run(call())
        [row] = self.drainer.drain(16, 1 << 20)
        self.drainer.ack(row[15], row[16])
        return Copy(**dict(zip(Copy.__struct_fields__, row, strict=True)))

    def server_span(self) -> ReadableSpan:
        [span] = [span for span in self.exporter.get_finished_spans() if span.kind is SpanKind.SERVER]
        return span

    def close(self) -> None:
        self.drainer.close()
        self.lane.close()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def traced() -> Iterator[Traced]:
    made = Traced()
    yield made
    made.close()


def ids(copy: Copy) -> tuple[int, int]:
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", copy.traceparent), copy.traceparent
    _, trace, span, _ = copy.traceparent.split("-")
    return int(trace, 16), int(span, 16)


@pytest.mark.parametrize("caller", [{}, {"traceparent": CALLER}])
def test_inside_the_instrumented_application_it_is_the_servers_span(traced: Traced, caller: dict[str, str]) -> None:
    app = traced.application()
    app.add_middleware(ShadowMiddleware, config=traced.lane)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=traced.provider)
    copy = traced.ask(app, **caller)
    context = traced.server_span().get_span_context()
    assert context is not None
    assert ids(copy) == (context.trace_id, context.span_id)


def test_around_it_the_trace_is_the_same_one(traced: Traced) -> None:
    app = traced.application()
    FastAPIInstrumentor.instrument_app(app, tracer_provider=traced.provider)
    copy = traced.ask(ShadowMiddleware(app, config=traced.lane))
    context = traced.server_span().get_span_context()
    assert context is not None
    assert ids(copy)[0] == context.trace_id
    sent = {span.context.span_id for span in traced.exporter.get_finished_spans() if span.context is not None}
    assert ids(copy)[1] in sent


def test_around_it_a_callers_context_is_the_servers_parent(traced: Traced) -> None:
    app = traced.application()
    FastAPIInstrumentor.instrument_app(app, tracer_provider=traced.provider)
    copy = traced.ask(ShadowMiddleware(app, config=traced.lane), traceparent=CALLER)
    parent = traced.server_span().parent
    assert parent is not None
    assert ids(copy) == (parent.trace_id, parent.span_id)
    assert copy.traceparent == CALLER


def test_without_instrumentation_it_is_what_the_caller_sent(traced: Traced) -> None:
    app = ShadowMiddleware(traced.application(), config=traced.lane)
    assert traced.ask(app, traceparent=CALLER).traceparent == CALLER
    assert traced.ask(app).traceparent == ""
    assert traced.ask(app, traceparent="not one").traceparent == ""


def test_our_own_name_for_it_never_leaves_the_drain(traced: Traced) -> None:
    app = traced.application()
    app.add_middleware(ShadowMiddleware, config=traced.lane)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=traced.provider)
    untraced, copy = traced.ask(ShadowMiddleware(traced.application(), config=traced.lane)), traced.ask(app)
    assert copy.traceparent
    assert not [name for name, _ in copy.headers if name.startswith(b":")]
    assert copy.req_hash == untraced.req_hash


def test_nobody_looks_where_no_spans_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = Traced(endpoint="")
    try:
        monkeypatch.setitem(tracing.sys.modules, "opentelemetry.trace", None)  # type: ignore[attr-defined]
        app = ShadowMiddleware(traced.application(), config=traced.lane)
        assert traced.ask(app, traceparent=CALLER).traceparent == CALLER
        assert traced.lane.faults == 0
    finally:
        traced.close()


@pytest.mark.parametrize(
    "broken",
    [
        None,
        SimpleNamespace(),
        SimpleNamespace(get_current_span=lambda: 1 / 0),
        SimpleNamespace(get_current_span=lambda: None),
        SimpleNamespace(get_current_span=lambda: SimpleNamespace(get_span_context=lambda: SimpleNamespace(is_valid=1))),
    ],
)
def test_tracing_that_fails_costs_a_link_and_no_copy(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    monkeypatch.setitem(tracing.sys.modules, "opentelemetry.trace", broken)  # type: ignore[attr-defined]
    copy = traced.ask(ShadowMiddleware(traced.application(), config=traced.lane), traceparent=CALLER)
    assert copy.traceparent == CALLER
    assert traced.lane.faults == 0
