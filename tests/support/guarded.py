"""A service behind ``ShadowGuard`` that tries to write for every request, in every way: what the lane's test asks.

``GUARDED_DSN`` names its database, ``GUARDED_REDIS`` its Redis' port, ``GUARDED_UPSTREAM`` a service that it calls,
``GUARDED_KEY`` the lane's key; each answer to a copy is also a line in ``GUARDED_LOG``.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import redis
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from shadowlane.guard import ShadowGuard, ShadowWriteError, current
from shadowlane.guard.httpx import fence as fence_http
from shadowlane.guard.psycopg import ShadowConnection
from shadowlane.guard.redis import fence as fence_redis
from shadowlane.guard.sqlalchemy import fence

DSN = os.environ["GUARDED_DSN"]


def _url() -> str:
    parts = dict(part.split("=") for part in DSN.split())
    return f"postgresql+asyncpg://{parts['user']}@{parts['host']}:{parts['port']}/{parts['dbname']}"


engine = create_async_engine(_url())
fence(engine)
cache = redis.Redis(port=int(os.environ["GUARDED_REDIS"]))
fence_redis(cache)


async def _sqlalchemy() -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.text("INSERT INTO visit VALUES ('x', 'sqlalchemy')"))


def _psycopg(way: str) -> None:
    with ShadowConnection.connect(DSN) as connection:
        connection.execute("INSERT INTO visit VALUES ('x', %s)", [way])


async def _upstream() -> None:
    async with fence_http(httpx.AsyncClient(timeout=60, trust_env=False)) as client:
        await client.get(os.environ["GUARDED_UPSTREAM"] + "/read")
        await client.post(os.environ["GUARDED_UPSTREAM"] + "/write")


def _redis() -> None:
    with cache.pipeline() as pipe:
        pipe.get("visits")
        pipe.incr("visits")
        pipe.execute()


async def _tried(work: Any) -> str:
    try:
        await work
    except ShadowWriteError:
        return "refused"
    return "written"


def _keep(line: str) -> None:
    with Path(os.environ["GUARDED_LOG"]).open("a", encoding="utf-8") as log:
        log.write(line + "\n")


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await engine.dispose()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    async with engine.connect() as connection:
        visits = await connection.scalar(sa.text("SELECT count(*) FROM visit"))

    async def task() -> None:
        _psycopg("task")

    tried = {
        "sqlalchemy": await _tried(_sqlalchemy()),
        "thread": await _tried(asyncio.to_thread(_psycopg, "thread")),
        "task": await _tried(asyncio.create_task(task())),
        "upstream": await _tried(_upstream()),
        "redis": await _tried(asyncio.to_thread(_redis)),
    }
    try:
        _psycopg("psycopg")
        tried["psycopg"] = "written"
    except ShadowWriteError:
        tried["psycopg"] = "refused"
    shadow = current()
    said = {
        "request": f"{scope['method']} {scope['path']}",
        "visits": visits,
        "tried": tried,
        "signed": bool(shadow and shadow.signed),
        "id": shadow.id if shadow else "",
    }
    if shadow is not None:
        _keep(json.dumps(said))
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = ShadowGuard(_app, keys=[os.environ["GUARDED_KEY"]])
