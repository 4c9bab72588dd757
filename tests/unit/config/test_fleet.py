"""``[fleet]``: which engine, and that no secret stands in the address."""

from __future__ import annotations

from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.errors import ConfigError


def config(fleet: dict[str, Any], **sections: Any) -> Config:
    return Config.from_dict({"shadows": {"a": {"url": "http://127.0.0.1:9"}}, "fleet": fleet, **sections})


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "rediss://h:1/2",
        "rediss://h/?ssl_ca_certs=/ca.pem",
        "postgresql://u@h/d?sslmode=require",
        "postgres:///d",
    ],
)
def test_engines(url: str) -> None:
    fleet = config({"url": url}).fleet
    assert fleet.on
    assert fleet.address() == url


def test_the_default_is_no_fleet() -> None:
    assert not Config.from_dict({"shadows": {"a": {"url": "http://127.0.0.1:9"}}}).fleet.on


def test_an_address_with_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SHARED_URL", "redis://:secret@h")
    fleet = config({"url_env": "FLEET_SHARED_URL"}).fleet
    assert fleet.on
    assert fleet.address() == "redis://:secret@h"
    monkeypatch.delenv("FLEET_SHARED_URL")
    with pytest.raises(ConfigError, match="the environment variable is not set"):
        fleet.address()


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        ({"url": "mysql://h"}, "no engine that is known"),
        ({"url": "redis://"}, "names no host"),
        ({"url": "redis://h:port"}, "host or port cannot be read"),
        ({"url": "redis://:hunter2@h"}, "holds a password"),
        ({"url": "postgresql://h/d?password=hunter2"}, "holds a password"),
        ({"url": "postgresql://h/d?p%61ssword=hunter2"}, "holds a password"),
        ({"url": "postgresql://u:hunter2#x@h/d"}, "host or port cannot be read"),
        ({"url": "postgresql://u:1/hunter2@h/d"}, "host or port cannot be read"),
        ({"url": "redis://h/checkout"}, "the number of a database"),
        ({"url": "redis://h/0?socket_timeout=600"}, "its query is not taken"),
        ({"url": "rediss://h/0?ssl_password=hunter2"}, "its query is not taken"),
        ({"url": "redis://h", "url_env": "FLEET_URL"}, "remove one of them"),
        ({"url_env": "no name"}, "not the name of an environment variable"),
        ({"url": "redis://h", "name": "A b"}, "fleet.name = 'A b'"),
        ({"url": "redis://h", "lease_s": 1}, "fleet.lease_s = 1.0: use 2 to 60 seconds"),
        ({"url": "redis://h", "lease": 1}, "lease"),
    ],
)
def test_what_is_wrong_is_said(fleet: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(fleet)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_fleet_takes_no_windows_of_candidates() -> None:
    with pytest.raises(ConfigError, match=r"limits\.cap_mode"):
        config({"url": "redis://h"}, limits={"cap_mode": "reservoir"})
    assert config({"url": "redis://h"}, limits={"cap_mode": "first"}).fleet.on
    assert not config({}, limits={"cap_mode": "reservoir"}).fleet.on


def test_sticky_sampling_over_hosts_needs_one_seed() -> None:
    sticky = {"mode": "sticky", "key": "header:x-user"}
    with pytest.raises(ConfigError, match=r"sampling\.seed"):
        config({"url": "redis://h"}, sampling=sticky)
    assert config({"url": "redis://h"}, sampling={**sticky, "seed": 7}).fleet.on
