"""The verdict on a shadow, with evidence that stays valid however often one looks."""

from __future__ import annotations

from .direct import Direct
from .rules import ALPHA, OVERHEAD, Evidence, Needs, Rule, Sampling, Window
from .sequences import Interval
from .series import Series
from .trial import Piece, Trial, increase_cs
from .verdict import Verdict, evaluate, verdict_data, verdicts_data, worst_of

__all__ = [
    "ALPHA",
    "OVERHEAD",
    "Direct",
    "Evidence",
    "Interval",
    "Needs",
    "Piece",
    "Rule",
    "Sampling",
    "Series",
    "Trial",
    "Verdict",
    "Window",
    "evaluate",
    "increase_cs",
    "verdict_data",
    "verdicts_data",
    "worst_of",
]
