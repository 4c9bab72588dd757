"""What was told already is known as long as it is among the newest; nothing else is taken for it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shadowlane.otlp.seen import Seen
from shadowlane.sources.genai import Telling

TRACE = "5b8efff798038103d269b633813fc60c"


def telling(kind: Any, number: int, **attributes: Any) -> Telling:
    return Telling(kind=kind, trace_id=TRACE, span_id=f"{number:016x}", at_ns=5, attributes=attributes)


def test_the_oldest_are_forgotten_first() -> None:
    seen = Seen(most=100)
    for number in range(1, 1001):
        assert seen.note(telling("span", number)) == ""
    assert [seen.note(telling("span", number)) for number in range(901, 1001)] == ["duplicate"] * 100
    assert seen.note(telling("span", 1)) == ""
    assert len(seen) <= 200


def test_an_event_that_comes_again_after_its_span_is_a_duplicate() -> None:
    seen = Seen()
    assert seen.note(telling("span", 1)) == ""
    assert seen.note(telling("event", 1, text="a")) == "told_twice"
    assert seen.note(telling("event", 1, text="a")) == "duplicate"


operations = st.lists(
    st.tuples(st.sampled_from(["span", "event"]), st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=40
)


@given(operations)
def test_an_operation_counts_once_by_kind_and_never_less(told: list[tuple[str, int, int]]) -> None:
    """Of a span's tellings the first counts; events of one span count by what they say, unless the span did."""
    seen, spans, events, wanted = Seen(), set[int](), set[tuple[int, int]](), []
    found = []
    for kind, number, text in told:
        found.append(seen.note(telling(kind, number, text=text if kind == "event" else 0)))
        if kind == "span":
            again = "duplicate" if number in spans else "told_twice" if any(n == number for n, _ in events) else ""
            spans.add(number)
        else:
            again = "duplicate" if (number, text) in events else "told_twice" if number in spans else ""
            events.add((number, text))
        wanted.append(again)
    assert found == wanted


def test_without_ids_only_what_is_equal_is_one() -> None:
    seen = Seen()
    assert seen.note(Telling(kind="event", at_ns=5, attributes={"a": 1})) == ""
    assert seen.note(Telling(kind="event", at_ns=5, attributes={"a": 1})) == "duplicate"
    assert seen.note(Telling(kind="event", at_ns=6, attributes={"a": 1})) == ""
    assert seen.note(Telling(kind="span", at_ns=5, attributes={"a": 1})) == ""
