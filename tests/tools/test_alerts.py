"""The rules for Prometheus: made from the tables, complete, and right by ``promtool``'s own evaluation."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from shadowlane.gate.lane_rules import LANE_RULES
from shadowlane.gate.targets import SCORE_RULES
from shadowlane.metrics.names import METRICS
from tests.support.expressions import metrics_of
from tools.alerts import ALERTS, FILE, RECORDS, Alert, gate_rules, rules_file

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
RECORDED = {record.name for record in RECORDS}


def check(kind: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", kind, "rules", *map(str, files)], capture_output=True, text=True, timeout=110, check=False
    )


def test_the_file_is_the_one_that_the_tables_make() -> None:
    assert FILE.read_text(encoding="utf-8") == rules_file(), "run: python -m tools.alerts"


def test_every_rule_of_the_gate_has_an_alert_of_its_own() -> None:
    keys = {target.key for target in SCORE_RULES} | set(LANE_RULES) | {"asked"}
    assert set(gate_rules()) == keys
    alerted = re.findall(r'shadowlane_gate_rule_met\{rule="(\w+)"\} == 0', FILE.read_text(encoding="utf-8"))
    assert sorted(alerted) == sorted(keys)
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


def test_what_is_asked_for_is_exposed_or_recorded() -> None:
    for expr in [*(alert.expr for alert in ALERTS), *(record.expr for record in RECORDS)]:
        unknown = metrics_of(promql_parser.parse(expr)) - RECORDED - {"up"}
        assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in unknown} <= set(METRICS), expr


def test_labels_that_are_matched_are_exposed() -> None:
    for expr in [*(alert.expr for alert in ALERTS), *(record.expr for record in RECORDS)]:
        for name, matchers in re.findall(r"(shadowlane_\w+)\{([^}]*)\}", expr):
            wanted = set(re.findall(r"(\w+)(?:=~|!=|=)", matchers)) - {"le"}
            assert wanted <= set(METRICS[re.sub(r"_bucket$", "", name)].labels), expr


@promtool
def test_promtool_takes_the_file() -> None:
    done = check("check", FILE)
    assert done.returncode == 0, done.stderr
    assert f"{len(ALERTS) + len(RECORDS)} rules found" in done.stdout


def case(alert: Alert, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    """One test of ``promtool test rules``: the alert's state after 40 minutes."""
    expected: list[dict[str, Any]] = []
    if fires:
        texts = {"summary": alert.summary, "description": alert.text}
        filled = {
            name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: alert.labels[found[1]], text)
            for name, text in texts.items()
        }
        expected = [{"exp_labels": {**alert.labels, "severity": alert.severity}, "exp_annotations": filled}]
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": "40m", "alertname": alert.name, "exp_alerts": expected}],
    }


def run_tests(tests: Sequence[dict[str, Any]], folder: Path) -> subprocess.CompletedProcess[str]:
    names = [group["name"] for group in yaml.safe_load(rules_file())["groups"]]
    file = folder / "test.yml"
    plain = {"rule_files": [str(FILE)], "evaluation_interval": "1m", "group_eval_order": names, "tests": list(tests)}
    file.write_text(yaml.safe_dump(plain, allow_unicode=True))
    return check("test", file)


@promtool
@pytest.mark.slow
def test_every_alert_fires_when_it_should_and_at_no_other_time(tmp_path: Path) -> None:
    """Each beside the records that it asks for alone: all rules at each step of each case would take half a minute."""
    shipped = [rule for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    files = []
    for alert in ALERTS:
        asked = metrics_of(promql_parser.parse(alert.expr))
        records = [rule for rule in shipped if rule.get("record") in asked]
        [rule] = [rule for rule in shipped if rule.get("alert") == alert.name]
        groups = [{"name": "records", "interval": "30s", "rules": records}, {"name": "alert", "rules": [rule]}]
        rules, tests = tmp_path / f"{alert.name}.yml", tmp_path / f"{alert.name}.test.yml"
        rules.write_text(yaml.safe_dump({"groups": groups if records else groups[1:]}, allow_unicode=True))
        cases = [case(alert, alert.fires, fires=True), case(alert, {}, fires=False)]
        cases += [case(alert, series, fires=False) for series in alert.quiet]
        plain = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": cases}
        if records:
            plain["group_eval_order"] = ["records", "alert"]
        tests.write_text(yaml.safe_dump(plain, allow_unicode=True))
        files.append(tests)
    done = check("test", *files)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert done.stdout.count("SUCCESS") == len(ALERTS)


@promtool
def test_an_alert_that_is_wrong_is_found(tmp_path: Path) -> None:
    """The test above can fail: an alert that is expected on quiet series, and one that is not where it fires."""
    [down] = [alert for alert in ALERTS if alert.name == "ShadowlaneDown"]
    assert run_tests([case(down, down.quiet[0], fires=True)], tmp_path).returncode == 1
    assert run_tests([case(down, down.fires, fires=False)], tmp_path).returncode == 1
    other = dataclasses.replace(down, labels={**down.labels, "instance": "b"})
    assert run_tests([case(other, down.fires, fires=True)], tmp_path).returncode == 1


SHADOW = 'lane="default",shadow="candidate"'
LATENCY = {
    **{f'shadowlane_shadow_latency_seconds_bucket{{{SHADOW},le="{le}"}}': f"0+{n}x40" for le, n in
       (("0.1", 50), ("0.25", 90), ("0.5", 100), ("+Inf", 100))},
    f"shadowlane_shadow_latency_seconds_sum{{{SHADOW}}}": "0+20x40",
    f"shadowlane_shadow_latency_seconds_count{{{SHADOW}}}": "0+100x40",
}  # fmt: skip
RECORDED_CASES = [
    (
        {
            f'shadowlane_copies_stored_total{{{SHADOW},result="failed",reason="deadline"}}': "0+10x40",
            f'shadowlane_copies_stored_total{{{SHADOW},result="failed",reason="sampled_out"}}': "0+40x40",
            f'shadowlane_copies_stored_total{{{SHADOW},result="answered",reason=""}}': "0+50x40",
        },
        "lane_shadow:shadowlane_copies_failed:ratio_rate5m",
        0.1,
    ),
    (LATENCY, "lane_shadow:shadowlane_shadow_latency_seconds:p95_5m", 0.375),
    (LATENCY, 'rag_e2e_latency_seconds_bucket{le="0.25"}', 40 * 90),
    (LATENCY, "histogram_quantile(0.95, rate(rag_e2e_latency_seconds_bucket[5m]))", 0.375),
    ({f'shadowlane_responses_total{{{SHADOW},code="429"}}': "0+3x40",
      f'shadowlane_responses_total{{{SHADOW},code="200"}}': "0+9x40"}, "llm_api_rate_limited_total", 120),
    ({'shadowlane_backlog_frames{lane="default",instance="a"}': "3x40",
      'shadowlane_backlog_frames{lane="default",instance="b"}': "4x40"}, "queue_backlog_count", 7),
    ({f"shadowlane_citation_match_ratio_sum{{{SHADOW}}}": "0+6x40",
      f"shadowlane_citation_match_ratio_count{{{SHADOW}}}": "0+8x40"}, "rag_citation_hit_rate", 0.75),
    ({f'shadowlane_coverage_ratio_bucket{{{SHADOW},le="0.0"}}': "0+1x40",
      f'shadowlane_coverage_ratio_bucket{{{SHADOW},le="+Inf"}}': "0+9x40"}, "retriever_empty_result_count_total", 40),
]  # fmt: skip


@promtool
def test_what_is_recorded_is_what_its_name_says(tmp_path: Path) -> None:
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f"round(max({expr}), 0.001)",
                    "eval_time": "40m",
                    "exp_samples": [{"labels": "{}", "value": value}],
                }
            ],
        }
        for series, expr, value in RECORDED_CASES
    ]
    done = run_tests(tests, tmp_path)
    assert done.returncode == 0, (done.stdout + done.stderr)[:4000]
