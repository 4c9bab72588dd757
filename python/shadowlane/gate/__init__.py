"""The verdict on a shadow, with evidence that stays valid however often one looks."""

from __future__ import annotations

from .rules import Evidence, Rule, Sampling
from .sequences import Interval
from .verdict import NOT_JUDGED, Verdict, evaluate

__all__ = ["NOT_JUDGED", "Evidence", "Interval", "Rule", "Sampling", "Verdict", "evaluate"]
