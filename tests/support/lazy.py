"""Applications whose framework builds its middleware late, at the first call: the file is ``SHADOWLANE_CONFIG``'s.

``app`` has the middleware itself; ``mounting`` mounts an application that has it, and passes no lifespan on.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from shadowlane.asgi import ShadowMiddleware

app = FastAPI()
app.add_middleware(ShadowMiddleware)
app.add_middleware(GZipMiddleware, minimum_size=100)  # outside of ours


@app.api_route("/{rest:path}", methods=["GET", "POST"])
async def anything(request: Request) -> dict[str, str]:
    return {"path": request.url.path, "body": (await request.body()).decode(), "answer": "word " * 100}


mounting = Starlette(routes=[Mount("/sub", app)])
