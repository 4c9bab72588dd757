"""Runs an ASGI application as a process of the demonstration: binds, says its port on stdout, leaves with its parent.

Invariant: a process started with ``--leave-with-parent`` ends when its standard input ends, so that even a killed
demonstration leaves nothing behind.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
import threading
from typing import Any

import uvicorn

from ..render.text import print_error

__all__ = ["PORT_LINE", "add_serving_options", "say_port", "serve"]

PORT_LINE = "listening on port "
"""What the process prints on stdout, followed by the port, once it accepts connections."""


def add_serving_options(parser: argparse.ArgumentParser) -> None:
    """``--port`` and ``--leave-with-parent``."""
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one and prints it")
    parser.add_argument("--leave-with-parent", action="store_true", help="end when standard input ends")


def say_port(port: int) -> None:
    """Say that connections are accepted there."""
    print(f"{PORT_LINE}{port}", flush=True)  # noqa: T201 - read by whoever started this process


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, port: int) -> None:
        super().__init__(config)
        self._port = port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            say_port(self._port)


def serve(app: Any, options: argparse.Namespace) -> int:
    """Serve until SIGTERM, SIGINT or the parent's end; returns the exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # The protocol is named, or asyncio leaves Nagle's algorithm on, and an answer in two writes waits 40 ms for an ACK.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", options.port))
        except OSError as error:
            print_error(f"--port = {options.port}: {error.strerror}; choose another", "demo")
            return 3
        config = uvicorn.Config(
            app, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=5, timeout_keep_alive=30
        )
        server = _Server(config, listener.getsockname()[1])
        if options.leave_with_parent:
            threading.Thread(target=_leave_with_parent, args=(server,), daemon=True).start()
        server.run(sockets=[listener])
    return 0 if server.started else 3


def _leave_with_parent(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True
