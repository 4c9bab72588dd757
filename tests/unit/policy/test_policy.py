"""The public policy calls: their types, and measured verdicts on third-party data.

The corpora of disguised writes are in the core's own tests; here the public names are used as a user would.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shadowlane.policy import (
    Effect,
    classify_graphql,
    classify_jsonrpc,
    classify_request,
    classify_sql,
    classify_tool,
    normalise_llm_body,
)

DATA = Path(os.environ.get("SHADOWLANE_DATA") or Path(__file__).parents[4] / "shared" / "data")
JSON = [("content-type", "application/json")]


def records(name: str) -> Iterator[dict[str, Any]]:
    path = DATA / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is absent: set SHADOWLANE_DATA to the folder with the third-party data")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def test_a_verdict_has_a_kind_and_a_reason() -> None:
    effect = classify_sql("SELECT 1")
    assert effect == Effect("read", effect.reason)
    assert effect.is_read
    assert effect.reason
    assert not classify_sql("DELETE FROM t", dialect="postgres").is_read
    with pytest.raises(AttributeError):
        effect.kind = "write"  # type: ignore[misc]


def test_requests_take_text_bytes_and_mappings() -> None:
    body = json.dumps({"model": "m", "messages": []})
    for method, target, headers, content in (
        ("POST", "/v1/chat/completions", {"content-type": "application/json"}, body),
        (b"POST", b"/v1/chat/completions", [(b"content-type", b"application/json")], body.encode()),
        ("POST", "/v1/chat/completions", [], bytearray(body.encode())),
    ):
        assert classify_request(method, target, headers, content).is_read  # type: ignore[arg-type]
    assert classify_request("GET", "/anything", [], None).is_read
    assert classify_request("GET", "/caf\udce9", [], b"").kind == "write"
    assert classify_request("POST", "/v1/files", [], body).kind == "write"
    assert classify_request("POST", "/v1/messages", [], body, preset="anthropic").is_read
    assert classify_request("GET", "/x", [("X-HTTP-Method-Override", "DELETE")], b"").kind == "write"
    assert classify_request("GET", "/x", [], b"", preset="unheard-of").kind == "write"


def test_graphql_selects_by_name() -> None:
    document = "query A { a } mutation B { b }"
    assert classify_graphql(document, "A").is_read
    assert classify_graphql(document, operation_name="B").kind == "write"
    assert classify_graphql(document).kind == "write"


def test_jsonrpc_allows_tools_by_name() -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get"}}
    assert classify_jsonrpc(json.dumps(call)).kind == "write"
    assert classify_jsonrpc(json.dumps(call).encode(), allow_tools={"get"}).is_read
    assert classify_jsonrpc(json.dumps([call, call]), allow_tools=("put",)).kind == "write"


def test_a_tool_definition_that_is_not_json_is_a_write() -> None:
    looped: dict[str, Any] = {"name": "get_x"}
    assert classify_tool(looped).is_read
    looped["self"] = looped
    assert classify_tool(looped).kind == "write"
    assert classify_tool({"name": "get_x", "handler": object()}).kind == "write"


def test_normalising_gives_the_copy_and_its_changes() -> None:
    body, changes = normalise_llm_body(
        "openai", "/v1/responses", b'{"model":"a","input":"x","user":"u"}', model="b", stream=False
    )
    assert json.loads(body) == {"model": "b", "input": "x", "store": False, "stream": False}
    assert changes == ["store: false", "user: dropped", "model: rewritten", "stream: false"]
    with pytest.raises(ValueError, match="previous_response_id"):
        normalise_llm_body("openai", "/v1/responses", b'{"previous_response_id":"r"}')
    with pytest.raises(ValueError, match="tool_mode"):
        normalise_llm_body("openai", "/v1/responses", b"{}", tool_mode="wrong")  # type: ignore[arg-type]


def test_measured_sql() -> None:
    """No write is called a read, in any dialect; the reads recognised are printed (pytest -rP)."""
    confusion: dict[str, Counter[str]] = defaultdict(Counter)
    missed = []
    for record in records("sql_statements"):
        effect = classify_sql(record["sql"], record["dialect"])
        confusion[record["dialect"]][f"{record['effect']} -> {effect.kind}"] += 1
        if effect.is_read and record["effect"] in {"write", "session", "ambiguous_into"}:
            missed.append((record["dialect"], record["sql"]))
    for dialect, counts in sorted(confusion.items()):
        print(f"{dialect:10} " + ", ".join(f"{what}: {n}" for what, n in sorted(counts.items())))
    total: Counter[str] = sum(confusion.values(), Counter())
    recognised = total["read -> read"] / (total["read -> read"] + total["read -> write"])
    print(f"reads recognised: {recognised:.4f}")
    assert missed == []
    assert recognised >= 0.98


def test_measured_graphql() -> None:
    counts: Counter[str] = Counter()
    for record in records("graphql_operations"):
        counts[f"{record['label']} -> {classify_graphql(record['document'], record['name']).kind}"] += 1
    for record in records("graphql_documents"):
        several = len(record["operations"]) > 1
        for operation in record["operations"]:
            effect = classify_graphql(record["document"], operation["name"])
            if effect.is_read:
                assert operation["type"] == "query", record["document"]
            elif operation["type"] == "query":
                # Only where the name does not single it out.
                assert several, (effect.reason, record["document"])
            counts[f"{operation['type']} -> {effect.kind}"] += 1
    print(counts)
    assert counts["write -> read"] == 0
    assert counts["read -> write"] == 0


@pytest.mark.parametrize("with_hints", [True, False])
def test_measured_tools(with_hints: bool) -> None:
    """With the hints, and by name and description alone."""
    wrong = []
    for record in records("mcp_tools"):
        definition = {
            "name": record["tool"],
            "description": record["description"],
            "inputSchema": record["input_schema"],
            "annotations": record["annotations"] if with_hints else {},
        }
        effect = classify_tool(definition)
        if effect.kind != record["label"]:
            wrong.append((record["tool"], record["label"], effect.reason))
    assert wrong == []


def test_measured_requests() -> None:
    """Recorded inference calls are reads under one of the presets, everything that keeps something is not."""
    inference = ("chat/completions", "/completions", "/responses", "/embeddings", "/messages", "/rerank", "/invoke")
    state = (
        "/threads",
        "/assistants",
        "/files",
        "/datasets",
        "/objects",
        "/documents",
        "/upload",
        "/telemetry",
        "/traces",
    )
    counts: Counter[str] = Counter()
    for record in records("llm_exchanges"):
        request = record["request"]
        headers = [(name, value) for name, value in request["headers"].items() if isinstance(value, str)]
        path = request["uri"].split("?")[0]
        effects = [
            classify_request(request["method"], request["uri"], headers, request["body"] or "", preset)
            for preset in ("openai", "anthropic", "ollama", "cohere", "mistral", "bedrock")
        ]
        read = any(effect.is_read for effect in effects)
        keeps = any(word in path for word in state)
        if request["method"] == "POST" and path.endswith(inference) and not keeps:
            assert read, (path, effects)
            counts["inference"] += 1
        elif request["method"] not in {"GET", "HEAD"} and keeps:
            assert not read, (path, effects)
            counts["state"] += 1
    print(counts)
    assert counts["inference"] > 100
    assert counts["state"] > 10


@pytest.mark.parametrize(
    ("preset", "path"),
    [
        ("openai", "/v1/chat/completions"),
        ("openai", "/v1/responses"),
        ("anthropic", "/v1/messages"),
        ("ollama", "/api/chat"),
        ("cohere", "/v2/chat"),
        ("mistral", "/v1/chat/completions"),
        ("bedrock", "/model/m/converse"),
    ],
)
def test_every_inference_preset_says_that_its_read_is_the_normalised_copy(preset: str, path: str) -> None:
    """What the guard's proxy goes by: it must send the copy that was judged, not the request that came."""
    body = b'{"model":"m","messages":[],"input":"x"}'
    assert classify_request("POST", path, JSON, body, preset).is_inference
    assert not classify_request("GET", path, [], b"", preset).is_inference


def test_other_reads_are_no_inference() -> None:
    search = classify_request("POST", "/i/_search", JSON, b'{"query":{"match_all":{}}}', "search")
    assert (search.is_read, search.is_inference) == (True, False)
    assert not classify_request("POST", "/v1/files", JSON, b"{}", "openai").is_inference
