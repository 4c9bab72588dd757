"""A real HTTP server in a thread of the test: answers what a function of the request says, and remembers what came."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """What to answer: ``body`` as JSON, or bytes as they are."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class ChatServer:
    """``answer`` is called for each request, in the server's threads."""

    def __init__(self, answer: Callable[[Got], Reply]) -> None:
        self.requests: list[Got] = []
        self.most_at_once = 0
        outer, lock = self, threading.Lock()
        now = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, else each reply waits for a delayed acknowledgement

            def do_POST(self) -> None:
                nonlocal now
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                got = Got(
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
                with lock:
                    now += 1
                    outer.most_at_once = max(outer.most_at_once, now)
                    outer.requests.append(got)
                try:
                    reply = answer(got)
                finally:
                    with lock:
                        now -= 1
                data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {"content-type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(answer: Callable[[Got], Reply]) -> Iterator[ChatServer]:
    """A server for the length of a ``with`` block."""
    server = ChatServer(answer)
    try:
        yield server
    finally:
        server.close()


def chat(text: str, *, usage: dict[str, int] | None = None, model: str = "m-2025-01-01", **more: Any) -> Reply:
    """An OpenAI chat completion that says ``text``."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        **more,
    }
    if usage:
        body["usage"] = usage
    return Reply(body)


def embeddings(got: Got, *, model: str = "letters-1") -> Reply:
    """An OpenAI embeddings response: each text's letters counted, so that other words give another direction."""
    rows = [
        [float(text.lower().count(letter)) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"]
        for text in got.body["input"]
    ]
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    return Reply({"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": 5, "total_tokens": 5}})
