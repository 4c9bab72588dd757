"""The verdict over all rules: GRADUATE, HOLD or REJECT.

Invariant: GRADUATE only when every rule that can be judged on this lane, and every one that ``gate.require`` names, is
met; one that is not known holds. REJECT only when a rule is missed for sure and for good by the shadow's own fault; a
shadow that was never asked rightly is held, and one that was never asked rightly on a route does not graduate. A
false GRADUATE needs a false "met" of the very rule that is broken, so its chance is that of one rule; the chance of a
false REJECT is shared out among the bounds that can reject.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..config import GateConfig
from .lane_rules import LANE_RULES, NO_LANE
from .lines import rounded
from .reverse import in_words
from .rules import Evidence, Needs, Rule, Window, evaluate_target
from .targets import SCORE_RULES

__all__ = ["Decision", "Verdict", "evaluate", "needs_line", "verdict_data", "verdicts_data", "worst_of"]

_OURS = ("asked", "slot_wait", "prod_errors", "sampling", "overhead", "accounting")
"""What is no property of the shadow's answers."""

Decision = Literal["GRADUATE", "HOLD", "REJECT"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about one shadow, with one line of evidence a rule."""

    shadow: str
    decision: Decision
    rules: tuple[Rule, ...]
    window: Window = field(default_factory=Window)
    left_out: tuple[str, ...] = ()
    """What the configuration leaves out, and by which field."""
    reverse: bool = False
    """Whether prod is the candidate, and the shadow the baseline."""

    @property
    def last(self) -> Rule | None:
        """The rule that will be known last, of those that say when; ``None`` when none does."""
        waiting = [rule for rule in self.rules if rule.ok is None and rule.needs is not None and rule.needs.hours]
        return max(waiting, key=lambda rule: rule.needs.hours or 0.0, default=None)  # type: ignore[union-attr]

    @property
    def summary(self) -> str:
        """The decision and its reason in one line."""
        return "; ".join(self.reasons.values()) or "every rule is met"

    @property
    def reasons(self) -> dict[str, str]:
        """What stands against the shadow, in words, by what it takes: ``reject``, ``leaning``, ``person``, ``missed``,
        ``data`` and ``last`` (the rule that will be known last); empty where every rule is met."""
        if self.decision == "REJECT":
            return {"reject": f"beyond the target for sure: {_names(rule for rule in self.rules if rule.beyond)}"}
        unlike = [rule for rule in self.rules if not rule.leaning]
        found = {
            "leaning": (
                "on the way to REJECT, unless the rest of the window saves it",
                [rule for rule in self.rules if rule.leaning],
            ),
            "person": ("needs a person to look at", [rule for rule in unlike if rule.needs_person]),
            "missed": ("not met", [rule for rule in unlike if rule.ok is False and not rule.needs_person]),
            "data": (
                "needs more data for",
                [rule for rule in self.rules if rule.ok is None and not rule.not_judged],
            ),
        }
        said = {key: f"{what}: {_names(rules)}" for key, (what, rules) in found.items() if rules}
        last = self.last
        if last is not None and last.needs is not None:
            said["last"] = f"last: {last.name}, {needs_line(last.needs)}"
        return said

    @property
    def waits_for(self) -> dict[str, list[str]]:
        """What a HOLD waits for, rule by rule: ``person``, where no more pairs will tell; ``lane``, where something of
        ours or of prod's has to be mended; ``data``."""
        found: dict[str, list[str]] = {"person": [], "lane": [], "data": []}
        for rule in self.rules if self.decision == "HOLD" else ():
            if rule.ok is True or rule.not_judged:
                continue
            ours = rule.ok is False and rule.key in _OURS and not (self.reverse and rule.key == "prod_errors")
            found["person" if rule.needs_person else "lane" if ours else "data"].append(rule.key)
        return found


def _names(rules: Iterable[Rule]) -> str:
    return ", ".join(rule.name for rule in rules)


def evaluate(gate: GateConfig, evidence: Evidence) -> Verdict:
    """Judge one shadow's evidence by the targets of ``[gate]``."""
    found = [evaluate_target(target, evidence, gate) for target in SCORE_RULES if target.key not in gate.disable]
    for key, rule in LANE_RULES.items():
        if key in gate.disable:
            continue
        if evidence.no_lane and key in NO_LANE:
            outcome = rule(evidence, gate)
            found.append(Rule(key, outcome.name, None, evidence.no_lane, not_judged=evidence.no_lane))
        else:
            found.append(rule(evidence, gate))
    if evidence.never_asked:
        # What a shadow answers to requests that are not meant for it is no fault of its own.
        found = [replace(rule, beyond=False, leaning=False) for rule in found]
        line = f"the shadow was never asked rightly, so nothing is known of its answers: {evidence.never_asked}"
        found.insert(0, Rule("asked", "asked rightly", False, line))
    elif evidence.asked_wrongly:
        line = f"never asked rightly on some routes, whose copies count for nothing here: {evidence.asked_wrongly}"
        found.insert(0, Rule("asked", "asked rightly", False, line))
    if evidence.reverse:
        found = [in_words(rule) for rule in found]
    rules = tuple(_required(rule) if rule.key in gate.require else rule for rule in found)
    decision: Decision = "HOLD"
    if any(rule.beyond for rule in rules):
        decision = "REJECT"
    elif all(rule.ok is True or rule.not_judged for rule in rules):
        decision = "GRADUATE"
    left_out = tuple(f"{name} (gate.disable)" for name in gate.disable)
    return Verdict(evidence.shadow, decision, rules, evidence.window, left_out, evidence.reverse)


def _required(rule: Rule) -> Rule:
    """What ``gate.require`` names is waited for, even where it cannot be judged."""
    if not rule.not_judged:
        return rule
    return replace(rule, not_judged="", evidence=f"{rule.evidence}; required by gate.require")


def needs_line(needs: Needs) -> str:
    """``needs about 5,200 more values: 9.0 h at the rate so far``."""
    when = "" if needs.hours is None else f"{needs.hours:.1f} h" if needs.hours >= 0.1 else "minutes"
    if needs.pairs is None:
        return f"needs about {when} more"
    return f"needs about {rounded(needs.pairs):,} more pairs" + (f": {when} at the rate so far" if when else "")


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict, JSON-ready."""
    last = verdict.last
    return {
        "shadow": verdict.shadow,
        "direction": "reverse" if verdict.reverse else "forward",
        "verdict": verdict.decision,
        "decision": verdict.decision,
        "summary": verdict.summary,
        "reasons": verdict.reasons,
        "waits_for": verdict.waits_for,
        "on_the_way_to_reject": any(rule.leaning for rule in verdict.rules),
        "last": None if last is None else last.key,
        "window": {
            "since_ns": verdict.window.since_ns,
            "hours": verdict.window.hours,
            "elapsed": verdict.window.elapsed,
            "why": verdict.window.why,
            "warmup": verdict.window.warmup,
        },
        "rules": [_rule_data(rule) for rule in verdict.rules],
        "left_out": list(verdict.left_out),
        "not_judged": [f"{rule.key}: {rule.not_judged}" for rule in verdict.rules if rule.not_judged],
    }


def worst_of(verdicts: Sequence[Verdict]) -> Decision:
    """The decision about several shadows together."""
    decisions = {verdict.decision for verdict in verdicts}
    worst: Decision = "REJECT" if "REJECT" in decisions else "HOLD" if "HOLD" in decisions else "GRADUATE"
    return worst


def verdicts_data(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Several verdicts, JSON-ready: ``verdict`` over all, ``rules`` of all with the shadow's name, and each alone."""
    shadows = [verdict_data(verdict) for verdict in verdicts]
    return {
        "verdict": worst_of(verdicts),
        "decision": worst_of(verdicts),
        "rules": [{"shadow": one["shadow"], **rule} for one in shadows for rule in one["rules"]],
        "shadows": shadows,
    }


def _rule_data(rule: Rule) -> dict[str, Any]:
    needs = rule.needs if rule.ok is None else None
    return {
        "key": rule.key,
        "name": rule.name,
        "status": rule.status,
        "ok": rule.ok,
        "beyond": rule.beyond,
        "leaning": rule.leaning,
        "needs_person": rule.needs_person,
        "evidence": rule.evidence,
        "figure": rule.figure,
        "limit": rule.limit,
        "needs": None if needs is None else {"pairs": needs.pairs, "hours": needs.hours, "text": needs_line(needs)},
    }
