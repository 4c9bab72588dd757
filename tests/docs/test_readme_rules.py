"""The README's table of rules has each rule once."""

from __future__ import annotations

import re
from pathlib import Path

from shadowlane.gate.lane_rules import LANE_RULES
from shadowlane.gate.targets import SCORE_RULES

README = Path(__file__).parents[2] / "README.md"


def test_the_table_has_every_rule_once() -> None:
    text = README.read_text(encoding="utf-8")
    table = text.partition("### What the verdict asks for")[2].partition("[Each with its target]")[0]
    rows = [row for row in table.splitlines() if row.startswith("|")][2:]
    rules = [*(rule.key for rule in SCORE_RULES), *LANE_RULES]
    assert sorted(re.findall(r"`(\w+)`", "\n".join(rows))) == sorted(rules)
