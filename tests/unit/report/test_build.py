"""The report as data, from a real store."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shadowlane.config import Config
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.report.build import build_report
from shadowlane.report.html import render_page
from shadowlane.report.terminal import render_report
from shadowlane.report.trial import overhead_line
from shadowlane.store import open_store
from shadowlane.store.latency import pack
from tests.support.lanes import EMBEDDER, HOUR_NS, NOW_NS, QUESTIONS, config_at, failed, make_pairs, make_status, save


def report_of(config: Config, n: int, **more: Any) -> dict[str, Any]:
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(n), store, now_ns=NOW_NS, **more)
    # Everything in it is JSON without NaN or infinity, and survives the way.
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    return report


def test_counts_scores_and_texts(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    pairs = make_pairs(200)
    pairs[3:5] = [failed(pairs[3], "deadline", took_s=30), failed(pairs[4], "connect_error")]
    save(config, pairs)
    report = report_of(config, 200)
    (shadow,) = report["shadows"]
    assert (report["pairs"], shadow["pairs"], shadow["answered"]) == (200, 200, 198)
    assert shadow["failed"] == {"deadline": 1, "connect_error": 1}
    assert shadow["http"] == {"200": 198}
    (block,) = shadow["delta_s"]
    scored = [pair.scores.delta_s for pair in pairs if pair.scores.delta_s is not None]
    assert block["mean"] == pytest.approx(sum(scored) / len(scored))
    assert (block["embedder"], block["n"]) == (EMBEDDER, 198)
    assert report["sampling"] == {"configured": 0.25, "achieved": 0.25, "eligible": 800, "taken": 200}
    worst = shadow["worst"]
    by_question = (pairs[number :: len(QUESTIONS)] for number in range(len(QUESTIONS)))
    apart = (max(pair.scores.delta_s or 0 for pair in same) for same in by_question)
    assert [pair["delta_s"] for pair in worst] == sorted(apart, reverse=True)
    assert worst[0]["prod"]["text"]
    assert worst[0]["asked"].endswith("?")
    assert shadow["rate_limit"]["headers"] == {"x-ratelimit-remaining": "41"}
    assert shadow["verdict"]["decision"] == "HOLD"


def test_contradicted_facts_come_first(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    pairs = make_pairs(30)
    flipped = min(range(30), key=lambda i: pairs[i].scores.delta_s or 0)
    scores = msgspec.structs.replace(pairs[flipped].scores, fact_flip=True)
    pairs[flipped] = msgspec.structs.replace(pairs[flipped], scores=scores)
    save(config, pairs)
    (shadow,) = report_of(config, 30)["shadows"]
    assert shadow["fact_flips"] == 1
    assert shadow["worst"][0]["shadow_id"] == pairs[flipped].copy.shadow_id


def test_a_new_embedder_starts_a_new_block(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, [*make_pairs(20), *make_pairs(10, embedder="other/1", first=100, hours=1)])
    (shadow,) = report_of(config, 30)["shadows"]
    assert [(block["embedder"], block["n"]) for block in shadow["delta_s"]] == [(EMBEDDER, 20), ("other/1", 10)]
    # The gate judges the newest one only.
    with open_store(config.store, read_only=True) as store:
        (verdict,) = evaluate_lane(config, make_status(30), store, now_ns=NOW_NS)
    assert "10 pairs scored" in next(rule.evidence for rule in verdict.rules if rule.name == "pairs")


def test_the_control_is_the_noise_floor(tmp_path: Path) -> None:
    config = config_at(tmp_path, control={"url": "http://127.0.0.1:9002"})
    save(config, [*make_pairs(150, mean=0.3), *make_pairs(150, mean=0.2, shadow="control", seed=8)])
    report = report_of(config, 150)
    shadow, control = report["shadows"]
    floor = report["noise_floor"][EMBEDDER]
    assert floor == pytest.approx(control["delta_s"][0]["mean"])
    assert shadow["delta_s"][0]["above_floor"] == pytest.approx(shadow["delta_s"][0]["mean"] - floor)
    assert (control["control"], control["verdict"], control["delta_s"][0]["floor"]) == (True, None, None)
    assert "noise floor" in shadow["verdict"]["rules"][0]["evidence"]


def test_hours_cut_the_report_and_not_the_verdict(tmp_path: Path) -> None:
    config = config_at(tmp_path, gate={"warmup_pairs": 0})
    save(config, make_pairs(240))
    report = report_of(config, 240, hours=6)
    assert report["pairs"] == 60
    pairs_rule = next(rule for rule in report["shadows"][0]["verdict"]["rules"] if rule["name"] == "pairs")
    assert "240 pairs scored" in pairs_rule["evidence"]


def test_what_is_older_than_the_window_is_not_evaluated(tmp_path: Path) -> None:
    config = config_at(tmp_path, gate={"window_hours": 2.0})
    save(config, make_pairs(240))
    with open_store(config.store, read_only=True) as store:
        (verdict,) = evaluate_lane(config, make_status(240), store, now_ns=NOW_NS)
    scored = int(next(rule.evidence for rule in verdict.rules if rule.name == "pairs").split()[0])
    # The window's start is rounded down to the hour.
    assert 20 <= scored <= 30


def keep_times(
    config: Config, n: int, added: float, *, choice: str = "ratio", ratio: float = 0.25, others_share: float = 1.0
) -> None:
    """Two lives of a lane, each with half of ``n`` taken requests and a share as many others, within the last day."""
    edges = np.unique(np.geomspace(1e6, 1e9, 694).astype(np.int64))
    ns = np.random.default_rng(3).lognormal(17, 0.3, (2, n))
    with open_store(config.store) as store:
        for life, some in (("ab" * 16, slice(0, n // 2)), ("cd" * 16, slice(n // 2, n))):
            taken = np.histogram((1 + added) * ns[0][some], edges)[0]
            others = np.histogram(ns[1][some][: round(others_share * n / 2)], edges)[0]
            store.save_latency(life, NOW_NS - 5 * HOUR_NS, choice, ratio, pack(edges, taken, others))


def overhead_of(config: Config, **status: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rule of the report, and the report."""
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(50, **status), store, now_ns=NOW_NS)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    rules = report["shadows"][0]["verdict"]["rules"]
    return next((rule for rule in rules if rule["name"] == "overhead"), {}), report


@pytest.mark.parametrize(("added", "ok"), [(0.005, True), (0.2, False)])
def test_what_mirroring_adds_is_evaluated_when_the_lane_is_gone(tmp_path: Path, added: float, ok: bool) -> None:
    config = config_at(tmp_path)
    save(config, make_pairs(50))
    keep_times(config, 60_000, added)
    rule, report = overhead_of(config, started=False)
    assert (rule["ok"], rule["beyond"]) == (ok, False)
    assert "60000 mirrored requests against 60000 of the others" in rule["evidence"]
    block = report["overhead"]
    assert (block["taken"], block["not_taken"], block["target"], block["why"]) == (60_000, 60_000, 0.05, "")
    low, high = block["interval"]
    assert low < block["added_share"] < high
    shown = f"mirroring adds to P99: {100 * block['added_share']:+.1f} % (95 % at any time: "
    assert any(shown in line for line, _ in render_report(report))
    assert shown in html.unescape(render_page(report))


@pytest.mark.parametrize(
    ("choice", "ratio", "remedy"),
    [("ratio", 1.0, "set sampling.ratio below 1"), ("sticky", 0.25, 'set sampling.mode = "ratio"')],
)
def test_without_a_control_group_the_rule_says_so_and_what_to_do(
    tmp_path: Path, choice: str, ratio: float, remedy: str
) -> None:
    config = config_at(tmp_path)
    save(config, make_pairs(50))
    keep_times(config, 2000, 0.0, choice=choice, ratio=ratio, others_share=0.0 if ratio == 1 else 1.0)
    sampler = {"choice": choice, "ratio": ratio, "eligible": 100, "taken": 50, "revisions": []}
    rule, report = overhead_of(config, sampler=sampler)
    assert rule["ok"] is None
    for text in (rule["evidence"], report["overhead"]["why"], overhead_line(report["overhead"])):
        assert "cannot be judged" in text
        assert remedy in text
        assert 'gate.disable = ["overhead"]' in text


def test_a_cap_that_often_bites_is_said_beside_the_figure(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, make_pairs(50))
    keep_times(config, 4000, 0.0, others_share=0.6)
    rule, report = overhead_of(config)
    assert "4000 mirrored requests against 2400" in rule["evidence"]
    assert "a cap often had no room" in rule["evidence"]
    assert "a cap often had no room" in overhead_line(report["overhead"])
    # Above one half the groups are unequal by the coin.
    even = config_at(tmp_path, store={"url": f"sqlite:///{tmp_path / 'other.db'}"})
    save(even, make_pairs(50))
    keep_times(even, 4000, 0.0, others_share=0.25, ratio=0.8)
    assert "a cap" not in overhead_of(even)[0]["evidence"]


def test_a_cost_that_is_left_out_is_named(tmp_path: Path) -> None:
    config = config_at(tmp_path, gate={"disable": ["overhead"]})
    save(config, make_pairs(50))
    rule, report = overhead_of(config)
    assert rule == {}
    assert report["targets"]["overhead_p99"] is None
    left_out = "not judged: overhead (gate.disable)"
    assert any(left_out in line for line, _ in render_report(report))
    assert left_out in html.unescape(render_page(report)).replace("Not", "not")


def test_what_was_timed_before_the_window_is_not_evaluated(tmp_path: Path) -> None:
    config = config_at(tmp_path, gate={"window_hours": 2.0})
    save(config, make_pairs(50))
    keep_times(config, 2000, 0.0)
    rule, report = overhead_of(config)
    assert (rule["ok"], report["overhead"]["taken"]) == (None, 0)
    assert "not known yet" in overhead_line(report["overhead"])


def test_a_good_day_graduates_and_a_failing_shadow_is_rejected(tmp_path: Path) -> None:
    gate = {"p95_increase": 0.3, "min_pairs": 500}
    good = config_at(tmp_path / "good", gate=gate)
    bad = config_at(tmp_path / "bad", gate=gate)
    for config in (good, bad):
        Path(config.store.url.removeprefix("sqlite:///")).parent.mkdir()
        keep_times(config, 60_000, 0.005)
    save(good, make_pairs(2400, mean=0.15))
    pairs = make_pairs(2400, mean=0.15)
    save(bad, [failed(pair, "transport_error") if i % 4 == 0 else pair for i, pair in enumerate(pairs)])
    decisions = []
    for config in (good, bad):
        with open_store(config.store, read_only=True) as store:
            decisions += [
                verdict.decision for verdict in evaluate_lane(config, make_status(2400), store, now_ns=NOW_NS)
            ]
    assert decisions == ["GRADUATE", "REJECT"]


def test_one_shadow_can_be_evaluated_alone(tmp_path: Path) -> None:
    config = config_at(tmp_path, shadows={"a": {"url": "http://127.0.0.1:1"}, "b": {"url": "http://127.0.0.1:2"}})
    save(config, make_pairs(5, shadow="a"))
    with open_store(config.store, read_only=True) as store:
        assert [v.shadow for v in evaluate_lane(config, make_status(5), store, now_ns=NOW_NS)] == ["a", "b"]
        assert [v.shadow for v in evaluate_lane(config, make_status(5), store, shadow="b", now_ns=NOW_NS)] == ["b"]


def test_counters_that_cannot_be_read_are_not_evidence(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, make_pairs(50))
    with open_store(config.store, read_only=True) as store:
        (verdict,) = evaluate_lane(config, make_status(0, started=False), store, now_ns=NOW_NS)
    unknown = {rule.name for rule in verdict.rules if rule.ok is None}
    assert {"sampling", "prod errors", "accounting"} <= unknown
