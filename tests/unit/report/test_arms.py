"""Shadows side by side, in the report, on the page and by ``shadowlane gate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowlane.report.arms import arms_card, arms_lines
from shadowlane.report.build import build_report
from shadowlane.report.command import run_gate
from shadowlane.report.html import render_page
from shadowlane.report.terminal import render_report
from shadowlane.store import open_store
from tests.support.lanes import NOW_NS, config_at, make_pairs, make_status, save
from tests.support.pages import read
from tests.unit.gate.test_arms import lane, of


def test_the_report_and_the_page_show_them(tmp_path: Path) -> None:
    config = lane(tmp_path)
    pairs = make_pairs(900)
    save(config, [*of(pairs, "candidate"), *of(pairs, "other", further=0.1)])
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(900), store, now_ns=NOW_NS)
    assert report["arms"]["arms"][1]["verdict"] == "HOLD"
    (delta,) = [one for one in report["arms"]["differences"] if one["key"] == "mean_delta_s"]
    assert delta["better"] == "candidate"
    lines = [line for line, _ in render_report(report)]
    assert any(line.startswith("shadows side by side, since ") for line in lines)
    assert any("mean ΔS" in line and line.endswith("candidate is better") for line in lines)
    text = " ".join(read(render_page(report)).text)
    assert "other less candidate" in text
    assert "candidate is better" in text


def test_one_shadow_alone_has_no_table(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    save(config, make_pairs(30))
    with open_store(config.store, read_only=True) as store:
        report = build_report(config, make_status(30), store, now_ns=NOW_NS)
    assert report["arms"] is None
    assert not any("side by side" in line for line, _ in render_report(report))
    assert (arms_lines(None), arms_card(None)) == ([], "")


def test_the_gate_prints_them_of_all_shadows_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = lane(tmp_path)
    assert run_gate(config) == 1
    assert "no request yet that two of them answered" in capsys.readouterr().out
    run_gate(config, as_json=True)
    assert [arm["name"] for arm in json.loads(capsys.readouterr().out)["arms"]["arms"]] == ["candidate", "other"]
    run_gate(config, shadow="other")
    assert "side by side" not in capsys.readouterr().out


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    unbounded = {"estimate": 0.1, "lower": None, "upper": 0.2, "pairs": 3, "better": None}
    unknown = {**unbounded, "estimate": None}
    who = {"arm": "<b>", "than": "a\x1b[2J", "kind": "increase"}
    arm = {"name": "<b>", "verdict": None, "copies": 0, "failed": None, "delta_s": None}
    arms = {
        "since_ns": 0,
        "arms": [{**arm, "fact_flips": None, "p95_s": None, "tokens": None, "cost": None}],
        "differences": [
            {**who, **unbounded, "key": "p95_latency", "name": "P95 latency"},
            {**who, **unknown, "key": "cost", "name": "cost"},
        ],
    }
    text = "\n".join(line for line, _ in arms_lines(arms))
    assert "+10.0 %, not bounded yet, 3 pairs" in text
    assert "not known, 3 pairs" in text
    assert "\x1b" not in text
    card = arms_card(arms)
    assert "<b>" not in card
    assert "&lt;b&gt;" in card
