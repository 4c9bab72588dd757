"""The counts of several hosts in one verdict: sums by setting, one host that is wrong, and who is named beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.columns import CopyCounts, HostCounts, HostSeen, Setting
from shadowlane.config import Config, StoreConfig
from shadowlane.gate import Rule
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.gate.hosts import counted_over, own_counts
from shadowlane.status.hosts import host_checks, host_lines, hosts_of
from shadowlane.store import open_store
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, make_pairs, make_status

SINCE = NOW_NS - 24 * HOUR_NS


def setting(eligible: int, taken: int, **more: Any) -> Setting:
    usual: dict[str, Any] = {"since_ns": 1, "choice": "ratio", "ratio": 0.25, "qps": 20.0, "burst": 20}
    return Setting(**{**usual, "eligible": eligible, "taken": taken, **more})


def seen(
    host: str, *settings: Setting, age_s: float = 2.0, failed: int = 0, mirrored: int | None = None, **more: Any
) -> HostSeen:
    taken = sum(one.taken for one in settings) if mirrored is None else mirrored
    total = sum(one.eligible for one in settings) + failed
    dropped = {"sampled_out": total - taken - failed, "prod_failed": failed}
    copies = CopyCounts(mirrored=taken, answered=taken, failed={}, in_flight=0, holds=True)
    given: dict[str, Any] = {"lane": "default", "lane_id": host.ljust(32, "0"), "alike": "x", "release": "1"}
    given |= {"seen": total, "open": 0, "mirrored": taken, "dropped": dropped, "settings": settings, "adds_up": True}
    counts = HostCounts(**{"host": host, "shadows": {"candidate": copies}, **given, **more})
    return HostSeen(counts, NOW_NS - int(age_s * 1e9), age_s)


class Hosts:
    """A store whose hosts said this."""

    def __init__(self, store: Any, said: Sequence[HostSeen]) -> None:
        self._store = store
        self._said = list(said)

    def hosts(self) -> list[HostSeen]:
        return self._said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = config_at(tmp_path)
    with open_store(config.store) as store:
        store.save(make_pairs(400))
    return config


def rules(config: Config, said: Sequence[HostSeen], status: dict[str, Any] | None = None) -> dict[str, Rule]:
    """What the verdict on a host says, whose own counters are those of ``status``; ``None``: where no lane runs."""
    status = status or make_status(0, started=False, lane_id="")
    on_server = msgspec.structs.replace(config, store=StoreConfig(url="postgresql://u@h/d"))
    with open_store(config.store, read_only=True) as store:
        (verdict,) = evaluate_lane(on_server, status, Hosts(store, said), now_ns=NOW_NS)  # type: ignore[arg-type]
    return {rule.key: rule for rule in verdict.rules}


def own_status(lane_id: str, eligible: int, taken: int, prod_failed: int = 0) -> dict[str, Any]:
    status = make_status(taken, lane_id=lane_id)
    status["seen"] = eligible + prod_failed
    status["dropped"] = {"sampled_out": eligible - taken, "prod_failed": prod_failed}
    status["sampler"]["revisions"][0] |= {"eligible": eligible, "taken": taken}
    status["accounting"]["lane_holds"] = True
    copies = {"mirrored": taken, "answered": taken, "failed": {}, "in_flight": 0, "holds": True}
    status["shadows"] = {"candidate": {**copies, "lately": None}}
    return status


GOOD = [seen("a", setting(4000, 1000)), seen("b", setting(8000, 2000)), seen("c", setting(2000, 500))]


def test_sums_are_over_all_hosts_wherever_they_are_asked_for(config: Config) -> None:
    elsewhere = rules(config, GOOD)
    on_a = rules(config, GOOD, own_status("a".ljust(32, "0"), 4000, 1000))
    assert elsewhere["sampling"] == on_a["sampling"]
    assert elsewhere["sampling"].ok is True
    assert elsewhere["sampling"].evidence.startswith("3500 of 14000 eligible requests taken: 25.00 %")
    assert elsewhere["sampling"].evidence.endswith("; over 3 hosts")
    assert elsewhere["prod_errors"].evidence.startswith("prod failed 0 of 3500 requests")
    assert elsewhere["prod_errors"] == on_a["prod_errors"]
    assert elsewhere["accounting"].ok is on_a["accounting"].ok is True
    assert "seen 14000 = mirrored 3500 + dropped 10500; open 0" in elsewhere["accounting"].evidence
    assert "candidate: mirrored 3500 = answered 3500 + failed 0 + in flight 0" in elsewhere["accounting"].evidence


def test_the_host_that_is_asked_counts_as_it_is_now(config: Config) -> None:
    rule = rules(config, GOOD, own_status("a".ljust(32, "0"), 6000, 1500, prod_failed=30))["sampling"]
    assert rule.evidence.startswith("4000 of 16000 eligible requests taken")
    assert rule.evidence.endswith("; over 3 hosts")


def test_one_host_that_samples_wrongly_is_a_miss_however_little_it_moves_the_sum(config: Config) -> None:
    many = [seen(f"h{n:02}", setting(4000, 1000)) for n in range(40)]
    assert rules(config, many)["sampling"].ok is True
    rule = rules(config, [*many, seen("wrong", setting(4000, 1200))])["sampling"]
    assert rule.ok is False
    assert "1200 of 4000 on wrong (+20.0 %)" in rule.evidence
    assert rule.figure == pytest.approx(0.2)


def test_few_requests_of_a_host_are_no_miss(config: Config) -> None:
    rule = rules(config, [*GOOD, seen("few", setting(3, 2))])["sampling"]
    assert rule.ok is True


def test_with_a_key_the_share_of_one_host_is_its_users_and_no_fault(config: Config) -> None:
    said = [seen("a", setting(4000, 900, choice="sticky")), seen("b", setting(4000, 1100, choice="sticky"))]
    assert rules(config, said)["sampling"].ok is True


def test_prods_errors_of_one_host_are_the_fleets(config: Config) -> None:
    said = [*GOOD, seen("d", setting(4000, 1000), failed=240)]
    for status in (None, own_status("a".ljust(32, "0"), 4000, 1000)):
        rule = rules(config, said, status)["prod_errors"]
        assert rule.ok is False
        assert rule.evidence.startswith("prod failed 240 of 4740 requests")
        assert rule.evidence.endswith("; over 4 hosts, 240 of them at d")


def test_hosts_of_other_settings_are_held_against_their_own(config: Config) -> None:
    said = [*GOOD, seen("d", setting(1000, 500, ratio=0.5))]
    rule = rules(config, said)["sampling"]
    assert rule.ok is True
    assert "3500 of 14000" in rule.evidence
    assert "now on d, at 50.00 % and 20 a second: 500 of 1000" in rule.evidence
    said = [*GOOD, seen("d", setting(1000, 600, ratio=0.5))]
    rule = rules(config, said)["sampling"]
    assert rule.ok is False
    assert "--restart" not in rule.evidence


def test_a_setting_of_before_is_judged_while_it_lies_in_the_window(config: Config) -> None:
    def changed(at_ns: int) -> HostSeen:
        return seen("d", setting(1000, 400, ratio=0.2), setting(4000, 1000, since_ns=at_ns))

    inside = rules(config, [*GOOD, changed(NOW_NS - HOUR_NS)])["sampling"]
    assert inside.ok is False
    assert "before, at 20.00 % and 20 a second: 400 of 1000" in inside.evidence
    assert "gate --restart" in inside.evidence
    assert rules(config, [*GOOD, changed(NOW_NS - 30 * HOUR_NS)])["sampling"].ok is True


def test_who_is_gone_keeps_its_part_and_who_is_silent_is_named(config: Config) -> None:
    ended = seen("d", setting(4000, 1000), age_s=9000.0, ended=True)
    silent = seen("e", setting(4000, 1000), age_s=95.0)
    old = seen("f", setting(4000, 1000), age_s=25 * 3600.0)
    rule = rules(config, [*GOOD, ended, silent, old])["sampling"]
    assert rule.ok is True
    assert rule.evidence.startswith("5500 of 22000")
    assert rule.evidence.endswith("; over 5 hosts; e not heard for 95 s, counted as they were then")


def test_lives_of_one_lane_on_one_host_are_one_host(config: Config) -> None:
    before = seen("a", setting(1000, 250), lane_id="z" * 32, age_s=7200.0)
    rule = rules(config, [*GOOD, before])["sampling"]
    assert rule.evidence.startswith("3750 of 15000")
    assert rule.evidence.endswith("; over 3 hosts")
    other = seen("a", setting(4, 1), lane="other", lane_id="y" * 32)
    assert counted_over([*GOOD, other], None, "x", 0, NOW_NS).hosts == ("a/default", "a/other", "b", "c")


def test_hosts_of_another_configuration_or_release_are_named(config: Config) -> None:
    said = [*GOOD, seen("d", setting(4000, 1000), alike="y"), seen("e", setting(4000, 1000), release="2")]
    evidence = rules(config, said)["sampling"].evidence
    assert evidence.endswith("; over 5 hosts; another configuration on d; another release on e")


def test_a_host_whose_word_cannot_be_read_is_named(config: Config) -> None:
    nothing = HostCounts(host="d", lane="", lane_id="d" * 32, seen=0, open=0, mirrored=0, dropped={}, settings=())
    unread = HostSeen(nothing, NOW_NS, 2.0, readable=False)
    rule = rules(config, [*GOOD, unread])["sampling"]
    assert rule.evidence.endswith("; over 4 hosts; what d counted cannot be read here, and is missing")
    lines = list(host_lines(hosts_of([*GOOD, unread], 0)))
    assert lines[1].startswith("d: seen 0, mirrored 0, prod failed 0; CANNOT BE READ")
    (check,) = host_checks(hosts_of([*GOOD, unread], 0))
    assert (check.level, "what d counted cannot be read" in check.text) == ("warn", True)


def test_a_host_whose_counters_do_not_add_up_is_named(config: Config) -> None:
    wrong = CopyCounts(mirrored=10, answered=12, failed={}, in_flight=-2, holds=False)
    rule = rules(config, [*GOOD, seen("d", setting(40, 10), shadows={"candidate": wrong})])["accounting"]
    assert rule.ok is False
    assert "it does not hold on d; over 4 hosts" in rule.evidence
    assert rules(config, [*GOOD, seen("d", setting(40, 10), adds_up=False)])["accounting"].ok is False
    # A forwarding host's copies are in the accounts of the stream.
    assert rules(config, [*GOOD, seen("d", setting(40, 10), adds_up=None)])["accounting"].ok is True


def test_without_a_word_of_any_host_the_lane_that_is_asked_says_that_it_is_alone(config: Config) -> None:
    rule = rules(config, [], own_status("a".ljust(32, "0"), 4000, 1000))["sampling"]
    assert rule.ok is True
    assert "of this host's requests alone" in rule.evidence


def test_a_lane_with_a_file_of_its_own_says_nothing_of_hosts(config: Config) -> None:
    with open_store(config.store, read_only=True) as store:
        (verdict,) = evaluate_lane(config, make_status(400), store, now_ns=NOW_NS)
    assert not any("host" in rule.evidence for rule in verdict.rules)


def test_what_the_asked_host_counts_is_its_status() -> None:
    counts = own_counts(own_status("a" * 32, 4000, 1000, prod_failed=3), "a")
    assert (counts.seen, counts.mirrored, counts.dropped["prod_failed"]) == (4003, 1000, 3)
    assert counts.settings == (setting(4000, 1000, dropped={"sampled_out": 3000}),)
    assert counts.adds_up is True
