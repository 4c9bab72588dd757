"""The verdict over all rules: GRADUATE, HOLD or REJECT.

Invariant: GRADUATE only when every rule is met; one rule that is not known holds. REJECT only when a rule is missed for
sure by the shadow's own fault. A false GRADUATE needs a false "met" of the very rule that is broken, so its chance is
that of one rule; the chance of a false REJECT is shared out among the rules that can reject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..config import GateConfig
from .rules import LANE_RULES, RULES, Evidence, Rule

__all__ = ["Decision", "Verdict", "evaluate", "verdict_data"]

Decision = Literal["GRADUATE", "HOLD", "REJECT"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about one shadow, with one line of evidence a rule."""

    shadow: str
    decision: Decision
    rules: tuple[Rule, ...]
    not_judged: tuple[str, ...] = ()
    """What the configuration leaves out, and by which field; what cannot be judged without a lane."""

    @property
    def summary(self) -> str:
        """The decision and its reason in one line."""
        if self.decision == "REJECT":
            return "beyond the target for sure: " + ", ".join(rule.name for rule in self.rules if rule.beyond)
        missed = [rule.name for rule in self.rules if rule.ok is False]
        unknown = [rule.name for rule in self.rules if rule.ok is None]
        parts = (["not met: " + ", ".join(missed)] if missed else []) + (
            ["not known yet: " + ", ".join(unknown)] if unknown else []
        )
        return "; ".join(parts) or "every rule is met"


def evaluate(gate: GateConfig, evidence: Evidence) -> Verdict:
    """Judge one shadow's evidence by the targets of ``[gate]``."""
    left_out = _left_out(gate, evidence)
    rules = tuple(rule(evidence, gate) for rule in RULES if rule.__name__ not in left_out)
    decision: Decision = "HOLD"
    if any(rule.beyond for rule in rules):
        decision = "REJECT"
    elif all(rule.ok is True for rule in rules):
        decision = "GRADUATE"
    return Verdict(evidence.shadow, decision, rules, tuple(left_out.values()))


def _left_out(gate: GateConfig, evidence: Evidence) -> dict[str, str]:
    """The rules that are not judged, by name, each with its reason."""
    left_out = {}
    if evidence.no_lane:
        left_out = {rule.__name__: f"{rule.__name__}: {evidence.no_lane}" for rule in LANE_RULES}
        if not len(evidence.prod_ns):
            left_out["p95_latency"] = "P95 latency: no exchange has the times of both answers"
    return {**left_out, **{name: f"{name} (gate.disable)" for name in gate.disable}}


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict, JSON-ready."""
    return {
        "shadow": verdict.shadow,
        "decision": verdict.decision,
        "summary": verdict.summary,
        "rules": [
            {"name": rule.name, "ok": rule.ok, "beyond": rule.beyond, "evidence": rule.evidence}
            for rule in verdict.rules
        ],
        "not_judged": list(verdict.not_judged),
    }
