"""Stores whose rows give a real worker a verdict: pairs of the last day, of a life of the lane that is over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from shadowlane.config import load_config
from shadowlane.store import open_store
from shadowlane.types import Pair
from tests.support.lanes import NOW_NS, make_pairs
from tests.support.verdicts import altered, good

__all__ = ["GATE", "seed"]

GATE: dict[str, Any] = {"disable": ["overhead", "sampling", "prod_errors"], "warmup_pairs": 0}
"""What only a lane that is asked right now can tell is left out."""
_DAY = 2400


def seed(config: Path, verdict: str, shadow: str = "candidate") -> None:
    """Put rows into the store of a configuration for which the gate says GRADUATE, HOLD or REJECT."""
    pairs = {
        "GRADUATE": lambda: good(_DAY, shadow=shadow),
        "HOLD": lambda: good(40, shadow=shadow),
        "REJECT": lambda: make_pairs(_DAY, shadow=shadow, mean=0.85, slower=1.6),
    }[verdict]()
    save(config, now(pairs), verdict)


def now(pairs: list[Pair]) -> list[Pair]:
    """The pairs, moved to the day that ends now."""
    later = time.time_ns() - NOW_NS
    return altered(pairs, "copy", started_ns=lambda i: pairs[i].copy.started_ns + later)


def save(config: Path, pairs: list[Pair], life: str) -> None:
    loaded = load_config(config)
    with open_store(loaded.store) as store:
        store.set_epoch(life.encode().hex().ljust(32, "0")[:32], dict.fromkeys(loaded.arms(), 0))
        store.save(pairs)
