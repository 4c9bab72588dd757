"""The measured gateway: ``ShadowMiddleware`` around a bare ASGI application that answers 1 KiB of JSON after 20 ms."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from shadowlane.asgi import ShadowMiddleware
from shadowlane.demo.serving import add_serving_options, serve
from shadowlane.worker.process import give_way

UPSTREAM_S = 0.020
ANSWER = json.dumps({"answer": "The lamp on the dock turns white when the ride has ended. " * 17}).encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Reads the request, waits as if a service behind it worked, answers."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(UPSTREAM_S)
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", help="without one, there is no middleware: the shadow of the benchmark")
    add_serving_options(parser)
    options = parser.parse_args()
    if options.config:
        return serve(ShadowMiddleware(application, config=options.config), options)
    give_way()  # the shadow stands for another machine
    return serve(application, options)


if __name__ == "__main__":
    sys.exit(main())
