"""The sink's HTTP server: takes each request to its last byte, says 204, and puts it into the lane.

Invariants: nobody waits for a shadow or a ring: the answer to the mirror is the same whatever becomes of the copy; what
is held of a body is bounded, and a longer one is counted and not mirrored; no answer of prod's is made up.
"""

from __future__ import annotations

import logging

from aiohttp import web

from ..capture.lane import Lane
from ..capture.received import Tally
from ..types import FLAG_NO_PROD

__all__ = ["make_app"]

log = logging.getLogger("shadowlane.sink")

_GONE = frozenset({b"transfer-encoding", b"content-length", b"connection", b"keep-alive", b"expect"})
"""Of the connection to the sink, and not of the request."""


def make_app(lane: Lane, tally: Tally) -> web.Application:
    """The application: one handler, whatever method and path. ``tally`` counts each request once."""
    most = lane.config.lane.max_body_bytes

    async def take(request: web.Request) -> web.Response:
        headers = [(name.lower(), value) for name, value in request.raw_headers]
        # As it came: the path of the object is decoded, and a shadow must get the same.
        target = request.raw_path
        ticket = lane.admit(request.method, target.partition("?")[0], headers)
        if ticket is None:
            tally.skip("not_admitted")
            return web.Response(status=204)
        body = bytearray()
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    lane.drop(ticket, "request_too_large")
                    tally.skip("request_too_large")
                    return web.Response(status=204)
        except Exception:  # the mirror left before its request was whole, or it was no HTTP
            lane.drop(ticket, "client_disconnected")
            tally.skip("client_disconnected")
            return web.Response(status=204)
        kept = [(name, value) for name, value in headers if name not in _GONE]
        lane.offer(ticket, target, kept, bytes(body), 0, [], b"", 0, FLAG_NO_PROD)
        tally.offer()
        return web.Response(status=204)

    # The body is read here, chunk by chunk: the server's own bound is for handlers that ask for it whole.
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    return app
