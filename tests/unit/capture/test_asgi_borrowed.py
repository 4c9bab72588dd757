"""Objects that pass the middleware belong to others, who change them afterwards: the copy is of what passed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from shadowlane import Config
from shadowlane.asgi import ShadowMiddleware

from .test_asgi import Client, World, answering, call, read, scope_of


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_a_head_that_an_outer_middleware_rewrites(world: World) -> None:
    client = Client(b"{}")
    sent: list[Any] = []

    async def compressing(scope: Any, receive: Any, send: Any) -> None:
        async def rewriting(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-encoding", b"gzip"))
                message["headers"][0] = (b"content-type", b"application/x-rewritten")
            else:
                message["body"] = b"\x1f\x8b not what the application said"
            sent.append(message)

        await ShadowMiddleware(answering(b"in clear"), world.lane)(scope, receive, rewriting)

    call(compressing, client)
    (row,) = world.rows()
    assert row["response_body"] == b"in clear"
    assert (b"content-type", b"text/plain") in row["response_headers"]
    assert b"content-encoding" not in [name for name, _ in row["response_headers"]]
    assert sent[0]["headers"][-1] == (b"content-encoding", b"gzip")


@pytest.mark.parametrize("how", ["in place", "copied"])
def test_a_scope_that_an_inner_middleware_rewrites(world: World, how: str) -> None:
    async def routing(scope: Any, receive: Any, send: Any) -> None:
        inner = scope if how == "in place" else {**scope}
        inner.update(path="/other", raw_path=b"/other", query_string=b"rewritten=1", method="GET", root_path="/ask")
        inner["headers"].append((b"content-type", b"text/rewritten"))
        inner["headers"][0] = (b"host", b"elsewhere")
        await answering(b"so")(inner, receive, send)

    call(ShadowMiddleware(routing, world.lane), Client(b'{"q":1}'), scope_of(query=b"a=1"))
    (row,) = world.rows()
    assert (row["method"], row["target"], row["body"]) == ("POST", "/ask?a=1", b'{"q":1}')
    assert [value for name, value in row["headers"] if name == b"content-type"] == [b"application/json"]


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_buffers_that_are_filled_anew(world: World, kind: Any) -> None:
    buffer = bytearray(b"first ")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        for more, text in ((True, b"first "), (True, b"second"), (False, b"third ")):
            buffer[:] = text
            await send({"type": "http.response.body", "body": kind(buffer), "more_body": more})
        buffer[:] = b"......"

    class Reusing(Client):
        async def receive(self) -> Any:
            message = await super().receive()
            request[:] = message.get("body", b"      ")
            return {**message, "body": kind(request)}

    request = bytearray(6)
    call(ShadowMiddleware(app, world.lane), Reusing(b'{"q": ', b'"how"}'))
    (row,) = world.rows()
    assert row["response_body"] == b"first second" + b"third "
    assert row["body"] == b'{"q": "how"}'


@pytest.mark.parametrize("made", [iter, lambda headers: (pair for pair in headers), dict.fromkeys, tuple])
def test_headers_that_are_no_list(world: World, made: Any) -> None:
    """ASGI asks for iterables: what is read here must still be there for the application, and for the server."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append([tuple(pair) for pair in scope["headers"]])
        await read(receive)
        head = [(b"content-type", b"text/plain"), (b"x-own", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": made(head)})
        await send({"type": "http.response.body", "body": b"so"})

    for method in ("POST", "DELETE"):  # mirrored, and not
        scope, client = scope_of(method=method), Client(b"{}")
        wanted = list(scope["headers"])
        call(ShadowMiddleware(app, world.lane), client, {**scope, "headers": made(wanted)})
        assert seen.pop() == wanted
        assert [tuple(pair) for pair in client.sent[0]["headers"]] == [
            (b"content-type", b"text/plain"),
            (b"x-own", b"1"),
        ]
    (row,) = world.rows()
    assert (b"content-type", b"application/json") in row["headers"]
    assert world.lane.faults == 0


class Lifespan:
    """A server's side of one lifespan."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps = ["lifespan.startup", "lifespan.shutdown"]

    async def receive(self) -> Any:
        return {"type": self.steps.pop(0)}

    async def send(self, message: Any) -> None:
        self.said.append(message["type"])


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for _ in range(2):
            await send({"type": (await receive())["type"] + ".complete"})
    else:
        await answering(b"so")(scope, receive, send)


def test_every_lifespan_opens_what_the_last_one_closed(world: World) -> None:
    middleware = ShadowMiddleware(app, Config.from_dict(world.lane.config.to_dict()))

    async def serve() -> None:
        server = Lifespan()
        running = asyncio.Event()

        async def receive() -> Any:
            if len(server.steps) == 1:
                running.set()
                await asked.wait()
            return await server.receive()

        asked = asyncio.Event()
        lifespan = asyncio.ensure_future(middleware({"type": "lifespan"}, receive, server.send))
        await running.wait()
        client = Client(b"{}")
        await middleware(scope_of(), client.receive, client.send)
        asked.set()
        await lifespan
        assert server.said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert middleware.lane is not None
        assert middleware.lane.closed

    for _ in range(3):
        asyncio.run(serve())
    assert len(world.rows()) == 3
