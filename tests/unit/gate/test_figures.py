"""Each rule's figure and limit: what the evidence says in words, as numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from shadowlane.config import GateConfig
from shadowlane.gate import Rule, verdict_data
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.store import open_store
from tests.support.lanes import NOW_NS, config_at, make_pairs, make_status, save

SHOWN = re.compile(r": (?P<seen>[+-]?[\d.]+) ?(?P<unit>%?),? .*?target at most (?P<limit>[+-]?[\d.]+)")


@pytest.fixture
def rules(tmp_path: Path) -> dict[str, Rule]:
    config = config_at(tmp_path)
    save(config, make_pairs(1200))
    with open_store(config.store, read_only=True) as store:
        [verdict] = evaluate_lane(config, make_status(1200), store, now_ns=NOW_NS)
    data = {rule["key"]: rule for rule in verdict_data(verdict)["rules"]}
    for rule in verdict.rules:
        assert (data[rule.key]["figure"], data[rule.key]["limit"]) == (rule.figure, rule.limit)
    return {rule.key: rule for rule in verdict.rules}


def test_figures_are_those_of_the_evidence(rules: dict[str, Rule]) -> None:
    for key, digits in (("mean_delta_s", 3), ("critical", 4), ("convergence", 4), ("shadow_errors", 4)):
        rule = rules[key]
        found = SHOWN.search(rule.evidence)
        assert found, rule.evidence
        assert rule.figure is not None
        assert rule.limit is not None
        scale = 100 if found["unit"] else 1
        assert math.isclose(float(found["seen"]), rule.figure * scale, abs_tol=scale * 0.6 * 10**-digits)
        assert math.isclose(float(found["limit"]), rule.limit * scale, abs_tol=scale * 0.6 * 10**-digits)


def test_rules_on_counts_have_them_too(rules: dict[str, Rule]) -> None:
    gate = GateConfig()
    assert (rules["pairs"].figure, rules["pairs"].limit) == (1180, gate.min_pairs)
    assert (rules["every_hour"].figure, rules["every_hour"].limit) == (24, 24)
    assert (rules["sampling"].figure, rules["sampling"].limit) == (0.0, gate.sampling_tolerance)


def test_no_figure_is_made_up(rules: dict[str, Rule]) -> None:
    assert rules["accounting"].figure is rules["accounting"].limit is None
    assert all((rule.figure is None) is (rule.limit is None) for rule in rules.values())
    assert Rule("a", "a", None, "").held(math.inf, 1.0).figure is None
    assert Rule("a", "a", None, "").held(1.0, math.nan).limit is None


def test_a_missed_rule_has_a_figure_beyond_its_limit_and_a_met_one_within(rules: dict[str, Rule]) -> None:
    at_least = {"pairs", "every_hour"}
    held = [rule for rule in rules.values() if rule.figure is not None and rule.key not in at_least]
    assert len(held) > 15
    for rule in held:
        assert rule.figure is not None
        assert rule.limit is not None
        if rule.ok is False:
            assert rule.figure > rule.limit, rule
        elif rule.ok:
            assert rule.figure <= rule.limit, rule


def test_the_error_budget_burns_as_fast_as_its_worst_pair_of_windows() -> None:
    from shadowlane.gate.accounts import Burn

    assert Burn("1 h", "5 min", 14.4, (1000, 144), (100, 20)).share(0.01) == pytest.approx(1.0)
    assert Burn("1 h", "5 min", 14.4, (1000, 500), (100, 0)).share(0.01) == 0.0
    assert Burn("1 h", "5 min", 14.4, (1000, 500), (0, 0)).share(0.01) == 0.0
