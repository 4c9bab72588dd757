"""A candidate that takes copies and nothing else, for uvicorn."""

from __future__ import annotations

from shadowlane.guard import ShadowGuard, is_shadow
from shadowlane.guard.asgi import Receive, Scope, Send

__all__ = ["app"]


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http", "uvicorn is started without a lifespan"
    await send({"type": "http.response.start", "status": 200 if is_shadow() else 500, "headers": []})
    await send({"type": "http.response.body", "body": b""})


app = ShadowGuard(_answer, expect="shadow-only")
