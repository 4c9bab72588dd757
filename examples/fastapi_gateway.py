"""A FastAPI gateway that asks a service and gives its answer on; one line mirrors it.

``UPSTREAM`` is the service that answers users, ``SHADOWLANE_CONFIG`` the configuration of the lane.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response

from shadowlane.asgi import ShadowMiddleware

UPSTREAM = os.environ.get("UPSTREAM", "http://127.0.0.1:9000")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=30, trust_env=False) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(ShadowMiddleware)  # reads $SHADOWLANE_CONFIG


@app.post("/ask")
@app.post("/v1/chat/completions")
async def ask(request: Request) -> Response:
    answer = await request.app.state.client.post(
        request.url.path, content=await request.body(), headers={"content-type": "application/json"}
    )
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
