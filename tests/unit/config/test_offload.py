"""``[worker]`` and ``[offload]``: which roles go with what, and that no secret stands in the address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shadowlane.capture.lane import Lane
from shadowlane.config import Config
from shadowlane.config.offload import server_of
from shadowlane.errors import ConfigError

URL = "redis://127.0.0.1:6379"


def config(role: str = "forward", *, lane: dict[str, Any] | None = None, **offload: Any) -> Config:
    data: dict[str, Any] = {"shadows": {"a": {"url": "http://127.0.0.1:9"}}, "worker": {"role": role}}
    return Config.from_dict({**data, "lane": lane or {}, "offload": {"url": URL, **offload}})


def test_one_host_does_all_and_needs_no_server() -> None:
    plain = Config.from_dict({"shadows": {"a": {"url": "http://127.0.0.1:9"}}})
    assert plain.worker.role == "all"
    assert plain.offload.url == ""


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("redis://redis", ("redis", 6379, 0, False)),
        ("redis://10.0.0.5:7000/3", ("10.0.0.5", 7000, 3, False)),
        ("rediss://[::1]:7001", ("::1", 7001, 0, True)),
    ],
)
def test_the_server_is_read_out_of_the_url(url: str, server: tuple[str, int, int, bool]) -> None:
    assert server_of(config(url=url).offload) == server


@pytest.mark.parametrize(
    ("offload", "said"),
    [
        ({"url": ""}, "set offload.url"),
        ({"url": "127.0.0.1:6379"}, "use redis://"),
        ({"url": "http://127.0.0.1:6379"}, "use redis://"),
        ({"url": "redis://"}, "use redis://"),
        ({"url": "redis://host:port"}, "host or port cannot be read"),
        ({"url": "redis://host:0"}, "use redis://"),
        ({"url": "redis://:hunter2secret@host"}, "credential_env"),
        ({"url": "redis://me:hunter2secret@host/0"}, "credential_env"),
        ({"url": "redis://host?password=hunter2secret"}, "remove it"),
        ({"url": "redis://host/name"}, "number of a database"),
        ({"ca_file": "/no/such/bundle.pem"}, "no such file"),
        ({"stream": "a b"}, "offload.stream"),
        ({"stream": ""}, "offload.stream"),
        ({"group": "x" * 200}, "offload.group"),
        ({"host": "a/b"}, "offload.host"),
        ({"user": "shadowlane"}, "offload.credential_env"),
        ({"credential_env": "not a name"}, "offload.credential_env"),
        ({"max_length": 0}, "offload.max_length"),
        ({"claim_s": float("nan")}, "offload.claim_s"),
        ({"max_deliveries": 1}, "offload.max_deliveries"),
        ({"maxlength": 5}, "maxlength"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_remedy(offload: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config(**offload)
    assert said in str(raised.value)
    assert "hunter2secret" not in str(raised.value)


def test_a_bundle_without_tls_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    with pytest.raises(ConfigError, match="use rediss://"):
        config(ca_file=str(bundle))


def test_a_judge_is_started_by_hand_and_has_no_gateway(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'lane\.worker = "external"'):
        config("judge")
    judge = config("judge", lane={"worker": "external", "directory": str(tmp_path / "lane")})
    with pytest.raises(ConfigError, match="has no gateway"):
        Lane.open(judge)
    assert not (tmp_path / "lane").exists()


@pytest.mark.parametrize("role", ["forward", "judge"])
def test_windows_are_for_a_worker_that_sends(role: str) -> None:
    data = {"shadows": {"a": {"url": "http://127.0.0.1:9"}}, "worker": {"role": role}, "offload": {"url": URL}}
    with pytest.raises(ConfigError, match=r"limits\.cap_mode"):
        Config.from_dict({**data, "lane": {"worker": "external"}, "limits": {"cap_mode": "reservoir"}})


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"worker\.role"):
        config("forwards")


def test_the_password_is_read_from_its_variable() -> None:
    offload = config(credential_env="REDIS_PASSWORD").offload
    assert offload.password({"REDIS_PASSWORD": "secret"}) == "secret"
    with pytest.raises(ConfigError, match=r"offload\.credential_env"):
        offload.password({})
    assert config().offload.password({}) == ""
