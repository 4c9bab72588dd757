"""The rule on a sudden change: the shadow got worse within the window, at one moment, by more than it may.

Invariant: it rejects nothing. A mean over the whole window tells late that a service broke in the last hour, and one
that broke and came back may be within every target; a person has to look at either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from ..config import GateConfig
from .change import SERIES, Steps, Watched
from .detector import LEAST_STEPS, Found, Limits, scan
from .lines import percent, plain, signed, signed_plain
from .reviewed import not_judged
from .rules import Evidence, Rule

__all__ = ["change"]

_DAY_NS = 86_400 * 10**9
_HOUR_NS = 3600 * 10**9
_LATELY = 0.125
"""Of the window: without a control, what was lately is what is usual, since it goes up and down with the day."""
_LEAST_WATCHED = LEAST_STEPS // 2
"""Fewer steps behind the first ones tell nothing."""
_MOST_LOG = 700.0


@dataclass(frozen=True, slots=True)
class _Watch:
    """One series, looked at."""

    watched: Watched
    steps: Steps
    days: float
    """So rare a sign as its strongest is by chance: once in so many days, or less often."""
    found: Found | None


def change(evidence: Evidence, gate: GateConfig) -> Rule:
    """No sudden rise of ΔS by more than ``gate.mean_rise``, of contradicted facts by more than ``gate.rate_rise``, or
    of failures by more than ``gate.shadow_error_rate``, the first two above the control's where one runs; at most one
    false alarm in ``gate.change_days`` on average. Source: Shin, Ramdas, Rinaldo 2023 (:mod:`.detector`)."""
    key, name = "change", "sudden change"
    looked = [_looked(some, gate, len(evidence.changes)) for some in evidence.changes]
    watches = [some for some in looked if some is not None]
    if not watches:
        why = (
            f"a sudden change is told after {LEAST_STEPS + _LEAST_WATCHED} steps of a minute or more, which have eight "
            "pairs on average; more pairs, over a longer time, give them"
        )
        return not_judged(key, name, why)
    strongest = max(watches, key=lambda some: some.days)
    lines = [_line(some, some.found, gate) for some in watches if some.found is not None]
    chance = f"once in {strongest.days:.2g} days" if strongest.days < 1e6 else "less than once in a million days"
    by_chance = f"by chance so strong a sign comes {chance}; an alarm is one that comes once in {gate.change_days:g}"
    if lines:
        line = f"{'; '.join(lines)}; {by_chance}; a person has to look at it, and gate --restart begins anew"
        rule = Rule(key, name, False, line, needs_person=True)
    else:
        what = ", ".join(_what(some.watched) for some in watches)
        rule = Rule(key, name, True, f"no sudden rise of {what}; {by_chance}")
    return rule.held(strongest.days, gate.change_days)


def _looked(watched: Watched, gate: GateConfig, series: int) -> _Watch | None:
    steps = watched.steps.long_enough()
    lately = None if watched.paired else max(1, round(_LATELY * gate.window_hours * _HOUR_NS / steps.step_ns))
    tolerance = getattr(gate, SERIES[watched.key][1])
    seen = scan(steps.counts, steps.sums, Limits(tolerance, watched.key != "mean_delta_s", lately))
    if int(seen.begun) < _LEAST_WATCHED:
        return None
    # All series together may give one false alarm in that time.
    a_day = series * _DAY_NS / steps.step_ns
    days = math.exp(min(float(seen.logs.max()), _MOST_LOG)) / a_day
    return _Watch(watched, steps, days, seen.found(gate.change_days * a_day))


def _line(watch: _Watch, found: Found, gate: GateConfig) -> str:
    """What got worse, when, by how much, and how long it took to be sure."""
    share = watch.watched.key != "mean_delta_s"
    show, rise = (percent, signed) if share else (plain, signed_plain)
    steps = watch.steps
    begin = datetime.fromtimestamp((steps.first + found.begin) * steps.step_ns / 1e9, UTC)
    took = (found.sure + 1 - found.begin) * steps.step_ns / 60e9
    return (
        f"{_what(watch.watched)} got worse at about {begin:%Y-%m-%d %H:%M} UTC: {rise(found.during - found.before)}, "
        f"from {show(found.before)} to {show(found.during)}, sure after {took:.0f} min and "
        f"{_pairs(steps, found)} pairs; {show(found.since)} since then; it may rise by "
        f"{show(getattr(gate, SERIES[watch.watched.key][1]))}"
    )


def _pairs(steps: Steps, found: Found) -> int:
    return int(steps.counts[found.begin : found.sure + 1].sum())


def _what(watched: Watched) -> str:
    return SERIES[watched.key][0] + (" above the control's" if watched.paired else "")
