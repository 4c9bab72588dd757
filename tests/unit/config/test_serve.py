"""``[serve]``: addresses, and that nobody listens beyond loopback without a token."""

from __future__ import annotations

import pytest

from shadowlane.config import Config
from shadowlane.config.serve import address_of, is_loopback
from shadowlane.errors import ConfigError
from shadowlane.serve.command import with_listen

SHADOWS = {"candidate": {"url": "http://127.0.0.1:9"}}


def config(**serve: str | bool) -> Config:
    return Config.from_dict({"shadows": SHADOWS, "serve": serve})


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9797", ("127.0.0.1", 9797)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_loopback_needs_no_token(listen: str, address: tuple[str, int]) -> None:
    assert address_of(config(listen=listen).serve.listen) == address


@pytest.mark.parametrize(
    "listen",
    [
        "9797",
        ":9797",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:80",
        "[::1",
        "[:::]:80",
        "a b:80",
        "http://a:80",
    ],
)
def test_what_is_no_address_is_refused_with_a_good_one(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"serve\.listen = .*: (write HOST:PORT|not an IPv6 address)"):
        config(listen=listen)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "example.org:80", "127.0.0.1.evil.example:80"]
)
def test_beyond_loopback_a_token_must_be_named(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"serve\.listen = .*beyond loopback.*serve\.token_env"):
        config(listen=listen)
    assert config(listen=listen, token_env="LANE_TOKEN").serve.listen == listen


def test_a_token_in_the_place_of_its_variable_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        config(listen="127.0.0.1:1", token_env="sk-proj-abcDEF1234567890abcDEF")
    assert "serve.token_env: not the name of an environment variable" in str(refused.value)
    assert "abcDEF" not in str(refused.value)


def test_the_gates_token_is_a_second_one() -> None:
    with pytest.raises(ConfigError, match=r"serve\.gate_token_env: opens a part"):
        config(listen="127.0.0.1:1", gate_token_env="GATE_TOKEN")


def test_the_option_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^--serve = '0\.0\.0\.0:1': beyond loopback"):
        with_listen(config(), "0.0.0.0:1", "--serve")
    with pytest.raises(ConfigError, match=r"^--listen = 'nowhere': write HOST:PORT"):
        with_listen(config(), "nowhere", "--listen")
    for page, had, has in ((False, False, False), (True, False, True), (False, True, True)):
        made = with_listen(config(dashboard=had), "127.0.0.1:1", "--serve", page=page)
        assert (made.serve.listen, made.serve.dashboard) == ("127.0.0.1:1", has)
    monkeypatch.delenv("LANE_TOKEN", raising=False)
    named = with_listen(config(token_env="LANE_TOKEN"), "0.0.0.0:1", "--serve")
    with pytest.raises(ConfigError, match=r"serve\.token_env = .*not set"):
        named.serve.tokens()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost.", True), ("0.0.0.0", False), ("::", False),
     ("localhost.evil.example", False), ("", False)],
)  # fmt: skip
def test_what_loopback_is(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
