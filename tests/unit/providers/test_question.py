"""What a request asks: the question of every shape we know, and what else its answer depends on."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.providers.question import (
    _FIGURE,
    Question,
    _figures,
    compiled_question,
    find_question,
    interpreted_question,
    shown_question,
)
from shadowlane.types import Copy
from tests.support.exchanges import exchanges
from tests.unit.store.pairs import make_pair


def copy(body: Any = None, target: str = "/v1/chat/completions", method: str = "POST") -> Copy:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return make_pair(body=raw, target=target, method=method).copy


def chat(*turns: tuple[str, Any], **more: Any) -> Copy:
    return copy({"messages": [{"role": role, "content": content} for role, content in turns], **more})


def found(one: Copy) -> Question:
    got = find_question(one)
    assert got is not None
    return got


@given(st.text(st.sampled_from("a .,:/-0189٣é")))
def test_the_figures_of_a_text_are_those_that_stand_in_it(text: str) -> None:
    assert _figures(text) == sorted(_FIGURE.findall(text))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"messages": [{"role": "user", "content": "Why?"}]}, "Why?"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}, {"type": "image"}]}]}, "Why?"),
        ({"input": "Why?"}, "Why?"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}]}, "Why?"),
        ({"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}, "Why?"),
        ({"prompt": "Why?"}, "Why?"),
        ({"question": "Why?", "k": 3}, "Why?"),
    ],
)
def test_the_question_is_found_in_every_shape(body: Any, text: str) -> None:
    assert found(copy(body)).text == shown_question(copy(body)) == text


def test_a_query_is_a_question_too() -> None:
    one = copy(target="/ask?q=" + quote("Wie lange?"), method="GET")
    assert found(one).text == shown_question(one) == "Wie lange?"


def test_of_a_conversation_every_turn_of_the_user_counts_and_a_reader_sees_the_last() -> None:
    one = chat(("system", "Be brief."), ("user", "How long is a ride?"), ("assistant", "45 min"), ("user", "And why?"))
    assert found(one).text == "How long is a ride?\nAnd why?"
    assert shown_question(one) == "And why?"


def test_what_an_answer_depends_on_is_the_scope() -> None:
    same = [chat(("user", "How long?")), chat(("user", "For what time?")), chat(("user", "How long?"), seed=4)]
    others = [
        chat(("user", "How long?"), model="m"),
        chat(("system", "Be rude."), ("user", "How long?")),
        chat(("user", "How long are 30 minutes?")),
        chat(("user", "How long are 60 minutes?")),
        copy({"messages": [{"role": "user", "content": "How long?"}]}, "/other"),
        copy({"question": "How long?", "k": 1}),
        copy({"question": "How long?", "k": 2}),
    ]
    assert len({found(one).scope for one in same}) == 1
    assert len({found(one).scope for one in [same[0], *others]}) == 1 + len(others)


ASKED = {"role": "user", "content": "What is the weather in Bonn?"}


def openai_turns(result: str, call: str = "c1", place: str = "Bonn") -> list[dict[str, Any]]:
    made = {"id": call, "type": "function", "function": {"name": "weather", "arguments": json.dumps({"q": place})}}
    return [
        ASKED,
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": call, "content": result},
    ]


def anthropic_turns(result: str, call: str = "c1", place: str = "Bonn") -> list[dict[str, Any]]:
    return [
        ASKED,
        {"role": "assistant", "content": [{"type": "tool_use", "id": call, "name": "weather", "input": {"q": place}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": result}]},
    ]


def responses_turns(result: str, call: str = "c1", place: str = "Bonn") -> list[dict[str, Any]]:
    arguments = json.dumps({"q": place})
    return [
        ASKED,
        {"type": "function_call", "call_id": call, "name": "weather", "arguments": arguments, "status": "completed"},
        {"type": "function_call_output", "call_id": call, "output": result},
    ]


@pytest.mark.parametrize(
    ("name", "turns"),
    [("messages", openai_turns), ("messages", anthropic_turns), ("input", responses_turns)],
)
def test_a_tools_turn_is_another_question_than_the_one_that_led_to_it(name: str, turns: Any) -> None:
    first, second = found(copy({name: [ASKED]})), found(copy({name: turns("rain")}))
    assert first.text == second.text
    assert first.scope != second.scope
    again = found(copy({name: turns("rain", call="another")}))
    assert again.scope == second.scope
    others = [turns("sun"), turns("rain", place="Kiel"), [*turns("rain"), *turns("rain")[1:]]]
    assert len({found(copy({name: one})).scope for one in others} | {second.scope}) == 4


@pytest.mark.parametrize("word", ["yes", "continue", "weiter", "ok, the second one"])
def test_a_short_turn_is_as_many_questions_as_it_follows(word: str) -> None:
    def after(said: str) -> Copy:
        return chat(("user", "Help me"), ("assistant", said), ("user", word))

    cancel, book = found(after("Shall I explain how to cancel?")), found(after("Shall I explain how to book?"))
    assert cancel.text == book.text
    assert cancel.scope != book.scope
    assert found(after("Shall I explain how to book?")).scope == book.scope
    assert found(chat(("user", "Help me"), ("user", word))).scope not in (cancel.scope, book.scope)


def test_an_attachment_is_part_of_the_question() -> None:
    def of(url: str) -> Copy:
        image = {"type": "image_url", "image_url": {"url": url}}
        return chat(("user", [{"type": "text", "text": "What is this?"}, image]))

    assert found(of("https://a/1.png")).scope == found(of("https://a/1.png")).scope
    assert found(of("https://a/1.png")).scope != found(of("https://a/2.png")).scope


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.text(max_size=5),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["messages", "input", "content", "role", "prompt", "parts", "text", "q"]), x, max_size=4
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.text(max_size=30),
)
def test_anything_may_come(body: bytes, target: str) -> None:
    one = copy(body, target)
    assert isinstance(shown_question(one), str)
    got = find_question(one)
    assert got is None or (got.text and 0 <= got.scope < 1 << 64)


@pytest.mark.parametrize(
    "body", [None, b"", b"{", {"messages": []}, {"messages": [{"role": "system", "content": "x"}]}, [1]]
)
def test_a_request_that_asks_nothing_has_no_question(body: Any) -> None:
    assert find_question(copy(body)) is None
    assert shown_question(copy(body)) == ""


def test_the_scope_of_stored_groups_does_not_change_between_releases() -> None:
    one = chat(("system", "S"), ("user", "30 minutes?"), model="m", system="Be brief.", instructions="In English.")
    assert found(one).scope == 0x8F1E01952F9061C7


@pytest.mark.parametrize(
    ("body", "question"),
    [
        (b'{"messages": [{"role": "user", "content": "How?"}]}', "How?"),
        (b'{"messages": [{"content": [{"type": "text", "text": "What?"}, {"type": "image_url"}]}]}', "What?"),
        (b'{"query": "Where?"}', "Where?"),
        (b'{"input": ["a", "b"]}', ""),
        (b'{"messages": []}', ""),
        (b'{"messages": [null]}', ""),
        (b'{"messages": [{"content": [{"text": 5}, null]}]}', ""),
        (b"[1]", ""),
        (b"not json", ""),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
)
def test_the_question_of_a_request(body: bytes, question: str) -> None:
    assert shown_question(copy(body)) == question


def compared(one: Copy) -> tuple[str, int] | None:
    """What the core reads, after it was compared with what is read here."""
    read = compiled_question(one)
    if read is not None:
        expected = interpreted_question(one)
        assert read[0] == expected[0]
        assert not read[0] or read == expected
    return read


_SCALARS = st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats(allow_nan=False) | st.text(max_size=6)
_PARTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "image_url", "tool_result"]),
        "text": st.sampled_from(["How long is 3,000.5 km?", "", "und ٣ Tage?", " 12:30 \x1f", 7]),
        "id": st.text(max_size=3),
        "data": st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)),
    },
)
_CONTENT = st.sampled_from(["Why?", "", "  ", "of 60-61 or 7", None, 5]) | st.lists(_PARTS | _SCALARS, max_size=3)
_TURN = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "developer", "tool", None, 3]),
        "type": st.sampled_from(["message", "function_call"]),
        "content": _CONTENT,
        "parts": _CONTENT,
        "call_id": st.text(max_size=3),
        "arguments": _SCALARS,
    },
)
_BODY = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(_TURN | _SCALARS, max_size=4) | _SCALARS,
        "input": st.lists(_TURN, max_size=3) | _CONTENT,
        "contents": st.lists(_TURN, max_size=2),
        "system": _CONTENT,
        "instructions": _CONTENT,
        "model": _SCALARS,
        "seed": _SCALARS,
        "question": _SCALARS,
        "prompt": _SCALARS,
        "k": _SCALARS,
    },
)


@given(_BODY)
def test_the_core_reads_the_same_question_or_none(body: dict[str, Any]) -> None:
    compared(copy(json.dumps(body, ensure_ascii=len(str(body)) % 2 == 0).encode("utf-8", "replace")))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"prompt":"a","prompt":"b"}', b'{"prompt":"\\ud800 Why?"}'])
def test_the_core_leaves_what_is_not_certain(body: bytes) -> None:
    assert compared(copy(body)) is None


def test_the_core_reads_what_services_are_asked() -> None:
    bodies = [str(row["request"]["body"]).encode() for row in exchanges() if row["request"]["body"]]
    asked = [one for body in bodies if interpreted_question(one := copy(body))[0]]
    assert sum(compared(one) is not None for one in asked) > 0.95 * len(asked) > 100
