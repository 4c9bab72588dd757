"""A service that does what it is asked: it really writes rows, keys and sequences into a store of its own.

It stands for prod (``mirrored``, behind the middleware) and for a shadow (``app``) in the test that drives write
attempts through the lane: what reaches it, acts. ``WRITER_STORE`` is ``sqlite:FILE`` or a PostgreSQL connection string,
``WRITER_LOG`` a file that gets every request as a JSON line.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

UNSAFE = {"POST", "PUT", "PATCH", "DELETE", "MERGE", "MOVE", "COPY", "LINK", "PROPPATCH", "MKCOL"}
VERBS = ("delete", "remove", "purge", "create", "update", "write", "set", "add", "drop", "reset")
TABLES = (
    "CREATE TABLE effects (attempt TEXT, what TEXT)",
    "CREATE TABLE keys (name TEXT PRIMARY KEY, attempt TEXT)",
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO items VALUES (1, 'one'), (2, 'two'), (3, 'three')",
)
STORE = os.environ.get("WRITER_STORE", "")
LOG = os.environ.get("WRITER_LOG", "")


@contextlib.contextmanager
def connected(store: str) -> Iterator[Any]:
    """A connection whose statements take effect one by one."""
    if store.startswith("sqlite:"):
        db: Any = sqlite3.connect(store.removeprefix("sqlite:"), isolation_level=None, timeout=20)
    else:
        import psycopg

        db = psycopg.connect(store, autocommit=True)
    try:
        yield db
    finally:
        db.close()


def prepare(store: str) -> None:
    """An empty store with three items."""
    with connected(store) as db:
        for statement in TABLES:
            db.execute(statement)
        if not store.startswith("sqlite:"):
            db.execute("CREATE SEQUENCE numbers")
            body = "INSERT INTO items (id, name) SELECT max(id) + 1, 'w' FROM items RETURNING 1"
            db.execute(f"CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS $${body}$$")


def contents(store: str) -> dict[str, Any]:
    """All that a write can change, to compare with what it was."""
    sqlite = store.startswith("sqlite:")
    names = (
        "SELECT name FROM sqlite_master" if sqlite else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    with connected(store) as db:
        found: dict[str, Any] = {"tables": sorted(row[0] for row in db.execute(names).fetchall())}
        for table in ("effects", "keys", "items"):
            found[table] = sorted(db.execute(f"SELECT * FROM {table}").fetchall())
        if sqlite:
            found["user_version"] = db.execute("PRAGMA user_version").fetchone()[0]
        else:
            found["sequence"] = db.execute("SELECT last_value, is_called FROM numbers").fetchone()
            found["large_objects"] = db.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    return found


class Effects:
    """What one request does."""

    def __init__(self, store: str, attempt: str) -> None:
        self.store = store
        self.attempt = attempt

    def write(self, what: str) -> None:
        with connected(self.store) as db:
            mark = "?" if self.store.startswith("sqlite:") else "%s"
            db.execute(f"INSERT INTO effects VALUES ({mark}, {mark})", (self.attempt, what))

    def key(self, name: str) -> None:
        with connected(self.store) as db:
            mark = "?" if self.store.startswith("sqlite:") else "%s"
            values = (f"{name} {len(contents(self.store)['keys'])}", self.attempt)
            db.execute(f"INSERT INTO keys VALUES ({mark}, {mark})", values)

    def statement(self, text: str) -> Any:
        """Run SQL as it is, several statements too. A change shows in the store; it is noted as well, by name."""
        before = contents(self.store)
        rows: Any = None
        with connected(self.store) as db:
            try:
                if self.store.startswith("sqlite:") and ";" in text.rstrip().rstrip(";"):
                    db.executescript(text)
                else:
                    rows = db.execute(text).fetchall()
            except Exception as error:
                # A statement without rows, or one that this product refuses: what it did before that stays done.
                rows = type(error).__name__
        if contents(self.store) != before or re.search(r"\bFOR\s+(NO\s+KEY\s+)?(UPDATE|SHARE)\b", text, re.I):
            self.write("sql")
        return rows


def graphql(effects: Effects, request: Any) -> None:
    """Run the operation that would be selected. The registry knows one persisted document: a mutation."""
    for one in request if isinstance(request, list) else [request]:
        if not isinstance(one, dict):
            continue
        text = one.get("query")
        if one.get("id") or "persistedQuery" in str(one.get("extensions")) or one.get("documentId"):
            effects.write("graphql persisted")
        if not isinstance(text, str):
            continue
        bare = re.sub(r"#[^\n\r]*|\"\"\"(?s:.*?)\"\"\"|\"(?:\\.|[^\"\\\n])*\"", " ", text)
        operations = re.findall(r"\b(query|mutation|subscription)\b[\s,\ufeff]*(\w*)[^{]*\{", bare)
        name = one.get("operationName") or ""
        chosen = [kind for kind, own in operations if not name or own == name]
        if chosen and chosen[-1] != "query":
            effects.write("graphql")


def rpc(effects: Effects, body: Any) -> None:
    for message in body if isinstance(body, list) else [body]:
        method = message.get("Method") or message.get("method", "")
        if method == "tools/call" and (message.get("params") or {}).get("name") != "weather":
            effects.key("tool")
        elif method not in ("tools/call", "tools/list", "resources/read", "prompts/get", "ping"):
            effects.write("rpc")


def inference(effects: Effects, path: str, body: Any) -> None:
    """What a provider would keep, or do for the model."""
    if body.get("store") or (path.endswith("/responses") and body.get("store") is not False):
        effects.write("stored response")
    for name in ("background", "previous_response_id", "conversation", "thread_id", "user", "metadata"):
        if body.get(name):
            effects.write(f"provider keeps {name}")
    for tool in body.get("tools") or []:
        if tool.get("type", "function") not in ("function", "custom"):
            effects.key(f"provider's {tool['type']}")
    if body.get("web_search_options"):
        effects.key("web search")


def act(method: str, path: str, query: str, headers: dict[str, str], body: bytes, store: str) -> tuple[int, Any]:
    """Do it; the status and answer."""
    effects = Effects(store, headers.get("x-attempt", ""))
    parameters = {name.lower(): value for name, value in parse_qsl(query.replace(";", "&"))}
    kind = headers.get("content-type", "")
    try:
        parsed = json.loads(body) if body else None
    except ValueError:
        parsed = None
    fields = dict(parse_qsl(body.decode("utf-8", "replace"))) if "form-urlencoded" in kind else {}
    if "multipart" in kind:
        pattern = r'name="?(\w+)"?[^\n]*\r\n\r\n([^\r\n]*)'
        fields = dict(re.findall(pattern, body.decode("utf-8", "replace")))
    if isinstance(parsed, dict):
        fields = {name: value for name, value in parsed.items() if isinstance(value, str)}
    said = [headers.get(name) for name in ("x-http-method-override", "x-http-method", "x-method-override")]
    said += [place.get(name) for place in (parameters, fields) for name in ("_method", "method", "_METHOD")]
    override = next((word.upper() for word in said if word and word.upper() in UNSAFE - {"POST"}), "")
    if override or method in UNSAFE - {"POST"}:
        effects.write(override or method)
        return 200, {"done": override or method}
    if headers.get("upgrade"):
        effects.write("upgrade")
        return 200, {"upgraded": True}
    told = [place.get(name, "") for place in (parameters, fields) for name in ("do", "action", "op", "command")]
    if any(str(word).lower().startswith(VERBS) for word in told):
        effects.key("operation")
    if path.startswith("/db"):
        statement = parameters.get("query") or parameters.get("q") or fields.get("query") or fields.get("sql")
        return 200, {"rows": str(effects.statement(statement or body.decode("utf-8", "replace")))}
    if parameters.get("sql"):
        effects.statement(parameters["sql"])
    if (
        "graphql" in path
        or "mutation" in parameters.get("query", "")
        or (fields.get("query", "").find("mutation") >= 0)
    ):
        graphql(
            effects, dict(parameters) if method == "GET" else parsed if parsed is not None else {"query": body.decode()}
        )
        if path == "/graphql" and "operations" in fields:
            effects.write("graphql upload")
    elif (isinstance(parsed, dict) and any(name.lower() == "jsonrpc" for name in parsed)) or isinstance(parsed, list):
        rpc(effects, parsed)
        if b"tools/list" in body:
            tools = [{"name": "weather", "annotations": {"readOnlyHint": True}}, {"name": "wipe"}]
            return 200, {"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}
    elif re.search(r"/v1/(chat/completions|responses|embeddings|messages)$", path) and isinstance(parsed, dict):
        inference(effects, path, parsed)
        text = {"role": "assistant", "content": "It rains."}
        return 200, {"object": "chat.completion", "choices": [{"index": 0, "message": text, "finish_reason": "stop"}]}
    elif path == "/ask/moved":
        return 307, {}
    elif path == "/ask" or path.endswith("/_search"):
        if "scroll" in parameters:
            effects.key("scroll")
        return 200, {"answer": "forty-two"}
    elif method == "POST":
        effects.write(f"POST {path}")
    return 200, {"path": path}


def note(line: str) -> None:
    with Path(LOG).open("a") as log:
        log.write(line + "\n")


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        while scope["type"] == "lifespan":
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1").replace("_", "-"): value.decode("latin-1") for name, value in scope["headers"]}
    path, query = scope["path"], scope["query_string"].decode("latin-1")
    if LOG:
        note(json.dumps([scope["method"], path, query, body.decode("utf-8", "replace")]))
    status, answer = act(scope["method"], path, query, headers, body, STORE)
    text = json.dumps(answer).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    if status == 307:
        fields.append((b"location", b"/v1/files"))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text})


if "SHADOWLANE_CONFIG" in os.environ:
    from shadowlane.asgi import ShadowMiddleware

    mirrored = ShadowMiddleware(app, config=os.environ["SHADOWLANE_CONFIG"])
