"""Questions as requests: the OpenAI shape, templates, and questions that try to be more than data."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.errors import ConfigError
from shadowlane.probe.shape import Shape, parse_template

BASE = "http://127.0.0.1:1"


def test_the_default_is_a_chat_with_model_and_seed() -> None:
    request = Shape().request(BASE, "Why?", 7, "m", 1)
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert json.loads(request.body) == {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "seed": 7}
    assert Shape().request(BASE + "/v1/", "Why?", 7, "m", 1).target == "/chat/completions"


def test_without_a_model_its_field_goes() -> None:
    assert "model" not in json.loads(Shape().request(BASE, "Why?", 1, "", 1).body)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(-(2**63), 2**63 - 1))
def test_any_question_stays_data(question: str, seed: int) -> None:
    template = {"q": "{{question}}", "say": "a {{question}} b", "n": "{{seed}}", "text": "s{{seed}}", "keep": [1, None]}
    body = json.loads(Shape(path="/ask", template=template).request(BASE, question, seed, "m", 1).body)
    assert body == {"q": question, "say": f"a {question} b", "n": seed, "text": f"s{seed}", "keep": [1, None]}
    got = Shape(method="GET", path="/ask?q={{question}}&s={{seed}}").request(BASE, question, seed, "m", 1)
    assert got.body == b""
    parts = urlsplit(got.target)
    assert parts.path == "/ask"
    assert parse_qs(parts.query, keep_blank_values=True, strict_parsing=True) == {"q": [question], "s": [str(seed)]}


def test_a_question_that_holds_a_mark_is_not_filled_again() -> None:
    body = json.loads(Shape(path="/a", template={"q": "x {{question}}"}).request(BASE, "{{seed}}", 5, "m", 1).body)
    assert body == {"q": "x {{seed}}"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"path": "ask"}, "begin it with '/'"),
        ({"method": "PUT"}, "use GET or POST"),
        ({"path": "/ask", "template": {"q": "always this"}}, "each request would be the same"),
        ({"method": "GET", "path": "/ask"}, "each request would be the same"),
    ],
)
def test_shapes_that_ask_nothing_are_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Shape(**arguments)  # type: ignore[arg-type]


def test_a_template_that_is_no_json_is_refused() -> None:
    assert parse_template('{"q": "{{question}}"}') == {"q": "{{question}}"}
    with pytest.raises(ConfigError, match="--template: not JSON"):
        parse_template("{q}")
