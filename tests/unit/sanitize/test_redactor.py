"""The public redactor: characters, JSON, headers, rules, and the errors that a user meets."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shadowlane import Config
from shadowlane.core import Redactor
from shadowlane.errors import ConfigError

KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
VALUES = {
    "email": "jane.doe@example.org",
    "payment_card": "4012 8888 8888 1881",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "phone": "+44 20 7946 0958",
    "ip_address": "203.0.113.77",
    "github_token": "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
}


@example(before="+", after="", kind="ip_address")
@example(before="+", after="", kind="payment_card")
@given(before=st.text(), after=st.text(), kind=st.sampled_from(sorted(VALUES)))
def test_places_are_characters_of_the_text_that_was_given(before: str, after: str, kind: str) -> None:
    value = VALUES[kind]
    text = f"{before} – {value} – {after}"
    clean, found = Redactor().redact_text(text)
    start = len(before) + 3
    covering = [finding for finding in found if finding.start <= start and finding.end >= start + len(value)]
    assert [finding.kind for finding in covering] == [kind]
    pieces, at = [], 0
    for finding in found:
        pieces.append(text[at : finding.start])
        pieces.append(f"[{finding.kind.upper()}]")
        at = finding.end
    assert "".join([*pieces, text[at:]]) == clean
    assert Redactor().redact_text(clean) == (clean, [])


def test_every_kind_has_a_name_and_says_what_it_is() -> None:
    kinds = Redactor.kinds()
    assert set(VALUES) < set(kinds)
    assert all(about and name == name.lower() for name, about in kinds.items())


def test_json_keeps_every_byte_outside_a_finding() -> None:
    body = b'{ "a" : "\\u006aane@example.org \\/ \\ud800", "n":4012888888881881, "x": 1.50e3 , "a":null }'
    wanted = b'{ "a" : "[EMAIL] \\/ \\ud800", "n":"[PAYMENT_CARD]", "x": 1.50e3 , "a":null }'
    assert Redactor().redact_json(body) == wanted
    with pytest.raises(ConfigError, match="not JSON"):
        Redactor().redact_json(b'{"a": ')


def test_a_number_keeps_its_form_for_a_schema() -> None:
    body = {"card": 4012888888881881, "score": 1.5, "name": "jane@example.org"}
    clean = json.loads(Redactor({"format": "same"}).redact_json(json.dumps(body).encode()))
    assert clean == {"card": 1111111111111111, "score": 1.5, "name": "[EMAIL]"}
    with pytest.raises(ConfigError, match="format"):
        Config.from_dict({"shadows": {"candidate": {"url": "http://127.0.0.1:9001"}}, "sanitize": {"format": "other"}})


def test_a_hash_is_the_same_for_the_same_value_and_key() -> None:
    rules = {"action": "hash", "hash_key": KEY}
    one, two = Redactor(rules), Redactor(rules)
    assert one.redact_text(VALUES["email"])[0] == two.redact_text(VALUES["email"].upper())[0]
    assert one.redact_text("4012-8888-8888-1881")[0] == two.redact_text("4012888888881881")[0]
    other = Redactor({"action": "hash"}).redact_text(VALUES["email"])[0]
    assert other != one.redact_text(VALUES["email"])[0]
    assert len(other) == len("[EMAIL:]") + 12


def test_fields_by_path_and_by_name() -> None:
    redactor = Redactor(
        {
            "fields": [
                {"path": "$.messages[*].content", "action": "mask", "kind": "content"},
                {"path": "$..email", "action": "drop"},
                {"key": "customer_id", "action": "keep_last4"},
            ]
        }
    )
    body = {"messages": [{"role": "user", "content": "hi"}], "user": {"email": "x", "customerId": "cus-12345678"}}
    clean = json.loads(redactor.redact_json(json.dumps(body).encode()))
    assert clean == {"messages": [{"role": "user", "content": "[CONTENT]"}], "user": {"customerId": "[FIELD:*5678]"}}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"rules": [{"kind": "x", "pattern": "("}]}, "sanitize.rules"),
        ({"rules": [{"kind": "x", "pattern": "ab", "validator": "nope"}]}, "luhn"),
        ({"fields": [{"path": "a", "action": "mask"}]}, "sanitize.fields"),
        ({"actions": {"nope": "mask"}}, "sanitize.actions"),
        ({"action": "burn"}, "burn"),
        ({"allow_headers": ["cookie"]}, "never passes"),
        ({"nope": 1}, "nope"),
    ],
)
def test_what_is_wrong_is_refused_at_start(rules: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Redactor(rules)
    sections = {"shadows": {"candidate": {"url": "http://127.0.0.1:9001"}}, "sanitize": rules}
    with pytest.raises(ConfigError, match=said if said != "luhn" else "validator"):
        Config.from_dict(sections)


def test_the_key_comes_from_the_environment_and_only_from_there() -> None:
    sections = {"shadows": {"candidate": {"url": "http://127.0.0.1:9001"}}, "sanitize": {"hash_key_env": "LANE_KEY"}}
    sanitize = Config.from_dict(sections).sanitize
    assert sanitize.rules_dict({"LANE_KEY": KEY})["hash_key"] == KEY
    with pytest.raises(ConfigError, match="LANE_KEY"):
        sanitize.rules_dict({})
    with pytest.raises(ConfigError, match="hash_key"):
        Config.from_dict({**sections, "sanitize": {"hash_key": KEY}})


def test_headers_pass_by_a_list_with_their_values_redacted() -> None:
    headers = [(b"Accept", b"text/html; for=jane@example.org"), (b"Cookie", b"a=b"), (b"X-Other", b"1")]
    assert Redactor().redact_headers(headers) == [(b"accept", b"text/html; for=[EMAIL]")]


def test_conditions_and_ranges_reach_the_shadow() -> None:
    headers = [
        (b"range", b"bytes=0-99"),
        (b"if-range", b'"v1"'),
        (b"if-none-match", b'"v1"'),
        (b"if-match", b'"v1"'),
        (b"if-modified-since", b"Tue, 03 Mar 2026 12:00:00 GMT"),
        (b"if-unmodified-since", b"Tue, 03 Mar 2026 12:00:00 GMT"),
    ]
    assert Redactor().redact_headers([*headers, (b"authorization", b"x"), (b"x-unknown", b"x")]) == headers
