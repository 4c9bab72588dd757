"""What a worker folds beforehand, so that a verdict need not read every row of its window.

The window moves once an hour: what it asks for then is folded before. Invariant: what is kept here is what
:func:`.evidence.evaluate_lane` reads, by the same plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ..columns import KeptFold
from ..config import Config
from .evidence import EvidenceSource, lane_plans
from .kept import BlockSource, Plan, bring_forward, name_of

__all__ = ["AHEAD_NS", "KeepingSource", "keep", "plans_of"]

_HOUR_NS = 3600 * 10**9
AHEAD_NS = _HOUR_NS // 2
"""So long before it begins the next window is folded."""


class KeepingSource(EvidenceSource, BlockSource, Protocol):
    """What it needs of the store."""


def plans_of(config: Config, status: Mapping[str, Any], store: KeepingSource, now_ns: int) -> dict[str, Plan[Any]]:
    """What is to be kept, by name. ``status`` says which versions the hosts of a fleet saw."""
    found = lane_plans(config, status, store, now_ns)
    soon = (now_ns // _HOUR_NS + 1) * _HOUR_NS
    if soon - now_ns <= AHEAD_NS:
        found += lane_plans(config, status, store, soon)
    return {name_of(plan): plan for plan in found}


def keep(
    config: Config, status: Mapping[str, Any], store: KeepingSource, now_ns: int
) -> Iterator[KeptFold | set[tuple[str, str]] | None]:
    """Fold what has come: ``None`` after each piece of work, each state that is to be put, and at last which states
    (by shadow and name) are wanted at all."""
    plans = plans_of(config, status, store, now_ns)
    yield None
    for plan in plans.values():
        yield from bring_forward(store, plan)
    yield {(plan.shadow, name) for name, plan in plans.items()}
