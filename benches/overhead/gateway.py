"""The measured gateway: ``ShadowMiddleware`` around a bare ASGI application, under uvicorn or granian.

Without ``--config`` there is no middleware: the shadow of the benchmark, which stands for another machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

from shadowlane.asgi import ShadowMiddleware
from shadowlane.demo.serving import PORT_LINE, add_serving_options, serve
from shadowlane.worker.process import give_way

_SENTENCE = "The lamp on the dock turns white when the ride has ended. "
_PIECES = 32
"""In so many messages an answer is streamed."""
_ENVIRONMENT = "SHADOWLANE_OVERHEAD"


class Application:
    """Reads the request, waits as if a service behind it worked, answers with about ``kib`` KiB."""

    def __init__(self, *, kib: int, answer: str, upstream_ms: int, port: int | None = None) -> None:
        self._upstream_s = upstream_ms / 1e3
        self._port = port
        size = kib * 1024
        if answer == "sse":
            event = f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': _SENTENCE}}]})}\n\n"
            per_piece = max(1, size // _PIECES // len(event))
            events = [event.encode()] * max(1, size // len(event))
            self._pieces = [b"".join(events[at : at + per_piece]) for at in range(0, len(events), per_piece)]
            self._pieces.append(b"data: [DONE]\n\n")
            self._headers = [(b"content-type", b"text/event-stream")]
        else:
            text = json.dumps({"answer": _SENTENCE * (size // len(_SENTENCE))})
            self._pieces = [text.encode()]
            self._headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        if self._upstream_s:
            await asyncio.sleep(self._upstream_s)
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        *first, last = self._pieces
        for piece in first:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": last})

    async def _live(self, receive: Any, send: Any) -> None:
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
            if self._port is not None and event == "startup":
                print(f"{PORT_LINE}{self._port}", flush=True)


def built() -> Any:
    """The application that the environment describes, for a server that loads it in a process of its own."""
    settings = json.loads(os.environ[_ENVIRONMENT])
    config = settings.pop("config")
    app = Application(**settings)
    return ShadowMiddleware(app, config=config) if config else app


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", help="without one, there is no middleware: the shadow of the benchmark")
    parser.add_argument("--kib", type=int, default=1)
    parser.add_argument("--answer", choices=("json", "sse"), default="json")
    parser.add_argument("--upstream-ms", type=int, default=20)
    parser.add_argument("--server", choices=("uvicorn", "granian"), default="uvicorn")
    add_serving_options(parser)
    options = parser.parse_args()
    settings = {"kib": options.kib, "answer": options.answer, "upstream_ms": options.upstream_ms}
    if options.server == "granian":
        return serve_granian(settings | {"config": options.config})
    app = Application(**settings)
    if options.config:
        return serve(ShadowMiddleware(app, config=options.config), options)
    give_way()  # the shadow stands for another machine
    return serve(app, options)


def serve_granian(settings: dict[str, Any]) -> int:
    """Serve from one granian worker until SIGTERM or the end of standard input; the worker says the port."""
    from granian import Granian
    from granian.constants import Interfaces

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    os.environ[_ENVIRONMENT] = json.dumps(settings | {"port": port})
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    server = Granian(
        "benches.overhead.gateway:built",
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        log_enabled=False,
        workers_kill_timeout=5,
    )
    server.serve()
    return 0


def _leave_with_parent() -> None:
    # Not through `sys.stdin`: its lock would be held in the worker that granian forks, which closes it.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
