"""Write attempts and reads, for the test that drives them through a whole lane; :mod:`.writer` carries them out.

A name ending in ``!`` marks an attempt that a careful HTTP server refuses before any application sees it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Attempt(NamedTuple):
    """One request. ``raw`` is the whole of it, for what no client library would send."""

    name: str
    method: str = "GET"
    target: str = "/"
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    raw: bytes = b""


def _post(name: str, target: str, body: Any, headers: dict[str, str] | None = None) -> Attempt:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Attempt(name, "POST", target, JSON if headers is None else headers, content)


def _rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "weather?"}]}
MUTATION = "mutation M { wipe }"
CALL = _rpc("tools/call", name="wipe", arguments={})

METHODS = [
    *(Attempt(f"method {method}", method, "/ask") for method in ("PUT", "PATCH", "DELETE", "MERGE", "PROPPATCH")),
    _post("a route that nobody declared", "/orders", {"n": 1}),
    *(
        _post(f"state at the provider: {path}", path, {"model": "m", "input": "x"})
        for path in (
            "/v1/files",
            "/v1/threads",
            "/v1/threads/t/runs",
            "/v1/assistants",
            "/v1/fine_tuning/jobs",
            "/v1/batches",
            "/v1/uploads",
            "/v1/vector_stores",
            "/v1/conversations",
            "/v1/responses/r/cancel",
            "/v1/messages/batches",
            "/v1/images/generations",
        )
    ),
]
OVERRIDES = [
    Attempt("override header", "GET", "/ask", {"X-HTTP-Method-Override": "DELETE"}),
    Attempt("override header on POST", "POST", "/ask", {**JSON, "X-HTTP-Method": "PUT"}, b"{}"),
    Attempt("override header, another", "GET", "/ask", {"X-Method-Override": "PATCH"}),
    Attempt("override parameter", "GET", "/ask?_method=DELETE"),
    Attempt("override parameter, upper case", "GET", "/ask?a=1&_METHOD=put"),
    Attempt("override parameter after a semicolon", "GET", "/ask?a=1;_method=delete"),
    Attempt("override parameter, escaped", "GET", "/ask?%5Fmethod=%44ELETE"),
    _post("override in a query on POST", "/ask?_method=DELETE", {"question": "x"}),
    _post("override in a form", "/ask", b"q=1&_method=DELETE", FORM),
    _post("override in JSON", "/ask", {"question": "x", "_method": "DELETE"}),
    _post(
        "override in a part",
        "/ask",
        b'--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--b--\r\n',
        {"content-type": "multipart/form-data; boundary=b"},
    ),
    Attempt("an operation in the query", "GET", "/page?do=delete"),
    Attempt("an operation in the query, camel case", "GET", "/page?action=removeAll"),
    _post("an operation in JSON", "/ask", {"action": "delete_everything"}),
    Attempt("an upgrade", "GET", "/ask", {"connection": "upgrade", "upgrade": "h2c"}),
    Attempt("an upgrade to a web socket", "GET", "/ask", {"connection": "keep-alive, Upgrade", "upgrade": "websocket"}),
]
GRAPHQL = [
    _post("mutation", "/graphql", {"query": MUTATION}),
    _post("mutation selected by name", "/graphql", {"query": "query A { a } " + MUTATION, "operationName": "M"}),
    _post("mutation behind a comment", "/graphql", {"query": "# query { a }\n\ufeff, mutation { wipe }"}),
    _post("mutation in a batch", "/graphql", [{"query": "{ a }"}, {"query": MUTATION}]),
    _post("subscription", "/graphql", {"query": "subscription S { a }"}),
    _post("persisted document by id", "/graphql", {"id": "wipe"}),
    _post("persisted document by hash", "/graphql", {"extensions": {"persistedQuery": {"sha256Hash": "00"}}}),
    _post("mutation as text", "/graphql", MUTATION.encode(), {"content-type": "application/graphql"}),
    _post("a second member", "/graphql", b'{"query":"{ a }","query":"mutation M { wipe }"}'),
    _post("mutation on a declared route", "/ask", {"query": MUTATION}),
    Attempt("mutation by GET", "GET", "/graphql?query=" + quote(MUTATION)),
    Attempt("mutation by GET elsewhere", "GET", "/ask?query=" + quote(MUTATION)),
    Attempt(
        "persisted document by GET", "GET", "/graphql?extensions=" + quote('{"persistedQuery":{"sha256Hash":"0"}}')
    ),
]
RPC = [
    _post("tool call", "/mcp", CALL),
    _post("tool call in a batch", "/mcp", [_rpc("tools/list"), CALL]),
    _post("tool call on a declared route", "/ask", CALL),
    _post("unknown method", "/mcp", _rpc("admin/wipe")),
    _post("subscription to a resource", "/mcp", _rpc("resources/subscribe", uri="a:b")),
    _post("a method in another case", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping", "Method": "tools/call"}),
    _post("notification", "/mcp", {"jsonrpc": "2.0", "method": "wipe"}),
]
LLM = [
    _post("background", "/v1/responses", {"model": "m", "input": "x", "background": True}),
    _post("chain", "/v1/responses", {"model": "m", "input": "x", "previous_response_id": "r"}),
    _post("conversation", "/v1/responses", {"model": "m", "input": "x", "conversation": "c"}),
]
SEARCH = [Attempt("a scroll", "POST", "/logs/_search?scroll=1m", JSON, b'{"query":{"match_all":{}}}')]
PATHS = [
    Attempt(
        "absolute form!",
        raw=b"GET http://other.example/ask HTTP/1.1\r\nHost: h\r\nX-Http-Method-Override: DELETE\r\n\r\n",
    ),
    Attempt("dot segments", raw=b"POST /v1/x/../files HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"),
    Attempt("encoded dots", raw=b"POST /ask/%2e%2e/orders HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"),
    Attempt("double encoding", raw=b"POST /v1/%252e%252e/files HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"),
]
SMUGGLING = [
    Attempt(
        "two lengths!",
        raw=b"POST /ask HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n"
        b"{}DELETE /ask HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    Attempt(
        "length and chunks!",
        raw=b"POST /ask HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nDELETE /ask HTTP/1.1\r\nHost: h\r\n\r\n",
    ),
    Attempt(
        "a hidden coding!",
        raw=b"POST /ask HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}",
    ),
    Attempt("a name with a space!", raw=b"GET /ask HTTP/1.1\r\nHost: h\r\nX-Http-Method-Override : DELETE\r\n\r\n"),
    Attempt("a folded line!", raw=b"GET /ask HTTP/1.1\r\nHost: h\r\nX-Http-Method-Override: \r\n DELETE\r\n\r\n"),
    Attempt("a bare line feed!", raw=b"GET /ask HTTP/1.1\nHost: h\nX-Http-Method-Override: DELETE\n\n"),
    Attempt("two hosts!", raw=b"GET /ask HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Http-Method-Override: DELETE\r\n\r\n"),
]


def _sql(dialect: str, name: str, text: str) -> list[Attempt]:
    return [
        _post(f"{dialect}: {name}", "/db", {"query": text}),
        _post(f"{dialect} as text: {name}", "/db", text.encode(), {"content-type": "text/plain"}),
        Attempt(f"{dialect} by GET: {name}", "GET", "/db?query=" + quote(text)),
    ]


_SQLITE = {
    "insert": "INSERT INTO items VALUES ({n}, 'x')",
    "a delete behind a CTE": "WITH x AS (SELECT {n} AS id) INSERT INTO items SELECT id, 'x' FROM x",
    "replace": "REPLACE INTO items VALUES ({n}, 'x')",
    "a second statement": "SELECT 1; INSERT INTO items VALUES ({n}, 'x')",
    "behind a comment": "/* SELECT */ -- read\nINSERT INTO items VALUES ({n}, 'x')",
    "returning": "INSERT INTO items VALUES ({n}, 'x') RETURNING id",
    "a pragma": "PRAGMA user_version = {n}",
    "a table": "CREATE TABLE t{n} (a)",
}
_POSTGRES = {
    "insert": "INSERT INTO items VALUES ({n}, 'x')",
    "a writable CTE": "WITH x AS (INSERT INTO items VALUES ({n}, 'x') RETURNING id) SELECT * FROM x",
    "a row lock": "SELECT * FROM items WHERE id = 1 FOR UPDATE",
    "a weaker row lock": "SELECT * FROM items WHERE id = 1 FOR SHARE",
    "nextval": "SELECT nextval('numbers')",
    "setval": "SELECT setval('numbers', {n})",
    "into a table": "SELECT * INTO t{n} FROM items",
    "a second statement": "SELECT 1; INSERT INTO items VALUES ({n}, 'x')",
    "explain analyze": "EXPLAIN ANALYZE INSERT INTO items VALUES ({n}, 'x')",
    "a large object": "SELECT lo_create(0)",
    "a writing function": "SELECT wipe() WHERE {n} > 0",
    "a column": "ALTER TABLE items ADD COLUMN c{n} int",
    "a block": "DO $$ BEGIN INSERT INTO items VALUES ({n}, 'x'); END $$",
    "copied in": "CREATE TABLE t{n} AS SELECT 1",
}


def sql_attempts(dialect: str) -> list[Attempt]:
    """SQL that writes, in a body of either kind and in a query; each with numbers of its own."""
    statements = _SQLITE if dialect == "sqlite" else _POSTGRES
    found: list[Attempt] = []
    for place, (name, text) in enumerate(statements.items()):
        for way, attempt in enumerate(_sql(dialect, name, "{text}")):
            number = str(1000 + 10 * place + way)
            filled = text.replace("{n}", number)
            body = attempt.body.replace(b"{text}", json.dumps(filled)[1:-1].encode() if way == 0 else filled.encode())
            target = attempt.target.replace(quote("{text}"), quote(filled))
            found.append(attempt._replace(body=body, target=target))
    return found


ATTEMPTS = [*METHODS, *OVERRIDES, *GRAPHQL, *RPC, *LLM, *SEARCH, *PATHS, *SMUGGLING]

NEUTRALISED = [
    _post("stored chat", "/v1/chat/completions", {**CHAT, "store": True, "user": "u", "metadata": {"a": "b"}}),
    _post("stored response", "/v1/responses", {"model": "m", "input": "x"}),
    _post("acting tools", "/v1/responses", {"model": "m", "input": "x", "tools": [{"type": "web_search"}]}),
    _post("web search", "/v1/chat/completions", {**CHAT, "web_search_options": {}}),
    _post(
        "a connector",
        "/v1/responses",
        {"model": "m", "input": "x", "tools": [{"type": "mcp", "server_url": "http://x"}]},
    ),
]
"""Reads once their state is turned off on the copy: prod writes, the shadow must not."""

READS = [
    Attempt("GET", "GET", "/ask?n=1"),
    Attempt("GET with words", "GET", "/ask?q=" + quote("how do I delete a user from the table")),
    Attempt("HEAD", "HEAD", "/ask"),
    Attempt("GET of a directory", "GET", "/files/"),
    Attempt("GET with an escape", "GET", "/files/a%2Fb%20c"),
    _post("declared", "/ask", {"question": "delete or update?"}),
    _post("declared, with words", "/ask", {"query": "select a good pizza from the menu"}),
    _post("declared, a redirect", "/ask/moved", {"question": "x"}),
    _post("declared form", "/ask", b"q=how+to+drop+a+table", FORM),
    _post("chat", "/v1/chat/completions", CHAT),
    _post("embeddings", "/v1/embeddings", {"model": "m", "input": "x"}),
    _post("query", "/graphql", {"query": "query A { a } " + MUTATION, "operationName": "A"}),
    _post("query with a mutation in a string", "/graphql", {"query": 'query { a(b: "mutation { wipe }") }'}),
    _post("batch of queries", "/graphql", [{"query": "{ a }"}, {"query": "{ b }"}]),
    Attempt("query by GET", "GET", "/graphql?query=" + quote("{ a }")),
    _post("tools/list", "/mcp", _rpc("tools/list")),
    _post("resources/read", "/mcp", _rpc("resources/read", uri="a:b")),
    _post("allowed tool", "/mcp", _rpc("tools/call", name="weather", arguments={})),
    _post("batch", "/mcp", [_rpc("ping"), _rpc("tools/list")]),
    _post("search", "/logs/_search", {"query": {"match": {"text": "delete"}}}),
    _post("select", "/db", {"query": "SELECT name FROM items WHERE id = 1"}),
    _post("CTE", "/db", {"query": "WITH x AS (SELECT * FROM items) SELECT count(*) FROM x"}),
    _post("select as text", "/db", b"SELECT count(*) FROM items", {"content-type": "text/plain"}),
    Attempt("select by GET", "GET", "/db?query=" + quote("SELECT 'DELETE FROM items'")),
]
