"""The signed tag: only what a lane with the key sent now is accepted, once."""

from __future__ import annotations

import base64
import hmac
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.errors import ConfigError
from shadowlane.tag import TagError, Verifier, sign

KEY = b"0123456789abcdef0123456789abcdef"
ID, HASH = "0193a1b2-0000-7000-8000-000000000001", "0" * 32
Headers = list[tuple[bytes, bytes]]


class Clock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def tagged(
    method: str = "POST", path: bytes = b"/v1/x", query: bytes = b"a=1", *, key: bytes = KEY, **options: Any
) -> Headers:
    options.setdefault("created", 1_700_000_000)
    pairs = [("x-shadow", "1"), ("x-shadow-id", ID), ("x-shadow-req-hash", HASH)]
    pairs += sign(key, method, path, query, ID, HASH, **options)
    return [(name.encode(), value.encode()) for name, value in pairs]


def test_a_signed_tag_is_accepted_once() -> None:
    verifier = Verifier([KEY], clock=Clock())
    headers = tagged()
    assert verifier.verify("POST", b"/v1/x", b"a=1", headers) == (ID, HASH)
    with pytest.raises(TagError, match="used before"):
        verifier.verify("POST", b"/v1/x", b"a=1", headers)
    assert verifier.verify("POST", b"/v1/x", b"a=1", tagged()) == (ID, HASH)


def test_the_signature_is_what_rfc_9421_says() -> None:
    """Built here by hand from §2.5 and §3.3.3, apart from the code."""
    (_, given_input), (_, given_signature) = sign(
        KEY, "POST", b"/v1/a b", b"q=%20", ID, HASH, created=17, nonce="n" * 16
    )
    covered = '("@method" "@path" "@query" "x-shadow" "x-shadow-id" "x-shadow-req-hash")'
    params = f'{covered};created=17;nonce="{"n" * 16}";alg="hmac-sha256";tag="shadowlane"'
    assert given_input == f"shadowlane={params}"
    base = (
        '"@method": POST\n"@path": /v1/a%20b\n"@query": ?q=%20\n"x-shadow": 1\n'
        f'"x-shadow-id": {ID}\n"x-shadow-req-hash": {HASH}\n"@signature-params": {params}'
    )
    expected = base64.b64encode(hmac.digest(KEY, base.encode(), "sha256")).decode()
    assert given_signature == f"shadowlane=:{expected}:"


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [("GET", b"/v1/x", b"a=1"), ("POST", b"/v1/y", b"a=1"), ("POST", b"/v1/x", b"a=2"), ("POST", b"/v1/x", b"")],
)
def test_it_cannot_be_moved_to_another_request(method: str, path: bytes, query: bytes) -> None:
    with pytest.raises(TagError, match="does not fit"):
        Verifier([KEY], clock=Clock()).verify(method, path, query, tagged())


@pytest.mark.parametrize("name", [b"x-shadow", b"x-shadow-id", b"x-shadow-req-hash", b"signature", b"signature-input"])
def test_every_part_is_needed_once_and_as_sent(name: bytes) -> None:
    headers = tagged()
    without = [pair for pair in headers if pair[0] != name]
    twice = [*headers, *(pair for pair in headers if pair[0] == name)]
    changed = [(key, value[:-1] + b"2" if key == name else value) for key, value in headers]
    for wrong, text in ((without, "missing"), (twice, "more than once"), (changed, "signature|x-shadow is not 1")):
        with pytest.raises(TagError, match=text):
            Verifier([KEY], clock=Clock()).verify("POST", b"/v1/x", b"a=1", wrong)


def test_time_bounds_it() -> None:
    clock = Clock()
    verifier = Verifier([KEY], max_age_s=10, clock=clock)
    for age in (-11, 11):
        with pytest.raises(TagError, match="too old or from the future"):
            verifier.verify("POST", b"/v1/x", b"a=1", tagged(created=int(clock.now) - age))
    for age in (-10, 10):
        verifier.verify("POST", b"/v1/x", b"a=1", tagged(created=int(clock.now) - age))


def test_keys_can_be_changed_and_others_do_not_fit() -> None:
    new, old = b"n" * 16, b"o" * 16
    verifier = Verifier([new, old], clock=Clock())
    for key in (new, old):
        assert verifier.verify("POST", b"/v1/x", b"a=1", tagged(key=key)) == (ID, HASH)
    with pytest.raises(TagError, match="does not fit"):
        verifier.verify("POST", b"/v1/x", b"a=1", tagged(key=b"x" * 16))


def test_a_full_memory_never_accepts_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadowlane.tag._MAX_NONCES", 8)
    clock = Clock()
    verifier = Verifier([KEY], max_age_s=300, clock=clock)
    sent = []
    for second in range(40):
        clock.now = 1_700_000_000.0 + second
        sent.append(tagged(created=int(clock.now)))
        verifier.verify("POST", b"/v1/x", b"a=1", sent[-1])
    for headers in sent:
        with pytest.raises(TagError, match=r"used before|older than what is remembered"):
            verifier.verify("POST", b"/v1/x", b"a=1", headers)
    assert len(verifier._seen) <= 8


def test_the_memory_empties_with_time() -> None:
    clock = Clock()
    verifier = Verifier([KEY], max_age_s=10, clock=clock)
    for second in range(100):
        clock.now = 1_700_000_000.0 + second
        verifier.verify("POST", b"/v1/x", b"a=1", tagged(created=int(clock.now)))
    assert len(verifier._seen) <= 12


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_encoded_and_decoded_paths_are_the_same_one(path: bytes, query: bytes) -> None:
    """A server may hand the path out decoded (WSGI) or as sent (ASGI's raw_path)."""
    decoded = b"/" + path.replace(b"%", b"")
    headers = tagged(path=quote(decoded).encode(), query=query)
    assert Verifier([KEY], clock=Clock()).verify("POST", decoded, query, headers) == (ID, HASH)


@given(st.lists(st.tuples(st.sampled_from([n for n, _ in tagged()]), st.binary(max_size=40)), max_size=8))
def test_garbage_is_refused_with_an_error_of_ours(headers: Headers) -> None:
    with pytest.raises(TagError):
        Verifier([KEY], clock=Clock()).verify("POST", b"/v1/x", b"a=1", headers)


@pytest.mark.parametrize(
    ("keys", "options", "text"),
    [([], {}, "at least one"), (["short"], {}, "too few"), ([KEY], {"max_age_s": 0}, "1 to 86400")],
)
def test_wrong_settings_are_named(keys: list[Any], options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Verifier(keys, **options)
