"""What is wrong with a lane at one moment: rules that are not met, and the lane's own health.

Invariant: a finding holds names, numbers and pins, and no evidence line: those may quote what a shadow answered. What
could not be read is not known, which neither raises an alert nor ends one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..config.alerts import HEALTH_RULES
from ..gate import Verdict
from ..status.lane import LaneStatus

__all__ = [
    "Counters",
    "Finding",
    "Reading",
    "Severity",
    "gate_findings",
    "lane_findings",
    "pins_of",
    "stood_in_of",
]

Severity = Literal["critical", "warning", "info"]

_LOST = ("ring_full", "provider_limit", "producer_died", "backlog")
"""Copies that were wanted and lost, but for the cap's."""
_CAP = ("cap", "reservoir")
_PIN_CHARS = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    shadow: str
    """Empty: it is the lane's."""
    rule: str
    """A name of :data:`shadowlane.config.alerts.ALERT_RULES`."""
    name: str
    """The same for people."""
    severity: Severity = "warning"
    figure: float | None = None
    limit: float | None = None
    rejects: bool = False
    """The verdict is REJECT for it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one minute."""

    findings: tuple[Finding, ...] = ()
    gate_known: bool = True
    """Whether the verdicts could be evaluated."""
    unknown: frozenset[str] = frozenset()
    """Rules of the lane's health that could not be read."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """By shadow."""
    pins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By shadow: the newest value of each."""
    stood_in: Mapping[str, int] = field(default_factory=dict)
    """By shadow: in how many copies ``[control]`` answered in prod's stead."""
    baselines: frozenset[str] = frozenset()
    """The shadows that are the baseline: prod is their candidate."""

    def knows(self, rule: str) -> bool:
        """Whether this reading says whether the rule is met."""
        return rule not in self.unknown if rule in HEALTH_RULES else self.gate_known


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts of the lane's life that only rise: what matters is by how much they did."""

    lane_id: str
    drops: int
    cap: int
    faults: int

    @classmethod
    def of(cls, lane: LaneStatus) -> Counters:
        """The counts of a lane now."""
        return cls(
            lane.lane_id,
            sum(lane.dropped.get(reason, 0) for reason in _LOST),
            sum(lane.dropped.get(reason, 0) for reason in _CAP),
            lane.faults + lane.corrupt,
        )


def gate_findings(verdicts: Iterable[Verdict]) -> list[Finding]:
    """Each rule that is not met, and each verdict that is REJECT."""
    found = []
    for verdict in verdicts:
        if verdict.decision == "REJECT":
            found.append(Finding(verdict.shadow, "verdict", "verdict REJECT", "critical", rejects=True))
        for rule in verdict.rules:
            if rule.ok is False:
                severity: Severity = "critical" if rule.beyond else "warning"
                found.append(
                    Finding(verdict.shadow, rule.key, rule.name, severity, rule.figure, rule.limit, rule.beyond)
                )
    return found


def pins_of(status: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The newest value of each pin, by shadow."""
    lately = {name: shadow["lately"] for name, shadow in status["shadows"].items() if shadow["lately"]}
    return {name: {pin: _short(value) for pin, value in seen["pins"].items()} for name, seen in lately.items()}


def stood_in_of(status: Mapping[str, Any]) -> dict[str, int]:
    """In how many copies of each shadow ``[control]`` answered in prod's stead."""
    return {name: int(shadow["stood_in"]) for name, shadow in status["shadows"].items()}


def _short(value: str) -> str:
    return value[:_PIN_CHARS].encode("utf-8", "replace").decode()


def lane_findings(now: Counters | None, before: Counters | None, limits: Mapping[str, Any] | None) -> list[Finding]:
    """What the counters and the limits say. ``before``: a minute ago; counters of another life of the lane, or none,
    say nothing."""
    found = []
    if now is not None and before is not None and now.lane_id == before.lane_id:
        drops, cap, faults = now.drops - before.drops, now.cap - before.cap, now.faults - before.faults
        if drops > 0:
            found.append(Finding("", "drops", "copies lost in the last minute", "warning", float(drops), 0.0))
        if cap > 0:
            found.append(Finding("", "cap", "copies refused by the cap in the last minute", "warning", float(cap), 0.0))
        if faults > 0:
            found.append(Finding("", "errors", "failures of ours in the last minute", "warning", float(faults), 0.0))
    for name, shadow in (limits or {}).get("shadows", {}).items():
        breaker, budget = shadow["breaker"], shadow["budget"]
        if breaker and breaker["state"] != "closed":
            found.append(Finding(name, "breaker", "circuit breaker open", "warning"))
        if budget and budget["reached"]:
            count = budget["limits"][budget["reached"]]
            name_of = f"budget reached: {budget['reached']}"
            found.append(Finding(name, "budget", name_of, "warning", count["spent"], count["limit"]))
    return found
