"""Who is taken for a copy, by the ASGI and the WSGI middleware alike; and that the mark covers the whole answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from shadowlane.errors import ConfigError
from shadowlane.guard import ShadowGuard, WSGIShadowGuard, current, is_shadow
from shadowlane.guard.baggage import has_tag, with_tag
from shadowlane.tag import sign

KEY = "a lane key of some length"
Pairs = list[tuple[str, str]]
Ask = Callable[..., tuple[int, dict[str, Any]]]


def _asgi(**options: Any) -> Ask:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        shadow = current()
        said = {"shadow": is_shadow(), "id": shadow.id if shadow else "", "signed": bool(shadow and shadow.signed)}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})

    guarded = ShadowGuard(app, **options)

    def ask(headers: Pairs, method: str = "GET", target: str = "/p%20ath") -> tuple[int, dict[str, Any]]:
        path, _, query = target.partition("?")
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": method,
            "path": unquote_to_bytes(path).decode(),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        }

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        asyncio.run(guarded(scope, receive, send))
        assert not is_shadow()
        return sent[0]["status"], json.loads(sent[1]["body"])

    return ask


def _wsgi(**options: Any) -> Ask:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        shadow = current()
        said = {"shadow": is_shadow(), "id": shadow.id if shadow else "", "signed": bool(shadow and shadow.signed)}
        return [json.dumps(said).encode()]

    guarded = WSGIShadowGuard(app, **options)

    def ask(headers: Pairs, method: str = "GET", target: str = "/p%20ath") -> tuple[int, dict[str, Any]]:
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": query, "SCRIPT_NAME": ""}
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
        setup_testing_defaults(environ)
        for name, value in headers:
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        status: list[str] = []
        answer = guarded(environ, lambda line, headers: status.append(line))  # type: ignore[arg-type,return-value]
        body = b"".join(answer)
        assert not is_shadow()
        return int(status[0][:3]), json.loads(body)

    return ask


BOTH = pytest.mark.parametrize("made", [_asgi, _wsgi], ids=["asgi", "wsgi"])


def signed(method: str = "GET", path: str = "/p%20ath", query: str = "", key: str = KEY, **options: Any) -> Pairs:
    tags = [("x-shadow", "1"), ("x-shadow-id", "an-id"), ("x-shadow-req-hash", "h")]
    return [*tags, *sign(key.encode(), method, path.encode(), query.encode(), "an-id", "h", **options)]


@BOTH
@pytest.mark.parametrize(
    ("headers", "shadow"),
    [
        ([], False),
        ([("x-shadow", "1")], True),
        ([("X-Shadow", "1")], True),
        ([("x-shadow", "yes")], True),
        ([("x-shadow", "0")], False),
        ([("x-shadow", "false")], False),
        ([("x-shadow", "")], False),
        ([("x-shadow", "0"), ("x-shadow", "1")], True),
        ([("baggage", "shadow=true")], True),
        ([("baggage", "a=1, shadow = %74rue ;p=1,b=2")], True),
        ([("baggage", "a=1"), ("baggage", "shadow=true")], True),
        ([("baggage", "shadow=false")], False),
        ([("baggage", "Shadow=true,notshadow=true,x=shadow=true")], False),
        ([("x-shadowy", "1")], False),
        ([("x-shadow-id", "an-id")], True),
        ([("x-shadow-req-hash", "h"), ("x-shadow", "0")], False),
    ],
)
def test_the_tag_without_keys(made: Callable[..., Ask], headers: Pairs, shadow: bool) -> None:
    status, said = made()(headers)
    assert (status, said["shadow"]) == (200, shadow)


@BOTH
def test_with_keys_only_the_lane_is_believed(made: Callable[..., Ask]) -> None:
    ask = made(keys=[KEY])
    assert ask([])[1]["shadow"] is False
    assert ask(signed()) == (200, {"shadow": True, "id": "an-id", "signed": True})
    for forged in (
        [("x-shadow", "1")],
        [("baggage", "shadow=true")],
        signed(key="another key of length"),
        signed(method="POST"),
        signed(path="/other"),
        signed(created=int(time.time()) - 3600),
        [*signed(), ("x-shadow", "1")],
        [pair for pair in signed() if pair[0] != "signature"],
        [pair for pair in signed() if pair[0] != "x-shadow"],
        *([("x-shadow", off), *signed()[1:]] for off in ("0", "false", "", "False")),
        [("x-shadow", "0"), *signed()],
        [
            ("x-shadow", "0"),
            *signed()[1:-2],
            ("signature-input", f"proxy=();created=1, {dict(signed())['signature-input']}"),
        ],
    ):
        status, said = ask(forged)
        assert status == 403
        assert said["error"] == "shadow_tag_refused"
    assert made(keys=[KEY], require_signature=False)([("x-shadow", "1")])[1] == {
        "shadow": True,
        "id": "",
        "signed": False,
    }


@BOTH
def test_a_stripped_tag_is_refused_where_only_copies_may_arrive(made: Callable[..., Ask]) -> None:
    ask = made(keys=[KEY], expect="shadow-only")
    assert ask(signed(query="q=1"), target="/p%20ath?q=1")[0] == 200
    status, said = ask([])
    assert status == 403
    assert "no shadow tag" in said["reason"]
    assert made(expect="shadow-only")([("x-shadow", "0")])[0] == 403


@BOTH
def test_odd_ids_are_not_kept(made: Callable[..., Ask]) -> None:
    for odd in ("a\tb", "ä", "x" * 200):
        assert made()([("x-shadow", "1"), ("x-shadow-id", odd)])[1]["id"] == ""


@BOTH
@pytest.mark.parametrize(
    "options",
    [{"expect": "shadow"}, {"require_signature": True}, {"keys": ["short"]}, {"keys": [KEY], "max_age_s": -1}],
)
def test_wrong_settings_are_errors_at_start(made: Callable[..., Ask], options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        made(**options)


def test_starlette_streams_and_background_tasks_are_covered() -> None:
    seen: list[bool] = []

    async def stream() -> Any:
        for _ in range(3):
            yield str(is_shadow()).encode()

    def blocking(request: Any) -> JSONResponse:  # Starlette runs it in a thread
        return JSONResponse(is_shadow(), background=BackgroundTask(lambda: seen.append(is_shadow())))

    async def streaming(request: Any) -> StreamingResponse:
        return StreamingResponse(stream())

    app = ShadowGuard(Starlette(routes=[Route("/blocking", blocking), Route("/streaming", streaming)]))
    with TestClient(app) as client:
        assert client.get("/blocking", headers={"x-shadow": "1"}).json() is True
        assert client.get("/blocking").json() is False
        assert seen == [True, False]
        assert client.get("/streaming", headers={"x-shadow": "1"}).text == "True" * 3
        assert client.get("/streaming").text == "False" * 3


def test_websockets_are_marked_and_refused_before_accept() -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", "shadow": is_shadow()})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": [(b"x-shadow", b"1")]}
    asyncio.run(ShadowGuard(app)(dict(scope), receive, send))
    asyncio.run(ShadowGuard(app, keys=[KEY])(dict(scope), receive, send))
    assert sent == [{"type": "websocket.accept", "shadow": True}, {"type": "websocket.close", "code": 1008}]


def test_the_mark_covers_what_wsgi_iterates_and_closes() -> None:
    seen: list[Any] = []

    class Answer:
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(2):
                seen.append(is_shadow())
                yield b"x"

        def close(self) -> None:
            seen.append(("closed", is_shadow()))

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Answer()

    def serve(headers: dict[str, str]) -> list[Any]:
        environ: dict[str, Any] = {**headers}
        setup_testing_defaults(environ)
        answer: Any = WSGIShadowGuard(app)(environ, lambda status, headers: None)  # type: ignore[arg-type,return-value]
        seen.clear()
        list(answer)
        assert not is_shadow()
        answer.close()
        return list(seen)

    assert serve({"HTTP_X_SHADOW": "1"}) == [True, True, ("closed", True)]
    assert serve({}) == [False, False, ("closed", False)]


def test_baggage_that_is_sent_on_keeps_what_was_there() -> None:
    assert with_tag(None) == with_tag(" ") == "shadow=true"
    assert with_tag("a=1;p,b=2") == "shadow=true,a=1;p,b=2"
    assert with_tag("a=1,shadow=true") == "a=1,shadow=true"
    assert has_tag([with_tag("shadow=false")])
