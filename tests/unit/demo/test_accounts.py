"""The fleet's accounting: each equation holds on sound counts, and each is broken by a count of its own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shadowlane.demo.accounts import FleetAccount, HostAccount, account_lines, equations, host_account

DROPPED = {"route": 20, "method": 4, "sampled_out": 30, "cap": 12, "producer_died": 1}


def host(name: str = "host-1", **changed: Any) -> HostAccount:
    sound = HostAccount(
        name=name, answered=100, cut=0, killed=False, holds=True, seen=100, open=0, eligible=76, taken=46,
        dropped=DROPPED, mirrored=33, rows=33,
    )  # fmt: skip
    return msgspec.structs.replace(sound, **changed)


def fleet(*hosts: HostAccount, **changed: Any) -> FleetAccount:
    given = hosts or (host(), host("host-2"))
    rows = sum(one.rows for one in given)
    sound = FleetAccount(hosts=list(given), rows=rows, ids=rows, qps=5.0, burst=10, seconds=12.0)
    return msgspec.structs.replace(sound, **changed)


def broken(account: FleetAccount) -> list[str]:
    return [equation.text for equation in equations(account) if not equation.holds]


def test_sound_counts_hold() -> None:
    found = equations(fleet())
    assert len(found) == 2 * 6 + 2
    assert broken(fleet()) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"answered": 101}, "answered 101 = seen 100"),
        ({"answered": 99}, "answered 99 = seen 100"),
        ({"open": 1}, "open 1"),
        ({"holds": False}, "seen 100 = mirrored 33 + dropped 67"),
        ({"dropped": {**DROPPED, "cap": 11}}, "seen 100 = mirrored 33 + dropped 66"),
        ({"eligible": 75}, "not to be mirrored 24 + eligible 75"),
        ({"taken": 45}, "sampled out 30 + taken 45"),
        ({"taken": 47}, "taken 47 = mirrored 33"),
        ({"rows": 32}, "mirrored 33 = rows 32"),
    ],
)
def test_each_count_breaks_its_equation(changed: dict[str, Any], says: str) -> None:
    found = broken(fleet(host(), host("host-2", **changed)))
    assert any(text.startswith("host-2: ") and says in text for text in found), found
    assert not any(text.startswith("host-1: ") for text in found)


@pytest.mark.parametrize("changed", [{"rows": 65}, {"ids": 65}])
def test_rows_that_the_database_has_not_or_has_twice_are_told(changed: dict[str, int]) -> None:
    assert [text.partition(":")[0] for text in broken(fleet(**changed))] == ["fleet"]


def test_a_fleet_over_its_cap_is_told() -> None:
    assert broken(fleet(seconds=11.7)) == []  # 68 admitted, with the two that died afterwards
    [text] = broken(fleet(seconds=11.5))
    assert "admitted 68" in text
    assert "allows 68" in text


def test_a_killed_gateway_is_bounded_by_what_its_users_saw() -> None:
    cut = host(answered=97, cut=3, killed=True)
    assert broken(fleet(cut)) == []
    assert (
        broken(fleet(msgspec.structs.replace(cut, seen=97, dropped={**DROPPED, "cap": 9}, taken=43, eligible=73))) == []
    )
    assert any("answered 97 .. 99" in text for text in broken(fleet(msgspec.structs.replace(cut, cut=2))))
    # One call may have been cut off, two cannot.
    assert broken(fleet(msgspec.structs.replace(cut, taken=47))) == []
    assert broken(fleet(msgspec.structs.replace(cut, taken=48))) != []


def test_the_table_sums_every_line() -> None:
    lines = account_lines(fleet())
    assert len({len(line) for line in lines}) == 1
    by_name = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert by_name["requests"] == ["100", "100", "200"]
    assert by_name["cap"] == ["12", "12", "24"]
    assert by_name["rows"] == ["33", "33", "66"]


def test_a_status_gives_a_host() -> None:
    status = {
        "seen": 100, "open": 0, "mirrored": 33, "dropped": DROPPED, "sampler": {"eligible": 76, "taken": 46},
        "accounting": {"holds": True, "known": True},
        "shadows": {"candidate": {"answered": 31, "failed": {"deadline": 2}}},
    }  # fmt: skip
    assert host_account("host-1", status, "candidate", answered=100, cut=0, killed=False) == host()
    unknown = {**status, "accounting": {"holds": True, "known": False}}
    assert not host_account("host-1", unknown, "candidate", answered=100, cut=0, killed=False).holds
