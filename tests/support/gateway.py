"""The application that the end-to-end tests put behind the middleware: answers that depend only on the request.

``app`` is bare; ``mirrored`` is the same behind the middleware, set up by ``SHADOWLANE_CONFIG``'s file.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from typing import Any

LOW = (
    (b"anthropic-ratelimit-requests-limit", b"100"),
    (b"anthropic-ratelimit-requests-remaining", b"19"),
    (b"anthropic-ratelimit-requests-reset", b"2099-01-01T00:00:00Z"),
)
"""What a provider says that has less than a fifth of its quota left."""

RULES = (
    "The deposit for a bicycle is 50 euros and is taken from the card when the ride begins. It comes back within three "
    "working days after the bicycle was locked at a station. A lost key costs 20 euros."
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope["path"]
    if path == "/raise":
        raise RuntimeError("prod is broken on purpose")
    if path == "/hang":
        await asyncio.Event().wait()
    if path == "/sse":
        await _stream(send, body)
        return
    if path == "/pieces":
        await _pieces(send, body)
        return
    if path == "/half":
        await _stream(send, body, done=False)
        return
    if path in ("/part", "/cached"):
        await _conditional(scope, send)
        return
    digest = hashlib.sha256(scope["method"].encode() + scope["query_string"] + body).hexdigest()
    text = f"The answer to {path} is {digest[:16]}."
    answer = json.dumps({"answer": text, "echo": body.decode("utf-8", "replace")}).encode()
    if path == "/large":
        answer = json.dumps({"answer": "word " * 500_000}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 404 if path == "/missing" else 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(answer)).encode()),
                *(LOW if path == "/low" else ()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer})


async def _conditional(scope: Any, send: Any) -> None:
    """A part for a range, and nothing for what the client has already."""
    headers = dict(scope["headers"])
    status, body, more = 200, RULES.encode(), []
    if b"range" in headers:
        status, body = 206, body[:99]
        more = [(b"content-range", b"bytes 0-98/" + str(len(RULES)).encode())]
    elif headers.get(b"if-none-match") == b'"v1"':
        status, body = 304, b""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain"), *more]})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Any, body: bytes, *, done: bool = True) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    text = json.loads(body)["say"] if body else "one two three"
    for start in range(0, len(text), 4):
        event = {"choices": [{"index": 0, "delta": {"content": text[start : start + 4]}}]}
        chunk = f"data: {json.dumps(event)}\n\n".encode()
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n" if done else b"", "more_body": False})


async def _pieces(send: Any, body: bytes) -> None:
    """What the request says, four characters a piece, under the field, in the frame and of the type that it wants."""
    wanted = json.loads(body)
    text, field, kind = wanted["say"], wanted["field"], wanted["type"].encode()
    pieces = [{field: text[start : start + 4]} for start in range(0, len(text), 4)]
    if wanted["frame"] == "parts":
        chunks = [json.dumps({"parts": pieces})]
    elif wanted["frame"] == "array":
        chunks = ["[", ",\n".join(map(json.dumps, pieces)), "]"]
    else:
        before, after = {"events": ("data: ", "\n\n"), "lines": ("", "\n"), "joined": ("", "")}[wanted["frame"]]
        chunks = [f"{before}{json.dumps(piece)}{after}" for piece in pieces]
    headers = [(b"content-type", kind)] if kind else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


if "SHADOWLANE_CONFIG" in os.environ:
    from shadowlane.asgi import ShadowMiddleware

    log = logging.getLogger("shadowlane")
    log.setLevel(logging.DEBUG)
    log.addHandler(logging.StreamHandler())
    mirrored = ShadowMiddleware(app, config=os.environ["SHADOWLANE_CONFIG"])
