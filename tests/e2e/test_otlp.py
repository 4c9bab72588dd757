"""`shadowlane otlp` with a real lane, worker and shadow: what the SDK exports is asked again and compared, and what
telemetry does not know is said everywhere and judged nowhere."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.support.chatserver import ChatServer, Got, chat, serving
from tests.support.telling import EVENT, asked, event, export, message

from .conftest import ROOT, Process, World, until

KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"


@pytest.fixture
def shadow() -> Iterator[ChatServer]:
    def answer(got: Got) -> Any:
        question = str(got.body["messages"][-1]["content"])
        number = question.rstrip("?").rpartition(" ")[2]
        return chat(f"Tariff {number} has 45 minutes." if int(number) % 5 else f"Tariff {number} has 30 minutes.")

    with serving(answer) as made:
        yield made


def receiver(world: World, shadow: ChatServer, *options: str, **sections: dict[str, Any]) -> tuple[Process, str]:
    """Start a receiver with its lane; its URL."""
    world.configure(shadow.url, **{"routes": {"presets": ["openai"]}, **sections})
    options = ("--listen", "127.0.0.1:0", "--config", str(world.config), "--json", *options)
    arguments = [sys.executable, "-m", "shadowlane", "otlp", *options]
    process = Process(arguments, world.folder / "otlp.log", {"PYTHONPATH": str(ROOT / "python")}, world.folder)
    world.processes.append(process)
    return process, "http://" + str(json.loads(process.first_line())["listen"])


def emit(url: str, events: range, spans: range) -> None:
    """What an instrumented gateway exports: both signals, by the SDK's exporters."""
    resource = Resource.create({"service.name": "gateway"})
    traces, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces", timeout=100)))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{url}/v1/logs", timeout=100)))
    try:
        for number in events:
            logs.get_logger("test").emit(LogRecord(event_name=EVENT, attributes=asked(number)))
        for number in spans:
            with traces.get_tracer("test").start_as_current_span("chat m") as span:
                for key, value in asked(number).items():
                    span.set_attribute(key, json.dumps(value) if key.endswith("messages") else value)
        assert traces.force_flush(100_000)
        assert logs.force_flush(100_000)
    finally:
        traces.shutdown()
        logs.shutdown()


def account_of(process: Process) -> dict[str, Any]:
    """What the receiver says at its end."""
    assert process.popen.stdout is not None
    process.popen.terminate()
    account: dict[str, Any] = json.loads(process.popen.stdout.readline())["account"]
    assert process.popen.wait(60) == 0
    total = account["offered"] + sum(account["skipped"].values()) + sum(account["rejected"].values())
    assert account["received"] == total
    return account


def test_telemetry_is_asked_again_and_compared(world: World, shadow: ChatServer) -> None:
    gate = {"min_pairs": 20, "warmup_pairs": 0}
    process, url = receiver(world, shadow, gate=gate)
    emit(url, range(1, 21), range(21, 31))
    secret = asked(31, **{"gen_ai.input.messages": [message("user", f"My key is {KEY}. How long is tariff 31?")]})
    damaged = asked(32, **{"gen_ai.input.messages": "hello"})
    batch = export([event(31, secret), event(32, damaged), {"body": {"stringValue": "other"}}])
    with httpx.Client(timeout=60, trust_env=False) as client:
        for _ in range(2):  # as after a lost answer
            assert client.post(f"{url}/v1/logs", json=batch).json()["partialSuccess"]["rejectedLogRecords"] == "1"
    status = world.settle(31)
    assert sorted(int(got.body["messages"][-1]["content"].rstrip("?").split()[-1]) for got in shadow.requests) == [
        *range(1, 32)
    ]
    assert all(got.path == "/v1/chat/completions" and got.headers["x-shadow"] == "1" for got in shadow.requests)
    assert KEY not in json.dumps([got.body for got in shadow.requests])
    with sqlite3.connect(world.database) as db:
        columns = "target, prod_status, status, flags & 64, reason, delta_s, prod_ns > 0, prod_ttfb_ns"
        rows = db.execute(f"SELECT {columns} FROM pairs ORDER BY id").fetchall()
    assert len(rows) == 31
    assert all(row[:5] == ("/v1/chat/completions", 200, 200, 64, "") and row[7] == 0 for row in rows)
    assert sum(row[6] for row in rows) == 10
    # Tariffs of fives have another answer, and no other ones.
    assert sum(row[5] > 0 for row in rows) == 6
    candidate = status["shadows"]["candidate"]
    assert (candidate["answered"], candidate["told"], candidate["untimed"]) == (31, 31, 21)
    said(world)
    judged = json.loads(world.cli("gate", "--json").stdout)
    [one] = judged["shadows"]
    assert (one["stood_in"], one["told"], one["untimed"], len(one["notes"])) == (0, 31, 21, 2)
    assert "telemetry told of prod's side" in judged["reason"]
    rules = {rule["key"]: rule for rule in judged["shadows"][0]["rules"]}
    assert "10 pairs" in rules["p95_latency"]["evidence"]
    assert rules["ttfb"]["status"] == "not judged"
    report = json.loads(world.cli("report", "--json").stdout)["shadows"][0]
    assert (report["latency"]["n"], report["latency"]["ttfb"]) == (10, None)
    untimed = [one["prod"]["seconds"] for one in report["worst"] if one["started_ns"] and not one["prod"]["seconds"]]
    assert set(untimed) <= {None}
    noted = {"received": 36, "offered": 31, "skipped": {"duplicate": 1, "not_genai": 2}, "rejected": {"damaged": 2}}
    until(lambda: noted.items() <= world.status()["receivers"]["otlp"].items(), "the lane's status has the same")
    assert world.status()["receivers"]["otlp"]["up"]
    account = account_of(process)
    assert not world.status()["receivers"]["otlp"]["up"]
    assert account == {
        "received": 36,
        "offered": 31,
        "skipped": {"duplicate": 1, "not_genai": 2},
        "rejected": {"damaged": 2},
    }


def said(world: World) -> None:
    lines = (
        "telemetry told of prod's side in 31 copies: its headers, status and first byte are not known",
        "how long prod took is not known in 21 copies: no rule on latency counts them",
    )
    page, wide = world.folder / "r.html", {"COLUMNS": "300"}
    shown = [
        world.cli("status", env=wide).stdout,
        world.cli("report", "--html", str(page), env=wide).stdout,
        page.read_text(encoding="utf-8").replace("&#x27;", "'").replace("&#39;", "'"),
        world.cli("gate", env=wide).stdout,
    ]
    for line in lines:
        assert all(line in text for text in shown)


def test_without_any_time_no_rule_judges_latency(world: World, shadow: ChatServer) -> None:
    gate = {"min_pairs": 20, "warmup_pairs": 0}
    _, url = receiver(world, shadow, gate=gate)
    emit(url, range(1, 25), range(0))
    world.settle(24)
    [judged] = json.loads(world.cli("gate", "--json").stdout)["shadows"]
    rules = {rule["key"]: rule for rule in judged["rules"]}
    for key in ("p95_latency", "ttfb"):
        assert rules[key]["status"] == "not judged", rules[key]
    assert "nobody told prod's" in rules["p95_latency"]["evidence"]
    report = json.loads(world.cli("report", "--json").stdout)["shadows"][0]
    assert report["latency"] is None
    assert {one["prod"]["seconds"] for one in report["worst"]} == {None}


def test_the_sampler_the_switch_and_the_routes_hold(world: World, shadow: ChatServer) -> None:
    process, url = receiver(world, shadow, sampling={"ratio": 0.5})
    emit(url, range(1, 41), range(0))
    status = world.settle(40)
    assert abs(len(shadow.requests) - 20) <= 2
    assert status["dropped"]["sampled_out"] == 40 - len(shadow.requests)
    assert world.cli("off").returncode == 0
    emit(url, range(41, 51), range(0))
    status = world.settle(50)
    assert status["dropped"]["disabled"] == 10
    assert account_of(process)["offered"] == 50


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--listen", "0.0.0.0:0"), "beyond loopback"),
        (("--listen", "nowhere"), "write HOST:PORT"),
        (("--path", "v1"), "write the path of a request"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(world: World, options: tuple[str, ...], says: str) -> None:
    world.configure("http://127.0.0.1:1")
    done = world.cli("otlp", *options)
    assert done.returncode == 2
    assert says in done.stderr
