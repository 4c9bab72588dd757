"""The seam on a real server: what is counted once however often it is said, and the known traps of consumer groups."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shadowlane.config import OffloadConfig
from shadowlane.errors import OffloadError, OffloadFullError
from shadowlane.offload import Forwarded, encode, open_stream
from shadowlane.offload.figures import HOSTS
from shadowlane.offload.stream import Accounts, Stream
from tests.e2e.conftest import until
from tests.support.redisserver import RedisServer

from ..worker.world import copy_of
from .conftest import Open

SOURCE = "host/lane/0123"


def records(first: int, count: int) -> list[Forwarded]:
    return [encode(copy_of(first + number)) for number in range(count)]


def holds(stream: Stream) -> Accounts:
    """The accounts, once their equation was looked at."""
    state = stream.state()
    assert state.missing == 0, state
    return state.total


def test_a_copy_is_published_judged_and_counted(opened: Open) -> None:
    stream = opened()
    assert stream.join(SOURCE, 5) == []
    assert stream.publish(SOURCE, records(0, 3), []) == 3
    messages = stream.read(10)
    assert [(one.source, one.version, one.record) for one in messages] == [
        (SOURCE, "1", one.record) for one in records(0, 3)
    ]
    assert stream.state().pending == stream.state().length == 3
    assert stream.acknowledge([(one.id, one.source) for one in messages]) == 3
    assert holds(stream) == Accounts(base=5, forwarded=3, judged=3)
    assert stream.state().length == 0
    assert stream.read(10) == []


def test_published_again_it_is_there_once_until_it_cannot_come_again(opened: Open) -> None:
    stream = opened()
    stream.publish(SOURCE, records(0, 4), [])
    # The answer was lost: the same again, with more behind it.
    assert stream.publish(SOURCE, records(2, 4), []) == 4
    assert sorted(stream.join(SOURCE, 0)) == sorted(one.shadow_id for one in records(0, 6))
    assert stream.publish(SOURCE, records(6, 1), [one.shadow_id for one in records(0, 6)]) == 1
    assert stream.join(SOURCE, 0) == [records(6, 1)[0].shadow_id]
    assert holds(stream).forwarded == stream.state().length == 7


def test_a_full_stream_takes_the_first_of_them_and_loses_none(opened: Open) -> None:
    stream = opened(max_length=5)
    assert stream.publish(SOURCE, records(0, 8), []) == 5
    assert stream.publish(SOURCE, records(5, 3), []) == 0
    done = stream.read(2)
    stream.acknowledge([(one.id, one.source) for one in done])
    assert stream.publish(SOURCE, records(5, 3), []) == 2
    assert holds(stream) == Accounts(forwarded=7, judged=2)


def test_acknowledged_twice_and_by_two_it_counts_once(opened: Open) -> None:
    one, other = opened("one"), opened("other", claim_s=1.0)
    one.publish(SOURCE, records(0, 2), [])
    held = one.read(10)
    done = [(message.id, message.source) for message in held]
    assert one.acknowledge(done) == 2
    assert other.acknowledge(done) == one.acknowledge(done) == 0
    other.set_aside(held[0].id, "late")
    assert holds(one) == Accounts(forwarded=2, judged=2)
    assert one.state().kept_aside == 0


def idle(stream: Stream, raw: Any, ids: list[str], ms: int) -> None:
    """Make messages look as if nobody had touched them for so long."""
    name, consumer = stream._keys[0], stream._consumer  # type: ignore[attr-defined]
    raw.xclaim(name, "judges", consumer, 0, ids, idle=ms, justid=True)


def test_what_a_judge_held_goes_to_another_and_never_while_it_gives_signs(opened: Open, raw: Any) -> None:
    one, other = opened("one", claim_s=60), opened("other", claim_s=60)
    one.publish(SOURCE, records(0, 3), [])
    held = [message.id for message in one.read(10)]
    assert other.claim("0-0") == ("0-0", [])
    idle(one, raw, held, 61_000)
    one.beat(held[:2])
    cursor, found = other.claim("0-0")
    assert cursor == "0-0"
    # Taking over is not a delivery: that is counted when it is given out.
    assert found == [(held[2], 1)]
    assert [message.id for message in other.take([held[2]])] == [held[2]]
    assert [(message.id, message.deliveries) for message in other.owned()] == [(held[2], 2)]
    # Its sign of life for what was taken from it takes nothing back.
    one.beat(held)
    assert [message.id for message in other.owned()] == [held[2]]
    assert one.take([held[2]]) == []
    assert [message.id for message in one.owned()] == held[:2]


def test_a_restart_finds_what_it_held_over_many_pages(opened: Open) -> None:
    stream = opened()
    for first in range(0, 1200, 300):
        stream.publish(SOURCE, records(first, 300), [])
    held = [message.id for _ in range(12) for message in stream.read(100)]
    again = opened()
    assert [message.id for message in again.owned()] == held
    assert len(again.take(held[:500])) == 500
    assert sum(message.deliveries for message in again.owned()) == 1700


@pytest.mark.parametrize("way", ["claim", "take", "beat"])
def test_what_somebody_deleted_is_counted_as_lost_once(opened: Open, raw: Any, way: str) -> None:
    """Trimmed entries stay with their consumer, and the server drops them when they are claimed: named, not ignored."""
    stream = opened(claim_s=1.0)
    stream.publish(SOURCE, records(0, 4), [])
    held = [message.id for message in stream.read(4)]
    raw.xtrim(stream._keys[0], maxlen=2, approximate=False)  # type: ignore[attr-defined]
    assert stream.state().missing == 2
    if way == "claim":
        pending = lambda: raw.xpending_range(stream._keys[0], "judges", "-", "+", 9)  # type: ignore[attr-defined]  # noqa: E731
        until(lambda: min(one["time_since_delivered"] for one in pending()) >= 1000, "nobody touched them for a second")
        assert [message.id for message in stream.claim("0-0")[1]] == held[2:]
    elif way == "take":
        assert [message.id for message in stream.take(held)] == held[2:]
    else:
        stream.beat(held)
    stream.beat(held)
    assert stream.state().lost == 2
    assert holds(stream) == Accounts(forwarded=4)
    assert [message.id for message in stream.owned()] == held[2:]


def test_set_aside_it_is_kept_with_the_reason_and_is_nobodys_work(opened: Open, raw: Any) -> None:
    stream = opened()
    stream.publish(SOURCE, records(0, 2), [])
    raw.xadd(stream._keys[0], {"novel": "from elsewhere"})  # type: ignore[attr-defined]
    first, second, foreign = stream.read(10)
    for message, reason in ((first, "delivered 10 times"), (foreign, "no record")):
        stream.set_aside(message.id, reason)
        stream.set_aside(message.id, reason)
    kept = [fields for _, fields in raw.xrange(stream._keys[2])]  # type: ignore[attr-defined]
    assert [(one[b"reason"], one.get(b"copy")) for one in kept] == [
        (b"delivered 10 times", first.record),
        (b"no record", None),
    ]
    assert kept[1][b"novel"] == b"from elsewhere"
    assert [message.id for message in stream.owned()] == [second.id]
    assert holds(stream) == Accounts(forwarded=2, set_aside=1)
    assert (stream.state().foreign, stream.state().kept_aside) == (1, 2)


def test_a_server_without_memory_says_so_and_judges_go_on(opened: Open, raw: Any) -> None:
    stream = opened()
    stream.publish(SOURCE, records(0, 3), [])
    assert opened("two").owned() == []  # the group is there
    raw.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(OffloadFullError, match="full"):
            stream.publish(SOURCE, records(3, 3), [records(0, 1)[0].shadow_id])
        # Nothing of that call was done, and what frees memory works.
        assert raw.scard(f"{stream._keys[0]}:sent:{SOURCE}") == 3  # type: ignore[attr-defined]
        with pytest.raises(OffloadFullError, match="full"):
            stream.join(SOURCE, 0)
        first, second, third = stream.read(10)
        stream.beat([first.id, second.id, third.id])
        assert stream.acknowledge([(first.id, first.source)]) == 1
        stream.set_aside(second.id, "poison")
        assert holds(stream) == Accounts(forwarded=3, judged=1, set_aside=1)
    finally:
        raw.config_set("maxmemory", "0")
    assert stream.publish(SOURCE, records(3, 3), []) == 3


def test_consumers_that_are_gone_are_removed_and_never_with_their_messages(
    opened: Open, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, busy, gone = opened("one", claim_s=86_400.0), opened("busy"), opened("gone")
    stream.publish(SOURCE, records(0, 3), [])
    busy.read(1)
    for judge in (gone, stream):
        judge.acknowledge([(one.id, one.source) for one in judge.read(1)])
    name = stream._keys[0]  # type: ignore[attr-defined]
    consumers = lambda: {one["name"] for one in raw.xinfo_consumers(name, "judges")}  # noqa: E731
    stream.tidy()
    assert consumers() == {b"one", b"busy", b"gone"}
    monkeypatch.setattr("shadowlane.offload.redis._DEAD_CLAIMS", 0.0)
    until(lambda: min(one["idle"] for one in raw.xinfo_consumers(name, "judges")) > 1, "they were idle")
    stream.tidy()
    assert consumers() == {b"one", b"busy"}
    assert [message.deliveries for message in busy.owned()] == [1]


def test_judges_are_counted_by_their_signs_of_life(opened: Open, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, other = opened("one", claim_s=86_400.0), opened("two", claim_s=86_400.0)
    stream.publish(SOURCE, records(0, 1), [])
    assert stream.state().judges == 0
    for judge in (stream, other, other):
        judge.works()
    assert stream.state().judges == 2
    other.leave()
    assert stream.state().judges == 1
    holds(stream)
    # One that was killed is not counted once its sign is old, and forgotten long after.
    accounts = stream._keys[1]  # type: ignore[attr-defined]
    raw.hset(accounts, "judge:killed", int(raw.time()[0]) - 90_000)
    assert stream.state().judges == 1
    stream.tidy()
    assert raw.hexists(accounts, "judge:killed")
    monkeypatch.setattr("shadowlane.offload.redis._DEAD_CLAIMS", 1)
    stream.tidy()
    assert not raw.hexists(accounts, "judge:killed")
    assert stream.state().judges == 1


def test_settled_accounts_are_put_together_when_their_host_is_gone(opened: Open, raw: Any) -> None:
    stream, name = opened(), opened()._keys[1]  # type: ignore[attr-defined]
    sources = ("gone/lane/1", "waits/lane/2", "alive/lane/3")
    for number, source in enumerate(sources):
        stream.join(source, 4)
        stream.publish(source, records(number, 1), [])
        stream.put_figures(HOSTS, source, b"{}")
    first, _, third = stream.read(3)
    stream.acknowledge([(first.id, first.source), (third.id, third.source)])
    for source in sources:
        raw.hset(name, f"seen:{source}", 1)
    stream.put_figures(HOSTS, sources[2], b"{}")
    before = stream.state()
    stream.tidy()
    after = stream.state()
    assert (after.total.forwarded, after.total.judged, after.missing) == (3, 2, 0)
    assert set(after.sources) == {"others", *sources[1:]}
    assert set(stream.figures(HOSTS)) == set(sources[1:])
    assert after.sources["others"].judged == before.sources[sources[0]].judged == 1


def test_a_group_that_is_gone_is_made_again_from_the_beginning(opened: Open, raw: Any) -> None:
    stream = opened()
    assert stream.read(10) == []
    stream.publish(SOURCE, records(0, 2), [])
    assert len(stream.read(10)) == 2
    raw.xgroup_destroy(stream._keys[0], "judges")  # type: ignore[attr-defined]
    assert len(stream.read(10)) == 2
    raw.delete(*stream._keys)  # type: ignore[attr-defined]
    assert stream.owned() == []
    assert stream.claim("0-0") == ("0-0", [])
    assert stream.state().length == 0


def test_whatever_is_done_in_whatever_order_the_accounts_are_exact(opened: Open, raw: Any) -> None:
    """Judges that take over, forget, acknowledge late and twice; hosts that publish twice."""
    draw = random.Random(3)
    judges = [opened(name, claim_s=60, max_length=60) for name in ("one", "two", "three")]
    held: dict[int, set[str]] = {0: set(), 1: set(), 2: set()}
    sent, next_copy, judged = 0, 0, set[str]()
    for _ in range(400):
        number = draw.randrange(3)
        judge, mine = judges[number], held[number]
        step = draw.randrange(7)
        if step == 0:
            some = records(next_copy, draw.randrange(1, 9))
            taken = judge.publish(SOURCE, some, [])
            assert judge.publish(SOURCE, some[:taken], []) == taken
            next_copy += taken
            sent += taken
        elif step == 1:
            mine |= {one.id for one in judge.read(draw.randrange(1, 9))}
        elif step == 2 and mine:
            some_ids = draw.sample(sorted(mine), draw.randrange(1, len(mine) + 1))
            judge.acknowledge([(one, SOURCE) for one in some_ids])
            judged |= set(some_ids)
            mine -= set(draw.sample(some_ids, len(some_ids) // 2))
        elif step == 3 and mine:
            idle(judge, raw, [one.id for one in judge.owned()] or ["0-1"], 61_000)
        elif step == 4:
            mine |= {one.id for one in judge.claim("0-0")[1]}
        elif step == 5 and mine:
            judge.beat(sorted(mine))
            judge.take(sorted(mine)[:3])
        elif step == 6 and mine:
            judge.set_aside(draw.choice(sorted(mine)), "poison")
        total = holds(judge)
        assert total.forwarded == sent
        assert total.judged + total.set_aside <= sent
    assert total.judged > 20
    assert total.set_aside > 5
    assert judges[0].state().lost == 0


@pytest.mark.parametrize("password", ["", "wrong-hunter2"])
def test_no_error_names_the_password(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    server = RedisServer(tmp_path, "--requirepass", "hunter2-right")
    try:
        monkeypatch.setenv("REDIS_PASSWORD", password or "hunter2-right")
        named = "REDIS_PASSWORD" if password else ""
        stream = open_stream(OffloadConfig(url=server.url, credential_env=named, timeout_s=30))
        with pytest.raises(OffloadError, match=r"credential_env") as raised:
            stream.state()
        assert "hunter2" not in str(raised.value)
        monkeypatch.setenv("REDIS_PASSWORD", "hunter2-right")
        good = open_stream(OffloadConfig(url=server.url, credential_env="REDIS_PASSWORD", timeout_s=30))
        assert good.state().length == 0
        server.stop()
        with pytest.raises(OffloadError, match="cannot connect") as raised:
            good.state()
        assert "hunter2" not in str(raised.value)
        stream.close()
        good.close()
    finally:
        server.close()
