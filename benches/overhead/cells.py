"""The cells of the matrix: one gateway under one load each. Around a base, one thing at a time is another; ``cross``
takes all combinations of the named ones.

Invariant: the first cell is the A/A one, whose arms are the same: its interval says what is told from nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

__all__ = ["BASE", "VALUES", "Cell", "cells", "quick_cells"]


@dataclass(frozen=True)
class Cell:
    """What is measured once."""

    kib: int = 1
    """Size of the request and of the answer."""
    answer: str = "json"
    """``json``, or ``sse``: a stream of events."""
    upstream_ms: int = 20
    ratio: float = 1.0
    shadow: str = "healthy"
    """``healthy``; ``slow``: answers after 10 s; ``dead``: takes connections and never answers; ``refusing``: takes
    none."""
    server: str = "uvicorn"
    arrivals: str = "poisson"
    """``poisson``, or ``azure``: recorded ones of a language model's service, at the same mean rate."""
    same: bool = False
    """Mirroring is off in both arms (A/A)."""

    def name(self) -> str:
        """What is other than the base, or ``base``."""
        if self.same:
            return "A/A"
        other = [
            _WORDS[field.name].format(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != getattr(BASE, field.name)
        ]
        return ", ".join(other) or "base"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


_WORDS = {
    "kib": "{} KiB",
    "answer": "{}",
    "upstream_ms": "upstream {} ms",
    "ratio": "ratio {:g}",
    "shadow": "shadow {}",
    "server": "{}",
    "arrivals": "arrivals {}",
}
BASE = Cell()
VALUES: dict[str, tuple[Any, ...]] = {
    "kib": (1, 16, 128),
    "answer": ("json", "sse"),
    "upstream_ms": (20, 0, 200),
    "ratio": (1.0, 0.1, 0.01),
    "shadow": ("healthy", "slow", "dead", "refusing"),
    "server": ("uvicorn", "granian"),
    "arrivals": ("poisson", "azure"),
}
"""Each field's values, the base's first."""


def cells(cross: Sequence[str] = ()) -> list[Cell]:
    """A/A, the base, one for each other value; and all combinations of the fields in ``cross``.

    Raises ValueError for a name that is no field.
    """
    for name in cross:
        if name not in VALUES:
            raise ValueError(f"cross: {name!r} is none of {', '.join(VALUES)}")
    found = [replace(BASE, same=True), BASE]
    found += [replace(BASE, **{name: value}) for name, values in VALUES.items() for value in values[1:]]
    for combination in itertools.product(*(VALUES[name] for name in cross)):
        found.append(replace(BASE, **dict(zip(cross, combination, strict=True))))
    return list(dict.fromkeys(found))


def quick_cells() -> list[Cell]:
    """What two minutes are enough for."""
    others: list[dict[str, Any]] = [
        {"kib": 128},
        {"answer": "sse"},
        {"ratio": 0.1},
        {"shadow": "dead"},
        {"server": "granian"},
    ]
    return [replace(BASE, same=True), BASE, *(replace(BASE, **other) for other in others)]
