"""The verdict on a shadow, with evidence that stays valid however often one looks."""

from __future__ import annotations

from .rules import OVERHEAD, Evidence, Rule, Sampling
from .sequences import Interval
from .trial import Piece, Trial, increase_interval
from .verdict import Verdict, evaluate, verdict_data

__all__ = [
    "OVERHEAD",
    "Evidence",
    "Interval",
    "Piece",
    "Rule",
    "Sampling",
    "Trial",
    "Verdict",
    "evaluate",
    "increase_interval",
    "verdict_data",
]
