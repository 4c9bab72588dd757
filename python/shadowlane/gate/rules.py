"""One rule's outcome, what it is evaluated with, and how a mean or a share is held against its target.

Invariants: a rule is met only when a bound that holds at any time is inside the target. It is *beyond* only when such a
bound is outside it and nothing that the rest of the window brings can change that, or when it is outside a separate
hard stop; before that it is *on the way* there. What cannot be judged on a lane says why and blocks nothing, unless
``gate.require`` names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from ..bands import ACCEPTED, CRITICAL
from ..config import GateConfig
from .accounts import Accounts
from .change import Watched
from .direct import Direct
from .drift import Drift
from .lines import percent, plain
from .sample import PairedSample
from .sequences import Interval, Spread, minus
from .series import Series
from .targets import SCORE_RULES, Target, above_noise
from .timeline import Timeline
from .trial import Trial

__all__ = [
    "ALPHA",
    "OVERHEAD",
    "REJECT_ALPHA",
    "Evidence",
    "HostSample",
    "Needs",
    "Rule",
    "Sampling",
    "Status",
    "Window",
    "evaluate_target",
]

ALPHA = 0.05
"""What may go wrong: a verdict GRADUATE or REJECT is false with at most this probability, however often one looks."""
OVERHEAD = 0.99
"""The quantile at which mirroring's own cost is judged."""
REJECT_ALPHA = ALPHA / (2 * sum(target.rejects for target in SCORE_RULES) + 2)
"""Each bound that can reject: those of the rules that may, absolute and above the floor, and both P95s'."""
_MOST_GROWTH = 1e6
_SCARCE = 0.25
"""An optional rule is judged when it has this share of the pairs, or as many as it takes."""
_NEARLY_ALL = 0.95

Status = Literal["met", "not met", "not known", "not judged"]


@dataclass(frozen=True, slots=True)
class Needs:
    """How far a rule is from being known."""

    pairs: int | None = None
    """More values of its own kind; ``None`` when it waits for time alone, or nobody can say."""
    hours: float | None = None
    """At the rate so far."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule's outcome. ``ok``: ``True`` met, ``False`` not met, ``None`` not known (yet), or not judged."""

    key: str
    name: str
    ok: bool | None
    evidence: str
    beyond: bool = False
    """The target is missed for sure and for good, and it is the shadow's fault: the verdict is REJECT."""
    leaning: bool = False
    """It would be, if the rest of the window could not save it: on the way to REJECT."""
    not_judged: str = ""
    """Why it cannot be judged on this lane, and what would make it judged."""
    needs: Needs | None = None
    needs_person: bool = False
    """No more pairs will tell: a person has to look at it."""
    figure: float | None = None
    """What was seen, in the unit of :attr:`limit`; ``None``: nothing yet, or no single figure tells."""
    limit: float | None = None
    """What it is held against: at most so much (``pairs`` and ``every_hour``: at least)."""

    def held(self, figure: float, limit: float) -> Rule:
        """The same, and what was held against what; a figure that is not finite is none."""
        if not (math.isfinite(figure) and math.isfinite(limit)):
            return self
        return replace(self, figure=figure, limit=limit)

    @property
    def status(self) -> Status:
        """In words."""
        if self.not_judged:
            return "not judged"
        return {True: "met", False: "not met", None: "not known"}[self.ok]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Window:
    """The time that one verdict speaks of."""

    elapsed: float = 1.0
    """Share of the window that is over, in (0, 1]."""
    hours: float = 24.0
    """How long it has run."""
    since_ns: int = 0
    why: str = ""
    """Why it began later than the configured hours ago; empty: it did not."""
    warmup: int = 0
    """So many first answers of a cold shadow do not count."""


class HostSample(NamedTuple):
    """One host's part of a :class:`Sampling`, in one life of its lane."""

    host: str
    eligible: int
    taken: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the lane's sampler was asked for and what became of it, while one setting was in force."""

    ratio: float
    eligible: int
    taken: int
    lost: dict[str, int] = field(default_factory=dict)
    """Of the taken requests, those that were not mirrored for want of room, by reason."""
    qps: float = 0.0
    """The cap."""
    earlier: tuple[Sampling, ...] = ()
    """By the settings that were in force earlier in the window, the oldest first."""
    where: str = ""
    """Of one of ``earlier`` that is in force now on some hosts: which."""
    hosts: tuple[HostSample, ...] = ()
    """Its parts, where several hosts counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about one shadow in the window. Arrays are in the order of time; ``None`` is "not known"."""

    shadow: str
    reverse: bool = False
    """Whether the shadow is the baseline: everything else here is turned (:mod:`.reverse`)."""
    counted: str = ""
    """Where other hosts may write to the store: whose the counters are, in words behind a line of evidence."""
    failed_at: str = ""
    """Which of several hosts has most of what prod failed, in such words."""
    timed: str = ""
    """Over how many hosts requests were timed, in such words."""
    series: dict[str, Series]
    """By key of :data:`~shadowlane.gate.targets.SCORE_RULES`."""
    timeline: Timeline = field(default_factory=Timeline)
    """When the copies that were sent began."""
    times: PairedSample = field(default_factory=PairedSample)
    """The shadow's and prod's time to the end of the answer in ns, pair by pair."""
    tails: PairedSample = field(default_factory=PairedSample)
    """ΔS of the shadow and of the control at the same requests."""
    window: Window = field(default_factory=Window)
    sampling: Sampling | None = None
    prod_failed: int | None = None
    """Of the ``admitted`` requests, how many prod itself failed."""
    admitted: int | None = None
    trial: Trial | None = None
    """How long requests took in the gateway, those that were mirrored and a random group of the others."""
    direct: Direct | None = None
    """How long the lane's own calls took on the user path."""
    no_trial: str = ""
    """Why there is none, and what to do; empty: it only has to go on."""
    accounting_holds: bool | None = None
    accounting: str = ""
    accounts: Accounts = field(default_factory=Accounts)
    drift: Drift = field(default_factory=Drift)
    changes: tuple[Watched, ...] = ()
    """What a sudden change is looked for in."""
    no_lane: str = ""
    """Why there is no lane behind the pairs: rules about its counters are not judged then. Empty: there is one."""
    never_asked: str = ""
    """Why no copy was a request that the shadow takes (its words, the remedy); empty: some were, or none was sent."""
    asked_wrongly: str = ""
    """The same for single routes, where on others some copy was; their copies are in nothing else here."""

    @property
    def scored(self) -> int:
        """How many pairs have a ΔS."""
        return len(self.series["mean_delta_s"].values)


@dataclass(frozen=True, slots=True)
class _Part:
    """One bound of a rule: a spread or an interval held against a target."""

    interval: Interval
    surest: Interval
    """At the risk of rejecting."""
    target: float
    low: float
    """The least that a value can be: what the rest of the window may bring."""
    spread: Spread | None = None

    @property
    def met(self) -> bool:
        if self.target <= self.low or self.target == 0.0:
            return self.interval.n > 0 and self.interval.estimate <= self.target
        return self.interval.upper <= self.target

    @property
    def missed(self) -> bool:
        return self.interval.estimate > self.target

    @property
    def surely_missed(self) -> bool:
        return self.surest.lower > self.target

    def is_final(self, elapsed: float, hard_stop: float) -> bool:
        """Whether the rest of the window cannot save it, or it is beyond the hard stop."""
        if not self.surely_missed:
            return False
        saved = self.surest.lower * elapsed + self.low * (1 - elapsed)
        return saved > self.target or self.surest.lower > hard_stop * self.target > 0.0

    def pairs_needed(self) -> float | None:
        """How many values in all would put the upper bound inside, were they all like these; ``None``: no number."""
        spread, room = self.spread, self.target - self.interval.estimate
        if spread is None or not spread.n or room <= 0 or not math.isfinite(spread.radius(ALPHA)):
            return None
        near, far = float(spread.n), 2.0 * spread.n
        while spread.radius(ALPHA, far) > room:
            near, far = far, 2 * far
            if far > _MOST_GROWTH * spread.n:
                return None
        for _ in range(30):
            middle = (near + far) / 2
            near, far = (middle, far) if spread.radius(ALPHA, middle) > room else (near, middle)
        return far


def evaluate_target(target: Target, evidence: Evidence, gate: GateConfig) -> Rule:
    """One rule of :data:`~shadowlane.gate.targets.SCORE_RULES` on its series."""
    series = evidence.series[target.key]
    if not len(series.values):
        return _without_values(target, series, evidence, gate)
    parts = _parts(target, series, evidence, gate)
    if not parts:
        return Rule(target.key, target.name, None, "the control has no such values yet: no noise floor")
    return _held(target, series, evidence, gate, parts).held(parts[0].interval.estimate, parts[0].target)


def _held(target: Target, series: Series, evidence: Evidence, gate: GateConfig, parts: list[_Part]) -> Rule:
    show = percent if target.share else plain
    line = "; ".join(filter(None, (_line(target, series, parts, show), series.values.note, series.note)))
    if series.floor is not None and not len(series.floor):
        return Rule(target.key, target.name, None, f"{line}; the control has no such values yet: no noise floor")
    if all(part.met for part in parts):
        return Rule(target.key, target.name, True, line)
    few = len(series.values) < _SCARCE * max(evidence.scored, 1)
    if target.sparse and few and not any(part.surely_missed for part in parts):
        why = f"only {len(series.values)} of {evidence.scored} pairs have it, too few to tell; {series.none}"
        return Rule(target.key, target.name, None, f"{line}; {why}", not_judged=why)
    if target.key == "facts_read" and parts[0].interval.estimate >= _NEARLY_ALL:
        return Rule(target.key, target.name, None, line, not_judged=f"{line}; a [judge] reads what the rules cannot")
    surely = target.rejects and any(part.surely_missed for part in parts)
    final = surely and any(part.is_final(evidence.window.elapsed, gate.hard_stop) for part in parts)
    if any(part.missed for part in parts):
        person = _needs_person(target, parts)
        if not surely:
            line += "; a person has to look at it" if person else "; missed, not surely yet"
        leaning = surely and not final
        return Rule(target.key, target.name, False, line, beyond=final, leaning=leaning, needs_person=person)
    return _not_known(target, series, evidence, parts, line)


def _needs_person(target: Target, parts: list[_Part]) -> bool:
    """Whether more pairs will not tell: a reviewed rule is surely missed, or a mean ΔS lies in the band that people
    review (WFGY Problem Map, regression_gate: 0.46 to 0.59)."""
    if not target.rejects:
        return any(part.interval.lower > part.target for part in parts)
    level = parts[0].interval.estimate
    return target.key in ("mean_delta_s", "anchored_delta_s") and ACCEPTED < level < CRITICAL


def _without_values(target: Target, series: Series, evidence: Evidence, gate: GateConfig) -> Rule:
    if series.none and evidence.scored >= gate.min_pairs:
        return Rule(target.key, target.name, None, series.none, not_judged=series.none)
    return Rule(target.key, target.name, None, "no data yet")


def _parts(target: Target, series: Series, evidence: Evidence, gate: GateConfig) -> list[_Part]:
    limit = getattr(gate, target.field)
    if target.missing:  # of 80 % exactly 20 % may be missing, which 1 - 0.8 is not
        limit = round(1.0 - limit, 12)
    if series.floor is None:
        limit *= target.alone
    together = max(evidence.timeline.copies_a_minute, _runs_of_scores(evidence)) if target.rare else 1.0
    parts = []
    spread = series.values.spread(together)
    rise = getattr(gate, target.rise) if target.rise else 0.0
    if series.floor is not None and len(series.floor):
        limit = above_noise(limit, series.floor.mean, rise)
    if target.absolute:
        parts.append(_Part(spread.interval(ALPHA), spread.interval(REJECT_ALPHA), limit, target.low, spread))
    if series.floor is None or not len(series.floor):
        return parts
    width = target.high - target.low
    if series.excess is not None:
        above = series.excess.spread(together)
        return [*parts, _Part(above.interval(ALPHA), above.interval(REJECT_ALPHA), rise, -width, above)]
    noise = series.floor.spread(together)
    both = [minus(spread.interval(a / 2), noise.interval(a / 2)) for a in (ALPHA, REJECT_ALPHA)]
    return [*parts, _Part(both[0], both[1], rise, -width)]


def _runs_of_scores(evidence: Evidence) -> float:
    """How many values in a row are as one, told by the values of which there are enough: rare events come in the same
    runs."""
    return evidence.series["mean_delta_s"].values.design.runs


def _line(target: Target, series: Series, parts: list[_Part], show: Callable[[float], str]) -> str:
    """The evidence in words: what was seen, between which bounds it lies, and what was asked for."""
    n = len(series.values)
    first, spread = parts[0], parts[0].spread
    count = f"{n} of them" if not target.share else f"{_count(series.values.total)} of {n}"
    if target.absolute:
        line = (
            f"{target.what}: {show(first.interval.estimate)}, {count} (95 % at any time: "
            f"{show(first.interval.lower)} to {show(first.interval.upper)}; target at most {show(first.target)})"
        )
    else:
        line = f"{target.what}: {show(series.values.mean)} on average of {n}"
    if series.floor is None and target.alone > 1.0:
        line += f"; without a control {target.alone:g} times gate.{target.field}"
    if spread is not None and not math.isfinite(spread.design.runs):
        line += "; values come in runs so long that they cannot be bounded yet"
    elif spread is not None and spread.design.total > 1.0:
        line += f"; they come in runs or repeat, and count as {spread.n / spread.design.total:.0f} independent ones"
    if len(parts) > target.absolute:
        above = parts[-1]
        floor = 0.0 if series.floor is None else series.floor.mean
        line += (
            f"; above {series.floor_name} of {show(floor)}: {_signed(above.interval.estimate, target)} "
            f"({_signed(above.interval.lower, target)} to {_signed(above.interval.upper, target)}; at most "
            f"{_signed(above.target, target)})"
        )
    return line


def _not_known(target: Target, series: Series, evidence: Evidence, parts: list[_Part], line: str) -> Rule:
    """Within every target, not surely yet: how many more values it takes, or why nobody waits for them."""
    n = len(series.values)
    needed = [None if part.met else part.pairs_needed() for part in parts]
    waiting = [some for part, some in zip(parts, needed, strict=True) if not part.met]
    total = None if any(some is None for some in waiting) else max((some or 0.0 for some in waiting), default=0.0)
    if target.optional and n < _SCARCE * max(evidence.scored, 1):
        at_end = n / evidence.window.elapsed
        if total is None or total > at_end:
            what = "more" if total is None else f"about {math.ceil(total)}"
            why = f"only {n} of {evidence.scored} pairs have it, and it takes {what} in a window; {series.none}"
            return Rule(target.key, target.name, None, f"{line}; {why}", not_judged=why)
    if total is None:
        return Rule(target.key, target.name, None, f"{line}; within it, not surely yet")
    more = max(1, math.ceil(total) - n)
    hours = more / (n / evidence.window.hours) if evidence.window.hours > 0 else None
    return Rule(target.key, target.name, None, f"{line}; within it, not surely yet", needs=Needs(more, hours))


def _count(value: float) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 1e-9 else f"{value:.1f}"


def _signed(value: float, target: Target) -> str:
    return f"{100 * value:+.2f} %" if target.share else f"{value:+.3f}"
