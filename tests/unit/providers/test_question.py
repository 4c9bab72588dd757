"""What a request asks: the question of every shape we know, and what else its answer depends on."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.providers.question import Question, find_question, shown_question
from shadowlane.types import Copy
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
