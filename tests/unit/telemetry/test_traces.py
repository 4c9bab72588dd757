"""Spans as an exporter gets them: roots, linked to prod, named by the conventions, and without a word of anybody's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shadowlane.config import Config
from shadowlane.tag import span_ids, traceparent
from shadowlane.telemetry import conventions as names
from shadowlane.telemetry.traces import Traces
from shadowlane.types import FLAG_STREAMED, NOT_SENT, Copy, Outcome, Pair, Scores

PROD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ID = "0190a8f0-0000-7000-8000-000000000001"
ANSWER = {
    "object": "chat.completion",
    "model": "m-2",
    "choices": [{"message": {"role": "assistant", "content": "THE-SHADOWS-WORDS"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}


def config_of(**telemetry: Any) -> Config:
    return Config.from_dict(
        {
            "lane": {"name": "main"},
            "shadows": {"candidate": {"url": "https://user-service.internal:8443/v2", "model": ""}},
            "telemetry": {"endpoint": "http://127.0.0.1:9", **telemetry},
        }
    )


def pair_of(copy: dict[str, Any] | None = None, outcome: dict[str, Any] | None = None, **scores: Any) -> Pair:
    body = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": "THE-QUESTION"}]}).encode()
    whole: dict[str, Any] = {"shadow_id": ID, "req_hash": "0" * 32, "started_ns": 5, "method": "POST", "status": 200}
    whole |= {"target": "/v1/chat/completions?key=IN-THE-QUERY", "body": body, "preset": "openai"}
    whole |= {"response_body": b"PRODS-WORDS", "duration_ns": 2 * 10**9, "traceparent": PROD, **(copy or {})}
    came: dict[str, Any] = {"shadow": "candidate", "status": 200, "tries": 1, "started_ns": 10**18}
    came |= {"duration_ns": 1_500_000_000, "ttfb_ns": 250_000_000, "body": json.dumps(ANSWER).encode()}
    came |= {"headers": ((b"content-type", b"application/json"),), **(outcome or {})}
    return Pair(
        copy=Copy(**whole), outcome=Outcome(**came), scores=Scores(**scores), model="m-2", finish="stop",
        prod_text="PRODS-WORDS", shadow_text="THE-SHADOWS-WORDS",
    )  # fmt: skip


class World:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces = Traces(config_of(), self.exporter)

    def spans(self, *pairs: Pair) -> tuple[ReadableSpan, ...]:
        """The spans of these pairs: closing sends what waits."""
        self.traces.add(pairs)
        self.traces.close()
        return self.exporter.get_finished_spans()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.traces.close()


def test_a_copys_span_is_a_root_that_links_to_prod(world: World) -> None:
    [span] = world.spans(pair_of())
    assert span.parent is None
    assert span.context is not None
    assert (span.context.trace_id, span.context.span_id) == span_ids(ID, "candidate")
    [link] = span.links
    assert f"00-{link.context.trace_id:032x}-{link.context.span_id:016x}-{link.context.trace_flags:02x}" == PROD
    assert link.context.is_remote
    assert span.context.trace_id != link.context.trace_id
    assert span.kind is SpanKind.CLIENT
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.schema_url == names.SCHEMA_URL
    assert span.resource.attributes["service.name"] == "shadowlane"
    assert (span.start_time, span.end_time) == (10**18, 10**18 + 1_500_000_000)
    assert span.status.status_code is StatusCode.UNSET


def test_its_attributes_are_those_of_the_conventions(world: World) -> None:
    [span] = world.spans(pair_of(copy={"flags": FLAG_STREAMED}, outcome={"tries": 3, "waited_ns": 10**8}))
    assert span.name == "chat m-1"
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.request.resend_count": 2,
        "url.full": "https://user-service.internal:8443/v2/v1/chat/completions",
        "url.template": "/v1/chat/completions",
        "server.address": "user-service.internal",
        "server.port": 8443,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "m-2",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "shadowlane.lane": "main",
        "shadowlane.arm": "candidate",
        "shadowlane.shadow_id": ID,
        "shadowlane.slot_wait": 0.1,
        "shadowlane.prod.status_code": 200,
        "shadowlane.prod.duration": 2.0,
    }


@pytest.mark.parametrize(
    ("preset", "target", "operation"),
    [
        ("openai", "/v1/embeddings", "embeddings"),
        ("openai", "/v1/completions", "text_completion"),
        ("ollama", "/api/generate", "text_completion"),
        ("ollama", "/api/embed", "embeddings"),
        ("anthropic", "/v1/messages", "chat"),
        ("mistral", "/v1/chat/completions/", "chat"),
    ],
)
def test_operations(world: World, preset: str, target: str, operation: str) -> None:
    [span] = world.spans(pair_of(copy={"preset": preset, "target": target}))
    assert (span.attributes or {})[names.GEN_AI_OPERATION] == operation


@pytest.mark.parametrize("preset", ["", "graphql", "search"])
def test_what_asks_no_model_has_no_model(world: World, preset: str) -> None:
    [span] = world.spans(pair_of(copy={"preset": preset, "target": "/users/17/orders"}))
    assert not [name for name in span.attributes or {} if name.startswith("gen_ai")]
    assert span.name == "POST /users/*/orders"


def events(span: ReadableSpan) -> dict[str, tuple[Any, Any]]:
    assert {event.name for event in span.events} <= {"gen_ai.evaluation.result"}
    said = [dict(event.attributes or {}) for event in span.events]
    return {
        one["gen_ai.evaluation.name"]: (one.get("gen_ai.evaluation.score.value"), one["gen_ai.evaluation.score.label"])
        for one in said
    }


def test_evaluations(world: World) -> None:
    [span] = world.spans(pair_of(delta_s=0.7, anchored=0.45, fact_flip=True, state="chaotic"))
    assert events(span) == {
        "delta_s": (0.7, "critical"),
        "anchored_delta_s": (0.45, "transitional"),
        "lambda": (None, "chaotic"),
        "fact_flip": (1.0, "contradicted"),
    }


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        ({}, {}),
        ({"delta_s": 0.1}, {"delta_s": (0.1, "stable"), "fact_flip": (0.0, "not_contradicted")}),
        ({"delta_s": 0.1, "unread": "language"}, {"delta_s": (0.1, "stable")}),
        ({"state": "divergent"}, {"lambda": (None, "divergent")}),
    ],
)
def test_what_does_not_apply_is_left_out(world: World, scores: dict[str, Any], found: dict[str, Any]) -> None:
    [span] = world.spans(pair_of(**scores))
    assert events(span) == found


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ({"status": 503}, "503"),
        ({"status": 404}, "404"),
        ({"status": 0, "reason": "connect_error"}, "connect_error"),
        ({"status": 200, "reason": "deadline"}, "deadline"),
    ],
)
def test_failures(world: World, outcome: dict[str, Any], error: str) -> None:
    [span] = world.spans(pair_of(outcome={"body": b"", **outcome}))
    assert (span.attributes or {})["error.type"] == error
    assert span.status.status_code is StatusCode.ERROR
    assert not span.status.description


def test_a_copy_that_was_not_sent_has_no_span(world: World) -> None:
    refused = [pair_of(outcome={"reason": reason, "duration_ns": 0}) for reason in NOT_SENT]
    assert world.spans(*refused, pair_of(outcome={"reason": "deadline", "duration_ns": 0, "status": 0})) == ()
    assert world.traces.state() == {"sent": 0, "waiting": 0, "lost": {}}


def test_no_word_of_anybodys_is_in_a_span(world: World) -> None:
    asked = {"traceparent": ""}
    spans = world.spans(pair_of(delta_s=0.5, note="NOTE"), pair_of(copy=asked, outcome={"detail": "DETAIL"}))
    text = "".join(span.to_json() for span in spans)
    assert len(spans) == 2
    for word in ("THE-QUESTION", "PRODS-WORDS", "THE-SHADOWS-WORDS", "IN-THE-QUERY", "DETAIL", "NOTE"):
        assert word not in text
    assert spans[1].links == ()


def test_the_same_copy_has_the_same_span_and_each_arm_its_own() -> None:
    assert span_ids(ID, "candidate") == span_ids(ID, "candidate")
    assert len({span_ids(ID, arm) for arm in ("candidate", "control", "b")}) == 3
    trace, span = span_ids(ID, "candidate")
    assert traceparent(ID, "candidate") == f"00-{trace:032x}-{span:016x}-01"


def test_a_span_that_cannot_be_made_is_counted(world: World) -> None:
    broken = msgspec.structs.replace(pair_of(), copy=msgspec.structs.replace(pair_of().copy, traceparent="00-x-y-z"))
    assert len(world.spans(broken, pair_of())) == 1
    assert world.traces.state() == {"sent": 1, "waiting": 0, "lost": {"not_made": 1}}


def test_a_body_that_is_no_json_has_no_model(world: World) -> None:
    [span] = world.spans(pair_of(copy={"body": b"\xff\x00{"}))
    assert names.GEN_AI_REQUEST_MODEL not in (span.attributes or {})
