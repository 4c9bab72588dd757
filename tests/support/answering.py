"""A real HTTP/1.1 server for clients that are mirrored: answers by the path, piece by piece where a test wants it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["PIECES", "Upstream", "upstream"]

PIECES = [b"one ", b"two ", b"three"]


class Upstream:
    """``/ask/echo`` gives the request back; ``/ask/pieces`` :data:`PIECES` in chunks; ``/ask/held?KEY`` the same,
    each but the first, and the end, when :meth:`let` was called with ``KEY``; ``/ask/gzip`` a compressed body;
    ``/ask/cut`` less than was announced; ``/ask/empty`` 204; ``/ask/moved`` 307 to echo; ``/v1/...`` as OpenAI,
    Anthropic and Cohere answer, 503 first for each new ``x-once``; the stream of a chat that ends in ``hold KEY`` is
    held, too."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._more: dict[str, threading.Semaphore] = {}
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        outer = self

        class Handler(_Handler):
            upstream = outer

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def let(self, key: str) -> None:
        """Let a held answer go on by one piece."""
        self.holding(key).release()

    def holding(self, key: str) -> threading.Semaphore:
        with self._lock:
            return self._more.setdefault(key, threading.Semaphore(0))

    def is_busy(self, key: str) -> bool:
        with self._lock:
            known = key in self._busy
            self._busy.add(key)
        return not known

    def close(self) -> None:
        for held in list(self._more.values()):
            held.release(8)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is within its rights; whatever else fails here fails the test that asked."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    upstream: Upstream

    def _any(self) -> None:
        body = self._body()
        self.upstream.paths.append(self.path)
        self.upstream.bodies.append(body)
        self.upstream.headers.append({name.lower(): value for name, value in self.headers.items()})
        name = self.path.partition("?")[0].rsplit("/", 1)[-1]
        answer = getattr(self, f"_{name}", self._echo)
        try:
            answer(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client's right

    do_GET = do_HEAD = do_POST = _any

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, body: bytes, kind: str = "text/plain", length: int | None = None, **more: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        if status != 204:
            self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _chunks(self, pieces: list[bytes], kind: str = "text/plain", *, held: str = "") -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, piece in enumerate(pieces):
            if number and not self._may_go_on(held):
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        if not self._may_go_on(held):
            return
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _may_go_on(self, held: str) -> bool:
        return not held or self.upstream.holding(held).acquire(timeout=60)

    def _echo(self, body: bytes) -> None:
        self._send(200, body, x_answer="yes")

    def _pieces(self, _: bytes) -> None:
        self._chunks(PIECES)

    def _held(self, _: bytes) -> None:
        self._chunks(PIECES, held=self.path.partition("?")[2])

    def _gzip(self, _: bytes) -> None:
        self._send(200, gzip.compress(b"word " * 100), content_encoding="gzip")

    def _cut(self, _: bytes) -> None:
        self._send(200, b"half", length=8)
        self.close_connection = True

    def _empty(self, _: bytes) -> None:
        self._send(204, b"")

    def _moved(self, _: bytes) -> None:
        self._send(307, b"moved", location="/ask/echo")

    def _models(self, _: bytes) -> None:
        self._send(200, b'{"object": "list", "data": []}', "application/json")

    def _completions(self, body: bytes) -> None:
        """OpenAI's completions, of chats and of prompts."""
        if self._refused():
            return
        asked = json.loads(body)
        if "prompt" in asked:
            choice = {"index": 0, "text": f"You asked: {asked['prompt']}", "finish_reason": "stop"}
            self._json({"id": "t1", "object": "text_completion", "created": 1, "model": "small", "choices": [choice]})
            return
        text = f"You asked: {asked['messages'][-1]['content']}"
        common: dict[str, Any] = {"id": "c1", "created": 1, "model": asked["model"]}
        if not asked.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            self._send(200, json.dumps({**common, "object": "chat.completion", "choices": [choice]}).encode(), _JSON)
            return
        events = []
        for word in text.split(" "):
            delta = {"index": 0, "delta": {"role": "assistant", "content": word + " "}, "finish_reason": None}
            event = json.dumps({**common, "object": "chat.completion.chunk", "choices": [delta]})
            events.append(f"data: {event}\n\n".encode())
        key = asked["messages"][-1]["content"].partition("hold ")[2]
        self._chunks([*events, b"data: [DONE]\n\n"], "text/event-stream", held=key)

    def _messages(self, body: bytes) -> None:
        """Anthropic's messages."""
        if self._refused():
            return
        asked = json.loads(body)
        text = f"You asked: {asked['messages'][-1]['content']}"
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "m1", "type": "message", "role": "assistant", "model": asked["model"], "content": [],
                   "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
        if not asked.get("stream"):
            whole = {**message, "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
            self._send(200, json.dumps(whole).encode(), _JSON)
            return
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word + " "}}
              for word in text.split(" ")),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]  # fmt: skip
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
        self._chunks(lines, "text/event-stream")

    def _embeddings(self, body: bytes) -> None:
        given = json.loads(body)["input"]
        rows = [{"object": "embedding", "index": index, "embedding": [0.5, 0.25]} for index in range(len(given))]
        self._json({"object": "list", "data": rows, "model": "small", "usage": {"prompt_tokens": 1, "total_tokens": 1}})

    def _responses(self, body: bytes) -> None:
        said = {"type": "output_text", "text": f"You asked: {json.loads(body)['input']}", "annotations": []}
        output = {"type": "message", "id": "o1", "status": "completed", "role": "assistant", "content": [said]}
        more: dict[str, Any] = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
        self._json({"id": "r1", "object": "response", "created_at": 1, "status": "completed", "model": "small",
                    "output": [output], **more})  # fmt: skip

    def _rerank(self, _: bytes) -> None:
        self._json({"id": "k1", "results": [{"index": 0, "relevance_score": 0.75}], "meta": {}})

    def _moderations(self, _: bytes) -> None:
        self._json({"id": "d1", "model": "small", "results": [{"flagged": False}]})

    def _generations(self, _: bytes) -> None:
        self._json({"created": 1, "data": [{"url": "http://images.example/1"}]})

    def _json(self, answer: dict[str, Any]) -> None:
        self._send(200, json.dumps(answer).encode(), _JSON)

    def _refused(self) -> bool:
        """503 for the first call of each ``x-once``, which SDKs try again at once."""
        key = self.headers.get("x-once")
        if key is None or not self.upstream.is_busy(key):
            return False
        self._send(503, b'{"error": {"message": "busy"}}', _JSON, retry_after_ms="1")
        return True

    def log_message(self, format: str, *args: object) -> None:
        pass


_JSON = "application/json"


@contextmanager
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    try:
        yield made
    finally:
        made.close()
