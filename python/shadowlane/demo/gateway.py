"""The demonstration's gateway: ``python -m shadowlane.demo.gateway --config FILE --upstream URL``.

A reverse proxy as people write one with Starlette and httpx, which streams both ways. Mirroring is the one line that
wraps it: ``ShadowMiddleware(app, config=FILE)``.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import AsyncIterator

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ..asgi import ShadowMiddleware
from ..errors import ShadowlaneError
from ..render.text import print_error
from .serving import add_serving_options, serve

__all__ = ["build_proxy"]

# RFC 9110 §7.6.1: what concerns one connection only. Host is set by the client that sends on.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build_proxy(upstream: str, *, transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """A proxy to ``upstream``. ``transport`` replaces the network, for example with httpx.ASGITransport."""
    client = httpx.AsyncClient(
        base_url=upstream,
        timeout=30,
        transport=transport,
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def forward(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.raw if name not in _HOP_BY_HOP and name != b"host"]
        # RFC 9112 §6.3: without either of these there is no body.
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        target = httpx.URL(path=request.url.path, query=request.url.query.encode("ascii"))
        outgoing = client.build_request(
            request.method, target, headers=headers, content=request.stream() if has_body else None
        )
        try:
            incoming = await client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            return PlainTextResponse(f"upstream: {type(error).__name__}\n", status_code=502)
        response = StreamingResponse(
            incoming.aiter_raw(), status_code=incoming.status_code, background=BackgroundTask(incoming.aclose)
        )
        response.raw_headers = [
            (name.lower(), value) for name, value in incoming.headers.raw if name.lower() not in _HOP_BY_HOP
        ]
        return response

    return Starlette(routes=[Route("/{path:path}", forward, methods=_METHODS)], lifespan=lifespan)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shadowlane.demo.gateway", description=__doc__)
    parser.add_argument("--config", required=True, help="shadowlane's configuration file")
    parser.add_argument("--upstream", required=True, help="prod's URL")
    add_serving_options(parser)
    options = parser.parse_args()
    try:
        app = ShadowMiddleware(build_proxy(options.upstream), config=options.config)
    except ShadowlaneError as error:
        print_error(str(error), "gateway")
        return error.exit_code
    # httpx logs every URL, and a URL may hold what its user would not want to see in a log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        return serve(app, options)
    finally:
        if app.lane is not None:
            app.lane.close()


if __name__ == "__main__":
    sys.exit(main())
