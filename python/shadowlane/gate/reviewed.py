"""A rule on one figure that a person decides when it is missed, by bounds that hold at any time.

Invariant: met and surely missed are said by a bound alone; how many pairs it takes is said only where they would tell.
"""

from __future__ import annotations

import math

from .lines import hours_for
from .rules import Evidence, Needs, Rule
from .sequences import Interval

__all__ = ["not_judged", "reviewed"]

_LEAST_SHOWN = 20
"""With fewer values nobody knows how many it takes."""


def reviewed(
    key: str,
    name: str,
    line: str,
    seen: Interval,
    target: float,
    evidence: Evidence,
    *,
    beyond: bool = False,
    ours: bool = False,
) -> Rule:
    """``beyond``: it rejects. ``ours``: it is the lane's own, so that nobody has to look at the shadow for it."""
    if seen.upper <= target:
        rule = Rule(key, name, True, line)
    elif seen.estimate > target:
        surely = seen.lower > target
        if not surely:
            line += "; missed, not surely yet"
        elif not (beyond or ours):
            line += "; a person has to look at it"
        rule = Rule(key, name, False, line, beyond=beyond, needs_person=surely and not ours)
    else:
        line += "; within it, not surely yet"
        rule = Rule(key, name, None, line, needs=_needs(seen, target, evidence.window.hours))
    return rule.held(seen.estimate, target)


def not_judged(key: str, name: str, why: str) -> Rule:
    """A rule that cannot be judged on this lane, and what would make it judged."""
    return Rule(key, name, None, why, not_judged=why)


def _needs(seen: Interval, target: float, hours: float) -> Needs | None:
    if seen.n < _LEAST_SHOWN or not math.isfinite(seen.upper) or seen.estimate >= target:
        return None
    # A radius goes with the root of the number of pairs.
    growth = ((seen.upper - seen.estimate) / (target - seen.estimate)) ** 2
    more = max(1, math.ceil(seen.n * (growth - 1)))
    return Needs(more, hours_for(more, seen.n, hours))
