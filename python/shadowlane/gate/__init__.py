"""The verdict on a shadow, with evidence that stays valid however often one looks."""

from __future__ import annotations

from .direct import Direct
from .rules import ALPHA, OVERHEAD, Evidence, Needs, Rule, Sampling, Window
from .sample import PairedSample
from .sequences import Interval
from .series import Series
from .stream import Stream
from .timeline import Timeline
from .trial import Piece, Trial, increase_cs
from .verdict import Verdict, evaluate, verdict_data, verdicts_data, worst_of

__all__ = [
    "ALPHA",
    "OVERHEAD",
    "Direct",
    "Evidence",
    "Interval",
    "Needs",
    "PairedSample",
    "Piece",
    "Rule",
    "Sampling",
    "Series",
    "Stream",
    "Timeline",
    "Trial",
    "Verdict",
    "Window",
    "evaluate",
    "increase_cs",
    "verdict_data",
    "verdicts_data",
    "worst_of",
]
