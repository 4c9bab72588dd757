"""``shadowlane probe``: a gold file of questions, asked of prod and shadow in several wordings with several seeds.

Where mirroring waits for what users happen to ask, a probe asks what must not break, before any user does.
"""

from __future__ import annotations

from .gold import GoldItem, read_gold
from .runner import Plan, Target, run_probe
from .shape import Shape
from .verdict import ItemVerdict, ProbeVerdict, Targets, evaluate_runs

__all__ = [
    "GoldItem",
    "ItemVerdict",
    "Plan",
    "ProbeVerdict",
    "Shape",
    "Target",
    "Targets",
    "evaluate_runs",
    "read_gold",
    "run_probe",
]
