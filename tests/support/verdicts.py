"""Verdicts out of a real store: pairs with fields replaced, stored as the worker does, evaluated as the commands do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from shadowlane.config import Config
from shadowlane.gate import Rule, Verdict
from shadowlane.gate.evidence import evaluate_lane
from shadowlane.store import open_store
from shadowlane.types import Pair
from tests.support.lanes import NOW_NS, config_at, make_pairs, make_status, save

CONTROL = {"control": {"url": "http://127.0.0.1:9002"}}
PLAIN = {"disable": ["overhead"], "warmup_pairs": 0}


def altered(pairs: list[Pair], record: str = "scores", **fields: Any) -> list[Pair]:
    """The pairs with fields of a record replaced: by a value, or by what a function of the pair's number gives."""
    out = []
    for i, pair in enumerate(pairs):
        values = {name: some(i) if callable(some) else some for name, some in fields.items()}
        changed = msgspec.structs.replace(getattr(pair, record), **values)
        out.append(msgspec.structs.replace(pair, **{record: changed}))
    return out


def good(n: int = 2400, **more: Any) -> list[Pair]:
    """A shadow that is as good as prod."""
    return make_pairs(n, **{"mean": 0.15, "slower": 0.98, **more})


def judged(folder: Path, pairs: list[Pair], control: list[Pair] | None = None, **config: Any) -> Verdict:
    """The verdict on a lane with these pairs."""
    lane = config_at(folder, **(CONTROL if control else {}), **{"gate": PLAIN, **config})
    save(lane, [*pairs, *(control or [])])
    return verdict_of(lane, len(pairs))


def verdict_of(config: Config, n: int, *, now_ns: int = NOW_NS, status: Mapping[str, Any] | None = None) -> Verdict:
    """The verdict on what is stored; ``status``: of the lane, other than that of ``n`` copies that are all stored."""
    with open_store(config.store, read_only=True) as store:
        return evaluate_lane(config, status or make_status(n), store, now_ns=now_ns)[0]


def rule(verdict: Verdict, key: str) -> Rule:
    """One rule's outcome."""
    return next(some for some in verdict.rules if some.key == key)
