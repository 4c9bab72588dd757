"""Report, status and gate on λ flips, structure with its noise, and the judge: from stored pairs to a reader."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.config import Config
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.judge.language_model import JudgeState
from shadowlane.report.build import build_report
from shadowlane.report.html import render_page
from shadowlane.report.terminal import render_report
from shadowlane.status.collect import collect_status
from shadowlane.status.render import render_status
from shadowlane.store import open_store
from shadowlane.types import GroupReading, JudgeVerdict, Pair, StructureDifference
from tests.support.lanes import NOW_NS, config_at, make_pairs, make_status, save

EVIL = "<script>alert(1)</script>\x1b[31m"


def scored(pair: Pair, **scores: Any) -> Pair:
    return msgspec.structs.replace(pair, scores=msgspec.structs.replace(pair.scores, **scores))


def grouped(pair: Pair, seen: int, **more: Any) -> Pair:
    values = {"number": 3, "seen": seen, "prod": "convergent", "shadow": "convergent", **more}
    return scored(pair, group=GroupReading(**values))


def report_of(config: Config, n: int) -> dict[str, Any]:
    with open_store(config.store, read_only=True) as store:
        return build_report(config, make_status(n), store, now_ns=NOW_NS)


def text_of(report: dict[str, Any]) -> str:
    return "\n".join(text for text, _ in render_report(report))


def test_flips_are_counted_shown_and_evaluated(tmp_path: Path) -> None:
    config = config_at(tmp_path, gate={"warmup_pairs": 0})
    pairs = [grouped(pair, index + 1) for index, pair in enumerate(make_pairs(40))]
    pairs[7] = scored(grouped(pairs[7], 8, shadow="chaotic", flip=True, trend="chaotic"), delta_s=0.9)
    pairs[9] = grouped(pairs[9], 10, shadow="recursive", prod="recursive", flip=True, prod_flip=True, trend="recursive")
    save(config, pairs)
    report = report_of(config, 40)
    groups = report["shadows"][0]["groups"]
    assert (groups["groups"], groups["answers"]) == (1, 39)
    assert (groups["flips"], groups["own_flips"], groups["prod_flips"]) == (2, 1, 1)
    assert groups["states"]["shadow"] == pytest.approx({"convergent": 37 / 39, "chaotic": 1 / 39, "recursive": 1 / 39})
    assert groups["trend"] == {"chaotic": 0.5, "recursive": 0.5}
    assert [(flip["shadow"], flip["prod_flip"]) for flip in groups["shown"]] == [
        ("chaotic", False),
        ("recursive", True),
    ]
    text = text_of(report)
    assert "ALERT: λ flips 1 times where prod's does not (2 in all, prod 1), in 39 answers to 1 repeated" in text
    assert "flip to ×: " in text
    markup = render_page(report)
    assert "1 λ flips of the shadow alone" in markup
    rule = next(rule for rule in report["shadows"][0]["verdict"]["rules"] if rule["name"] == "λ flips")
    assert rule["status"] == "not known"
    assert "1 of the shadow alone, 0 of prod alone, 1 of both" in rule["evidence"]


def test_a_question_that_came_once_says_nothing_about_flips(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, [scored(pair, group=None) for pair in make_pairs(30)])
    report = report_of(config, 30)
    assert report["shadows"][0]["groups"] is None
    assert "no question was asked twice yet" in text_of(report)
    rule = next(rule for rule in report["shadows"][0]["verdict"]["rules"] if rule["name"] == "λ flips")
    assert rule["status"] == "not known"
    save(config, [scored(pair, group=None) for pair in make_pairs(200, first=30)])
    rule = next(rule for rule in report_of(config, 230)["shadows"][0]["verdict"]["rules"] if rule["name"] == "λ flips")
    assert rule["status"] == "not judged"
    assert "no question was asked twice; score.groups" in rule["evidence"]


def test_the_controls_flips_are_the_floor_of_flips(tmp_path: Path) -> None:
    config = config_at(tmp_path, control={"url": "http://127.0.0.1:9002"})
    rng = random.Random(3)
    flipping = [grouped(pair, 2 + index, flip=rng.random() < 0.1) for index, pair in enumerate(make_pairs(1500))]
    control = [
        msgspec.structs.replace(p, outcome=msgspec.structs.replace(p.outcome, shadow="control")) for p in flipping
    ]
    save(config, [*flipping, *control])
    with open_store(config.store, read_only=True) as store:
        [verdict] = evaluate_lane(config, make_status(1500), store, now_ns=NOW_NS)
    rule = next(rule for rule in verdict.rules if rule.name == "λ flips")
    assert rule.ok is True
    assert "above the noise floor of 1" in rule.evidence


def test_status_raises_an_alert_for_recent_flips_of_the_shadow_alone(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    now = time.time_ns()
    recent, old = (
        msgspec.structs.replace(pair, copy=msgspec.structs.replace(pair.copy, started_ns=at))
        for pair, at in zip(make_pairs(2), (now, now - 48 * 3600 * 10**9), strict=True)
    )
    save(config, [grouped(recent, 2, flip=True, prod_flip=True), grouped(old, 2, flip=True)])
    assert collect_status(config)["alerts"] == []
    more = [
        grouped(msgspec.structs.replace(p, copy=msgspec.structs.replace(p.copy, started_ns=now)), 3, flip=True)
        for p in make_pairs(2, first=10)
    ]
    save(config, more)
    status = collect_status(config)
    assert status["store"]["flips"]["candidate"] == {"flips": 3, "shared": 1, "last_ns": now}
    assert status["alerts"] == [
        "λ of candidate flipped 2 times on repeated questions where prod's did not; see shadowlane report"
    ]
    assert "ALERT" in render_status(status)
    without = collect_status(config, flips=False)
    assert (without["store"]["flips"], without["alerts"]) == ({}, [])


def difference(path: str, kind: str = "value", a: str = "1", b: str = "2") -> StructureDifference:
    return StructureDifference(path, path, kind, a, b)  # type: ignore[arg-type]


def test_a_path_that_differs_from_the_control_as_often_is_noise(tmp_path: Path) -> None:
    config = config_at(tmp_path, control={"url": "http://127.0.0.1:9002"})
    shadow = [
        scored(
            pair,
            differences=(difference("/id"), difference(f"/{EVIL}", "missing", EVIL, ""))
            if n % 2
            else (difference("/id"),),
        )
        for n, pair in enumerate(make_pairs(100))
    ]
    control = [scored(pair, differences=(difference("/id"),)) for pair in make_pairs(80, shadow="control", seed=3)]
    save(config, [*shadow, *control])
    report = report_of(config, 100)
    found = report["shadows"][0]["structure"]
    assert (found["pairs"], found["control_pairs"], found["real"], found["noise"]) == (100, 80, 1, 1)
    real, noise = found["places"]
    assert (real["kind"], real["share"], real["control_share"], real["noise"]) == ("missing", 0.5, 0.0, False)
    assert (noise["path"], noise["share"], noise["control_share"], noise["noise"]) == ("/id", 1.0, 1.0, True)
    assert report["shadows"][1]["structure"]["control_pairs"] == 80
    text = text_of(report)
    assert "100 pairs of JSON, 1 paths differ; 1 more are noise (prod against control differs there as often" in text
    assert "/id (value) in 100.0 %, control 100.0 %, noise: prod 1, shadow 2" in text
    assert "\x1b" not in text
    assert "<script" not in render_page(report)


def test_without_a_control_no_path_is_called_noise(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, [scored(pair, differences=(difference("/id"),)) for pair in make_pairs(50)])
    report = report_of(config, 50)
    found = report["shadows"][0]["structure"]
    assert (found["real"], found["noise"], found["control_pairs"]) == (1, 0, 0)
    assert found["places"][0]["p_value"] is None
    assert "no noise is known: no [control]" in text_of(report)
    assert "drift above the noise floor: not known; no [control]" in text_of(report)
    json.dumps(report, allow_nan=False)


def test_every_report_shows_drift_above_the_floor_with_an_interval(tmp_path: Path) -> None:
    config = config_at(tmp_path, control={"url": "http://127.0.0.1:9002"})
    save(config, [*make_pairs(400, mean=0.4), *make_pairs(400, mean=0.1, shadow="control", seed=8)])
    report = report_of(config, 400)
    [block] = report["shadows"][0]["delta_s"]
    low, high = block["above_floor_interval"]
    assert 0 < low < block["above_floor"] < high
    line = f"drift above it {block['above_floor']:+.3f} (95 % at any time: {low:+.3f} to {high:+.3f})"
    assert line in text_of(report)
    assert line in render_page(report)


def test_the_judges_verdicts_and_failures_are_shown(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    pairs = make_pairs(20)
    save(config, pairs)
    key = (pairs[0].copy.shadow_id, "candidate")
    verdicts = {
        key: JudgeVerdict(verdict="prod_better", why=EVIL, model="m"),
        ("gone", "candidate"): JudgeVerdict(verdict="same"),
    }
    state = JudgeState(model="m", judged=2, failed={"http_429": 3}, skipped={"budget": 4})
    with open_store(config.store) as store:
        assert store.save_verdicts(verdicts, msgspec.json.encode(state).decode()) == 1
        assert store.scores("candidate").judge.tolist().count("prod_better") == 1
    report = report_of(config, 20)
    assert report["judge"] == {"model": "m", "judged": 2, "failed": {"http_429": 3}, "skipped": {"budget": 4}}
    assert report["shadows"][0]["judged"] == {"prod_better": 1}
    text = text_of(report)
    assert "prod_better 1 (m)" in text
    assert "failed: http_429 3; left out: budget 4" in text
    assert "<script" not in render_page(report)
