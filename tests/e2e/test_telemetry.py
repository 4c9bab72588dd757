"""Spans of real copies at a real collector, and a collector that is not there."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.e2e.conftest import World, until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=secret-state"}


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Any] = []
        self.authorized: list[str] = []

    def take(self, path: str, headers: Any, body: bytes) -> bytes:
        assert path == "/v1/traces"
        assert headers["content-type"] == "application/x-protobuf"
        self.authorized.append(headers.get("x-key", ""))
        request = ExportTraceServiceRequest()
        request.ParseFromString(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                assert scope.schema_url.startswith("https://opentelemetry.io/schemas/")
                self.spans += scope.spans
        return ExportTraceServiceResponse().SerializeToString()


@contextmanager
def collector() -> Iterator[Collector]:
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = made.take(self.path, self.headers, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def headers_seen(log: Path) -> list[dict[str, str]]:
    return [
        {name.lower(): value for name, value in json.loads(line)["headers"]} for line in log.read_text().splitlines()
    ]


@pytest.mark.parametrize("propagate", [False, True])
def test_a_copys_span_arrives_and_the_shadow_is_told_only_when_asked(
    world: World, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, propagate: bool
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k123")
    log = world.folder / "shadow.log"
    with collector() as otel:
        world.configure(
            world.shadow(log=log),
            telemetry={"endpoint": otel.url, "propagate": propagate},
            sanitize={"allow_headers": ["traceparent", "tracestate"]},
        )
        gateway = world.gateway()
        assert client.post(f"{gateway}/ask", json={"question": "how high?"}, headers=HEADERS).is_success
        world.settle(1)
        until(lambda: otel.spans, "the span arrives")
        until(lambda: (world.status()["telemetry"] or {}).get("sent") == 1, "status says so")
        assert "1 spans sent" in world.cli("status").stdout
    [span] = otel.spans
    assert span.parent_span_id == b""
    [link] = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == (TRACE, SPAN)
    assert {event.name for event in span.events} == {"gen_ai.evaluation.result"}
    assert otel.authorized == ["k123"]
    [seen] = headers_seen(log)
    assert seen.get("tracestate") == ("shadowlane=copy" if propagate else None)
    own = f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert seen.get("traceparent") == (own if propagate else None)


def test_a_collector_that_is_not_there_costs_nothing_but_its_spans(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow(), telemetry={"endpoint": world.nobody(), "timeout_s": 1.0})
    gateway = world.gateway()
    for number in range(20):
        assert client.post(f"{gateway}/ask", json={"question": f"how {number}?"}).is_success
    status = world.settle(20)
    assert status["shadows"]["candidate"]["answered"] == 20
    lost = until(lambda: (world.status()["telemetry"] or {}).get("lost"), "the spans are lost")
    assert set(lost) == {"not_sent"}
    assert "lost" in world.cli("status").stdout
    log = (world.lane / "worker.log").read_text()
    assert "Traceback" not in log
    assert log.count("127.0.0.1") <= 1


def test_without_an_endpoint_nothing_of_it_is_imported(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    gateway = world.gateway()
    assert client.post(f"{gateway}/ask", json={"question": "how high?"}, headers=HEADERS).is_success
    status = world.settle(1)
    assert status["telemetry"] is None
    maps = Path(f"/proc/{world.worker_pid()}/maps").read_text(encoding="utf-8")
    assert "_core.abi3" in maps
    assert "google/_upb" not in maps  # the protobuf extension, which the exporter needs
