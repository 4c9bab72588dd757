"""The policy where it stands: at admission, and in the drain on what a gateway took, before anything leaves."""

from __future__ import annotations

import gzip
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shadowlane import Config, _core
from shadowlane.errors import ConfigError
from shadowlane.policy import lane_policy
from shadowlane.providers.question import find_question
from shadowlane.types import Copy, drained_copies

JSON = (b"content-type", b"application/json")
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class World:
    """A gateway's lane and its drainer in one process."""

    def __init__(self, directory: Path, **sections: Any) -> None:
        plain = {"shadows": {"candidate": {"url": "http://127.0.0.1:1"}}, **sections}
        config = Config.from_dict(plain)
        self.lane = _core.Lane(
            str(directory),
            ring_bytes=1 << 22,
            max_body_bytes=1 << 20,
            ratio=1.0,
            seed=1,
            qps=1e6,
            burst=1000000,
            sticky_key=None,
            read_routes=config.routes.read_patterns(),
            include=(),
            exclude=(),
        )
        self.drainer = _core.Drainer(str(directory), allow_headers=(), policy=lane_policy(config))

    def drained(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: tuple[tuple[bytes, bytes], ...] = (JSON,),
        *,
        admitted_as: str = "",
        answer: Any = None,
    ) -> Copy:
        """The copy of one exchange. ``admitted_as``: a path to admit, where the real one would not pass admission."""
        ticket = self.lane.admit(method, admitted_as or target, ())
        assert ticket is not None, f"{method} {target} is not admitted"
        answered = json.dumps(answer or {"ok": True}).encode()
        assert self.lane.offer(ticket, target, headers, body, 200, (JSON,), answered, 1, 0)
        (row,) = self.drainer.drain(8, 1 << 22)
        return drained_copies([row])[0]


@pytest.fixture
def directory() -> Iterator[Path]:
    place = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def world(directory: Path) -> Iterator[World]:
    made = World(
        directory,
        routes={
            "presets": ["openai", "graphql", "mcp", "sql:postgres"],
            "read": ["POST /ask", "GET /ask", "GET /db sql:sqlite"],
        },
        policy={"read_only_hint": True, "seed": 7},
    )
    yield made
    made.lane.close()
    made.drainer.close()


def test_admission_takes_what_the_presets_list_and_nothing_else(world: World) -> None:
    for method, path in (
        ("GET", "/ask"),
        ("HEAD", "/"),
        ("POST", "/ask"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/openai/deployments/d/embeddings"),
        ("POST", "/graphql"),
        ("POST", "/sql"),
    ):
        ticket = world.lane.admit(method, path, ())
        assert ticket is not None, path
        world.lane.drop(ticket, "prod_failed")
    for method, path in (
        ("POST", "/v1/files"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "/v1/../chat/completions"),
        ("POST", "/v1/chat%2fcompletions"),
        ("POST", "/orders"),
        ("GET", "/anything"),
        ("HEAD", "/else"),
        ("PUT", "/ask"),
        ("OPTIONS", "/ask"),
        ("GET", "http://other.example/ask"),
        ("GET", "*"),
    ):
        assert world.lane.admit(method, path, ()) is None, path
    for name in (b"X-HTTP-Method-Override", b"x_http_method_override", b"x-original-method", b"Upgrade"):
        assert world.lane.admit("POST", "/ask", ((name, b"DELETE"),)) is None, name


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [
        (((b"content-length", b"2"), (b"content-length", b"40")), b"{}", "two content-lengths"),
        (((b"content-length", b"2"), (b"transfer-encoding", b"chunked")), b"{}", "both content-length and"),
        (((b"content-length", b"40"),), b"{}", "not as long as its content-length"),
        (((b"transfer-encoding", b"xchunked"),), b"{}", "transfer-encoding"),
        (((b"x-http-method-override ", b"DELETE"),), b"{}", "not a token"),
        (((b"x", b"a\r\nDELETE / HTTP/1.1"),), b"{}", "line break"),
        (((b"host", b"a"), (b"host", b"b")), b"{}", "two hosts"),
        (((b"connection", b"keep-alive, Upgrade"),), b"{}", "upgrade"),
        (((b"x-http-method", b"PUT"),), b"{}", "overrides the method"),
        ((JSON, (b"content-type", b"text/plain")), b"{}", "two content-types"),
        ((JSON,), b'{"a":1,"a":2}', "unambiguous"),
        ((JSON,), b'{"_method":"DELETE"}', "overrides the method"),
        (
            (JSON, (b"content-encoding", b"gzip")),
            gzip.compress(b'{"query":"mutation { a }"}', mtime=0),
            "GraphQL mutation",
        ),
        ((JSON, (b"content-encoding", b"snappy")), b"xxxx", "cannot be read"),
    ],
)
def test_what_a_gateway_let_through_is_stopped_in_the_drain(
    world: World, headers: tuple[tuple[bytes, bytes], ...], body: bytes, why: str
) -> None:
    copy = world.drained("POST", "/ask", body, headers)
    assert copy.blocked == "write_intent"
    assert why in copy.why


@pytest.mark.parametrize(
    "target",
    ["/ask?_method=DELETE", "http://h/ask", "//h/ask", "/ask/../x", "/ask%2f..%2f..%2fx", "/ask?query=mutation%7Ba%7D"],
)
def test_a_target_that_admission_did_not_see_whole_is_classified_in_the_drain(world: World, target: str) -> None:
    copy = world.drained("GET", target, headers=(), admitted_as="/ask")
    assert copy.blocked == "write_intent", copy.why


def test_sql_in_a_query_is_classified_where_the_route_says_sql(world: World) -> None:
    assert world.drained("GET", "/db?q=SELECT+1", headers=()).blocked == ""
    copy = world.drained("GET", "/db?q=DROP+TABLE+t", headers=())
    assert (copy.blocked, copy.preset) == ("write_intent", "sql:sqlite")


def test_inference_is_normalised_and_its_hash_is_that_of_the_request(world: World) -> None:
    body = json.dumps({**CHAT, "store": True, "user": "u", "tools": [{"type": "web_search"}]}).encode()
    copy = world.drained("POST", "/v1/chat/completions", body)
    assert (copy.blocked, copy.preset, copy.why) == ("", "openai", "inference")
    assert json.loads(copy.body) == {**CHAT, "store": False, "seed": 7}
    assert copy.normalised == (
        "store: false",
        "user: dropped",
        "tools: 1 of the provider removed",
        "seed: aligned",
    )
    assert copy.req_hash == _core.request_hash("POST", copy.target, copy.headers, body)
    copy = world.drained("POST", "/v1/responses", b'{"model":"m","input":"x","previous_response_id":"r"}')
    assert (copy.blocked, copy.normalised) == ("write_intent", ())
    assert copy.why == "previous_response_id keeps state at the provider"


@pytest.mark.parametrize("target", ["/v1/chat/completions", "/ask"])
@pytest.mark.parametrize(
    ("before", "text"),
    [(b"\xef\xbb\xbf", b"how are you"), (b"", b"how are you \\ud83d"), (b"", b"how are you \xed\xa0\xbd")],
    ids=["mark", "escaped", "as bytes"],
)
def test_a_mark_or_half_a_pair_is_no_write_and_the_question_is_read(
    world: World, target: str, before: bytes, text: bytes
) -> None:
    body = before + b'{"model":"m","store":true,"messages":[{"role":"user","content":"' + text + b' a@b.example"}]}'
    copy = world.drained("POST", target, body)
    assert copy.blocked == ""
    assert b"[EMAIL]" in copy.body
    assert b'"store":false' in copy.body
    question = find_question(copy)
    assert question is not None
    assert question.text.startswith("how are you")
    question.text.encode()  # no half of a pair is left in it


def test_a_search_for_words_is_no_write_intent(world: World) -> None:
    assert world.drained("GET", "/search?q=drop+table+lamp", admitted_as="/ask", headers=()).blocked == ""
    assert world.drained("GET", "/ask?q=drop+table+lamp", headers=()).blocked == "write_intent"


def test_a_hint_counts_after_prod_gave_it_and_at_its_endpoint_only(world: World) -> None:
    def call(tool: str) -> bytes:
        return json.dumps(
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        ).encode()

    assert world.drained("POST", "/mcp", call("weather")).blocked == "write_intent"
    listed = [{"name": "weather", "annotations": {"readOnlyHint": True}}, {"name": "wipe", "annotations": {}}]
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"tools": listed}}
    copy = world.drained("POST", "/mcp", b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', answer=answer)
    assert copy.blocked == ""
    copy = world.drained("POST", "/mcp", call("weather"))
    assert (copy.blocked, copy.why) == ("", "tool weather is read-only by its own hint")
    assert world.drained("POST", "/mcp", call("wipe")).blocked == "write_intent"
    assert world.drained("POST", "/other/mcp", call("weather")).blocked == "write_intent"


def test_a_reason_repeats_no_personal_datum(world: World) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "jane.planted@example.org"}).encode()
    copy = world.drained("POST", "/mcp", body)
    assert copy.blocked == "write_intent"
    assert "planted" not in copy.why
    assert "[EMAIL]" in copy.why


def test_both_the_request_and_its_clean_copy_must_be_reads(world: World) -> None:
    clean = "SELECT 'jane.planted@example.org' AS mail"
    copy = world.drained("POST", "/sql", json.dumps({"query": clean}).encode())
    assert copy.blocked == ""
    assert b"planted" not in copy.body
    dirty = "SELECT 1; DELETE FROM t -- jane.planted@example.org"
    assert world.drained("POST", "/sql", json.dumps({"query": dirty}).encode()).blocked == "write_intent"


def test_without_routes_only_get_and_head_pass(directory: Path) -> None:
    made = World(directory)
    assert made.drained("GET", "/x", headers=()).why == "GET is a safe method"
    assert made.lane.admit("POST", "/ask", ()) is None
    made.lane.close()
    made.drainer.close()


@pytest.mark.parametrize(
    ("sections", "field", "remedy"),
    [
        ({"routes": {"presets": ["openia"]}}, "routes.presets", "openai"),
        ({"routes": {"presets": ["sql:nosuch"]}}, "routes.presets", "postgres"),
        ({"routes": {"presets": ["openai:x"]}}, "routes.presets", "sql:DIALECT"),
        ({"routes": {"read": ["DELETE /x"]}}, "routes.read", "never a read"),
        ({"routes": {"read": ["POST x"]}}, "routes.read", "POST /search"),
        ({"routes": {"read": ["POST /x nosuch"]}}, "routes.read", "graphql"),
        ({"policy": {"tool_mode": "maybe"}}, "policy.tool_mode", "strip"),
        ({"policy": {"stub_rounds": 17}}, "policy.stub_rounds", "0 to 16"),
        ({"policy": {"temperature": 3.0}}, "policy.temperature", "0 to 2"),
        ({"policy": {"stream": "always"}}, "policy.stream", "keep"),
        ({"policy": {"acting_gets": ["/log out"]}}, "policy.acting_gets", "logout*"),
        ({"policy": {"acting_gets": ["*"]}}, "policy.acting_gets", "word"),
        ({"policy": {"keep_members": [""]}}, "policy.keep_members", "name a member"),
    ],
)
def test_a_bad_policy_is_refused_at_start(sections: dict[str, Any], field: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_dict({"shadows": {"candidate": {"url": "http://127.0.0.1:1"}}, **sections})
    assert field in str(caught.value)
    assert remedy in str(caught.value)


def test_a_configuration_survives_the_way_to_the_worker() -> None:
    plain = {
        "shadows": {"candidate": {"url": "http://127.0.0.1:1"}},
        "routes": {"presets": ["bedrock", "sql:duckdb"], "read": ["POST /x search"]},
        "policy": {"tool_mode": "none", "temperature": 0.5, "seed": 3, "stream": "off", "allow_tools": ["a"]},
    }
    config = Config.from_dict(plain)
    assert Config.from_dict(config.to_dict()) == config
    assert config.routes.read_patterns() == ("bedrock", "sql:duckdb", "POST /x search")


def test_the_body_says_what_it_is_on_a_declared_route(world: World) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}], "store": True, "service_tier": "flex"}
    copy = world.drained("POST", "/ask", json.dumps(asked).encode())
    assert (copy.blocked, copy.preset) == ("", "openai")
    assert json.loads(copy.body) == {"model": "m", "messages": asked["messages"], "store": False, "seed": 7}
    assert "service_tier: not known to only ask, removed" in copy.normalised
    for body in ({"queries": ["DROP TABLE t"]}, {"tool": "delete_user"}, {"question": "x", "background": True}):
        assert world.drained("POST", "/ask", json.dumps(body).encode()).blocked == "write_intent", body


def test_a_removed_member_is_listed_without_a_personal_datum_in_its_name(world: World) -> None:
    copy = world.drained("POST", "/v1/chat/completions", json.dumps({**CHAT, "jane.planted@example.org": 1}).encode())
    assert copy.blocked == ""
    assert "planted" not in str(copy.normalised)
    assert b"planted" not in copy.body


def test_gets_that_act_are_stopped_by_their_name_and_the_list_can_be_replaced(directory: Path) -> None:
    made = World(directory, routes={"read": ["GET /logout"]}, policy={"acting_gets": ["launch*"]})
    assert made.drained("GET", "/launch", headers=()).blocked == "write_intent"
    assert made.drained("GET", "/shutdown", headers=()).blocked == ""
    made.lane.close()
    made.drainer.close()


def test_the_built_in_list_stops_gets_that_act_but_for_those_the_user_names(directory: Path) -> None:
    made = World(directory, routes={"read": ["GET /logout"]})
    for target in ("/unsubscribe?u=1", "/users/7/delete", "/x?stream.body=%3Cdelete%2F%3E"):
        copy = made.drained("GET", target, headers=())
        assert (copy.blocked, "policy.acting_gets" in copy.why) == ("write_intent", True), target
    assert made.drained("GET", "/logout", headers=()).blocked == ""
    made.lane.close()
    made.drainer.close()
