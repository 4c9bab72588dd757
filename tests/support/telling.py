"""Telemetry of calls to models, made by hand in both encodings; and a receiver in the test."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shadowlane import Lane
from shadowlane.otlp.receiver import Receiver
from shadowlane.otlp.server import make_app

__all__ = ["EVENT", "any_of", "as_protobuf", "asked", "event", "export", "listening", "message", "span", "told"]

EVENT = "gen_ai.client.inference.operation.details"
TRACE = "5b8efff798038103d269b633813fc60c"


def message(role: str, text: str, **more: Any) -> dict[str, Any]:
    """A message of the conventions with one text."""
    return {"role": role, "parts": [{"type": "text", "content": text}], **more}


def asked(number: int, **more: Any) -> dict[str, Any]:
    """The attributes of one call."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.input.messages": [message("user", f"How long is tariff {number}?")],
        "gen_ai.output.messages": [message("assistant", f"Tariff {number} has 45 minutes.")],
        **more,
    }


def any_of(value: Any) -> dict[str, Any]:
    """A value as an ``AnyValue`` of OTLP/JSON."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": any_of(one)} for key, one in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_of(one) for one in value]}}
    return {} if value is None else {"stringValue": value}


def _pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_of(value)} for key, value in attributes.items()]


def event(number: int, attributes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A log record of OTLP/JSON."""
    return {
        "timeUnixNano": str(1_780_000_000_000_000_000 + number),
        "eventName": EVENT,
        "traceId": TRACE,
        "spanId": f"{number + 1:016x}",
        "attributes": _pairs(asked(number) if attributes is None else attributes),
        **more,
    }


def span(number: int, attributes: dict[str, Any] | None = None, took_ms: int = 250, **more: Any) -> dict[str, Any]:
    """A span of OTLP/JSON."""
    began = 1_780_000_000_000_000_000 + number
    return {
        "name": "chat m",
        "traceId": TRACE,
        "spanId": f"{number + 1:016x}",
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + took_ms * 1_000_000),
        "attributes": _pairs(asked(number) if attributes is None else attributes),
        **more,
    }


def export(records: Sequence[dict[str, Any]], service: str = "gateway") -> dict[str, Any]:
    """An export of OTLP/JSON: of spans where the first record is one."""
    kind = "spans" if records and "startTimeUnixNano" in records[0] else "logRecords"
    scope, resources = ("scopeSpans", "resourceSpans") if kind == "spans" else ("scopeLogs", "resourceLogs")
    resource = {"attributes": _pairs({"service.name": service})}
    return {resources: [{"resource": resource, scope: [{"scope": {"name": "test"}, kind: list(records)}]}]}


def as_protobuf(document: dict[str, Any]) -> bytes:
    """The same export in protobuf, made by protobuf's own reader of JSON, for which ids are base64."""

    def ids(value: Any) -> Any:
        if isinstance(value, list):
            return [ids(one) for one in value]
        if not isinstance(value, dict):
            return value
        import base64

        coded = {"traceId", "spanId"}
        return {
            key: base64.b64encode(bytes.fromhex(one)).decode() if key in coded else ids(one)
            for key, one in value.items()
        }

    message: Any = ExportTraceServiceRequest() if "resourceSpans" in document else ExportLogsServiceRequest()
    json_format.Parse(json.dumps(ids(document)), message)
    data: bytes = message.SerializeToString()
    return data


def told(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Question and answer of what was drained."""
    return [
        (
            json.loads(row["body"])["messages"][-1]["content"],
            json.loads(row["response_body"])["choices"][0]["message"]["content"],
        )
        for row in rows
    ]


@contextmanager
def listening(
    lane: Lane, services: Sequence[str] = (), change: Callable[[Receiver], None] | None = None
) -> Iterator[tuple[str, Receiver]]:
    """A receiver on a port of its own, in a thread of the test: its URL and itself."""
    receiver = Receiver(lane, target="/v1/chat/completions", services=services)
    if change is not None:
        change(receiver)
    loop = asyncio.new_event_loop()
    stop, started = asyncio.Event(), threading.Event()
    urls: list[str] = []

    async def serve() -> None:
        runner = web.AppRunner(make_app(receiver), access_log=None, auto_decompress=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
            started.set()
            await stop.wait()
        finally:
            await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert started.wait(60)
        yield urls[0], receiver
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
