"""Waiting, retrieval and versions in the report: how long copies waited for a slot, what answers carry of what they
retrieved, which versions answered.

Invariant: what is held does not grow with the rows, and nothing is said of what nobody says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..gate.sample import Sample
from ..render.text import clock, milliseconds
from ..types import PinSeen
from .sides import covered_line

__all__ = ["Surroundings", "pins_data", "surrounding_rows"]

_PINS_SHOWN = 12


class Surroundings:
    """Sums over the pairs that say, fed in the order of time. ``reverse``: coverage is that of the shadow's by prod."""

    def __init__(self, *, reverse: bool = False) -> None:
        self._reverse = reverse
        self._waits = Sample(1)
        self._covered = [0.0, 0.0]
        self._retrieved = [0.0, 0.0, 0.0]

    def add(self, columns: ScoreColumns) -> None:
        """The next rows."""
        slots = (columns.tries > 0) | (columns.waited_ns > 0)
        self._waits.add(columns.exchange[slots], columns.waited_ns[slots] / 1e9)
        _add(self._covered, columns.prod_coverage if self._reverse else columns.coverage)
        _add(self._retrieved, columns.prod_retrieved, columns.retrieved)

    def data(self) -> dict[str, Any]:
        """``slot_wait`` in seconds, ``coverage``, ``retrieved`` (ΔS to the question), each ``None`` without data."""
        waits = self._waits.column(0)
        (covered_n, covered), (n, prod, shadow) = self._covered, self._retrieved
        p50, p95 = np.quantile(waits, [0.5, 0.95]).tolist() if len(waits) else (0.0, 0.0)
        return {
            "slot_wait": {"copies": self._waits.n, "p50": p50, "p95": p95} if len(waits) else None,
            "coverage": {"pairs": int(covered_n), "mean": covered / covered_n} if covered_n else None,
            "retrieved": {"pairs": int(n), "prod": prod / n, "shadow": shadow / n} if n else None,
        }


def _add(sums: list[float], *values: NDArray[np.float64]) -> None:
    use = ~np.isnan(np.stack(values)).any(axis=0)
    sums[0] += int(use.sum())
    for position, some in enumerate(values, 1):
        sums[position] += float(some[use].sum())


def pins_data(pins: Sequence[PinSeen]) -> list[dict[str, Any]]:
    """The versions that answered, JSON-ready."""
    return [
        {"pin": pin, "value": value, "first_ns": first, "last_ns": last, "answers": n}
        for pin, value, first, last, n in pins
    ]


def surrounding_rows(shadow: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What there is of it as titles and lines, for a person."""
    around, rows = shadow["surroundings"], []
    if wait := around["slot_wait"]:
        times = f"P50 {milliseconds(wait['p50'])}, P95 {milliseconds(wait['p95'])}"
        rows.append(("slot wait", f"{times}; {wait['copies']} copies"))
    if around["coverage"]:
        rows.append(("retrieval", covered_line(shadow)))
    if far := around["retrieved"]:
        line = f"ΔS to the question: prod {far['prod']:.3f}, shadow {far['shadow']:.3f}; {far['pairs']} pairs"
        rows.append(("retrieval", line))
    pins = shadow["pins"]
    for pin in pins[-_PINS_SHOWN:]:
        when = f"{clock(pin['first_ns'])} to {clock(pin['last_ns'])} UTC"
        rows.append(("versions", f"{pin['pin']} {pin['value']}: {pin['answers']} answers, {when}"))
    if len(pins) > _PINS_SHOWN:
        rows.append(("versions", f"and {len(pins) - _PINS_SHOWN} before them"))
    return rows
