"""A real HTTP server that keeps what reached it: the upstream that a shadow must not write to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

__all__ = ["Recorder", "Seen", "recorder"]


class Seen(NamedTuple):
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class Recorder:
    """``/redirect/CODE/TARGET`` answers with a redirect, so do the targets in ``redirects``, with 307; everything else
    answers with its method and target."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.redirects: dict[str, str] = {}
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, else each reply waits for a delayed acknowledgement

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                recorder.seen.append(Seen(self.command, self.path, self.headers.items(), body))
                answer = f"{self.command} {self.path}".encode()
                if self.path in recorder.redirects:
                    self.send_response(307)
                    self.send_header("location", recorder.redirects[self.path])
                elif self.path.startswith("/redirect/"):
                    _, _, code, target = self.path.split("/", 3)
                    self.send_response(int(code))
                    self.send_header("location", "/" + target)
                else:
                    self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.send_header("x-upstream", "yes")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_PROPFIND = _any

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    try:
        yield made
    finally:
        made.close()
