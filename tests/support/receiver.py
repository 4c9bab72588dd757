"""A real HTTP server that alerts are sent to: keeps what came, and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

__all__ = ["Got", "Receiver", "receiver"]


class Got(NamedTuple):
    """One request as it arrived."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Answers with ``plan``, then with 200. An entry: status, headers, body; ``None``: the connection is closed."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.on_post: Callable[[], None] = lambda: None
        """Called when a request is there whole, before it is answered."""
        self.plan: list[tuple[int, dict[str, str], bytes] | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.got.append(Got(self.path, headers, body))
                outer.on_post()
                planned = outer.plan.pop(0) if outer.plan else (200, {}, b"ok")
                if planned is None:
                    self.close_connection = True
                    return
                status, extra, answer = planned
                self.send_response(status)
                for name, value in {**extra, "content-length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.start()
    try:
        yield made
    finally:
        made.close()
