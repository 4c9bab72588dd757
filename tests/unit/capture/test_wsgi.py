"""The WSGI middleware around bare applications, Flask and Django, checked against PEP 3333 by ``wsgiref.validate``."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowlane import ConfigError
from shadowlane.types import FLAG_RESPONSE_CUT, FLAG_STREAMED
from shadowlane.wsgi import ShadowMiddleware
from tests.support.captured import LIMIT, Captured, captured

PLAIN = [("Content-Type", "text/plain")]


class Input(io.BytesIO):
    """A server's input: says how much was read of it, and when."""

    def __init__(self, data: bytes, events: list[Any] | None = None) -> None:
        super().__init__(data)
        self.events = events if events is not None else []

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.events.append(("read", len(data)))
        return data

    def readline(self, size: int | None = -1) -> bytes:
        return super().readline(size)


def environ_of(body: bytes = b"", method: str = "POST", path: str = "/ask", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": ""}
    setup_testing_defaults(made)
    made |= {"wsgi.input": Input(body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json"}
    return {name: value for name, value in {**made, **more}.items() if value is not None}


class Server:
    """A server's side of one call: keeps what was sent and in which order."""

    def __init__(self, *, leaves_after: int | None = None) -> None:
        self.head: tuple[str, list[tuple[str, str]]] | None = None
        self.sent: list[bytes] = []
        self.leaves_after = leaves_after

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        if exc_info and self.sent:
            raise exc_info[1].with_traceback(exc_info[2])
        self.head = (status, list(headers))
        return self.sent.append

    def call(self, app: Any, environ: dict[str, Any]) -> list[bytes]:
        answer = app(environ, self.start)
        try:
            for piece in answer:
                self.sent.append(piece)
                if self.leaves_after is not None and len(self.sent) >= self.leaves_after:
                    break
        finally:
            if hasattr(answer, "close"):
                answer.close()
        return self.sent


def answering(*pieces: bytes, status: str = "200 OK", headers: list[tuple[str, str]] = PLAIN) -> Any:
    """Reads its request as most frameworks do, and answers with a generator."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(status, headers)
        yield from pieces

    return app


def test_an_exchange_is_offered_whole(into: Captured) -> None:
    environ = environ_of(b'{"q": 1}', path="/ask", QUERY_STRING="a=1", HTTP_X_ORDER="yes")
    assert Server().call(ShadowMiddleware(answering(b"so"), into.lane), environ) == [b"so"]
    [row] = into.rows()
    assert (row["method"], row["target"], row["body"]) == ("POST", "/ask?a=1", b'{"q": 1}')
    assert (row["status"], row["response_body"]) == (200, b"so")
    assert dict(row["response_headers"]) == {b"content-type": b"text/plain"}
    assert 0 < row["ttfb_ns"] <= row["duration_ns"]
    assert into.accounted()


def test_it_is_valid_wsgi_on_both_sides(into: Captured) -> None:
    """The standard library's validator around and inside of it: types, order of calls, ``close``, reading."""
    app = validator(ShadowMiddleware(validator(answering(b"a", b"b")), into.lane))
    assert Server().call(app, environ_of(b"{}")) == [b"a", b"b"]
    [row] = into.rows()
    assert (row["body"], row["response_body"], row["flags"]) == (b"{}", b"ab", FLAG_STREAMED)


def test_pieces_pass_when_they_are_made_and_none_is_asked_for_early(into: Captured) -> None:
    events: list[str] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        events.append("called")
        environ["wsgi.input"].read()
        start_response("200 OK", PLAIN)
        for number in range(3):
            events.append(f"made {number}")
            yield b"%d" % number

    source = Input(b"{}", events)  # type: ignore[arg-type]
    answer = ShadowMiddleware(app, into.lane)(environ_of(b"{}", **{"wsgi.input": source}), Server().start)
    assert events == []
    for number, piece in enumerate(answer):
        assert piece == b"%d" % number
        assert events[-1] == f"made {number}"
    answer.close()  # type: ignore[attr-defined]
    assert events[:2] == ["called", ("read", 2)]
    assert len(into.rows()) == 1


@pytest.mark.parametrize(
    "reading",
    [
        lambda source: source.read(),
        lambda source: source.read(-1),
        lambda source: source.read(9),
        lambda source: (source.read(4), source.read(5)),
        lambda source: b"".join(iter(lambda: source.read(2), b"")),
        lambda source: [source.readline() for _ in range(3)],
        lambda source: source.readlines(),
        lambda source: list(source),
        lambda source: (source.readinto(bytearray(4)), source.readinto(bytearray(100))),
        lambda source: (source.read1(4), source.read1(100)),
        lambda source: (source.read(size=4), source.readline(size=2), source.read(size=5)),
        lambda source: source.read(size=None),
        lambda source: [next(source) for _ in range(3)],
    ],
)
@pytest.mark.parametrize("length", [True, False])
def test_every_way_of_reading_is_seen(into: Captured, reading: Any, length: bool) -> None:
    body = b"one\ntwo\nx"

    def app(environ: Any, start_response: Any) -> list[bytes]:
        reading(environ["wsgi.input"])
        if not length:  # only so the end of such a body is known
            assert environ["wsgi.input"].read() == b""
        start_response("200 OK", PLAIN)
        return [b"ok"]

    more = {} if length else {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}
    Server().call(ShadowMiddleware(app, into.lane), environ_of(body, **more))
    [row] = into.rows()
    assert row["body"] == body


def test_a_reader_of_another_kind_costs_the_copy(into: Captured) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [environ["wsgi.input"].getvalue()]

    assert Server().call(ShadowMiddleware(app, into.lane), environ_of(b"{}")) == [b"{}"]
    assert into.rows() == []
    assert into.dropped() == {"unreadable": 1}


def test_to_ask_what_an_input_can_do_is_no_reading(into: Captured) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        source = environ["wsgi.input"]
        assert [hasattr(source, name) for name in ("seek", "fileno", "no_such_thing")] == [True, True, False]
        assert source.readable()
        assert not source.closed
        start_response("200 OK", PLAIN)
        return [source.read(2)]

    assert Server().call(ShadowMiddleware(app, into.lane), environ_of(b"{}")) == [b"{}"]
    [row] = into.rows()
    assert row["body"] == b"{}"


def test_what_is_not_read_is_prods_doing_and_a_short_body_the_clients(into: Captured) -> None:
    def unread(environ: Any, start_response: Any) -> list[bytes]:
        start_response("413 Too Large", PLAIN)
        return [b"no"]

    Server().call(ShadowMiddleware(unread, into.lane), environ_of(b"{}"))
    assert into.dropped() == {"prod_failed": 1}
    Server().call(ShadowMiddleware(answering(b"x"), into.lane), environ_of(b"{}", CONTENT_LENGTH="9"))
    Server().call(ShadowMiddleware(answering(b"x"), into.lane), environ_of(b"", CONTENT_LENGTH="9"))
    assert into.dropped() == {"prod_failed": 1, "client_disconnected": 2}


def test_an_input_that_fails_is_the_clients_doing(into: Captured) -> None:
    class Broken(Input):
        def read(self, *size: Any) -> bytes:
            raise ConnectionResetError("the client is gone")

    def careful(environ: Any, start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read(2)
        except ConnectionResetError:
            start_response("400 Bad Request", PLAIN)
        return [b"bad"]

    for app in (careful, answering(b"x")):
        server = Server()
        middleware = ShadowMiddleware(app, into.lane)
        environ = environ_of(b"{}", **{"wsgi.input": Broken(b"")})
        if app is careful:
            assert server.call(middleware, environ) == [b"bad"]
        else:
            with pytest.raises(ConnectionResetError, match="the client is gone"):
                server.call(middleware, environ)
    assert into.dropped() == {"client_disconnected": 2}


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_a_large_request_is_not_mirrored_and_a_large_answer_is_cut(into: Captured, size: int) -> None:
    body, chunked = b"x" * size, {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [environ["wsgi.input"].read(), b"word " * 2000]

    assert Server().call(ShadowMiddleware(app, into.lane), environ_of(body, **chunked))[0] == body
    rows = into.rows()
    if size > LIMIT:
        assert rows == []
        assert into.dropped() == {"request_too_large": 1}
    else:
        [row] = rows
        assert row["flags"] & FLAG_RESPONSE_CUT
        assert (body + b"word " * 2000).startswith(row["response_body"])


def test_what_prod_raises_is_raised_on(into: Captured) -> None:
    error = RuntimeError("prod's own")

    def at_once(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    def later(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"x"
        raise error

    def never(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)

    for app in (at_once, later):
        with pytest.raises(RuntimeError) as caught:
            Server().call(ShadowMiddleware(app, into.lane), environ_of())
        assert caught.value is error
    with pytest.raises(TypeError, match="'NoneType' object is not iterable"):
        Server().call(ShadowMiddleware(never, into.lane), environ_of())
    assert into.rows() == []
    assert sum(into.dropped().values()) == 3
    assert into.dropped()["prod_failed"] == 2
    assert into.accounted()


@pytest.mark.parametrize("after", [1, 2])
def test_a_client_that_leaves_in_mid_answer_is_counted(into: Captured, after: int) -> None:
    closed: list[bool] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        try:
            yield from (b"a", b"b", b"c")
        except GeneratorExit:
            closed.append(True)
            raise

    Server(leaves_after=after).call(ShadowMiddleware(app, into.lane), environ_of())
    assert closed == [True]
    assert into.rows() == []
    assert into.dropped() == {"client_disconnected": 1}


def test_an_answer_of_known_length_may_be_closed_at_its_end(into: Captured) -> None:
    headers = [*PLAIN, ("Content-Length", "2")]
    Server(leaves_after=2).call(ShadowMiddleware(answering(b"a", b"b", b"", headers=headers), into.lane), environ_of())
    [row] = into.rows()
    assert row["response_body"] == b"ab"


def test_the_end_of_an_answer_that_nobody_reads_is_known_when_it_dies(into: Captured) -> None:
    answer = ShadowMiddleware(answering(b"a", b"b"), into.lane)(environ_of(), Server().start)
    next(iter(answer))
    del answer
    assert into.dropped() == {"client_disconnected": 1}


class Sized:
    """An answer with a length and a ``close``, which is no list."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.closed = pieces, 0

    def __len__(self) -> int:
        return len(self.pieces)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed += 1


def test_the_length_and_close_of_an_answer_stay(into: Captured) -> None:
    sized = Sized(b"one")
    for made in ([b"one"], (b"one",), sized, iter([b"one"])):

        def app(environ: Any, start_response: Any, made: Any = made) -> Any:
            start_response("200 OK", PLAIN)
            return made

        answer = ShadowMiddleware(app, into.lane)(environ_of(), Server().start)
        assert hasattr(answer, "__len__") == hasattr(made, "__len__")
        if hasattr(made, "__len__"):
            assert len(answer) == 1  # type: ignore[arg-type]
        assert list(answer) == [b"one"]
        answer.close()  # type: ignore[attr-defined]
    assert sized.closed == 1
    assert [row["flags"] for row in into.rows()] == [0, 0, 0, FLAG_STREAMED]


def test_write_and_a_second_start_with_an_error(into: Captured) -> None:
    import sys

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        if environ["QUERY_STRING"] == "sent":
            write(b"early ")
        try:
            raise ValueError("prod failed midway")
        except ValueError:
            start_response("500 Server Error", [("X-Late", "1")], sys.exc_info())
        return [b"late"]

    server = Server()
    assert server.call(ShadowMiddleware(app, into.lane), environ_of()) == [b"late"]
    assert server.head == ("500 Server Error", [("X-Late", "1")])
    [row] = into.rows()
    assert (row["status"], row["response_body"]) == (500, b"late")
    with pytest.raises(ValueError, match="midway"):
        Server().call(ShadowMiddleware(app, into.lane), environ_of(QUERY_STRING="sent"))
    assert into.dropped() == {"prod_failed": 1}

    def writing(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"one ")
        write(b"two ")
        return [b"three"]

    assert Server().call(ShadowMiddleware(writing, into.lane), environ_of()) == [b"one ", b"two ", b"three"]
    [row] = into.rows()
    assert row["response_body"] == b"one two three"


@pytest.mark.parametrize("uwsgi", [False, True])
def test_a_file_is_left_to_the_server(into: Captured, tmp_path: Path, uwsgi: bool) -> None:
    """The very object comes back, by which the server knows that it may use ``sendfile``."""
    file = tmp_path / "page"
    file.write_bytes(b"word " * 10)
    wrapper: Any = (lambda filelike, size=8192: filelike) if uwsgi else FileWrapper
    with file.open("rb") as opened:

        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", PLAIN)
            return environ["wsgi.file_wrapper"](opened)

        answer = ShadowMiddleware(app, into.lane)(environ_of(**{"wsgi.file_wrapper": wrapper}), Server().start)
        assert answer is opened if uwsgi else type(answer) is FileWrapper
        assert b"".join(answer) == b"word " * 10
    [row] = into.rows()
    assert (row["response_body"], row["flags"]) == (b"", FLAG_RESPONSE_CUT)


TARGETS = [
    ({"PATH_INFO": "/ask/caf\xc3\xa9 x", "QUERY_STRING": "q=%20"}, "/ask/caf%C3%A9%20x?q=%20"),
    ({"PATH_INFO": "/ask/x", "SCRIPT_NAME": "/ask", "RAW_URI": "/ask/%61sk?a=1"}, "/ask/%61sk?a=1"),
    ({"PATH_INFO": "/ask", "REQUEST_URI": "http://host:80/ask?x"}, "/ask?x"),
    ({"PATH_INFO": "/x", "SCRIPT_NAME": "/ask"}, "/ask/x"),
    ({"PATH_INFO": "", "SCRIPT_NAME": "", "REQUEST_METHOD": "GET"}, "/"),
    ({"PATH_INFO": "/", "REQUEST_URI": "http://host?x=1", "REQUEST_METHOD": "GET"}, "/?x=1"),
]


@pytest.mark.parametrize(("parts", "target"), TARGETS)
def test_a_copy_carries_what_was_sent_on_the_wire(into: Captured, parts: dict[str, str], target: str) -> None:
    Server().call(ShadowMiddleware(answering(b"x"), into.lane), environ_of(**parts))
    [row] = into.rows()
    assert row["target"] == target


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"HTTP_X_SHADOW": "1"}, "loop"),
        ({"HTTP_UPGRADE": "websocket"}, "method"),
        ({"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"}, "method"),
        ({"PATH_INFO": "/order"}, "route"),
        ({"REQUEST_METHOD": "DELETE"}, "method"),
        ({"CONTENT_LENGTH": "99999"}, "request_too_large"),
    ],
)
def test_what_is_not_mirrored_is_served_untouched_and_counted(
    into: Captured, more: dict[str, str], reason: str
) -> None:
    got: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        got.extend((environ["wsgi.input"], start_response))
        start_response("200 OK", PLAIN)
        return answer

    answer = [b"x"]
    environ, server = environ_of(b"{}", **more), Server()
    start = server.start
    assert ShadowMiddleware(app, into.lane)(environ, start) is answer
    assert got == [environ["wsgi.input"], start]
    assert type(got[0]) is Input
    [(counted, n)] = into.dropped().items()
    assert (counted, n) == (reason, 1) or reason == "method"
    assert into.rows() == []


@pytest.mark.parametrize("key", ["header:x-user", "cookie:user", "api_key"])
def test_a_sticky_key_is_read_of_the_environ(key: str) -> None:
    name = {"header:x-user": "HTTP_X_USER", "cookie:user": "HTTP_COOKIE", "api_key": "HTTP_AUTHORIZATION"}[key]
    with captured(sampling={"mode": "sticky", "key": key, "ratio": 0.5}) as into:
        app = ShadowMiddleware(answering(b"x"), into.lane)
        for user in range(40):
            for _ in range(2):
                Server().call(app, environ_of(b"{}", **{name: f"user={user}"}))
        status = into.status()
        assert (status["seen"], status["sampler"]["eligible"]) == (80, 80)
        assert status["mirrored"] % 2 == 0
        assert 0 < status["mirrored"] < 80


def test_both_groups_are_timed_at_the_same_end(half: Captured, tmp_path: Path) -> None:
    def file(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](io.BytesIO(b"x"))

    for _ in range(8):
        Server().call(ShadowMiddleware(answering(b"a", b"b"), half.lane), environ_of(b"{}"))
        Server().call(ShadowMiddleware(file, half.lane), environ_of(**{"wsgi.file_wrapper": FileWrapper}))
        Server(leaves_after=1).call(ShadowMiddleware(answering(b"a", b"b"), half.lane), environ_of())
    assert half.times() == {"POST /ask*": (8, 8)}
    assert half.accounted()


BROKEN: list[dict[str, Any]] = [
    {"REQUEST_METHOD": None},
    {"REQUEST_METHOD": 7},
    {"HTTP_X_SHADOW": b"bytes"},
    {"HTTP_X": "\u20ac"},
    {"CONTENT_LENGTH": "many"},
    {"PATH_INFO": "/\u20ac", "RAW_URI": None},
    {"CONTENT_LENGTH": "-1"},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_strange_environ_costs_the_user_nothing(into: Captured, broken: dict[str, Any]) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [environ["wsgi.input"].read()]

    assert Server().call(ShadowMiddleware(app, into.lane), environ_of(b"{}", **broken)) == [b"{}"]
    assert into.status()["open"] == 0


@pytest.mark.parametrize(
    "head", [("200", [("a", "b")]), ("nonsense", PLAIN), ("200 OK", [("a", "\u20ac")]), ("200 OK", None)]
)
def test_a_strange_head_costs_the_user_nothing(into: Captured, head: Any) -> None:
    class Anything(Server):
        def start(self, status: Any, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            self.head = (status, headers)
            return self.sent.append

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(*head)
        return [b"so"]

    server = Anything()
    assert server.call(ShadowMiddleware(app, into.lane), environ_of()) == [b"so"]
    assert server.head == head
    assert into.status()["open"] == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("yield"), st.one_of(st.binary(max_size=2 * LIMIT), st.just(b""), st.just("text"))),
        st.tuples(st.just("write"), st.binary(max_size=LIMIT)),
        st.tuples(st.just("read"), st.integers(-1, 3 * LIMIT)),
        st.tuples(st.just("line"), st.none()),
        st.tuples(st.just("raise"), st.none()),
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, body=st.binary(max_size=2 * LIMIT), chunked=st.booleans(), leaves=st.integers(1, 9))
def test_any_application_is_served_as_without_it(
    into: Captured, steps: list[tuple[str, Any]], body: bytes, chunked: bool, leaves: int
) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[Any]:
        write = start_response("200 OK", PLAIN)
        for kind, value in steps:
            if kind == "yield":
                yield value
            elif kind == "write":
                write(value)
            elif kind == "read":
                yield environ["wsgi.input"].read(value)
            elif kind == "line":
                yield environ["wsgi.input"].readline()
            else:
                raise LookupError("prod's own")

    def outcome(served: Any) -> tuple[Any, ...]:
        more = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"} if chunked else {}
        server, environ = Server(leaves_after=leaves), environ_of(body, **more)
        source = environ["wsgi.input"]
        raised = ""
        try:
            server.call(served, environ)
        except LookupError as error:
            raised = str(error)
        return server.sent, server.head, raised, source.events, source.tell()

    assert outcome(ShadowMiddleware(app, into.lane)) == outcome(app)
    assert into.accounted()
    into.rows()


def test_flask_answers_as_before_and_is_mirrored(into: Captured) -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask(__name__)

    @app.post("/ask")
    def ask() -> Any:
        return {"answer": flask.request.get_json()["q"]}

    @app.get("/stream")
    def stream() -> Any:
        return flask.Response((f"data: {n}\n\n" for n in range(3)), mimetype="text/event-stream")

    @app.get("/file")
    def file() -> Any:
        return flask.send_file(io.BytesIO(b"bytes of a file"), mimetype="text/plain")

    plain = app.test_client()
    expected = [plain.post("/ask", json={"q": "why"}).data, plain.get("/stream").data, plain.get("/file").data]
    app.wsgi_app = ShadowMiddleware(app.wsgi_app, into.lane)
    mirrored = app.test_client()
    answers = [mirrored.post("/ask", json={"q": "why"}), mirrored.get("/stream"), mirrored.get("/file")]
    assert [answer.data for answer in answers] == expected
    for answer in answers:
        answer.close()
    rows = into.rows()
    assert [(row["target"], row["response_body"]) for row in rows] == [
        ("/ask", expected[0]),
        ("/stream", expected[1]),
        ("/file", expected[2]),
    ]
    assert b'"why"' in rows[0]["body"]
    assert rows[1]["flags"] == FLAG_STREAMED


def test_a_bad_configuration_is_an_error_at_start_and_off_inside_of_a_request() -> None:
    with pytest.raises(ConfigError, match="shadows: empty"):
        ShadowMiddleware(answering(b""), {"shadows": {}})

    def late(environ: Any, start_response: Any) -> Any:
        made.append(ShadowMiddleware(answering(b"so"), {"shadows": {}}))
        return made[0](environ, start_response)

    made: list[ShadowMiddleware] = []
    assert Server().call(late, environ_of()) == [b"so"]
    _said(made[0])
    assert "shadows: empty" in made[0].error
    assert made[0].lane is None


def _said(middleware: ShadowMiddleware) -> None:
    import threading

    for thread in threading.enumerate():
        if thread.name == "shadowlane-open":
            thread.join(60)
    assert middleware.error


def test_under_mod_wsgi_a_bad_configuration_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """mod_wsgi imports the application at the first user's request, and answers 500 when that raises."""
    import sys
    import types

    monkeypatch.setitem(sys.modules, "mod_wsgi", types.ModuleType("mod_wsgi"))
    middleware = ShadowMiddleware(answering(b"so"), {"shadows": {}})
    assert Server().call(middleware, environ_of()) == [b"so"]
    _said(middleware)
