"""`shadowlane otlp`: what exporters send becomes exchanges in a lane, each record in one count."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shadowlane.otlp import decode
from shadowlane.otlp.receiver import Account, Receiver
from shadowlane.tag import TRACE_STATE, traceparent
from shadowlane.types import FLAG_NO_PROD, FLAG_STREAMED, FLAG_TOLD
from tests.support.captured import Captured, captured
from tests.support.telling import EVENT, TRACE, as_protobuf, asked, event, export, listening, message, span, told

JSON, PROTOBUF = "application/json", "application/x-protobuf"


class World:
    def __init__(self, lane: Captured, url: str, receiver: Receiver) -> None:
        self.lane, self.url, self.receiver = lane, url, receiver
        self.client = httpx.Client(timeout=60, trust_env=False)

    def send(self, document: dict[str, Any], kind: str = JSON, *, packed: bool = False) -> httpx.Response:
        body = json.dumps(document).encode() if kind == JSON else as_protobuf(document)
        headers = {"content-type": kind}
        if packed:
            body, headers["content-encoding"] = gzip.compress(body), "gzip"
        path = "/v1/traces" if "resourceSpans" in document else "/v1/logs"
        return self.client.post(self.url + path, content=body, headers=headers)

    def account(self) -> Account:
        account = self.receiver.account()
        assert account.received == account.offered + account.skipped.total() + account.rejected.total()
        assert self.lane.status()["seen"] == account.offered
        assert self.lane.accounted()
        return account


@pytest.fixture
def world() -> Iterator[World]:
    with captured() as lane, listening(lane.lane) as (url, receiver):
        made = World(lane, url, receiver)
        try:
            yield made
        finally:
            made.client.close()


WANTED = [(f"How long is tariff {number}?", f"Tariff {number} has 45 minutes.") for number in range(3)]


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("make", [event, span])
def test_both_encodings_of_events_and_spans_become_the_same_exchanges(
    world: World, kind: str, packed: bool, make: Any
) -> None:
    answer = world.send(export([make(number) for number in range(3)]), kind, packed=packed)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content == (b"{}" if kind == JSON else b"")
    rows = world.lane.rows()
    assert told(rows) == WANTED
    took = 250_000_000 if make is span else 0
    for row in rows:
        assert (row["method"], row["target"], row["status"]) == ("POST", "/v1/chat/completions", 200)
        assert row["flags"] & FLAG_TOLD
        # What nobody told is not known: no clock of ours, no first byte.
        assert (row["duration_ns"], row["ttfb_ns"]) == (took, 0)
        assert row["traceparent"].startswith(f"00-{TRACE}-")
        assert json.loads(row["response_body"])["usage"]["completion_tokens"] == 5
    assert world.account().data() == {"received": 3, "offered": 3, "skipped": {}, "rejected": {}}


def test_what_was_asked_for_is_in_the_request(world: World) -> None:
    told_of = {
        f"gen_ai.request.{name}": value
        for name, value in {
            "temperature": 0.5, "top_p": 0.9, "max_tokens": 99, "seed": 7, "frequency_penalty": 0.25,
            "presence_penalty": 0.75, "choice.count": 2, "stop_sequences": ["END"], "reasoning.level": "low",
            "stream": True,
        }.items()
    }  # fmt: skip
    tools = [
        {"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
    ]
    answered = [message("assistant", "one"), message("assistant", "two")]
    more = {
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
        "gen_ai.tool.definitions": tools,
        "gen_ai.output.messages": answered,
        "gen_ai.response.finish_reasons": ["length", "tool_call"],
        "gen_ai.usage.cache_read.input_tokens": 3,
    }
    world.send(export([event(0, asked(0, **told_of, **more))]), PROTOBUF)
    [row] = world.lane.rows()
    body = json.loads(row["body"])
    assert body.pop("messages")[0] == {"role": "system", "content": "Be brief."}
    function = {"name": "weather", "description": "d", "parameters": {"type": "object"}}
    assert body == {
        "model": "m", "temperature": 0.5, "top_p": 0.9, "max_tokens": 99, "seed": 7, "frequency_penalty": 0.25,
        "presence_penalty": 0.75, "n": 2, "stop": ["END"], "reasoning_effort": "low", "stream": True,
        "tools": [{"type": "function", "function": function}],
    }  # fmt: skip
    assert row["flags"] & FLAG_STREAMED
    said = json.loads(row["response_body"])
    assert [one["finish_reason"] for one in said["choices"]] == ["length", "tool_calls"]
    assert said["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}


def test_structured_content_and_its_json_text_are_one(world: World) -> None:
    """Where an SDK's spans take no structures, the conventions allow the JSON text."""
    texts = {key: json.dumps(value) if isinstance(value, list) else value for key, value in asked(0).items()}
    world.send(export([span(0, texts)]))
    assert told(world.lane.rows()) == WANTED[:1]


def test_the_event_may_stand_on_its_span(world: World) -> None:
    bare = {"gen_ai.operation.name": "chat"}
    pairs = event(0)["attributes"]
    on_it = [{"name": EVENT, "timeUnixNano": "5", "attributes": pairs}]
    world.send(export([span(0, bare, events=on_it)]), PROTOBUF)
    [row] = world.lane.rows()
    assert told([row]) == WANTED[:1]
    assert row["duration_ns"] == 250_000_000


def test_what_is_no_exchange_is_counted_by_its_reason(world: World) -> None:
    silent = asked(1)
    del silent["gen_ai.input.messages"]
    without = asked(4)
    del without["gen_ai.output.messages"]
    logs = [
        event(0),
        {"timeUnixNano": "1", "body": {"stringValue": "a line of a log"}},
        event(1, silent),
        event(2, asked(2, **{"gen_ai.operation.name": "invoke_agent"})),
        event(3, asked(3, **{"error.type": "429"})),
        event(4, without),
    ]
    nameless = asked(12)
    del nameless["gen_ai.operation.name"]  # required of a span
    spans = [span(10, {"http.request.method": "POST"}), span(11, {"gen_ai.operation.name": "chat"}), span(12, nameless)]
    world.send(export(logs))
    world.send(export(spans), PROTOBUF)
    assert told(world.lane.rows()) == WANTED[:1]
    assert world.account().data() == {
        "received": 9,
        # Prod's failure is in the lane's own counts, as that of every gateway.
        "offered": 2,
        "skipped": {"no_answer": 1, "no_content": 2, "not_genai": 2, "other_operation": 2},
        "rejected": {},
    }
    assert world.lane.dropped() == {"prod_failed": 1}


def test_a_control_answers_where_no_answer_was_told() -> None:
    without = asked(0)
    del without["gen_ai.output.messages"]
    with captured(control={"url": "http://127.0.0.1:9"}) as lane, listening(lane.lane) as (url, receiver):
        world = World(lane, url, receiver)
        world.send(export([event(0, without)]))
        [row] = lane.rows()
        assert row["flags"] & FLAG_NO_PROD
        assert row["flags"] & FLAG_TOLD
        assert row["status"] == 0
        assert world.account().offered == 1
        world.client.close()


def test_a_batch_that_comes_again_counts_once(world: World) -> None:
    """An exporter that got no answer sends the same bytes again; a collector may have repacked them."""
    logs, spans = export([event(number) for number in range(3)]), export([span(number) for number in range(3, 6)])
    for kind in (PROTOBUF, JSON, PROTOBUF):
        world.send(logs, kind)
        world.send(spans, kind)
    assert len(world.lane.rows()) == 6
    assert world.account().data()["skipped"] == {"duplicate": 12}


def test_the_span_and_the_event_of_one_operation_count_once(world: World) -> None:
    world.send(export([event(0), event(1)]))
    world.send(export([span(0), span(1), span(2)]))
    world.send(export([event(2)]))
    assert sorted(told(world.lane.rows())) == WANTED
    assert world.account().data()["skipped"] == {"told_twice": 3}


def test_events_that_differ_are_not_one(world: World) -> None:
    """Two calls below a span that is not theirs; and two without any span, asked for the same a moment apart."""
    same = {"spanId": "00000000000000aa"}
    alone = {"traceId": "", "spanId": ""}
    records = [event(0, **same), event(1, **same), event(2, asked(7), **alone), event(3, asked(7), **alone)]
    world.send(export([*records, records[3]]), PROTOBUF)
    assert len(world.lane.rows()) == 4
    assert world.account().data()["skipped"] == {"duplicate": 1}


def test_two_senders_of_one_batch_at_once_count_once(world: World) -> None:
    document = export([event(number) for number in range(50)])
    together = threading.Barrier(4)

    def send() -> None:
        together.wait(60)
        assert httpx.post(f"{world.url}/v1/logs", json=document, timeout=60, trust_env=False).status_code == 200

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.lane.rows()) == 50
    assert world.account().data()["skipped"] == {"duplicate": 150}


def test_telemetry_of_a_copy_is_no_request(world: World) -> None:
    """A shadow that exports to the same receiver would be asked about its own answers for ever."""
    records = [
        span(0, asked(0, shadow="true")),
        span(1, asked(1, **{"shadowlane.shadow_id": "0195e0c4-7c3a-7000-8000-3f6c1a2b4d5e"})),
        span(2, traceState="other=1,shadowlane=copy"),
        span(3),
    ]
    for kind in (JSON, PROTOBUF):
        world.send(export(records), kind)
    assert len(world.lane.rows()) == 1
    assert world.lane.dropped() == {"loop": 3}


def test_the_sdks_spans_below_a_copys_are_no_requests(world: World) -> None:
    """As an instrumented shadow makes them, where `telemetry.propagate` tells it of the copy's span."""
    exporter = OTLPSpanExporter(endpoint=f"{world.url}/v1/traces", timeout=100)
    spans = TracerProvider()
    spans.add_span_processor(BatchSpanProcessor(exporter))
    headers = {"traceparent": traceparent("0195e0c4-7c3a-7000-8000-3f6c1a2b4d5e", "s"), "tracestate": TRACE_STATE}
    try:
        tracer = spans.get_tracer("shadow")
        with tracer.start_as_current_span("POST", context=TraceContextTextMapPropagator().extract(headers)):
            attributes = {key: json.dumps(value) for key, value in asked(0).items() if key.endswith("messages")}
            tracer.start_span("chat m", attributes={"gen_ai.operation.name": "chat", **attributes}).end()
        assert spans.force_flush(100_000)
    finally:
        spans.shutdown()
    assert not world.lane.rows()
    assert world.lane.dropped() == {"loop": 1}
    assert world.account().data()["skipped"] == {"not_genai": 1}


def test_only_named_services_are_listened_to() -> None:
    with captured() as lane, listening(lane.lane, services=["gateway"]) as (url, receiver):
        world = World(lane, url, receiver)
        for number, service in enumerate(("gateway", "candidate", "")):
            for kind in (JSON, PROTOBUF):
                world.send(export([event(number + (10 if kind == JSON else 0))], service), kind)
        assert len(lane.rows()) == 2
        assert world.account().data()["skipped"] == {"other_service": 4}
        world.client.close()


DAMAGED = {
    "messages are no list": asked(0, **{"gen_ai.input.messages": 7}),
    "a message is a text": asked(0, **{"gen_ai.input.messages": ["hello"]}),
    "a lone surrogate": asked(0, **{"gen_ai.input.messages": '[{"role": "\\ud800", "parts": []}]'}),
}


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
@pytest.mark.parametrize("why", DAMAGED)
def test_a_damaged_record_costs_itself_and_the_exporter_is_told(world: World, kind: str, why: str) -> None:
    answer = world.send(export([event(0), event(1, DAMAGED[why]), event(2)]), kind)
    assert answer.status_code == 200
    if kind == JSON:
        partial = answer.json()["partialSuccess"]
        rejected, said = int(partial["rejectedLogRecords"]), partial["errorMessage"]
    else:
        read = ExportLogsServiceResponse.FromString(answer.content).partial_success
        rejected, said = read.rejected_log_records, read.error_message
    assert rejected == 1
    assert "record 2" in said
    assert len(world.lane.rows()) == 2
    assert world.account().data()["rejected"] == {"damaged": 1}


def test_values_nested_too_deep_are_rejected(world: World) -> None:
    deep: Any = "x"
    for _ in range(decode.DEEPEST + 2):
        deep = [deep]
    answer = world.send(export([span(0, asked(0, other=deep)), span(1)]), PROTOBUF)
    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 1
    assert world.send(export([span(2, asked(0, other=deep))])).json()["partialSuccess"]["rejectedSpans"] == "1"
    assert len(world.lane.rows()) == 1


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_more_records_than_a_batch_may_have_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(decode, "MOST_RECORDS", 4)
    parts = [export([event(number) for number in range(first, first + 2)]) for first in (0, 2, 4)]
    resources = [one for part in parts for one in part["resourceLogs"]]
    assert world.send({"resourceLogs": resources[:2]}, kind).status_code == 200
    answer = world.send({"resourceLogs": resources}, kind)
    assert answer.status_code == 413
    assert "records in one request" in status_of(answer)
    assert world.account().data() == {"received": 4, "offered": 4, "skipped": {}, "rejected": {}}


def field(number: int, data: bytes) -> bytes:
    """A field of protobuf with a length."""
    size, head = len(data), bytearray([number << 3 | 2])
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    return bytes([*head, size]) + data


@pytest.mark.parametrize(
    "bomb",
    [
        field(1, field(2, field(2, b"") * 2_000_000)),
        field(1, field(2, b"") * 2_000_000),
        field(1, b"") * 2_000_000,
        b"\x48\x01" * 2_000_000,
        field(1, b"\x48\x01" * 2_000_000),
    ],
    ids=["records", "scopes", "resources", "unknown", "unknown-inside"],
)
def test_a_bomb_of_many_small_things_is_refused_before_it_is_decoded(
    world: World, monkeypatch: pytest.MonkeyPatch, bomb: bytes
) -> None:
    monkeypatch.setattr(decode, "ExportLogsServiceRequest", None)
    headers = {"content-type": PROTOBUF, "content-encoding": "gzip"}
    answer = world.client.post(f"{world.url}/v1/logs", content=gzip.compress(bomb), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_a_record_of_too_many_values_is_rejected(world: World, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    for module in ("shadowlane.sources.otlp_json", "shadowlane.otlp.decode"):
        monkeypatch.setattr(f"{module}.MOST_VALUES", 20)
    wide, many = asked(0, other=[1] * 21), asked(1, **{f"a{number}": 1 for number in range(20)})
    answer = world.send(export([event(0, wide), event(1, many), event(2)]), kind)
    assert answer.status_code == 200
    assert world.account().data()["rejected"] == {"damaged": 2}
    assert len(world.lane.rows()) == 1


def status_of(answer: httpx.Response) -> str:
    """The message of the ``google.rpc.Status``, in whatever encoding."""
    if answer.headers["content-type"] == JSON:
        return str(answer.json()["message"])
    assert answer.headers["content-type"] == PROTOBUF
    return str(Status.FromString(answer.content).message)


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"\xff\xff\xff", {"content-type": PROTOBUF}, 400, "not OTLP"),
        (b"{", {"content-type": JSON}, 400, "OTLP/JSON"),
        (b"[]", {"content-type": JSON}, 400, "an object"),
        (b'{"resourceLogs": {}}', {"content-type": JSON}, 400, "resourceLogs"),
        (b'{"resourceLogs": [{"scopeLogs": [7]}]}', {"content-type": JSON}, 400, "scopeLogs"),
        (b"[" * 100_000, {"content-type": JSON}, 400, "OTLP/JSON"),
        (b"no gzip", {"content-type": JSON, "content-encoding": "gzip"}, 400, "no gzip"),
        (gzip.compress(b"{}", mtime=0)[:-9], {"content-type": JSON, "content-encoding": "gzip"}, 400, "too early"),
        (b"{}", {"content-type": JSON, "content-encoding": "zstd"}, 400, "zstd"),
        (b"{}", {"content-type": "text/plain"}, 415, "text/plain"),
    ],
    ids=map(str, range(10)),
)
def test_bad_data_is_refused_for_good(
    world: World, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    answer = world.client.post(f"{world.url}/v1/logs", content=body, headers=headers)
    assert answer.status_code == status
    assert says in status_of(answer)
    assert "retry-after" not in answer.headers
    assert world.account().received == 0


def test_a_body_that_breaks_off_costs_nobody_else(world: World) -> None:
    host, _, port = world.url.removeprefix("http://").rpartition(":")
    head = f"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: 100\r\n\r\n{{"
    with socket.create_connection((host, int(port))) as cut:
        cut.sendall(head.encode())
    assert world.send(export([event(0)])).status_code == 200
    assert world.account().data() == {"received": 1, "offered": 1, "skipped": {}, "rejected": {}}


def test_a_fault_of_ours_costs_its_record_and_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    admit = world.lane.lane.admit
    calls = iter(range(9))

    def failing(*given: Any) -> Any:
        if next(calls) == 1:
            raise RuntimeError
        return admit(*given)

    monkeypatch.setattr(world.lane.lane, "admit", failing)
    answer = world.send(export([event(number) for number in range(3)]))
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    assert len(world.lane.rows()) == 2
    assert world.account().data() == {"received": 3, "offered": 2, "skipped": {}, "rejected": {"damaged": 1}}


def test_other_signals_and_methods_are_refused(world: World) -> None:
    answer = world.client.post(f"{world.url}/v1/metrics", content=b"", headers={"content-type": PROTOBUF})
    assert (answer.status_code, "/v1/metrics" in status_of(answer)) == (404, True)
    assert world.client.get(f"{world.url}/v1/logs").status_code == 405


def test_what_is_too_large_is_refused_whichever_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MOST_BYTES", 100_000)
    monkeypatch.setattr("shadowlane.otlp.server.MOST_BYTES", 100_000)
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    several = gzip.compress(b" " * 60_000) * 2
    for body, coding in ((b" " * 100_001, ""), (bomb, "gzip"), (several, "gzip")):
        headers = {"content-type": JSON, **({"content-encoding": coding} if coding else {})}
        answer = world.client.post(f"{world.url}/v1/logs", content=body, headers=headers)
        assert answer.status_code == 413
        assert "smaller batches" in status_of(answer)
    # Members of a gzip in a row are one body (RFC 1952 §2.2).
    pieces = json.dumps(export([event(0)])).encode()
    packed = gzip.compress(pieces[:100]) + gzip.compress(pieces[100:])
    headers = {"content-type": JSON, "content-encoding": "gzip"}
    assert world.client.post(f"{world.url}/v1/logs", content=packed, headers=headers).status_code == 200
    assert len(world.lane.rows()) == 1


def test_a_full_receiver_asks_to_be_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadowlane.otlp.server._MOST_HELD", 100)
    document = export([event(0)])
    answer = world.send(document)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "wait already" in status_of(answer)
    monkeypatch.undo()
    assert world.send(document).status_code == 200
    assert world.account().data() == {"received": 1, "offered": 1, "skipped": {}, "rejected": {}}


def test_an_empty_export_is_a_success(world: World) -> None:
    assert world.client.post(f"{world.url}/v1/logs", content=b"", headers={"content-type": PROTOBUF}).content == b""
    assert world.client.post(f"{world.url}/v1/traces", content=b"{}", headers={"content-type": JSON}).json() == {}
    assert world.client.get(world.url).json() == {"received": 0, "offered": 0, "skipped": {}, "rejected": {}}


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_sdks_exporters(world: World, compression: Compression) -> None:
    """Spans and events as OpenTelemetry's own SDK for Python sends them: http/protobuf, in batches."""
    resource = Resource.create({"service.name": "gateway"})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{world.url}/v1/traces", compression=compression, timeout=100))
    )
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{world.url}/v1/logs", compression=compression, timeout=100))
    )
    try:
        tracer, logger = spans.get_tracer("instrumentation"), logs.get_logger("instrumentation")
        for number in range(700):  # more than one batch of 512
            attributes = asked(number)
            if number % 2:
                with tracer.start_as_current_span("chat m") as one:
                    for key, value in attributes.items():
                        structured = key.endswith("messages")
                        one.set_attribute(key, json.dumps(value) if structured else value)
            else:
                logger.emit(LogRecord(event_name=EVENT, attributes=attributes))
        assert spans.force_flush(100_000)
        assert logs.force_flush(100_000)
    finally:
        spans.shutdown()
        logs.shutdown()
    rows = world.lane.rows()
    wanted = {(f"How long is tariff {number}?", f"Tariff {number} has 45 minutes.") for number in range(700)}
    assert set(told(rows)) == wanted
    assert len(rows) == 700
    assert sum(1 for row in rows if row["duration_ns"]) == 350
    assert world.account().data() == {"received": 700, "offered": 700, "skipped": {}, "rejected": {}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
keys = st.sampled_from(
    ["resourceLogs", "scopeLogs", "logRecords", "attributes", "eventName", "key", "value", "kvlistValue", "values",
     "arrayValue", "stringValue", "intValue", "doubleValue", "boolValue", "timeUnixNano", "traceId", "resource", "body"]
)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """An export in which something is replaced by something else."""
    document: Any = export([event(number) for number in range(2)])
    paths: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            paths.append((value, key))
            walk(value[key])

    walk(document)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(paths))
        holder[key] = draw(json_values | st.dictionaries(keys, json_values, max_size=3))
    return dict(document)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(document=broken())
def test_whatever_comes_as_json_is_taken_or_refused(world: World, document: dict[str, Any]) -> None:
    before = world.account()
    answer = world.client.post(
        f"{world.url}/v1/logs", content=json.dumps(document).encode("utf-8"), headers={"content-type": JSON}
    )
    assert answer.status_code in (200, 400)
    after = world.account()
    if answer.status_code == 400:
        assert status_of(answer)
        assert after.received == before.received
    else:
        partial = answer.json().get("partialSuccess", {})
        assert int(partial.get("rejectedLogRecords", 0)) == after.rejected.total() - before.rejected.total()
    world.lane.rows()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(data=st.data())
def test_whatever_comes_as_protobuf_is_taken_or_refused(world: World, data: st.DataObject) -> None:
    body = bytearray(as_protobuf(export([span(number) for number in range(2)])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    answer = world.client.post(f"{world.url}/v1/traces", content=bytes(body), headers={"content-type": PROTOBUF})
    assert answer.status_code in (200, 400)
    world.account()
    world.lane.rows()
