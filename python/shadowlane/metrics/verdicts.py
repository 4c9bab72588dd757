"""The gate's verdicts, as samples.

Invariant: nothing is evaluated here: what is shown was evaluated before, and says when. A rule that is not known has no
``rule_met``, so that no alert takes it for missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..gate import Rule, Verdict
from .families import Families

__all__ = ["Judged", "add_verdicts"]

_DECISIONS = ("GRADUATE", "HOLD", "REJECT")
_STATES = ("met", "not met", "not known", "not judged")
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on a lane's shadows, and when they were evaluated (Unix time)."""

    at_ns: int
    verdicts: Sequence[Verdict]
    failed: bool = False
    """Whether they could not be evaluated."""


def add_verdicts(families: Families, judged: Judged) -> None:
    """What the last evaluation said."""
    families.add("shadowlane_readable", not judged.failed, "gate")
    if judged.failed:
        return
    families.add("shadowlane_gate_evaluated_timestamp_seconds", judged.at_ns / 1e9)
    for verdict in judged.verdicts:
        shadow = verdict.shadow
        for decision in _DECISIONS:
            families.add("shadowlane_gate_verdict", verdict.decision == decision, shadow, decision)
        families.add("shadowlane_gate_window_elapsed_ratio", verdict.window.elapsed, shadow)
        families.add("shadowlane_gate_waits_for_person", sum(rule.needs_person for rule in verdict.rules), shadow)
        last = verdict.last
        if last is not None and last.needs is not None and last.needs.hours is not None:
            families.add("shadowlane_gate_needed_seconds", last.needs.hours * _HOUR_S, shadow)
        for rule in verdict.rules:
            _add_rule(families, shadow, rule)


def _add_rule(families: Families, shadow: str, rule: Rule) -> None:
    for state in _STATES:
        families.add("shadowlane_gate_rule_state", rule.status == state, shadow, rule.key, state.replace(" ", "_"))
    if rule.status in ("met", "not met"):
        families.add("shadowlane_gate_rule_met", rule.status == "met", shadow, rule.key)
    if rule.figure is not None and rule.limit is not None:
        families.add("shadowlane_gate_rule_figure", rule.figure, shadow, rule.key)
        families.add("shadowlane_gate_rule_limit", rule.limit, shadow, rule.key)
    if rule.ok is None and rule.needs is not None:
        if rule.needs.pairs is not None:
            families.add("shadowlane_gate_rule_needed_pairs", rule.needs.pairs, shadow, rule.key)
        if rule.needs.hours is not None:
            families.add("shadowlane_gate_rule_needed_seconds", rule.needs.hours * _HOUR_S, shadow, rule.key)
