"""How much the rules and ΔS know of a pair: the judge is asked first where that is least.

Invariant: every pair has one class, by what was stored of it; each class is sampled at a rate of its own, so that what
the judge says of a class holds for the class, and for all pairs once the classes are weighted by their sizes.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from ..bands import ACCEPTED, CRITICAL, STABLE
from ..types import Pair

__all__ = ["DOUBTS", "RANKS", "Doubt", "Tally", "doubt_of", "in_doubt", "rank_of", "rate_of"]

Doubt: TypeAlias = Literal[
    "", "language", "unread", "values", "missing", "transitional", "reworded", "contradiction", "sure"
]

DOUBTS: dict[Doubt, str] = {
    "language": "facts not looked at (language)",
    "unread": "facts looked at in part (cut, too long)",
    "values": "values of only one answer",
    "missing": "content of only one answer",
    "transitional": "ΔS from 0.40 to 0.60",
    "reworded": "said in other words",
    "contradiction": "facts contradict",
    "sure": "nearly equal, or far apart",
}
"""The classes, where least is known first, and what they are called."""

_REWORDED = 0.15
"""ΔS from which on two answers that mean the same are not the same words any more."""
_UNMATCHED = 0.25
"""Share of an answer's sentences of which the other one says nothing."""
_SURE_RATE = 0.1
"""Share of ``judge.ratio`` at which what seems sure is looked at: without it nobody would know whether it is."""
_FIGURE = re.compile(r"\d+(?:[.,:/-]\d+)*")


def doubt_of(pair: Pair) -> Doubt:
    """The class of a pair; empty where there is nothing to compare: no text, or the same one twice."""
    scores = pair.scores
    if not (pair.prod_text and pair.shadow_text) or pair.prod_text == pair.shadow_text:
        return ""
    if scores.fact_flip:
        return "contradiction"
    if scores.delta_s is None:
        return ""
    if scores.delta_s >= CRITICAL:
        return "sure"
    if scores.unread:
        return "language" if scores.unread == "language" else "unread"
    if max(scores.missing or 0.0, scores.extra or 0.0) >= _UNMATCHED:
        return "missing"
    if scores.delta_s >= STABLE:
        return "transitional"
    if scores.delta_s < _REWORDED:
        return "sure"
    return "values" if _figures(pair.prod_text) != _figures(pair.shadow_text) else "reworded"


def _figures(text: str) -> set[str]:
    return set(_FIGURE.findall(text))


def in_doubt(pair: Pair) -> bool:
    """Whether the scores leave a pair open."""
    return doubt_of(pair) not in ("", "sure")


RANKS = 3


def rank_of(doubt: Doubt) -> int:
    """In which order classes are judged: 0 where least is known, then contradictions, then what seems sure."""
    return {"contradiction": 1, "unread": 1, "sure": 2}.get(doubt, 0)


def rate_of(doubt: Doubt, ratio: float) -> float:
    """The share of a class that is judged."""
    return ratio * _SURE_RATE if doubt == "sure" else ratio


class Tally(msgspec.Struct):
    """What a class of one shadow's pairs came to so far."""

    seen: int = 0
    """Pairs of the class, judged or not."""
    accepted_same: int = 0
    """Of those that the rules and ΔS accept, how many the judge calls the same, and how many not."""
    accepted_not: int = 0
    objected_same: int = 0
    """Of those that they object to."""
    objected_not: int = 0
    inconsistent: int = 0
    """Judged otherwise in the other order: says nothing."""

    @property
    def judged(self) -> int:
        """Pairs with a verdict that says something."""
        return self.accepted_same + self.accepted_not + self.objected_same + self.objected_not

    @property
    def agreed(self) -> int:
        """Of them, those of which the judge says what the rules and ΔS say."""
        return self.accepted_same + self.objected_not

    def count(self, pair: Pair, verdict: str) -> None:
        """Count a pair's verdict."""
        if verdict == "inconsistent":
            self.inconsistent += 1
            return
        scores = pair.scores
        accepted = not scores.fact_flip and (scores.delta_s or 0.0) <= ACCEPTED
        name = f"{'accepted' if accepted else 'objected'}_{'same' if verdict == 'same' else 'not'}"
        setattr(self, name, getattr(self, name) + 1)
