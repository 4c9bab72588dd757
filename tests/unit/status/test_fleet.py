"""The share of a fleet's host in words: what it is, and why there is none; and doctor's look at the engine."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.status.fleet import fleet_checks, fleet_lines
from shadowlane.status.limits import fleet_of

FLEET = {"engine": "redis", "error": "", "hosts": 3, "rate": 50.0, "burst": 20, "opens_in_s": 0, "joined": True}
SHARE = {"off": False, "rate": 12.5, "burst": 5, "left_s": 3.2, "wanted": 70}
NONE = {**SHARE, "left_s": 0.0}


def test_a_share_and_whose_it_is_part_of() -> None:
    assert fleet_lines(FLEET, SHARE) == [
        "12.5 copies a second and 5 at once are this host's for 3.2 s",
        "3 hosts share 50 copies a second and 20 at once, by redis",
    ]
    assert fleet_lines(None, None) == []


@pytest.mark.parametrize(
    ("fleet", "lease", "why"),
    [
        (None, NONE, "no worker runs"),
        ({**FLEET, "error": "redis: away"}, NONE, "its engine is away: redis: away"),
        ({**FLEET, "opens_in_s": 4}, NONE, "is over in 4 s"),
        (FLEET, NONE, "others have it"),
        (FLEET, {**SHARE, "rate": 0.0, "burst": 0}, "others have it"),
        ({**FLEET, "joined": False}, NONE, "the worker asks for one"),
    ],
)
def test_why_nothing_is_mirrored(fleet: dict[str, Any] | None, lease: dict[str, Any], why: str) -> None:
    first = fleet_lines(fleet, lease)[0]
    assert first.startswith("NO SHARE, nothing is mirrored here (refused requests count as cap): ")
    assert why in first


def test_an_engine_that_is_away_is_said_while_the_share_holds() -> None:
    lines = fleet_lines({**FLEET, "error": "redis: away"}, SHARE)
    assert "its engine is away" in lines[1]


def test_what_a_dead_worker_or_another_release_said_is_not_shown() -> None:
    assert fleet_of({"fleet": FLEET}, alive=False) is None
    assert fleet_of({"fleet": {"engine": "redis"}}, alive=True) is None
    assert fleet_of({}, alive=True) is None


def test_doctor_says_that_the_engine_is_away() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}"
        shadow = {"a": {"url": "http://127.0.0.1:9"}}
        (check,) = fleet_checks(Config.from_dict({"shadows": shadow, "fleet": {"url": url}}))
    assert (check.name, check.level) == ("fleet", "fail")
    assert "redis" in check.text
    assert list(fleet_checks(Config.from_dict({"shadows": shadow}))) == []
