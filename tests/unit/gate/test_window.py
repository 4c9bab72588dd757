"""Where a window begins: exchanged versions, replicas exchanged one by one, a cold shadow's first answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.gate import Verdict
from shadowlane.gate.window import MOST_VERSIONS, Change, fleet_pins, last_change, start_of, with_fleet
from shadowlane.status.limits import fleet_pins_of
from shadowlane.store import open_store
from shadowlane.types import Pair
from tests.support import verdicts
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, failed, make_pairs, save
from tests.support.verdicts import good, rule

Pin = tuple[str, str, int, int]
DAY_NS = 24 * HOUR_NS


def seen(*pins: Pin) -> list[tuple[str, str, int, int, int]]:
    return [(*pin, 1 + pin[3] - pin[2]) for pin in pins]


@pytest.mark.parametrize(
    ("pins", "changed"),
    [
        ([], None),
        ([("model_rev", "1", 0, 9)], None),
        ([("model_rev", "1", 0, 4), ("model_rev", "2", 5, 9)], (5, "1", "2")),
        ([("model_rev", "1", 0, 6), ("model_rev", "2", 5, 9)], None),
        ([("model_rev", "1", 0, 9), ("model_rev", "2", 3, 4)], None),
        ([("model_rev", "1", 0, 9), ("index_hash", "a", 0, 2), ("index_hash", "b", 7, 9)], (7, "a", "b")),
        ([("index_hash", "a", 0, 2), ("index_hash", "b", 3, 5), ("index_hash", "c", 6, 9)], (6, "b", "c")),
        ([("model_rev", "1", 0, 2), ("model_rev", "2", 4, 9), ("index_hash", "a", 0, 6), ("index_hash", "b", 7, 9)],
         (7, "a", "b")),
    ],
)  # fmt: skip
def test_when_a_version_was_last_exchanged(pins: list[Pin], changed: tuple[int, str, str] | None) -> None:
    found = last_change(seen(*pins))
    assert changed == (None if found is None else (found.at_ns, found.before, found.after))


@pytest.mark.parametrize(
    ("pins", "at"),
    [
        ([("build", "1", 0, 20), ("build", "2", 15, 90)], 21),
        ([("build", "1", 0, 20), ("build", "2", 15, 22)], None),
        ([("build", "1", 0, 89), ("build", "2", 1, 90)], None),
        ([("build", "1", 0, 90), ("build", "2", 30, 31)], None),
        ([("build", "1", 0, 20), ("build", "2", 15, 60), ("build", "3", 55, 99)], 61),
        ([("other", "1", 0, 20), ("other", "2", 15, 90)], None),
    ],
    ids=["replicas", "still both", "taking turns", "tried out", "twice", "not configured"],
)
def test_replicas_may_be_exchanged_one_by_one(pins: list[Pin], at: int | None) -> None:
    found = last_change(seen(*pins), rolling=("build",))
    assert (None if found is None else found.at_ns) == at


def test_a_change_says_which_pin_from_what_to_what() -> None:
    assert str(Change(1, "prompt", "v1", "v2")) == "pin prompt changed from v1 to v2"
    assert "…" in str(Change(1, "prompt", "x" * 99, "v2"))


def pinned(pairs: list[Pair], **pins: Any) -> list[Pair]:
    """With pins, each a text or what a function of the pair's number gives; ``None``: it is not there."""
    out = []
    for i, pair in enumerate(pairs):
        values = {name: value(i) if callable(value) else value for name, value in pins.items()}
        out.append(msgspec.structs.replace(pair, pins={name: v for name, v in values.items() if v is not None}))
    return out


def judged(folder: Path, pairs: list[Pair], **config: Any) -> Verdict:
    return verdicts.judged(folder, pairs, **{"gate": {"disable": ["overhead"]}, **config})


PINS = {"prompt": "header:x-prompt", "build": {"read": "body:/build", "expected": "41"}}


def test_a_changed_pin_begins_a_window_and_says_which_from_what_to_what(tmp_path: Path) -> None:
    pairs = pinned(good(), prompt=lambda i: "v1" if i < 1000 else "v2", build="41")
    verdict = judged(tmp_path, pairs, pins=PINS)
    assert verdict.window.since_ns == pairs[1000].copy.started_ns
    assert verdict.window.why == "pin prompt changed from v1 to v2"
    some = rule(verdict, "pins")
    assert (some.ok, "prompt 'v2' 1400 times" in some.evidence, "'v1'" in some.evidence) == (True, True, False)


def test_the_window_begins_where_the_last_replica_was_exchanged(tmp_path: Path) -> None:
    pairs = pinned(good(), prompt=lambda i: "v1" if i < 900 or (i < 1000 and i % 2) else "v2", build="41")
    verdict = judged(tmp_path, pairs, pins=PINS)
    assert verdict.window.since_ns == pairs[999].copy.started_ns + 1
    assert rule(verdict, "pins").ok is True


@pytest.mark.parametrize(
    ("build", "status", "says"),
    [
        ("41", "met", "build '41' 2400 times"),
        ("42", "not met", "build: expected '41', and 2400 answers say another: '42' 2400 times"),
        (lambda i: "42" if i == 1200 else "41", "not met", "build: expected '41', and 1 answers say another"),
        (None, "not met", "build: expected '41', and no answer says it"),
    ],
    ids=["as expected", "another", "once another", "nobody says it"],
)
def test_an_expected_value_is_held_against_what_answers_say(build: Any, status: str, says: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, pinned(good(), prompt="v1", build=build), pins=PINS)
    some = rule(verdict, "pins")
    assert some.status == status
    assert says in some.evidence
    assert verdict.decision == ("GRADUATE" if status == "met" else "HOLD"), verdict.summary
    assert verdict.waits_for["person"] == ([] if status == "met" else ["pins"])


def test_versions_side_by_side_are_a_finding_only_where_the_pin_was_asked_for(tmp_path: Path) -> None:
    turns = [msgspec.structs.replace(pair, model_rev=("a", "b")[i % 2]) for i, pair in enumerate(good())]
    assert rule(judged(tmp_path, turns), "pins").ok is True
    (tmp_path / "asked").mkdir()
    asked = pinned(good(), prompt=lambda i: ("v1", "v2")[i % 2])
    some = rule(judged(tmp_path / "asked", asked, pins={"prompt": "header:x-prompt"}), "pins")
    assert (some.ok, "prompt: 2 versions answer side by side" in some.evidence) == (False, True)


@pytest.mark.parametrize("sent", ["nothing", "only x-model-rev", "some pins"])
def test_a_pin_that_nobody_sends_is_not_judged(sent: str, tmp_path: Path) -> None:
    """So that ``gate.require`` can wait for it."""
    pairs = [msgspec.structs.replace(pair, model_rev="" if sent == "nothing" else "m") for pair in good()]
    pairs = pinned(pairs, build="41") if sent == "some pins" else pairs
    pins = {"prompt": "header:x-prompt", "build": "header:x-build"}
    verdict = judged(tmp_path, pairs, pins=pins)
    some = rule(verdict, "pins")
    assert (some.status, verdict.decision) == ("not judged", "GRADUATE")
    assert "prompt: no answer has it" in some.not_judged
    (tmp_path / "required").mkdir()
    gate = {"disable": ["overhead"], "require": ["pins"]}
    assert judged(tmp_path / "required", pairs, pins=pins, gate=gate).decision == "HOLD"


@pytest.mark.parametrize("pin", ["model_rev", "index_hash", "prompt"])
def test_what_is_another_with_each_answer_is_no_version(pin: str, tmp_path: Path) -> None:
    def named(pair: Pair, value: str) -> Pair:
        return msgspec.structs.replace(pair, **({"pins": {pin: value}} if pin == "prompt" else {pin: value}))

    pairs = [named(pair, f"req-{i}") for i, pair in enumerate(good())]
    verdict = judged(tmp_path, pairs, pins={"prompt": "header:x-request-id"} if pin == "prompt" else {})
    some = rule(verdict, "pins")
    assert (verdict.window.why, some.status) == ("", "not judged")
    assert f"{pin}: 1000 or more values: this is no version" in some.not_judged


def test_a_thousand_versions_are_looked_at_in_one_pass() -> None:
    """Each value is held against one earlier one, not against all."""
    asked = 0

    class Time(int):
        def __gt__(self, other: int) -> bool:
            nonlocal asked
            asked += 1
            return int(self) > int(other)

    pins = [("build", str(i), Time(2 * i), Time(2 * i + 1), 1) for i in range(MOST_VERSIONS)]
    found = last_change(pins)
    assert (found is not None and found.after, asked < 10 * MOST_VERSIONS) == (str(MOST_VERSIONS - 1), True)


def test_a_lane_whose_answers_say_no_version_is_not_judged(tmp_path: Path) -> None:
    pairs = [msgspec.structs.replace(pair, model_rev="") for pair in good()]
    verdict = judged(tmp_path, pairs)
    assert rule(verdict, "pins").status == "not judged"
    assert verdict.decision == "GRADUATE", verdict.summary


# ---- a cold shadow


def cold(n: int = 2400, slow: int = 20) -> list[Pair]:
    """A good shadow whose first answers fail by HTTP 503."""
    pairs = good(n)
    for i in range(slow):
        outcome = msgspec.structs.replace(pairs[i].outcome, status=503)
        pairs[i] = msgspec.structs.replace(failed(pairs[i], ""), outcome=outcome)
    return pairs


@pytest.mark.parametrize(("warmup", "failures"), [(None, 0), (0, 20), (15, 5), (50, 0)])
def test_the_first_answers_of_a_cold_shadow_do_not_count(warmup: int | None, failures: int, tmp_path: Path) -> None:
    gate = {"disable": ["overhead"], **({} if warmup is None else {"warmup_pairs": warmup})}
    verdict = judged(tmp_path, cold(), gate=gate)
    left_out = 20 if warmup is None else warmup
    assert (
        f"copies that the shadow failed: {100 * failures / (2400 - left_out):.2f} %"
        in rule(verdict, "shadow_errors").evidence
    )
    said = f"the first {left_out} answers of the cold shadow do not count (gate.warmup_pairs)"
    assert (said in rule(verdict, "pairs").evidence) == (left_out > 0)


def test_a_shadow_that_has_answered_before_the_window_is_warm(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, make_pairs(2400, hours=48))
    with open_store(config.store, read_only=True) as store:
        assert start_of(config, "candidate", store, NOW_NS).warmup == 0
        assert start_of(config, "candidate", store, NOW_NS + 30 * DAY_NS).warmup == 0
    with open_store(config.store) as store:
        store.restart_window("candidate", NOW_NS - 12 * HOUR_NS)
        start = start_of(config, "candidate", store, NOW_NS)
    assert (start.warmup, start.why) == (20, "restarted by hand")
    assert start.counted_ns > start.since_ns


def test_too_few_answers_to_be_warm_are_no_data(tmp_path: Path) -> None:
    verdict = judged(tmp_path, make_pairs(19, hours=20))
    assert rule(verdict, "pairs").evidence.startswith("0 pairs scored")
    assert verdict.decision == "HOLD"


# ---- what other hosts of a fleet saw


def test_what_other_hosts_saw_is_joined_with_the_rows_and_counts_no_answer() -> None:
    rows = [("model_rev", "1", 10, 20, 5), ("model_rev", "2", 40, 50, 3)]
    assert with_fleet(rows, [], 0) is rows
    fleet = [("model_rev", "2", 30, 45), ("model_rev", "1", 5, 60), ("build", "x", 1, 2)]
    assert with_fleet(rows, fleet, 0) == [
        ("build", "x", 1, 2, 0),
        ("model_rev", "1", 5, 60, 5),
        ("model_rev", "2", 30, 50, 3),
    ]


def test_what_lies_before_the_window_is_left_out_as_of_the_rows() -> None:
    fleet = [("model_rev", "1", 5, 14), ("model_rev", "2", 12, 40)]
    assert with_fleet([], fleet, 15) == [("model_rev", "2", 15, 40, 0)]


@pytest.mark.parametrize("pins", [[], ["x"], {"candidate": 3}, {"candidate": [["model_rev", "1", 1]]}, "odd"])
def test_a_state_that_cannot_be_read_says_nothing_of_versions(pins: Any) -> None:
    assert fleet_pins(status_of(pins), "candidate") == []


def status_of(pins: Any) -> dict[str, Any]:
    return {"fleet_pins": fleet_pins_of({"fleet": {"pins": pins}})}


def test_a_window_begins_by_what_another_host_saw_and_its_pairs_are_this_ones(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, make_pairs(60))
    at = NOW_NS - HOUR_NS
    fleet = [("model_rev", "2025-06-01", at - DAY_NS, at - 5), ("model_rev", "2025-07-01", at, at)]
    with open_store(config.store, read_only=True) as store:
        later = [pin for pin in store.pins("candidate", 0) if pin[0] == "model_rev"]
        assert later[0][3] > at, "this host still gets the old one"
        assert start_of(config, "candidate", store, NOW_NS, fleet=fleet).why == ""
        alone = [("build", "1", at - 9, at - 5), ("build", "2", at, at)]
        start = start_of(config, "candidate", store, NOW_NS, fleet=alone)
        assert (start.since_ns, start.why) == (at, "pin build changed from 1 to 2")
        assert start.pins == tuple(store.pins("candidate", at))
