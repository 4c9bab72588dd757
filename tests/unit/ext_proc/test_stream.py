"""What becomes of one stream of Envoy's, message by message, in a real lane: orders, bounds, breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("google.protobuf", reason="extra ext-proc")

from shadowlane.ext_proc.messages import ProcessingRequest
from shadowlane.ext_proc.stream import MOST_HEAD_BYTES, Room, Stream
from shadowlane.types import FLAG_RESPONSE_CUT, FLAG_STREAMED
from tests.support.captured import LIMIT, Captured, captured
from tests.support.envoy import message

GET = {":method": "GET", ":path": "/search?q=a%20b", ":authority": "user.example", ":scheme": "https"}
POST = {**GET, ":method": "POST", ":path": "/v1/chat/completions", "content-type": "application/json"}
OK = {":status": "200", "content-type": "application/json"}
ASKED = json.dumps({"messages": [{"role": "user", "content": "How long?"}]}).encode()


class Time:
    """A clock that the test turns."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def shared() -> Iterator[Captured]:
    with captured() as made:
        yield made


@pytest.fixture
def lane() -> Iterator[Captured]:
    with captured() as made:
        yield made


def room(streams: int = 100, held: int = 1 << 20) -> Room:
    return Room(streams, held, Time())


def fed(lane: Captured, messages: list[Any], where: Room | None = None) -> int:
    """Feed a stream until it wants no more, close it; how many messages it took."""
    stream = Stream(lane.lane, where or room())
    taken = 0
    for one in messages:
        taken += 1
        if not stream.take(one):
            break
    stream.close()
    stream.close()
    return taken


def test_a_get_becomes_an_exchange(lane: Captured) -> None:
    messages = [
        message("request_headers", {**GET, "x-a": "1", "connection": "keep-alive, x-hop", "x-hop": "1"}, end=True),
        message("response_headers", {**OK, "x-b": b"\xc3\xbc", "keep-alive": "5"}),
        message("response_body", body=b'{"a":'),
        message("response_body", body=b"1}", end=True),
    ]
    assert fed(lane, messages) == 4
    (row,) = lane.rows()
    assert (row["method"], row["target"], row["status"]) == ("GET", "/search?q=a%20b", 200)
    assert row["response_body"] == b'{"a":1}'
    assert row["flags"] == FLAG_STREAMED
    assert 0 < row["ttfb_ns"] <= row["duration_ns"]
    assert lane.accounted()


def test_a_post_keeps_its_body_in_order_and_its_host(lane: Captured) -> None:
    messages = [
        message("request_headers", {**POST, "content-length": str(len(ASKED))}),
        message("request_body", body=ASKED[:10]),
        message("request_body", body=ASKED[10:]),
        message("request_trailers", {"x-checksum": "1"}),
        message("response_headers", {**OK, "content-length": "2"}),
        message("response_body", body=b"{}", end=True),
    ]
    assert fed(lane, messages) == len(messages)
    (row,) = lane.rows()
    assert row["body"] == ASKED
    assert row["response_body"] == b"{}"
    assert row["flags"] == 0  # as long as its head said, however many pieces it came in
    assert dict(row["headers"]).get(b"content-type") == b"application/json"
    assert not [name for name, _ in row["headers"] if name.startswith(b":")]
    assert lane.accounted()


@pytest.mark.parametrize("ending", ["headers", "trailers"])
def test_an_answer_without_a_body_ends(lane: Captured, ending: str) -> None:
    messages = [message("request_headers", GET, end=True), message("response_headers", OK, end=ending == "headers")]
    if ending == "trailers":
        messages += [message("response_trailers", {"grpc-status": "0"})]
    assert fed(lane, messages) == len(messages)
    assert [row["status"] for row in lane.rows()] == [200]


def test_values_in_the_older_member_are_read(lane: Captured) -> None:
    asked = ProcessingRequest(observability_mode=True)
    for name, value in {**GET, "x-a": "ü"}.items():
        asked.request_headers.headers.headers.add(key=name, value=value)
    asked.request_headers.end_of_stream = True
    assert fed(lane, [asked, message("response_headers", OK, end=True)]) == 2
    assert [row["target"] for row in lane.rows()] == ["/search?q=a%20b"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({":method": "PUT"}, "method"),
        ({":method": "POST", ":path": "/elsewhere"}, "route"),
        ({"x-shadow": "1"}, "loop"),
        ({"x-padding": "x" * MOST_HEAD_BYTES}, "request_too_large"),
        ({f"x-{n}": "" for n in range(9000)}, "request_too_large"),
    ],
)
def test_what_is_not_taken_ends_with_its_head(lane: Captured, fields: dict[str, str], reason: str) -> None:
    assert fed(lane, [message("request_headers", {**GET, **fields}), message("request_body", body=b"x")]) == 1
    assert lane.dropped() == {reason: 1}
    assert lane.accounted()


@pytest.mark.parametrize("fields", [{":method": "CONNECT", ":path": ""}, {":path": "*"}, {":path": "http://x/"}, {}])
def test_what_is_no_request_of_http_is_not_seen(lane: Captured, fields: dict[str, str]) -> None:
    asked = {**GET, **fields} if fields else {}
    assert fed(lane, [message("request_headers", asked, end=True)]) == 1
    assert lane.status()["seen"] == 0


START = [message("request_headers", POST), message("request_body", body=ASKED[:5])]
WHOLE = [*START, message("request_body", body=ASKED[5:], end=True)]
HEAD = message("response_headers", {**OK, "content-length": "4"})


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (START, "client_disconnected"),
        (WHOLE, "client_disconnected"),
        ([*WHOLE, HEAD], "client_disconnected"),
        ([*WHOLE, HEAD, message("response_body", body=b"cut")], "client_disconnected"),
        # Answered without the whole request: what is held is not the request.
        ([*START, HEAD, message("response_body", body=b"full", end=True)], "prod_failed"),
        # None of these is Envoy's.
        ([*WHOLE, message("request_body", body=b"more")], "unreadable"),
        ([*WHOLE, message("request_headers", POST)], "unreadable"),
        ([*WHOLE, message("response_body", body=b"early")], "unreadable"),
        ([*WHOLE, message("response_trailers")], "unreadable"),
        ([*WHOLE, message("")], "unreadable"),
        ([*WHOLE, HEAD, HEAD], "unreadable"),
        ([*WHOLE, message("response_headers", {":status": "2x0"})], "unreadable"),
        ([*WHOLE, message("response_headers", {})], "unreadable"),
        ([*WHOLE, message("response_headers", {**OK, "x": "x" * MOST_HEAD_BYTES})], "unreadable"),
    ],
)
def test_a_stream_that_breaks_off_is_counted(lane: Captured, messages: list[Any], reason: str) -> None:
    where = room()
    fed(lane, messages, where)
    assert lane.rows() == []
    assert lane.dropped() == {reason: 1}
    assert lane.accounted()
    assert (where.bytes, len(where.streams)) == (0, 0)


def test_an_answer_that_is_there_as_a_whole_counts_when_the_user_leaves_before_its_end(lane: Captured) -> None:
    fed(lane, [*WHOLE, HEAD, message("response_body", body=b"full")])
    event = message("response_body", body=b"data: 1\n\ndata: [DONE]\n\n")
    fed(lane, [*WHOLE, message("response_headers", {":status": "200", "content-type": "text/event-stream"}), event])
    assert [row["response_body"][-8:] for row in lane.rows()] == [b"full", b"[DONE]\n\n"]


def test_bodies_are_bounded(lane: Captured) -> None:
    where = room()
    long = b"x" * (LIMIT - 1)
    over = [message("request_headers", POST), message("request_body", body=long), message("request_body", body=b"yz")]
    assert fed(lane, [*over, message("request_body", body=b"z", end=True)], where) == 3
    assert lane.dropped() == {"request_too_large": 1}
    pieces = [message("response_body", body=b"x" * LIMIT, end=last) for last in (False, False, True)]
    stream = Stream(lane.lane, where)
    for one in (message("request_headers", GET, end=True), message("response_headers", OK), *pieces[:2]):
        assert stream.take(one)
    assert where.bytes == LIMIT  # what is above is not held
    assert not stream.take(pieces[2])
    stream.close()
    (row,) = lane.rows()
    assert len(row["response_body"]) == LIMIT
    assert row["flags"] == FLAG_STREAMED | FLAG_RESPONSE_CUT
    assert where.bytes == 0
    assert lane.accounted()


def test_the_number_of_streams_and_what_they_hold_together_are_bounded(lane: Captured) -> None:
    where = room(streams=2, held=10)
    first, second = Stream(lane.lane, where), Stream(lane.lane, where)
    for one in (first, second):
        assert one.take(message("request_headers", POST))
    assert fed(lane, [message("request_headers", POST)], where) == 1  # a third one
    assert first.take(message("request_body", body=b"x" * 6))
    assert not second.take(message("request_body", body=b"x" * 6))
    second.close()
    second = Stream(lane.lane, where)
    assert second.take(message("request_headers", POST))  # there is room again, up to what is held
    assert second.take(message("request_body", body=b"x" * 4))
    assert fed(lane, [message("request_headers", POST)], where) == 1
    assert lane.dropped() == {"cap": 3}
    first.close()
    second.close()
    assert (where.bytes, len(where.streams)) == (0, 0)
    assert lane.accounted()


def test_a_stream_knows_when_it_was_last_heard_of(lane: Captured) -> None:
    clock = Time()
    where = Room(10, 1000, clock)
    stream = Stream(lane.lane, where)
    assert stream.last == 100
    clock.now += 50
    stream.take(message("request_headers", POST))
    assert stream.last == 150
    stream.close()


@pytest.mark.parametrize("fields", [{"upgrade": "websocket", "connection": "upgrade"}])
def test_a_connection_that_becomes_another_protocols_is_not_taken(lane: Captured, fields: dict[str, str]) -> None:
    assert fed(lane, [message("request_headers", {**GET, **fields}, end=True), message("response_headers", OK)]) == 1
    assert lane.status()["mirrored"] == 0
    assert lane.accounted()


def test_an_answer_that_changes_the_protocol_ends_it(lane: Captured) -> None:
    """As of an upgrade whose fields Envoy does not send on."""
    head = message("response_headers", {":status": "101", "upgrade": "websocket", "connection": "upgrade"})
    frames = [message("response_body", body=b"\x81\x02hi"), message("request_body", body=b"\x81\x82")]
    assert fed(lane, [message("request_headers", GET, end=True), head, *frames]) == 2
    assert lane.dropped() == {"method": 1}
    assert lane.accounted()


def test_a_configuration_without_bodies_is_noticed(lane: Captured) -> None:
    where = room()
    told = Stream(lane.lane, where)
    told.take(message("request_headers", POST))
    told.take(message("response_headers", OK))
    told.close()
    assert told.without_body
    assert not where.bodies_seen
    fed(lane, WHOLE, where)
    assert where.bodies_seen


KINDS = [f"{side}_{part}" for side in ("request", "response") for part in ("headers", "body", "trailers")]
FIELDS = st.sampled_from([POST, GET, OK, {}])
ANY = st.lists(
    st.tuples(st.sampled_from([*KINDS, ""]), st.binary(max_size=LIMIT), st.booleans(), FIELDS),
    max_size=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY, st.booleans())
def test_whatever_comes_in_whatever_order_is_accounted_for(shared: Captured, parts: list[Any], polite: bool) -> None:
    """No exception, no open ticket, nothing held, and no fault of ours."""
    where = Room(3, LIMIT + 100, Time())
    stream = Stream(shared.lane, where)
    for kind, body, end, fields in parts:
        more = stream.take(message(kind, fields, body, end=end))
        assert where.bytes <= LIMIT + 100
        if polite and not more:
            break
    stream.close()
    assert (where.bytes, len(where.streams)) == (0, 0)
    shared.rows()
    assert shared.accounted()
