"""What no number of answers tells: the ratio of two quantiles where few questions decide the times.

Answers to one question say the same again and again, so that N questions are worth about N independent pairs, however
often they are asked. Invariant: nothing here decides anything; it says why a rule does not, and what would make it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from .boundary import limit
from .lines import rounded
from .paired import PairedQuantiles

__all__ = ["few_questions", "radius_at_end"]


def radius_at_end(radius: float, elapsed: float, alpha: float) -> float:
    """How far a bound that is ``radius`` from its estimate now will be at the window's end, were all pairs like these.
    Until then the bounds narrow faster than with the root of the pairs, after it as fast."""
    return radius * math.sqrt(elapsed) * limit(alpha, 1.0) / limit(alpha, elapsed)


def few_questions(key: str, both: PairedQuantiles, elapsed: float, target: float, alpha: float) -> str:
    """That more answers to these questions will not tell whether the ratio is at most ``1 + target``, and how many
    questions would: the end of a line of evidence. Empty where more pairs tell."""
    questions = both.questions_needed(_pairs_needed(both, elapsed, target, alpha))
    if not questions:
        return ""
    return (
        f"; the times depend on the question: {both.n} answers to {both.asked} questions count as "
        f"{both.independent:.0f} independent pairs, and no number of answers to these tells; it needs answers to about "
        f'{rounded(questions):,} questions; or leave this rule out: gate.disable = ["{key}"]'
    )


def _pairs_needed(both: PairedQuantiles, elapsed: float, target: float, alpha: float) -> float:
    """About how many independent pairs put the bound inside, or the estimate surely beyond, at the window's end; at
    least those without which nothing is said."""
    rough = replace(both, known=True).interval(alpha, elapsed)
    room = abs(1 + target - rough.estimate)
    if not (math.isfinite(rough.upper) and math.isfinite(rough.estimate)) or room <= 0:
        return both.least
    radius = radius_at_end(rough.upper - rough.estimate, elapsed, alpha)
    return max(both.least, both.independent / elapsed * (radius / room) ** 2)
