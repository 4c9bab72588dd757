"""What a shadow says when it refuses: its words, counted, with the remedy."""

from __future__ import annotations

import pytest

from shadowlane.config import ShadowConfig
from shadowlane.providers.refusals import Refusal, counted, doubled_prefix, refusal_line, refused_words

JSON = ((b"content-type", b"application/json"),)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"error": {"message": "The model `x` does\\nnot exist", "type": "invalid"}}',
            "The model `x` does not exist",
        ),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"no such page", "no such page"),
        (b"", ""),
    ],
)
def test_the_words_are_those_of_the_body_in_one_line(body: bytes, words: str) -> None:
    assert refused_words(404, JSON if body[:1] == b"{" else (), body) == words
    assert refused_words(200, JSON, body) == ""
    long = refused_words(500, (), b"word " * 1000)
    assert len(long) <= 240
    assert long.endswith("…")


def test_words_that_differ_in_numbers_only_are_one() -> None:
    found = [Refusal(404, "", f"no model, request req_{n:08x}", "/v1/chat/completions", "POST", 1) for n in range(18)]
    found.append(Refusal(401, "", "no model, request req_1", "/v1/chat/completions", "POST", 2))
    assert [(one.status, one.copies) for one in counted(found)] == [(404, 18), (401, 2)]


def test_their_order_hangs_on_none_in_which_they_are_found() -> None:
    found = [Refusal(500 + n % 3, "", f"no {a}", f"/{a}", "POST", 1 + n // 8) for n, a in enumerate("abcdefghijkl")]
    assert counted(found, 12) == counted(found[::-1], 12)
    assert [(one.copies, one.status) for one in counted(found)] == [(2, 500), (2, 501), (2, 502), (2, 502), (1, 500)]


@pytest.mark.parametrize(
    ("refusal", "arm", "said"),
    [
        (
            Refusal(404, "", "The model `x` does not exist", "/v1/chat/completions", "POST", 18),
            {},
            "set shadows.a.model",
        ),
        (Refusal(404, "", "Not Found", "/v1/chat/completions", "POST", 18), {"url": "http://h/v1"}, "ends in /v1"),
        (Refusal(404, "", "Not Found", "/ask", "POST", 18), {"url": "http://h/v1"}, "correct shadows.a.url"),
        (Refusal(401, "", "wrong", "/ask", "POST", 18), {}, "set shadows.a.credential_env"),
        (Refusal(403, "", "wrong", "/ask", "POST", 18), {"credential_env": "KEY"}, "correct the key in the variable"),
        (Refusal(0, "connect_error", "refused", "/ask", "POST", 18), {}, "start the shadow"),
    ],
)
def test_the_line_says_what_to_change(refusal: Refusal, arm: dict[str, str], said: str) -> None:
    line = refusal_line(refusal, "a", ShadowConfig(**{"url": "http://h", **arm}))
    assert line.startswith("18 copies: ")
    assert said in line


def test_a_version_stands_twice_only_where_both_have_it() -> None:
    assert doubled_prefix("http://h/v1/", "/v1/chat") == "/v1"
    assert doubled_prefix("http://h/openai/v1beta", "/v1beta/models") == "/v1beta"
    assert doubled_prefix("http://h/v1", "/v2/chat") == ""
    assert doubled_prefix("http://h/vision", "/vision/x") == ""
