"""Versions over hosts: whatever is lost, late, cut off or said twice, all hosts come to one beginning of the window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.fleet.pins import MOST, REFRESH_NS, PinBoard, Sighted, joined
from shadowlane.fleet.record import Pins, Record, Sighting, decoded, encoded
from shadowlane.gate.window import last_change

DAY_NS = 24 * 3600 * 10**9
ROLLING = ("build",)


def change(sighted: Iterable[Sighted]) -> Any:
    return last_change([(one.pin, one.value, one.first_ns, one.last_ns, 0) for one in sighted], ROLLING)


def board(keep_ns: int = DAY_NS) -> PinBoard:
    return PinBoard(change, keep_ns=keep_ns)


def saw(host: PinBoard, value: str, first: int, last: int | None = None, pin: str = "model_rev") -> bool:
    return host.saw([Sighted("candidate", pin, value, first, first if last is None else last)])


class Engine:
    """The part of the record that is about pins; who writes replaces what it read, or nothing."""

    def __init__(self) -> None:
        self.pins: Pins = {}
        self.writes = 0

    def round(self, host: PinBoard) -> bool:
        """One round of a host; whether a window of it begins elsewhere since."""
        wanted, changed = host.hear(self.pins)
        if wanted is not None:
            self.pins = wanted
            self.writes += 1
        return changed

    def settle(self, hosts: Iterable[PinBoard]) -> None:
        hosts = list(hosts)
        for _ in range(50):
            before = self.writes
            for host in hosts:
                self.round(host)
            if self.writes == before:
                return
        raise AssertionError("the hosts write without end")


def begins(host: PinBoard) -> Any:
    return change(host.sighted("candidate"))


# ---- one change


def test_a_change_on_one_host_begins_the_window_on_all_at_the_same_moment() -> None:
    engine, one, other = Engine(), board(), board()
    assert saw(one, "1", 10) is True
    assert saw(one, "1", 20) is False
    assert saw(other, "1", 30) is True
    engine.settle([one, other])
    assert begins(other) is None
    assert saw(one, "2", 40) is True
    assert engine.round(one) is False, "it knows already"
    assert engine.round(other) is True
    assert (begins(one).at_ns, begins(one).before, begins(one).after) == (40, "1", "2")
    assert begins(other) == begins(one)
    assert engine.round(other) is False


def test_a_host_that_still_gets_the_old_version_says_that_they_take_turns() -> None:
    engine, one, other = Engine(), board(), board()
    saw(one, "1", 10)
    saw(one, "2", 40)
    engine.settle([one, other])
    assert saw(other, "1", 50) is True
    assert engine.round(other) is False
    assert engine.round(one) is True
    assert begins(one) is begins(other) is None
    writes = engine.writes
    for at in range(60, 90):
        saw(one, "2", at)
        assert saw(other, "1", at) is False
        engine.round(one)
        engine.round(other)
    assert engine.writes == writes, "versions that take turns are said once"


def test_two_hosts_that_see_other_versions_at_once_come_to_one_beginning() -> None:
    engine, hosts = Engine(), [board(), board(), board()]
    for host in hosts:
        saw(host, "1", 10)
    engine.settle(hosts)
    saw(hosts[0], "2", 40)
    saw(hosts[1], "3", 41)
    engine.settle(hosts)
    assert begins(hosts[0]) == begins(hosts[1]) == begins(hosts[2])
    assert (begins(hosts[2]).at_ns, begins(hosts[2]).after) == (41, "3")


def test_what_a_lost_record_knew_is_said_again_by_who_is_there() -> None:
    engine, one, other = Engine(), board(), board()
    saw(one, "1", 10)
    saw(one, "2", 40)
    engine.settle([one, other])
    engine.pins = {}
    newcomer = board()
    engine.settle([newcomer, other])
    assert begins(newcomer) == begins(one)


def test_a_last_answer_is_said_again_a_minute_later_though_it_changes_nothing() -> None:
    engine, one = Engine(), board(keep_ns=10**18)
    saw(one, "1", 10)
    engine.round(one)
    saw(one, "1", 10 + REFRESH_NS)
    engine.round(one)
    assert engine.writes == 1
    saw(one, "1", 11 + REFRESH_NS)
    engine.round(one)
    assert engine.writes == 2


def test_who_writes_anyway_says_all_that_is_known() -> None:
    one = board()
    saw(one, "1", 10, 20)
    assert one.with_all({"candidate": {"model_rev": {"1": Sighting(15, 30)}}}) == {
        "candidate": {"model_rev": {"1": Sighting(10, 30)}}
    }


# ---- bounds


def test_a_pin_that_names_requests_is_no_version_and_is_not_written_for_ever() -> None:
    engine, one, other = Engine(), board(), board()
    for number in range(500):
        saw(one, f"request {number}", number)
        engine.round(one)
        engine.round(other)
    assert engine.writes <= MOST + 2
    assert one.sighted() == other.sighted() == []
    assert len(encoded(Record(1, 1, "1", pins=engine.pins))) < 3000
    saw(one, "a", 600, pin="index_hash")
    assert [one.pin for one in one.sighted()] == ["index_hash"]


def test_what_is_older_than_a_window_is_forgotten() -> None:
    engine, one, other = Engine(), board(100), board(100)
    saw(one, "1", 10)
    engine.settle([one, other])
    saw(one, "2", 111)
    engine.settle([one, other])
    assert [seen.value for seen in other.sighted()] == ["2"]
    assert begins(other) is None


def test_a_pin_that_named_requests_is_a_version_again_a_window_later() -> None:
    one = board(100)
    for number in range(40):
        saw(one, f"request {number}", number)
    assert one.sighted() == []
    assert saw(one, "1", 500) is True
    assert [seen.value for seen in one.sighted()] == ["1"]


def test_a_release_that_knows_no_pins_reads_the_record_and_its_records_are_read() -> None:
    class Before(msgspec.Struct, frozen=True):
        epoch: int
        version: int
        engine: str
        form: int

    record = Record(1, 2, "x", pins={"candidate": {"model_rev": {"1": Sighting(1, 2)}}})
    assert decoded(encoded(record)) == record
    assert msgspec.json.decode(encoded(record), type=Before) == Before(1, 2, "x", 1)
    assert decoded(msgspec.json.encode(Before(1, 2, "x", 1))).pins == {}


# ---- the law

_sightings = st.builds(
    lambda pin, value, first, longer: Sighted("candidate", pin, value, first, first + longer),
    st.sampled_from(["model_rev", "build"]),
    st.sampled_from("1234"),
    st.integers(0, 60),
    st.integers(0, 20),
)


@settings(max_examples=400, deadline=None)
@given(a=st.lists(_sightings, max_size=6), b=st.lists(_sightings, max_size=6), c=st.lists(_sightings, max_size=6))
def test_joining_knows_no_order_and_no_repetition(a: list[Sighted], b: list[Sighted], c: list[Sighted]) -> None:
    one, two, three = (Engine() for _ in range(3))
    for engine, some in ((one, a), (two, b), (three, c)):
        host = board()
        host.saw(some)
        engine.pins = host.with_all({})
    left = joined(joined(one.pins, two.pins), three.pins)
    assert left == joined(one.pins, joined(three.pins, two.pins)) == joined(left, one.pins)


@settings(max_examples=600, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("saw"), st.integers(0, 3), _sightings),
            st.tuples(st.just("round"), st.integers(0, 3), st.none()),
            st.tuples(st.just("lost"), st.just(0), st.none()),
            st.tuples(st.just("killed"), st.integers(0, 3), st.none()),
        ),
        max_size=40,
    )
)
def test_whatever_happens_all_hosts_come_to_what_all_of_them_saw(steps: list[tuple[str, int, Any]]) -> None:
    """A worker that is killed goes on from its store (which has all that its host saw), as one that starts does."""
    engine, hosts = Engine(), [board() for _ in range(4)]
    rows: list[list[Sighted]] = [[] for _ in range(4)]
    for what, number, sighted in steps:
        if what == "saw":
            rows[number].append(sighted)
            hosts[number].saw([sighted])
        elif what == "round":
            engine.round(hosts[number])
        elif what == "lost":
            engine.pins = {}
        else:
            hosts[number] = board()
            hosts[number].saw(rows[number])
    engine.settle(hosts)
    whole = board()
    whole.saw([one for some in rows for one in some])
    assert [begins(host) for host in hosts] == [begins(whole)] * 4
