"""The same exchanges as each recorder of traffic would write them: what the readers' tests read back."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

MONKEYS = "\n🐵🙈🙉\n".encode()
START_NS = 1_767_225_600 * 10**9


@dataclass(frozen=True)
class Asked:
    """One chat exchange."""

    question: str
    answer: str
    at_ns: int = START_NS
    took_ns: int = 100_000_000

    @property
    def request(self) -> dict[str, Any]:
        return {"model": "m", "messages": [{"role": "user", "content": self.question}]}

    @property
    def response(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.answer}
        return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def asked(n: int, *, apart_ns: int = 10**9) -> list[Asked]:
    """``n`` different exchanges."""
    return [
        Asked(
            f"How long may a ride of tariff {i} last?",
            f"A ride of tariff {i} may last {i + 20} minutes.",
            START_NS + i * apart_ns,
        )
        for i in range(n)
    ]


def har(exchanges: Sequence[Asked]) -> bytes:
    """HAR 1.2."""
    entries = []
    for number, one in enumerate(exchanges):
        moment = datetime.fromtimestamp(one.at_ns / 1e9, timezone.utc).isoformat(timespec="milliseconds")
        text = json.dumps(one.response)
        content: dict[str, Any] = {"size": len(text), "mimeType": "application/json", "text": text}
        if number % 2:
            content |= {"encoding": "base64", "text": base64.b64encode(text.encode()).decode()}
        entries.append(
            {
                "startedDateTime": moment,
                "time": one.took_ns / 1e6,
                "request": {
                    "method": "POST",
                    "url": "https://gateway.example/v1/chat/completions",
                    "headers": [
                        {"name": "Content-Type", "value": "application/json"},
                        {"name": ":authority", "value": "x"},
                    ],
                    "postData": {"mimeType": "application/json", "text": json.dumps(one.request)},
                },
                "response": {
                    "status": 200,
                    "headers": [{"name": "Content-Encoding", "value": "br"}],
                    "content": content,
                },
                "timings": {"blocked": -1, "dns": -1, "connect": 1, "send": 2, "wait": 50, "receive": 47},
            }
        )
    return json.dumps(
        {"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": entries}}
    ).encode()


def gor(exchanges: Sequence[Asked], *, replayed: Sequence[str] = ()) -> bytes:
    """GoReplay; with ``replayed`` what another service answered, too. Answers are chunked, as servers send them."""
    records = []
    for number, one in enumerate(exchanges):
        body = json.dumps(one.request).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        name = f"{number:024x}"
        records.append(f"1 {name} {one.at_ns} 0\n".encode() + head.encode() + body)
        records.append(f"2 {name} {one.at_ns + one.took_ns} {one.took_ns}\n".encode() + _chunked(one.response))
        if replayed:
            other = Asked(one.question, replayed[number % len(replayed)]).response
            records.append(f"3 {name} {one.at_ns + 7} 90000000\n".encode() + _chunked(other))
    return b"".join(record + MONKEYS for record in records)


def _chunked(response: dict[str, Any]) -> bytes:
    body = json.dumps(response).encode()
    halves = [body[: len(body) // 2], body[len(body) // 2 :]]
    chunks = b"".join(f"{len(half):x};x=1\r\n".encode() + half + b"\r\n" for half in halves) + b"0\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks


def tnetstring(value: Any) -> bytes:
    """As mitmproxy writes it."""
    if value is None:
        return b"0:~"
    if isinstance(value, bool):
        payload, kind = (b"true" if value else b"false"), b"!"
    elif isinstance(value, int):
        payload, kind = str(value).encode(), b"#"
    elif isinstance(value, float):
        payload, kind = repr(value).encode(), b"^"
    elif isinstance(value, bytes):
        payload, kind = value, b","
    elif isinstance(value, str):
        payload, kind = value.encode(), b";"
    elif isinstance(value, (list, tuple)):
        payload, kind = b"".join(map(tnetstring, value)), b"]"
    else:
        payload, kind = b"".join(tnetstring(part) for pair in value.items() for part in pair), b"}"
    return str(len(payload)).encode() + b":" + payload + kind


def mitmproxy(exchanges: Sequence[Asked]) -> bytes:
    """A flow file, of the fields that mitmproxy 12 writes."""
    flows = []
    for one in exchanges:
        began = one.at_ns / 1e9
        flows.append(
            {
                "version": 21,
                "type": "http",
                "id": f"flow-{one.at_ns}",
                "websocket": None,
                "error": None,
                "request": {
                    "method": b"POST",
                    "scheme": b"https",
                    "path": b"/v1/chat/completions",
                    "http_version": b"HTTP/1.1",
                    "headers": ((b"Content-Type", b"application/json"), (b"Content-Length", b"1")),
                    "content": json.dumps(one.request).encode(),
                    "timestamp_start": began,
                    "timestamp_end": began + 0.001,
                },
                "response": {
                    "status_code": 200,
                    "reason": b"OK",
                    "headers": ((b"Content-Type", b"application/json"),),
                    "content": json.dumps(one.response).encode(),
                    "timestamp_start": began + one.took_ns / 2e9,
                    "timestamp_end": began + one.took_ns / 1e9,
                },
            }
        )
    return b"".join(map(tnetstring, flows))


def json_lines(objects: Sequence[dict[str, Any]]) -> bytes:
    """One object a line."""
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in objects)


def otel(exchanges: Sequence[Asked]) -> bytes:
    """What a collector's file exporter writes: one export a line, two events in each but the last."""
    events = []
    for one in exchanges:
        messages = {
            "gen_ai.input.messages": ("user", one.question),
            "gen_ai.output.messages": ("assistant", one.answer),
        }
        attributes = [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}}]
        for key, (role, text) in messages.items():
            part = _any({"type": "text", "content": text})
            message = _any({"role": role, "finish_reason": "stop"})
            message["kvlistValue"]["values"].append({"key": "parts", "value": {"arrayValue": {"values": [part]}}})
            attributes.append({"key": key, "value": {"arrayValue": {"values": [message]}}})
        name = "gen_ai.client.inference.operation.details"
        events.append({"timeUnixNano": str(one.at_ns), "eventName": name, "attributes": attributes})
    other = {"timeUnixNano": "1", "body": {"stringValue": "a line of a log"}}
    exports = [[*events[i : i + 2], other] for i in range(0, len(events), 2)]
    return json_lines([{"resourceLogs": [{"scopeLogs": [{"logRecords": some}]}]} for some in exports])


def _any(value: dict[str, str]) -> dict[str, Any]:
    return {"kvlistValue": {"values": [{"key": key, "value": {"stringValue": text}} for key, text in value.items()]}}


def batch(exchanges: Sequence[Asked]) -> tuple[bytes, bytes]:
    """OpenAI's batch: the requests, and the answers in another order."""
    requests = [
        {"custom_id": f"r{i}", "method": "POST", "url": "/v1/chat/completions", "body": one.request}
        for i, one in enumerate(exchanges)
    ]
    answers = [
        {"id": f"b{i}", "custom_id": f"r{i}", "response": {"status_code": 200, "body": one.response}, "error": None}
        for i, one in enumerate(exchanges)
    ]
    return json_lines(requests), json_lines(answers[::-1])


def datasets(exchanges: Sequence[Asked]) -> dict[str, bytes]:
    """By form: items of datasets."""
    moment = [datetime.fromtimestamp(one.at_ns / 1e9, timezone.utc).isoformat() for one in exchanges]
    both = list(zip(exchanges, moment, strict=True))
    return {
        "langfuse": json.dumps(
            [
                {
                    "id": f"i{at}",
                    "status": "ACTIVE",
                    "input": one.question,
                    "expectedOutput": one.answer,
                    "createdAt": at,
                }
                for one, at in both
            ]
        ).encode(),
        "langsmith": json_lines(
            [
                {"id": at, "inputs": {"question": one.question}, "outputs": {"answer": one.answer}, "created_at": at}
                for one, at in both
            ]
        ),
        "phoenix": json_lines(
            [
                {
                    "id": at,
                    "input": {"query": one.question},
                    "output": {"answer": one.answer},
                    "metadata": {},
                    "updated_at": at,
                }
                for one, at in both
            ]
        ),
        "openai-evals": json_lines(
            [{"item": {"messages": one.request["messages"]}, "sample": one.response} for one, _ in both]
        ),
        "fine-tuning": json_lines(
            [{"messages": [*one.request["messages"], {"role": "assistant", "content": one.answer}]} for one, _ in both]
        ),
    }


def write_all(folder: Path, exchanges: Sequence[Asked]) -> dict[str, Path]:
    """Every form as a file of ``folder``, by its name; the batch's answers beside it."""
    requests, answers = batch(exchanges)
    made = {
        "har": har(exchanges),
        "gor": gor(exchanges),
        "mitmproxy": mitmproxy(exchanges),
        "otel": otel(exchanges),
        "openai-batch": requests,
        **datasets(exchanges),
    }
    (folder / "answers").write_bytes(answers)
    files = {}
    for form, data in made.items():
        files[form] = folder / form
        files[form].write_bytes(data)
    return files
