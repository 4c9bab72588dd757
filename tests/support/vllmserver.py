"""A server that takes ``--middleware`` as vLLM's does (0.33: ``vllm/entrypoints/serve/middleware/register.py`` and
``launchers/launcher.py``): FastAPI, its own middleware first, then the one that is named, a class without arguments;
uvicorn on a socket that was bound before, without uvicorn's signals, cancelled at SIGTERM and then shut down; with
``--api-server-count``, spawned processes that share the socket. The model is an echo."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import inspect
import json
import multiprocessing
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response, StreamingResponse


class Authentication:
    """401 for what comes without the key, below ``/v1``."""

    def __init__(self, app: Any, tokens: list[str]) -> None:
        self.app, self.accepted = app, [f"Bearer {token}".encode() for token in tokens]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1"):
            given = dict(scope["headers"]).get(b"authorization")
            if given not in self.accepted:
                await JSONResponse({"error": "Unauthorized"}, 401)(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def answer(request: Request) -> Response:
    asked = await request.json()
    text = f"You asked: {asked['messages'][-1]['content']}"
    head = {"id": "c1", "created": 1, "model": asked["model"]}
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice]})

    async def events() -> AsyncIterator[str]:
        for word in text.split(" "):
            chunk = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
            yield f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [chunk]})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def build_app(args: argparse.Namespace) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(lifespan=lifespan)
    app.root_path = args.root_path
    app.add_api_route("/v1/chat/completions", answer, methods=["POST"])
    app.add_api_route("/health", lambda: Response(status_code=200), methods=["GET"])
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    if args.api_key:
        app.add_middleware(Authentication, tokens=args.api_key)
    for named in args.middleware:
        module, _, name = named.rpartition(".")
        found = getattr(importlib.import_module(module), name)
        if inspect.isclass(found):
            app.add_middleware(found)
        elif inspect.iscoroutinefunction(found):
            app.middleware("http")(found)
        else:
            raise ValueError(f"{named} is neither a class nor a coroutine function")
    return app


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(bound: socket.socket, args: argparse.Namespace) -> None:
    config = uvicorn.Config(
        build_app(args), host=args.host, port=args.port, log_level="info", access_log=True, timeout_keep_alive=5
    )
    config.h11_max_incomplete_event_size = 4 * 1024 * 1024
    config.load()
    server = Server(config)
    loop = asyncio.get_running_loop()
    running = loop.create_task(server.serve(sockets=[bound]))
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)

    async def end() -> None:
        await ending.wait()
        server.should_exit = True
        running.cancel()

    watching = loop.create_task(end())
    try:
        await running
    except asyncio.CancelledError:
        await server.shutdown()
    finally:
        watching.cancel()


def worker(bound: socket.socket, args: argparse.Namespace) -> None:
    asyncio.run(serve(bound, args))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--middleware", action="append", default=[])
    parser.add_argument("--api-key", action="append", default=[])
    parser.add_argument("--api-server-count", type=int, default=1)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root-path", default="")
    args = parser.parse_args()
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((args.host, args.port))
    if args.api_server_count == 1:
        worker(bound, args)
        return
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=worker, args=(bound, args)) for _ in range(args.api_server_count)]
    for process in processes:
        process.start()

    def end(*_: object) -> None:
        for process in processes:
            process.terminate()

    signal.signal(signal.SIGTERM, end)
    for process in processes:
        process.join()
    sys.exit(max(process.exitcode or 0 for process in processes))


if __name__ == "__main__":
    main()
