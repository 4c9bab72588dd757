"""The table of targets: what it says is what the configuration and the documentation say."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowlane.config import GateConfig
from shadowlane.gate.targets import SCORE_RULES, Target

PAGE = Path(__file__).parents[3] / "docs" / "parts" / "gate.md"
HEAD = "| rule | key | field of `[gate]` | default | above the floor | missed for sure | where the default comes from |"


def line(target: Target) -> str:
    gate = GateConfig()
    default, rise = (
        getattr(gate, target.field),
        f"`{target.rise}` = {getattr(gate, target.rise):g}" if target.rise else "",
    )
    bound = "at least" if target.missing else "at most"
    ends = "REJECT" if target.rejects else "reviewed"
    cells = (target.name, f"`{target.key}`", f"`{target.field}`", f"{bound} {default:g}", rise, ends, target.source)
    return f"| {' | '.join(cells)} |"


def test_the_page_has_one_line_a_rule_with_its_default_and_source() -> None:
    table = "\n".join([HEAD, "|---|---|---|---|---|---|---|", *map(line, SCORE_RULES)])
    assert table in PAGE.read_text()


@pytest.mark.parametrize("target", SCORE_RULES, ids=lambda target: target.key)
def test_a_rule_can_be_met(target: Target) -> None:
    limit = getattr(GateConfig(), target.field)
    assert 0 < limit <= (1 if target.share else 2)
    assert target.source
