"""Gateways in Python: an ASGI reverse proxy that we mirror, a task that nobody awaits, or nobody; and LiteLLM's proxy.

``python -m benches.peers.gateways KIND --upstream PORT [--shadow PORT] [--config FILE] --port N``; KIND is ``bare``,
``task`` or ``litellm``. With ``--config`` our middleware stands around it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import aiohttp

from shadowlane.asgi import ShadowMiddleware

_MIRRORED = "/on"
_HEADERS = [(b"content-type", b"application/json")]


class Proxy:
    """Passes each request on and answers with what came back."""

    def __init__(self, upstream: int) -> None:
        self._upstream = f"http://127.0.0.1:{upstream}"
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.mirror(scope["path"], body)
        assert self._session is not None
        async with self._session.post(self._upstream + scope["path"], data=body) as answer:
            content = await answer.read()
        length = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": _HEADERS + length})
        await send({"type": "http.response.body", "body": content})

    def mirror(self, path: str, body: bytes) -> None:
        """Nothing is mirrored here."""

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


class TaskProxy(Proxy):
    """The mirror that most people write first: httpx in a task that nobody awaits."""

    def __init__(self, upstream: int, shadow: int) -> None:
        import httpx

        super().__init__(upstream)
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{shadow}", limits=limits)
        self._tasks: set[asyncio.Task[Any]] = set()

    def mirror(self, path: str, body: bytes) -> None:
        if path.startswith(_MIRRORED):
            task = asyncio.create_task(self._client.post(path, content=body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("bare", "task", "litellm"))
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--shadow", type=int, default=0)
    parser.add_argument("--config", help="with it, our middleware stands around the gateway")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    import uvicorn

    app: Any
    if options.kind == "litellm":
        from litellm.proxy.proxy_server import app as litellm_app

        app = litellm_app
    elif options.kind == "task":
        app = TaskProxy(options.upstream, options.shadow)
    else:
        app = Proxy(options.upstream)
    if options.config:
        app = ShadowMiddleware(app, config=options.config)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="error", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
