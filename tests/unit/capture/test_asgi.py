"""The middleware around a bare ASGI callable, Starlette and FastAPI, with a real lane behind it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowlane import Config, Lane, _core
from shadowlane.asgi import ShadowMiddleware
from shadowlane.types import FLAG_CLIENT_DISCONNECTED, FLAG_RESPONSE_CUT, FLAG_STREAMED

LIMIT = 4096
Message = dict[str, Any]


class World:
    """A lane without a worker: what was offered is drained here."""

    def __init__(self) -> None:
        self.directory = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
        self.lane = Lane.open(
            Config.from_dict(
                {
                    "lane": {
                        "directory": str(self.directory),
                        "worker": "external",
                        "ring_bytes": 1 << 20,
                        "max_body_bytes": LIMIT,
                    },
                    "sampling": {"ratio": 1.0},
                    "limits": {"qps": 1e6, "burst": 1_000_000},
                    "routes": {"read": ["POST /ask"]},
                    "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
                }
            )
        )
        self.drainer = _core.Drainer(str(self.directory), allow_headers=[])

    def rows(self) -> list[dict[str, Any]]:
        """Every exchange in the ring, by name, acknowledged."""
        from shadowlane.types import Copy

        names = Copy.__struct_fields__
        rows = [dict(zip(names, row, strict=True)) for row in self.drainer.drain(4096, 1 << 24)]
        for row in rows:
            self.drainer.ack(row["ring"], row["seq"])
        self.drainer.pending()
        return rows

    def dropped(self) -> dict[str, int]:
        return {reason: n for reason, n in _core.lane_status(str(self.directory))["dropped"].items() if n}

    def close(self) -> None:
        self.drainer.close()
        self.lane.close()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def scope_of(method: str = "POST", path: str = "/ask", query: bytes = b"", **more: Any) -> Message:
    headers = [(b"host", b"gateway"), (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": headers,
        **more,
    }


class Client:
    """A server's side of one ASGI call: gives the request's chunks, then a disconnect; keeps what was sent."""

    def __init__(self, *chunks: bytes, gone_after: int | None = None) -> None:
        self.incoming: list[Message] = [
            {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
            for place, chunk in enumerate(chunks)
        ]
        self.sent: list[Message] = []
        self.gone_after = gone_after

    async def receive(self) -> Message:
        return self.incoming.pop(0) if self.incoming else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.gone_after is not None and len(self.sent) >= self.gone_after:
            raise OSError("the client is gone")
        self.sent.append(message)


def call(app: Any, client: Client, scope: Message | None = None) -> None:
    asyncio.run(app(scope or scope_of(), client.receive, client.send))


async def read(receive: Callable[[], Any]) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def answering(*chunks: bytes, status: int = 200, read_first: bool = True) -> Any:
    """An application that answers with these chunks."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if read_first:
            await read(receive)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        for place, chunk in enumerate(chunks):
            await send({"type": "http.response.body", "body": chunk, "more_body": place < len(chunks) - 1})

    return app


def test_an_exchange_is_offered_whole(world: World) -> None:
    client = Client(b'{"q": ', b'"how?"}')
    call(ShadowMiddleware(answering(b"so"), world.lane), client, scope_of(query=b"a=1&b=2"))
    (row,) = world.rows()
    assert (row["method"], row["target"]) == ("POST", "/ask?a=1&b=2")
    assert row["body"] == b'{"q": "how?"}'
    assert (row["status"], row["response_body"]) == (200, b"so")
    assert 0 < row["ttfb_ns"] <= row["duration_ns"]
    assert row["flags"] == 0


def test_a_failure_of_our_own_is_swallowed_and_counted_for_all_to_see(world: World) -> None:
    client = Client(b"{}")
    call(ShadowMiddleware(answering(b"so"), world.lane), client, scope_of(headers=[(5, b"no name")]))
    assert [message["type"] for message in client.sent] == ["http.response.start", "http.response.body"]
    status = _core.lane_status(str(world.directory))
    assert (status["faults"], status["mirrored"], status["seen"]) == (1, 0, 0)


def test_streams_pass_at_once_and_a_copy_is_kept(world: World) -> None:
    """Each chunk has reached the server when the application's ``send`` returns: nothing is held back."""
    client = Client(b"{}")
    seen_by_app: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for place in range(5):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % place, "more_body": place < 4})
            seen_by_app.append(len(client.sent))

    call(ShadowMiddleware(app, world.lane), client)
    assert seen_by_app == [2, 3, 4, 5, 6]
    (row,) = world.rows()
    assert row["response_body"] == b"".join(b"data: %d\n\n" % place for place in range(5))
    assert row["flags"] == FLAG_STREAMED


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_a_large_request_is_not_mirrored_and_counted(world: World, size: int) -> None:
    client = Client(b"x" * (size - 10), b"x" * 10)
    call(ShadowMiddleware(answering(b"ok"), world.lane), client)
    assert client.sent[-1]["body"] == b"ok"
    if size > LIMIT:
        assert world.rows() == []
        assert world.dropped() == {"request_too_large": 1}
    else:
        assert len(world.rows()[0]["body"]) == LIMIT


def test_a_large_response_is_kept_cut_and_flagged(world: World) -> None:
    chunks = [b"word " * 400] * 4
    client = Client(b"{}")
    call(ShadowMiddleware(answering(*chunks), world.lane), client)
    assert b"".join(message.get("body", b"") for message in client.sent) == b"".join(chunks)
    (row,) = world.rows()
    assert row["flags"] == FLAG_STREAMED | FLAG_RESPONSE_CUT
    assert b"".join(chunks).startswith(row["response_body"])
    assert 0 < len(row["response_body"]) <= LIMIT


def test_what_prod_raises_is_raised_on_and_counted(world: World) -> None:
    error = RuntimeError("prod's own")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        raise error

    with pytest.raises(RuntimeError) as caught:
        call(ShadowMiddleware(app, world.lane), Client(b"{}"))
    assert caught.value is error
    assert world.rows() == []
    assert world.dropped() == {"prod_failed": 1}


def test_a_client_that_leaves_in_mid_answer_is_counted(world: World) -> None:
    client = Client(b"{}", gone_after=2)
    with pytest.raises(OSError, match="gone"):
        call(ShadowMiddleware(answering(b"a", b"b", b"c"), world.lane), client)
    assert world.rows() == []
    assert world.dropped() == {"client_disconnected": 1}


def cut_upload(reads: Callable[[Any], Any]) -> tuple[Any, Client]:
    """An application that answers 400 when ``reads`` gives up, and a client that leaves after two of three chunks."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await reads(receive)
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b"bad request"})

    client = Client(b"a", b"b", b"c")
    del client.incoming[2:]
    return app, client


def test_an_upload_that_its_client_aborts_is_the_clients_doing(world: World) -> None:
    async def half_of_it(receive: Any) -> None:
        while (await receive()).get("more_body", False):
            pass

    app, client = cut_upload(half_of_it)
    call(ShadowMiddleware(app, world.lane), client)
    assert world.rows() == []
    assert world.dropped() == {"client_disconnected": 1}


def test_an_aborted_upload_under_a_framework(world: World) -> None:
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def ask(request: Request) -> PlainTextResponse:
        try:
            return PlainTextResponse(await request.body())
        except ClientDisconnect:
            if request.url.query:
                raise
            return PlainTextResponse("nobody is there", 499)

    path = scope_of()["path"]
    app = Starlette(routes=[Route(path, ask, methods=["POST"])])
    for query in (b"", b"raise=1"):
        client = Client(b"a", b"b", b"c")
        del client.incoming[1:]
        scope = {**scope_of(), "root_path": "", "server": ("t", 80), "query_string": query}
        with contextlib.suppress(ClientDisconnect):
            call(ShadowMiddleware(app, world.lane), client, scope)
    assert world.rows() == []
    assert world.dropped() == {"client_disconnected": 2}


def test_an_upload_that_the_application_leaves_unread_is_prods_doing(world: World) -> None:
    async def first_alone(receive: Any) -> None:
        await receive()

    app, client = cut_upload(first_alone)
    call(ShadowMiddleware(app, world.lane), client)
    assert world.dropped() == {"prod_failed": 1}


def test_a_client_that_leaves_as_the_answer_ends_is_flagged(world: World) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.body", "body": b"whole"})

    call(ShadowMiddleware(app, world.lane), Client(b"{}"))
    (row,) = world.rows()
    assert row["flags"] == FLAG_CLIENT_DISCONNECTED


@pytest.mark.parametrize("leaves", ["is heard of", "is met by a message"])
@pytest.mark.parametrize(("said", "whole"), [(b"4", True), (b"5", False), (b"", False), (b"four", False)])
def test_a_client_that_leaves_behind_the_last_byte_has_the_whole_answer(
    world: World, leaves: str, said: bytes, whole: bool
) -> None:
    """What is missing is the empty message that says that nothing more comes."""
    headers = [(b"x-a", b"b"), (b"content-length", said)] if said else []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for chunk in (b"wh", b"at"):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if leaves == "is heard of":
            assert (await receive())["type"] == "http.disconnect"
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    gone_after = 3 if leaves == "is met by a message" else None
    with contextlib.suppress(OSError):
        call(ShadowMiddleware(app, world.lane), Client(b"{}", gone_after=gone_after))
    assert [(row["response_body"], row["flags"]) for row in world.rows()] == [(b"what", FLAG_STREAMED)] * whole
    assert world.dropped() == ({} if whole else {"client_disconnected": 1})


def test_a_last_byte_that_was_not_passed_on_is_missing(world: World) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"wha", "more_body": True})
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"t", "more_body": True})
        await receive()

    call(ShadowMiddleware(app, world.lane), Client(b"{}", gone_after=2))
    assert world.rows() == []
    assert world.dropped() == {"client_disconnected": 1}


def test_an_answer_without_reading_the_request_is_not_mirrored(world: World) -> None:
    call(ShadowMiddleware(answering(b"no", status=413, read_first=False), world.lane), Client(b"a", b"b"))
    assert world.rows() == []
    assert world.dropped() == {"prod_failed": 1}


def test_a_get_needs_no_read(world: World) -> None:
    scope = scope_of("GET", "/page")
    scope["headers"] = [(b"host", b"gateway")]
    call(ShadowMiddleware(answering(b"page", read_first=False), world.lane), Client(b""), scope)
    (row,) = world.rows()
    assert (row["method"], row["body"]) == ("GET", b"")


@pytest.mark.parametrize("kind", ["websocket", "something.new"])
def test_other_scopes_pass_through_untouched(world: World, kind: str) -> None:
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.extend((scope, receive, send))

    client = Client()
    scope = {"type": kind, "path": "/ask"}
    receive, send = client.receive, client.send
    asyncio.run(ShadowMiddleware(app, world.lane)(scope, receive, send))
    assert got[0] is scope
    assert got[1:] == [receive, send]


def test_lifespan_passes_and_closes_what_the_middleware_opened() -> None:
    directory = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
    app = ShadowMiddleware(
        _lifespan_app,
        {
            "lane": {"directory": str(directory), "worker": "external", "ring_bytes": 65536, "max_body_bytes": 4096},
            "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
        },
    )
    try:
        sent: list[Message] = []
        incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> Message:
            return incoming.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(app({"type": "lifespan", "asgi": {}}, receive, send))
        assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert app.lane.admit("GET", "/", []) is None
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _lifespan_app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "lifespan"
    for _ in range(2):
        message = await receive()
        await send({"type": message["type"] + ".complete"})


BROKEN: list[dict[str, Any]] = [
    {"headers": [("host", "text instead of bytes")]},
    {"headers": None},
    {"headers": [(b"one",)]},
    {"method": None},
    {"method": "POST", "path": None, "raw_path": None},
    {"raw_path": b"/\xff\xfe", "path": "/\udcff"},
    {"query_string": None},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_strange_scope_costs_the_user_nothing(world: World, broken: dict[str, Any]) -> None:
    """Whatever breaks on our side is swallowed; prod's answer is as without us."""
    client = Client(b"{}")
    call(ShadowMiddleware(answering(b"fine"), world.lane), client, {**scope_of(), **broken})
    assert [message["type"] for message in client.sent] == ["http.response.start", "http.response.body"]
    assert client.sent[-1]["body"] == b"fine"
    status = _core.lane_status(str(world.directory))
    assert status["open"] == 0


BODIES = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "body": st.one_of(st.binary(max_size=3 * LIMIT), st.binary(max_size=64).map(bytearray)),
            "more_body": st.booleans(),
        },
    ),
)
MESSAGES = st.one_of(
    BODIES.map(lambda body: {"type": "http.response.body", **body}),
    st.just({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}),
    st.just({"type": "http.response.start", "status": 200}),
    st.just({"type": "http.response.trailers", "headers": [], "more_trailers": False}),
    st.just({"type": "http.response.pathsend", "path": "/etc/hostname"}),
    st.just({"type": "http.response.zerocopysend", "file": 3}),
    st.just({"type": "http.response.push", "path": "/x", "headers": []}),
    st.just({"type": "http.response.body", "body": "text", "more_body": 1}),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGES, max_size=8), chunks=st.lists(st.binary(max_size=2 * LIMIT), max_size=4))
def test_any_messages_pass_unchanged_and_in_order(world: World, messages: list[Message], chunks: list[bytes]) -> None:
    received: list[list[Message]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got = [await receive() for _ in range(len(chunks) + 1)]
        received.append(got)
        for message in messages:
            await send(message)

    with_us, without = Client(*chunks), Client(*chunks)
    call(ShadowMiddleware(app, world.lane), with_us)
    call(app, without)
    assert with_us.sent == without.sent
    assert all(ours is message for ours, message in zip(with_us.sent, messages, strict=True))
    assert received[0] == received[1]
    status = _core.lane_status(str(world.directory))
    assert status["open"] == 0
    assert status["seen"] == status["mirrored"] + sum(status["dropped"].values())
    world.rows()


def exchange_over_httpx(app: Any, requests: list[tuple[str, str, bytes | None]]) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as client:
            headers = {"content-type": "application/json"}
            return [
                await client.request(method, url, content=content, headers=headers) for method, url, content in requests
            ]

    return asyncio.run(run())


def test_starlette(world: World) -> None:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, StreamingResponse
    from starlette.routing import Route

    async def ask(request: Request) -> JSONResponse:
        return JSONResponse({"answer": (await request.json())["q"]})

    async def stream(_: Request) -> StreamingResponse:
        async def parts() -> Any:
            for part in ("one ", "two ", "three"):
                yield part

        return StreamingResponse(parts(), media_type="text/plain")

    app = Starlette(
        routes=[Route("/ask", ask, methods=["POST"]), Route("/stream", stream)],
        middleware=[Middleware(ShadowMiddleware, config=world.lane)],
    )
    answers = exchange_over_httpx(app, [("POST", "/ask", b'{"q": "why"}'), ("GET", "/stream", None)])
    assert [answer.text for answer in answers] == ['{"answer":"why"}', "one two three"]
    rows = world.rows()
    assert [(row["target"], row["response_body"]) for row in rows] == [
        ("/ask", b'{"answer":"why"}'),
        ("/stream", b"one two three"),
    ]


def test_fastapi(world: World) -> None:
    from fastapi import Body, FastAPI

    app = FastAPI()
    app.add_middleware(ShadowMiddleware, config=world.lane)

    @app.post("/ask")
    def ask(q: str = Body(embed=True)) -> dict[str, str]:
        return {"answer": q.upper()}

    @app.post("/order")
    def order() -> dict[str, bool]:
        return {"written": True}

    answers = exchange_over_httpx(app, [("POST", "/ask", b'{"q": "why"}'), ("POST", "/order", b"{}")])
    assert [answer.json() for answer in answers] == [{"answer": "WHY"}, {"written": True}]
    (row,) = world.rows()
    assert row["response_body"] == b'{"answer":"WHY"}'
    assert sum(world.dropped().values()) == 1


def test_a_copy_is_never_mirrored_again(world: World) -> None:
    scope = scope_of()
    scope["headers"] = [*scope["headers"], (b"x-shadow", b"1")]
    call(ShadowMiddleware(answering(b"ok"), world.lane), Client(b"{}"), scope)
    assert world.rows() == []
    assert world.dropped() == {"loop": 1}


def test_a_bad_configuration_is_an_error_at_start() -> None:
    from shadowlane import ConfigError

    with pytest.raises(ConfigError, match=r"shadows: empty"):
        ShadowMiddleware(answering(b""), {"shadows": {}})


class Trial:
    """A lane of which half is taken, so that every other request is timed."""

    def __init__(self, **sections: Any) -> None:
        self.directory = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
        config: dict[str, Any] = {
            "lane": {
                "directory": str(self.directory),
                "worker": "external",
                "ring_bytes": 1 << 20,
                "max_body_bytes": LIMIT,
            },
            "sampling": {"ratio": 0.5, "seed": 1},
            "routes": {"read": ["POST /ask"], "timed": ["GET /find*"]},
            "limits": {"qps": 1e6, "burst": 1_000_000},
            "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
        }
        self.lane = Lane.open({**config, **sections})

    def times(self) -> dict[str, tuple[int, int]]:
        """How many of each route are timed: taken, not taken."""
        _, routes = _core.lane_times(str(self.directory))
        counts = {name: (int(np.frombuffer(a, np.uint64).sum()), int(np.frombuffer(b, np.uint64).sum()))
                  for name, a, b in routes}  # fmt: skip
        return {name: both for name, both in counts.items() if any(both)}


@pytest.fixture
def trial() -> Iterator[Trial]:
    made = Trial()
    yield made
    made.lane.close()
    shutil.rmtree(made.directory, ignore_errors=True)


def test_both_groups_are_timed_by_route(trial: Trial) -> None:
    app = ShadowMiddleware(answering(b"a", b"b"), trial.lane)
    for number in range(100):
        call(app, Client(b"{}"), scope_of())
        call(app, Client(b""), scope_of("GET", f"/find/{number}"))
        call(app, Client(b""), scope_of("GET", "/else"))
    times = trial.times()
    assert set(times) == {"POST /ask", "GET /find*", ""}
    assert sum(taken for taken, _ in times.values()) == sum(other for _, other in times.values()) == 150
    assert all(sum(both) == 100 for both in times.values())
    status = _core.lane_status(str(trial.directory))
    assert (status["seen"], status["mirrored"], status["dropped"]) == (300, 150, {"sampled_out": 150})


def test_a_request_that_is_timed_passes_unchanged(trial: Trial) -> None:
    app, seen = ShadowMiddleware(answering(b"one", b"two", status=418), trial.lane), []
    for _ in range(2):
        client = Client(b"{}")
        call(app, client, scope_of())
        seen.append(client.sent)
    assert trial.times() == {"POST /ask": (1, 1)}
    assert seen[0] == seen[1]
    assert [message.get("body") for message in seen[0]] == [None, b"one", b"two"]


@pytest.mark.parametrize(
    "last",
    [
        {"type": "http.response.pathsend", "path": "/file"},
        {"type": "http.response.zerocopysend", "file": 3},
        {"type": "http.response.body"},
    ],
)
def test_every_kind_of_end_stops_both_clocks(trial: Trial, last: Message) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(last)

    for _ in range(4):
        call(ShadowMiddleware(app, trial.lane), Client(b"{}"))
    assert trial.times() == {"POST /ask": (2, 2)}


def test_answers_that_never_end_are_timed_in_neither_group(trial: Trial) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("prod failed")

    for _ in range(6):
        with pytest.raises(RuntimeError, match="prod failed"):
            call(ShadowMiddleware(failing, trial.lane), Client(b"{}"))
        with pytest.raises(OSError, match="the client is gone"):
            call(ShadowMiddleware(answering(b"x"), trial.lane), Client(b"{}", gone_after=1))
    assert trial.times() == {}
    assert trial.lane.faults == 0


def test_a_copy_that_is_given_up_stays_in_the_group_that_the_coin_gave_it(trial: Trial) -> None:
    large = b"x" * (LIMIT + 1)
    for _ in range(4):
        call(ShadowMiddleware(answering(b"so"), trial.lane), Client(large))
    for _ in range(4):
        call(ShadowMiddleware(answering(b"so", read_first=False), trial.lane), Client(b"{}"))
    assert trial.times() == {"POST /ask": (4, 4)}
    dropped = _core.lane_status(str(trial.directory))["dropped"]
    assert dropped == {"sampled_out": 4, "request_too_large": 2, "prod_failed": 2}


def test_a_sticky_key_of_the_body_is_read_when_the_body_is_known() -> None:
    trial = Trial(sampling={"mode": "sticky", "key": "json:/user", "ratio": 0.5, "seed": 2})
    try:
        app = ShadowMiddleware(answering(b"so"), trial.lane)
        for user in range(40):
            for _ in range(2):
                call(app, Client(b'{"us', f'er": "u{user}"}}'.encode()))
        call(app, Client(b"{}"))
        status = _core.lane_status(str(trial.directory))
        assert status["sampler"]["choice"] == "sticky by body"
        assert (status["seen"], status["sampler"]["eligible"]) == (81, 80)
        assert status["mirrored"] % 2 == 0
        assert 20 <= status["mirrored"] <= 60
        assert status["dropped"] == {"sampled_out": 81 - status["mirrored"]}
    finally:
        trial.lane.close()
        shutil.rmtree(trial.directory, ignore_errors=True)
