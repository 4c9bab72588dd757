"""The Grafana dashboard: every expression parses and asks for what is exposed, by labels that are there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from shadowlane.metrics.names import METRICS
from tests.support.expressions import metrics_of
from tools.dashboard import FILE, PANELS, dashboard

BOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
ASKED = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel["targets"]]


def test_the_file_is_the_one_that_the_table_makes() -> None:
    assert dashboard() == BOARD, "run: python -m tools.dashboard"


@pytest.mark.parametrize(("title", "expr"), ASKED)
def test_every_expression_parses_and_asks_for_what_is_exposed(title: str, expr: str) -> None:
    names = metrics_of(promql_parser.parse(expr))
    assert names, title
    for name in names:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        metric = METRICS[base if base in METRICS else name]
        assert (metric.kind == "histogram") is (name != metric.name), name
        for selector in re.findall(rf"{name}\{{([^}}]*)\}}", expr):
            labels = set(re.findall(r"(\w+)(?:=~|=)", selector))
            assert labels <= {"lane", "le", *metric.labels}, expr
            assert "lane" in labels


@pytest.mark.parametrize(("title", "expr"), ASKED)
def test_labels_that_are_shown_are_there(title: str, expr: str) -> None:
    """A legend or a grouping by a label that no metric of the expression has is blank for ever."""
    labels: set[str] = {"lane", "le"}
    for name in metrics_of(promql_parser.parse(expr)):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        labels |= set(METRICS[base if base in METRICS else name].labels)
    grouped = {label for names in re.findall(r"by \(([^)]*)\)", expr) for label in names.split(", ")}
    assert grouped <= labels, title
    [legend] = {target["legendFormat"] for panel in BOARD["panels"] for target in panel["targets"]
                if target["expr"] == expr and panel["title"] == title}  # fmt: skip
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= (grouped or labels), title


def test_variables_ask_for_labels_that_are_there() -> None:
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"])
            assert found
            assert found[2] in ("lane", *METRICS[found[1]].labels)


def test_panels_do_not_overlap_and_lie_in_the_grid() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(PANELS)
    assert len({panel["title"] for panel in BOARD["panels"]}) == len(PANELS)


def test_an_expression_that_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="paren"):
        promql_parser.parse("sum by (lane) (rate(shadowlane_requests_seen_total[5m])")
    assert metrics_of(promql_parser.parse("rate(a_total[5m]) / on (x) sum(b) > bool 3")) == {"a_total", "b"}


SHADOW = 'lane="default",shadow="candidate"'
SHOWN = [
    *(
        ("Verdict", {f'shadowlane_gate_verdict{{{SHADOW},verdict="{one}"}}': f"{one == verdict:d}x9"
                     for one in ("GRADUATE", "HOLD", "REJECT")}, number)
        for number, verdict in enumerate(("GRADUATE", "HOLD", "REJECT"), 1)
    ),
    ("Figure of each rule, as a share of its limit",
     {f'shadowlane_gate_rule_figure{{{SHADOW},rule="a"}}': "0.3x9", f'shadowlane_gate_rule_limit{{{SHADOW},rule="a"}}':
      "0.6x9", f'shadowlane_gate_rule_limit{{{SHADOW},rule="b"}}': "0x9"}, 0.5),
    ("Facts that contradict prod's",
     {f"shadowlane_fact_flips_total{{{SHADOW}}}": "0+1x9", f'shadowlane_pairs_total{{{SHADOW},band="stable"}}': "0+8x9",
      f'shadowlane_pairs_total{{{SHADOW},band="fact_flip"}}': "0+2x9"}, 0.1),
    # Every host shows the whole stream, and its own share.
    ("Offload: age of the oldest copy",
     {f'shadowlane_offload_oldest_seconds{{lane="default",instance="{host}"}}': "7x9" for host in "ab"}, 7),
]  # fmt: skip


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_panels_show_what_their_titles_say(tmp_path: Path) -> None:
    """By Prometheus' own evaluation of what the panel asks."""
    tests = []
    for title, series, value in SHOWN:
        [expr, *_] = [expr for panel, expr in ASKED if panel == title]
        asked = expr.replace("$lane", ".*").replace("$shadow", ".*")
        expected = [{"labels": "{}", "value": value}]
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"expr": f"round(max({asked}), 0.001)", "eval_time": "8m", "exp_samples": expected}
                ],
            }
        )
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": tests}))
    command = ["promtool", "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[:4000]
