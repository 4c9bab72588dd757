"""A judge's side of the stream, on a real server: what is held, acknowledged, set aside, and how fast it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from shadowlane.offload import encode
from shadowlane.types import Copy
from shadowlane.worker.inbox import Inbox
from tests.e2e.conftest import until

from ..worker.world import FIELDS, copy_of
from .conftest import Open
from .test_stream import idle

SOURCE = "host/lane/0123"
MANY = 1 << 20


class OwnLane:
    def lane_id(self) -> str:
        return "0123"

    def take_own(self, name: str, qps: float, burst: int) -> bool:
        return True


class Judges:
    """Judges on one stream, closed at the end."""

    def __init__(self, opened: Open) -> None:
        self.opened = opened
        self.made: list[Inbox] = []

    def open(self, name: str = "one", *, keeps: bool = True, **options: Any) -> Inbox:
        """``keeps``: with its thread; without, it does only what it is told."""
        stream = self.opened(name, claim_s=options.get("claim_s", 86_400.0))
        given = {"qps": 1e6, "burst": MANY, "most_bytes": MANY, "claim_s": 86_400.0, "max_deliveries": 10, **options}
        inbox = Inbox(stream, OwnLane(), **given)
        if keeps:
            inbox.open()
            self.made.append(inbox)
        return inbox


@pytest.fixture
def judges(opened: Open) -> Iterator[Judges]:
    made = Judges(opened)
    yield made
    for inbox in made.made:
        inbox.close()


def publish(opened: Open, count: int, first: int = 0) -> None:
    copies = [encode(copy_of(first + number)) for number in range(count)]
    assert opened().publish(SOURCE, copies, []) == count


def drained(inbox: Inbox, most: int = 100) -> list[Copy]:
    """What it gives once it has units of its cap, which it begins without."""
    rows: list[Any] = []

    def some() -> bool:
        rows.extend(inbox.drain(most, MANY))
        return bool(rows)

    until(some, "copies of the stream")
    return [Copy(**dict(zip(FIELDS, row, strict=True))) for row in rows]


def numbers(copies: list[Copy]) -> list[int]:
    return [int(copy.shadow_id[-12:], 16) for copy in copies]


def test_a_copy_is_acknowledged_when_the_pipeline_does(opened: Open, judges: Judges) -> None:
    publish(opened, 3)
    inbox = judges.open()
    copies = drained(inbox)
    assert numbers(copies) == [0, 1, 2]
    assert len({copy.seq for copy in copies}) == 3
    assert inbox.pending() == 3
    inbox.ack(0, copies[1].seq)
    inbox.ack(0, copies[1].seq)
    until(lambda: opened().state().total.judged == 1, "one is judged")
    assert inbox.pending() == 2
    assert opened().state().length == 2


def test_a_judge_is_seen_while_it_works_whether_it_holds_copies_or_not(opened: Open, judges: Judges) -> None:
    publish(opened, 1)
    assert opened().state().judges == 0
    one, two = judges.open("one", claim_s=3600.0), judges.open("two", claim_s=3600.0)
    until(lambda: opened(claim_s=3600.0).state().judges == 2, "both give a sign")
    judges.made.remove(one)
    one.close()
    assert opened(claim_s=3600.0).state().judges == 1
    until(lambda: two.state()["stream"]["judges"] == 1, "the other one sees it")


def test_its_successor_has_what_it_held_at_once(opened: Open, judges: Judges) -> None:
    publish(opened, 5)
    killed = judges.open(keeps=False)
    assert len(drained(killed)) == 5
    again = judges.open()
    publish(opened, 2, first=5)
    copies = drained(again)
    assert numbers(copies) == [0, 1, 2, 3, 4, 5, 6]
    for copy in copies:
        again.ack(0, copy.seq)
    until(lambda: opened().state().total.judged == 7, "all are judged")
    assert drained_nothing(again)


def drained_nothing(inbox: Inbox) -> bool:
    return inbox.drain(100, MANY) == []


def test_another_judge_gets_it_after_a_while_and_a_live_one_keeps_it(opened: Open, raw: Any, judges: Judges) -> None:
    publish(opened, 4)
    killed = judges.open("killed", keeps=False)
    assert len(drained(killed, most=2)) == 2
    live = judges.open("live")
    assert numbers(drained(live)) == [2, 3]
    ids = [[one.id for one in opened(name).owned()] for name in ("killed", "live")]
    for name, some in zip(("killed", "live"), ids, strict=True):
        idle(opened(name), raw, some, 86_400_001)
    opened("live").beat(ids[1])  # what its thread does now and then
    other = judges.open("other")
    assert numbers(drained(other)) == [0, 1]
    assert other.state()["taken_over"] == 2


def test_what_cannot_be_read_is_set_aside_and_the_rest_goes_on(opened: Open, raw: Any, judges: Judges) -> None:
    publish(opened, 1)
    name = opened()._keys[0]  # type: ignore[attr-defined]
    raw.xadd(name, {"v": "1", "from": SOURCE, "copy": b"\xc1planted-secret"})
    raw.xadd(name, {"v": "99", "from": SOURCE, "copy": encode(copy_of(9)).record})
    raw.xadd(name, {"planted": "secret"})
    publish(opened, 1, first=1)
    inbox = judges.open()
    copies = drained(inbox)
    assert numbers(copies) == [0, 1]
    assert inbox.state()["set_aside"] == 3
    kept = [fields[b"reason"].decode() for _, fields in raw.xrange(f"{name}:aside")]
    assert ["record" in kept[0], "version" in kept[1], "version" in kept[2]] == [True, True, True]
    assert not any("planted" in reason for reason in kept)
    assert opened().state().length == 2


def test_given_out_too_often_it_is_set_aside_and_before_that_alone(opened: Open, judges: Judges) -> None:
    """A judge dies of the second copy, again and again: the others are judged, and it is set aside."""
    publish(opened, 6)
    stream, deaths, judged, alone = opened(), 0, 0, list[int]()
    while stream.state().length:
        inbox = judges.open(max_deliveries=6)
        while stream.state().length:
            rows = inbox.drain(4, MANY)
            copies = [Copy(**dict(zip(FIELDS, row, strict=True))) for row in rows]
            if 1 in numbers(copies):
                deaths += 1
                alone.append(len(copies))
                break  # it dies, with all that it holds
            for copy in copies:
                inbox.ack(0, copy.seq)
            judged += len(copies)
            until(lambda n=judged: stream.state().total.judged == n, "they are judged")
        inbox.close()
        judges.made.remove(inbox)
    state = stream.state()
    assert (state.total.judged, state.total.set_aside, state.missing) == (5, 1, 0)
    assert deaths == 6
    assert alone[-2:] == [1, 1]
    assert min(alone[:-2]) > 1


def test_it_takes_no_more_than_its_cap_and_the_rest_waits_in_the_stream(opened: Open, judges: Judges) -> None:
    publish(opened, 50)
    inbox = judges.open(qps=1e-6, burst=10)
    assert drained_nothing(inbox), "it begins without a burst"
    assert opened().state().pending == 0
    fast = judges.open("fast", burst=10, qps=1000.0)
    until(lambda: fast.available() >= 10, "it has its burst")
    fast.set_rate(1e-7)  # what it has stays, and however slow the machine is, nothing is added
    assert len(fast.drain(100, MANY)) == 10
    # A judge's control loop slows it, and pauses it.
    inbox.set_rate(1e-7)
    assert inbox.throttle()[0] == 1e-7
    inbox.set_rate(0.0)
    assert inbox.throttle()[0] == 1e-6
    publish(opened, 5, first=50)
    ready = judges.open("ready")
    until(lambda: ready.available() > 100, "it has units")
    ready.pause(1000.0, "provider_limit")
    assert drained_nothing(ready)
    assert ready.throttle()[2] == "provider_limit"
    ready.pause(0.0, "")
    assert len(ready.drain(5, MANY)) == 5


def test_a_server_that_is_away_is_said_once_and_the_judge_goes_on(
    opened: Open, server: Any, judges: Judges, caplog: pytest.LogCaptureFixture
) -> None:
    publish(opened, 4)
    inbox = judges.open()
    copies = drained(inbox, most=2)
    with redis.Redis(port=server.port) as lost:  # one is given out, and the answer is lost on its way
        name = opened()._keys[0]  # type: ignore[attr-defined]
        assert lost.xreadgroup("judges", "one", {name: ">"}, count=1)
    server.stop()
    for copy in copies:
        inbox.ack(0, copy.seq)
    for _ in range(3):
        assert drained_nothing(inbox)
    until(lambda: "cannot connect" in inbox.state()["error"], "its state says so")
    server.start()
    until(lambda: opened().state().total.judged == 2, "what was judged meanwhile is acknowledged")
    assert numbers(drained(inbox)) == [2, 3]
    until(lambda: inbox.state()["error"] == "", "all is well")
    assert opened().state().missing == 0
    told = [one.getMessage() for one in caplog.records if "Connection refused" in one.getMessage()]
    assert len(told) == 1
